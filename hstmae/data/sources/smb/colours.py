"""The pictures of smbdataset files: whatever palette, size and kind they were written in, as NES colours."""

from __future__ import annotations

import numpy as np

from ....errors import DataError
from ....games.palette import file_entries, first_entry, pack_rgb, recognise_picture
from ....games.smb.game import SuperMarioBros
from ..png import PngImage, read_png

GAME = SuperMarioBros()
SIZE = GAME.native_size


def nes_colours(image: PngImage, first: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The NES colours 0-63 of a picture [h, w], and its palette uint8 [64, 3].

    Palette entries as FCEUX writes them (0x80 | colour) and plain ones (0 to 63) are taken by their number; RGB, and
    entries in another order, by the tables of known emulators.

    Args:
        first: table that is taken where several fit, see `games.palette.recognised`.
    Raises:
        DataError: entries of any other kind, a palette too short for them, or colours of no known table.
    """
    size = len(GAME.palette)
    if image.palette is None:
        entries, palette = recognise_picture(pack_rgb(image.pixels), GAME, first)
        if (entries < 0).any():
            strange = int(np.count_nonzero(entries < 0))
            raise DataError(f"{strange} pixels have colours of no emulator's palette that is known here")
        return entries.astype(np.uint8), palette
    base = first_entry(image.pixels, GAME)
    low, high = int(image.pixels.min()), int(image.pixels.max())
    fits = base <= low and high < base + size
    if not (fits and base and len(image.palette) >= base + size):  # what FCEUX writes needs no second look
        if high < len(image.palette):
            meaning, palette = file_entries(image.pixels, image.palette, GAME, first)
            entries = meaning[image.pixels]
            if (entries >= 0).all():
                return entries.astype(np.uint8), palette
        if not fits:
            raise DataError(f"palette indices {low} to {high}; expected 128 to 191 or 0 to 63")
        if len(image.palette) < base + size:
            raise DataError(f"palette of {len(image.palette)} entries; needs {base + size}")
    return image.pixels - np.uint8(base), image.palette[base : base + size]


def native_picture(data: bytes) -> np.ndarray:
    """The picture of a file's bytes as NES colours int16 [240, 256], -1 where the recorder cut it off. Raises DataError
    where it cannot be read."""
    pixels = nes_colours(read_png(data, SIZE))[0]
    (y, x), whole = GAME.corner_of(pixels) or (0, 0), np.full(SIZE, -1, np.int16)
    whole[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
    return whole


class PictureReader:
    """Reads the pictures of one episode, which have one size and one palette: those of the first."""

    def __init__(self, table: np.ndarray | None) -> None:
        self._table = table
        self._palette = b""
        self._size = (0, 0)
        self._corner = (0, 0)

    def read(self, image: PngImage) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
        """Colours uint8 [h, w], palette uint8 [64, 3], and y, x of the picture in the native one. Raises DataError."""
        pixels, palette = nes_colours(image, self._table)
        size, colours = (pixels.shape[0], pixels.shape[1]), palette.tobytes()
        if not self._palette:
            corner = GAME.corner_of(pixels)
            if corner is None:
                raise DataError(
                    f"is {size[1]}x{size[0]} pixels: neither {SIZE[1]}x{SIZE[0]} nor FCEUX's {SIZE[1]}x224, and no "
                    "WORLD and TIME in its status bar tell which lines and columns it shows"
                )
            self._palette, self._size, self._corner = colours, size, corner
        if size != self._size:
            raise DataError(f"is {size[1]}x{size[0]} pixels, the frames before {self._size[1]}x{self._size[0]}")
        if colours != self._palette:
            raise DataError("its palette differs from that of the frames before")
        return pixels, palette, self._corner
