"""One true-colour picture: read for restoration, and written back as the file it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..games import GameSpec
from ..games.palette import pack_rgb
from .indexed import to_png
from .native import Native
from .reading import read_native


@dataclass(frozen=True)
class RgbPicture:
    """A picture of a game without a palette.

    Attributes:
        rgb: uint8 [H, W, 3], upright.
        missing: bool [H, W], True where the file is transparent.
        native: the file's own samples and what stands beside them; None for a frame of something else, which is written
            as an RGB PNG.
        note: called with what of the file is not kept, each time it is written.
    """

    rgb: np.ndarray
    missing: np.ndarray
    native: Native | None = None
    note: Callable[[str], object] | None = None

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
        if self.native is None:
            return to_png(np.where(mask[..., None], pixels, self.rgb), None)
        made = self.native.with_colours(pixels, mask)
        for lost in made.lost if self.note is not None else ():
            self.note(lost)  # type: ignore[misc]
        return made.encoded()


def read_rgb_picture(path: Path, note: Callable[[str], object] | None = None) -> RgbPicture:
    """Read a picture file (PNG, JPEG, BMP, WebP, TIFF, GIF), turned upright where the camera noted how it was held.

    Args:
        note: as in RgbPicture.
    Raises:
        DataError: no such file, damaged, too large, or of samples that are not kept; see `read_native`.
    """
    try:
        native = read_native(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    rgba = native.rgba
    return RgbPicture(np.ascontiguousarray(rgba[..., :3]), rgba[..., 3] == 0, native, note)
