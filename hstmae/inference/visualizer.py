"""Pictures of restorations: side by side, contact sheets, animations. Pixels are scaled by whole numbers only.

All pictures are uint8 RGB [H, W, 3].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..atomic import replacing
from ..drawing.panels import BACKGROUND
from ..errors import UsageError
from ..film.x264 import steady

if TYPE_CHECKING:
    from PIL.Image import Image

LABEL_HEIGHT = 16
GAP = 4

Panel = tuple[str, np.ndarray]  # label, picture


def side_by_side(panels: Sequence[Panel], scale: int = 2) -> Image:
    """Labelled pictures of one height in a row."""
    return contact_sheet([panels], scale)


def contact_sheet(rows: Sequence[Sequence[Panel]], scale: int = 2) -> Image:
    """Rows of labelled pictures; an empty label in every panel of a row leaves the label line out."""
    from PIL import Image, ImageDraw

    heights = [
        max(p.shape[0] for _, p in row) * scale + (LABEL_HEIGHT if any(t for t, _ in row) else 0) for row in rows
    ]
    width = max(sum(p.shape[1] * scale for _, p in row) + GAP * (len(row) + 1) for row in rows)
    sheet = Image.new("RGB", (width, sum(heights) + GAP * (len(rows) + 1)), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    top = GAP
    for row, height in zip(rows, heights, strict=True):
        left = GAP
        labelled = any(text for text, _ in row)
        for text, picture in row:
            if text:
                draw.text((left + 2, top + 2), text, fill=(236, 236, 236))
            large = picture.repeat(scale, 0).repeat(scale, 1)
            sheet.paste(Image.fromarray(large), (left, top + (LABEL_HEIGHT if labelled else 0)))
            left += large.shape[1] + GAP
        top += height + GAP
    return sheet


def save_png(picture: Image, path: Path) -> None:
    """Write a PNG, whole or not at all."""
    with replacing(path) as temp:
        picture.save(temp, format="PNG")


def _as_gif_frame(picture: Image) -> Image:
    """RGB -> palette picture, exact while it has at most 256 colours (pixel art has)."""
    from PIL import Image

    rgb = np.asarray(picture)
    packed = (rgb[..., 0].astype(np.int32) << 16) | (rgb[..., 1].astype(np.int32) << 8) | rgb[..., 2]
    colours, inverse = np.unique(packed, return_inverse=True)
    if len(colours) > 256:
        return picture.quantize(256, dither=Image.Dither.NONE)
    small = Image.frombytes("P", picture.size, inverse.astype(np.uint8).tobytes())
    small.putpalette(np.stack([colours >> 16, (colours >> 8) & 255, colours & 255], -1).astype(np.uint8).tobytes())
    return small


def save_gif(pictures: Sequence[Image], path: Path, fps: float) -> None:
    """Write an endless animation, whole or not at all. GIF counts time in 1/100 s: the rate is rounded to that."""
    if not pictures:
        raise ValueError("an animation needs at least one picture")
    small = [_as_gif_frame(p) for p in pictures]
    with replacing(path) as temp:
        small[0].save(
            temp,
            format="GIF",
            save_all=True,
            append_images=small[1:],
            duration=max(20, round(100 / fps) * 10),
            loop=0,
            disposal=1,
        )


def save_mp4(pictures: Iterable[Image], path: Path, fps: float) -> int:
    """Write an H.264 film of pictures of one even size, one at a time, whole or not at all.

    Returns:
        The number of pictures.
    Raises:
        UsageError: PyAV is not installed.
        ValueError: no pictures.
    """
    try:
        import av
    except ImportError:
        raise UsageError("writing films needs PyAV: pip install 'hstmae[video]'") from None
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    count = 0
    with replacing(path) as temp, av.open(str(temp), "w", format="mp4") as container:
        stream: Any = container.add_stream(codec, rate=Fraction(fps).limit_denominator(10_000))
        stream.pix_fmt = "yuv420p"  # what every player shows
        if codec == "libx264":
            stream.options = steady({"crf": "16", "preset": "fast"})
        else:
            stream.bit_rate = 8_000_000
        for picture in pictures:
            if not count:
                stream.width, stream.height = picture.size
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
            count += 1
        if not count:
            raise ValueError("a film needs at least one picture")
        container.mux(stream.encode())
    return count
