"""One true-colour picture: read for restoration, and written back as a PNG."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..games import GameSpec
from ..games.palette import pack_rgb
from .indexed import MAX_PIXELS, SIGNATURE, end_of_png, to_png

_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")  # eight bits a channel: others would lose some


@dataclass(frozen=True)
class RgbPicture:
    """A picture of a game without a palette.

    Attributes:
        rgb: uint8 [H, W, 3].
        missing: bool [H, W], True where the file is transparent.
        alpha: uint8 [H, W], None for a file without transparency.
        tail: bytes behind the picture.
    """

    rgb: np.ndarray
    missing: np.ndarray
    alpha: np.ndarray | None = None
    tail: bytes = b""

    @property
    def size(self) -> tuple[int, int]:
        return self.missing.shape[0], self.missing.shape[1]

    @property
    def packed(self) -> np.ndarray:
        return pack_rgb(self.rgb)

    @property
    def palette(self) -> None:
        return None

    @property
    def readable(self) -> np.ndarray:
        return np.ones(self.size, bool)

    @property
    def pixels(self) -> np.ndarray:
        return self.rgb

    def shown(self, mask: np.ndarray, game: GameSpec, where: str) -> np.ndarray:
        return self.rgb

    def colours(self, pixels: np.ndarray) -> np.ndarray:
        return pixels

    def restored(self, pixels: np.ndarray, mask: np.ndarray) -> bytes:
        stored = np.where(mask[..., None], pixels, self.rgb)
        if self.alpha is not None:
            stored = np.dstack([stored, np.where(mask, np.uint8(255), self.alpha)])
        return to_png(stored, None) + self.tail


def read_rgb_picture(path: Path) -> RgbPicture:
    """Read a PNG or JPEG file, turned upright where the camera noted how it was held.

    Raises:
        DataError: no such file, damaged, larger than 4096 x 4096 pixels, or of more than eight bits a channel.
    """
    from PIL import Image, ImageOps

    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    end = end_of_png(data, str(path)) if data.startswith(SIGNATURE) else len(data)
    try:
        with Image.open(io.BytesIO(data[:end]), formats=["PNG", "JPEG"]) as file:
            if file.width * file.height > MAX_PIXELS:
                raise DataError(f"{path}: {file.width}x{file.height} is larger than 4096x4096")
            if file.mode not in _MODES:
                raise DataError(
                    f"{path}: has more than eight bits a channel (mode {file.mode}); convert it to 8-bit RGB first"
                )
            clear = "A" in file.mode or "transparency" in file.info
            upright = ImageOps.exif_transpose(file)
            rgb = np.asarray(upright.convert("RGBA" if clear else "RGB"))
    except Image.UnidentifiedImageError:
        raise DataError(f"{path}: is not a PNG or JPEG picture") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: damaged picture ({error})") from error
    alpha = rgb[..., 3] if clear else None
    missing = np.zeros(rgb.shape[:2], bool) if alpha is None else alpha == 0
    return RgbPicture(rgb[..., :3], missing, alpha, data[end:])
