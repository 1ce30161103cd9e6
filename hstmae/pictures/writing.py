"""Samples -> the bytes of a picture file, in formats that keep every one of them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np

from . import png

MAX_PIXELS = 4096 * 4096
MAX_WEBP = 16383  # pixels on one side that the format is written with
ENDINGS = {"PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "BMP": ".bmp"}  # formats that are written
# Tags of TIFF files that say how the pixels are packed, and those that point into the file.
_OF_PIXELS = frozenset((254, 255, *range(256, 260), 262, 266, 273, 277, 278, 279, 284, 317, *range(320, 326), 330, 338,
                        339, 347, 512, 513, 514, 529, 530, 531, 532, 34665, 34853, 40965))  # fmt: skip


def encoded(
    form: str,
    samples: np.ndarray,
    depth: int,
    palette: np.ndarray | None,
    key: tuple[int, ...] | None,
    beside: dict[str, Any],
) -> bytes:
    """A file in format `form`, one of ENDINGS; samples and what goes with them as in `native.Native`.

    Args:
        beside: of a file that was PNG: "before", "behind" (chunks) and "tail" (bytes); of another one "icc", "exif",
            "xmp", "comment" (bytes or text), "dpi" (across, down), "tags" and "compression" of TIFF; None or absent
            where the file had none.
    """
    if form == "PNG":
        before = beside["before"] if "before" in beside else chunks_for(beside)
        clear = _clear(palette, key)
        entries = None if palette is None else palette[:, :3]
        behind = beside.get("behind", ())
        return png.encode_png(samples, depth, entries, clear, before, behind) + bytes(beside.get("tail", b""))
    return _by_pillow(form, samples, depth, palette, beside)


def _clear(palette: np.ndarray | None, key: tuple[int, ...] | None) -> bytes | None:
    if palette is not None:
        alpha = palette[:, 3]
        return bytes(alpha[: 1 + int(np.flatnonzero(alpha < 255)[-1])]) if (alpha < 255).any() else None
    return None if key is None else struct.pack(f">{len(key)}H", *key)


def chunks_for(beside: dict[str, Any]) -> tuple[tuple[bytes, bytes], ...]:
    """What stood beside a picture in another format, as chunks of a PNG file."""
    chunks = []
    if beside.get("icc"):
        chunks.append((b"iCCP", b"profile\0\0" + zlib.compress(beside["icc"])))
    if beside.get("dpi"):
        across, down = (max(0, min(0xFFFFFFFF, round(float(value) / 0.0254))) for value in beside["dpi"])
        chunks.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    if beside.get("exif"):
        chunks.append((b"eXIf", beside["exif"].removeprefix(b"Exif\0\0")))
    if beside.get("xmp"):
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + _bytes(beside["xmp"])))
    if beside.get("comment"):
        chunks.append((b"iTXt", b"Comment\0\0\0\0\0" + _bytes(beside["comment"])))
    return tuple(chunks)


def _bytes(text: bytes | str) -> bytes:
    text = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return text.replace("\0", "").encode("utf-8", "replace")


def _by_pillow(form: str, samples: np.ndarray, depth: int, palette: np.ndarray | None, beside: dict[str, Any]) -> bytes:
    from PIL import Image

    picture = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    if depth == 1:
        picture = Image.fromarray(samples[..., 0] > 0)
    if palette is not None:
        height, width, _ = samples.shape
        picture = Image.frombytes("P", (width, height), np.ascontiguousarray(samples, np.uint8).tobytes())
        picture.putpalette(palette[:, :3].tobytes(), "RGB")
    file = io.BytesIO()
    picture.save(file, form, **pillow_options(form, beside))
    return file.getvalue()


def pillow_options(form: str, beside: dict[str, Any]) -> dict[str, Any]:
    """How Pillow writes a format so that every pixel is kept, and what stands beside the picture."""
    options: dict[str, Any] = {key: beside[name] for key, name in _OPTIONS[form] if beside.get(name)}
    if form == "WEBP":
        options.update(lossless=True, exact=True, quality=50)
    if form == "TIFF":
        packing = beside.get("compression")
        options["compression"] = (
            packing if packing in _LOSSLESS else "raw" if packing == "raw" else "tiff_adobe_deflate"
        )
        from PIL.TiffImagePlugin import ImageFileDirectory_v2

        tags = ImageFileDirectory_v2()
        for tag, value in (beside.get("tags") or {}).items():
            if tag not in _OF_PIXELS:
                tags[tag] = value
        options["tiffinfo"] = tags
    return options


_LOSSLESS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "tiff_deflate")
_OPTIONS = {
    "WEBP": (("icc_profile", "icc"), ("exif", "exif"), ("xmp", "xmp")),
    "TIFF": (("icc_profile", "icc"),),
    "BMP": (("dpi", "dpi"),),
}
