"""Pictures that are meant as masks, as the values their files hold: no depth, palette or transparency is converted."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError

if TYPE_CHECKING:
    from PIL import Image

PICTURES = (".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".jpg", ".jpeg", ".pgm", ".pbm", ".ppm", ".tga")
MAX_PIXELS = 1 << 26  # of one mask: more than any footage here has
_FORMATS = ["PNG", "BMP", "GIF", "TIFF", "WEBP", "JPEG", "PPM", "TGA"]
_LOSSY = ("JPEG", "MPO", "WEBP")
_REDUCED = 254  # TIFF tag: 1 = a smaller copy of another page


@dataclass(frozen=True)
class Plane:
    """One mask as stored.

    Attributes:
        values: [H, W] brightness in the file's own units, uint8, uint16, int32 or float32; of colours the largest
            channel.
        top: the value of white; 0 = the file does not say (float, 32-bit).
        rgb: uint8 [H, W, 3] where the file has colours, else None.
        alpha: uint8 [H, W] where it has transparency.
        index: uint8 [H, W] where it has a palette.
        lossy: values may be off by a few levels.
    """

    values: np.ndarray
    top: float
    rgb: np.ndarray | None = None
    alpha: np.ndarray | None = None
    index: np.ndarray | None = None
    lossy: bool = False


@contextmanager
def _opened(file: Path | io.BytesIO, where: str) -> Iterator[Image.Image]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file, formats=_FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise DataError(f"{where}: {picture.width}x{picture.height} pixels are more than {MAX_PIXELS}")
            yield picture
    except UnidentifiedImageError:
        raise DataError(f"{where}: is no picture that can be read ({' '.join(PICTURES)})") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"{where}: cannot be read as a picture ({error})") from error


def shape_of(path: Path) -> tuple[int, int, int]:
    """(masks, height, width) by the file's head. Raises DataError."""
    with _opened(path, f"mask {path}") as picture:
        width, height = picture.size
        if picture.getexif().get(0x0112, 1) >= 5:  # held upright, stored lying on its side
            width, height = height, width
        return len(_pages(picture)), height, width


def read_planes(path: Path, start: int = 0, end: int | None = None) -> Iterator[Plane]:
    """The masks of a file, one for a still picture, those from `start` to `end` of an animation or a file with pages.

    Raises:
        DataError: unreadable, too large, or NaN or infinity among its values.
    """
    with _opened(path, f"mask {path}") as picture:
        pages = _pages(picture)
        for page in pages[start:end]:
            picture.seek(page)
            yield _plane(picture, f"mask {path}", animated=len(pages) > 1 and picture.format != "TIFF")


def _pages(picture: Image.Image) -> list[int]:
    """Numbers of the frames that are masks: not the previews and smaller copies that some files hold."""
    count = 1 if picture.format == "MPO" else int(getattr(picture, "n_frames", 1))
    if picture.format != "TIFF" or count == 1:
        return list(range(count))
    pages = []
    for page in range(count):
        picture.seek(page)
        if not picture.tag_v2.get(_REDUCED, 0) & 1:  # type: ignore[attr-defined]
            pages.append(page)
    picture.seek(0)
    return pages


def _plane(picture: Image.Image, where: str, animated: bool = False) -> Plane:
    from PIL import ImageOps

    lossy = picture.format in _LOSSY
    index = None
    clear = animated or "A" in picture.mode or "a" in picture.mode or "transparency" in picture.info
    upright: Any = ImageOps.exif_transpose(picture) or picture
    mode = upright.mode
    if not clear:
        if mode == "1":
            return Plane(np.asarray(upright, np.uint8), 1)
        if mode == "L":
            return Plane(np.asarray(upright), 255, lossy=lossy)
        if mode.startswith("I;16"):
            return Plane(np.asarray(upright).astype(np.uint16), 65535)
        if mode in ("I", "F"):
            return number_plane(np.asarray(upright), where, 65535 if picture.format == "PNG" else 0)
    if mode == "P" and not animated:
        index = np.asarray(upright, np.uint8)
    pixels = np.asarray(upright.convert("RGBA" if clear else "RGB"))
    rgb = pixels[..., :3]
    return Plane(rgb.max(-1), 255, rgb, pixels[..., 3] if clear else None, index, lossy)


def number_plane(values: np.ndarray, where: str, top: float = 0) -> Plane:
    """Numbers [H, W] of any kind. `top` as in Plane; where it is 0 and the type has few bits, that of the type.

    Raises:
        DataError: NaN or infinity, or not numbers.
    """
    if values.dtype == np.bool_:
        return Plane(values.astype(np.uint8), 1)
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise DataError(f"{where}: holds NaN or infinity ({values.dtype})")
        return Plane(values.astype(np.float32), top)
    if values.dtype.kind not in "iu":
        raise DataError(f"{where}: holds {values.dtype}, a mask has bool or numbers")
    if values.dtype.itemsize <= 2 and not top:
        top = float(np.iinfo(values.dtype).max)
    if values.size and (values.min() < -(1 << 31) or values.max() >= 1 << 31):
        raise DataError(f"{where}: holds numbers up to {values.max()}")
    return Plane(values.astype(np.int32), top)
