"""A folder of pictures as an episode: one file, one frame, in natural order of the names."""

from __future__ import annotations

import io
import struct
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import DataError
from ...games import GameSpec, get_game
from ...pictures.facts import Loss, losses_of
from ...pictures.indexed import read_picture, table_of
from ...pictures.reading import FORMATS, read_native
from .base import AT_HAND, Problem, Report, SourceFrame, UnusableEpisode, file_stamp
from .losses import Allowed, LossWatch
from .side_file import side_data, with_side

MAX_PIXELS = 4096 * 4096


@dataclass(frozen=True)
class PicturesEpisode:
    """Picture files of one folder. A file that cannot be used is reported and leaves a gap in the frame numbers.

    Attributes:
        name: of the episode.
        folder: where the files are.
        files: their names in order.
        resize, side, state_size: as in FilmEpisode.
        rate: frames per second; 0 = the game's.
        palette_of: game whose palette entries the frames are to be; "" = RGB frames.
        allowed: what files may lose as such frames, see LossWatch.
    """

    name: str
    folder: Path
    files: tuple[str, ...]
    resize: int
    side: Path | UnusableEpisode | None
    state_size: int | None
    rate: float
    palette_of: str = ""
    level: str = ""
    outcome: str = "cut"
    allowed: Allowed = None

    @property
    def size(self) -> int:
        return len(self.files)

    @property
    def fps(self) -> float | None:
        return self.rate or None

    def signature(self, content: bool = False) -> list[list[object]]:
        paths = [*(self.folder / name for name in self.files), *([self.side] if isinstance(self.side, Path) else [])]
        values: list[list[object]] = [["resize", self.resize], ["fps", self.rate]]
        for path in paths:
            status = path.stat(follow_symlinks=path.exists())  # a dead link is reported when it is read
            stamp = file_stamp(path, True) if content else status.st_mtime_ns
            values.append([path.name, status.st_size, stamp])
        return values

    def frames(self, report: Report, notes: dict[str, int], known: Container[int] = ()) -> Iterator[SourceFrame]:
        """Frames numbered by the place of their file in the folder."""
        side = side_data(self.side, self.state_size)
        if side is not None and len(side) != len(self.files):
            raise UnusableEpisode(f"its side file has {len(side)} frames, the folder {len(self.files)} pictures")
        game = get_game(self.palette_of) if self.palette_of else None
        size: tuple[int, ...] | None = None
        palette = None if game is None else table_of([self.folder / name for name in self.files], game)
        corner = (0, 0)
        watch = LossWatch(self.name, report, notes, self.allowed)
        for number, name in enumerate(self.files):
            try:
                watch.note(losses_of_file(self.folder / name))
                if size is not None and number in known:
                    yield replace(with_side(number, AT_HAND, side, palette), corner=corner)
                    continue
                if game is None:
                    pixels = resized(read_rgb(self.folder / name), self.resize)
                else:
                    pixels, colours = read_entries(self.folder / name, game, palette)
                    palette = colours if size is None else palette
                    if palette is None or not np.array_equal(colours, palette):
                        raise DataError("shows the game's colours by another palette than the pictures before it")
                    corner = corner if size else game.corner_of(pixels) or corner
                size = size or pixels.shape[:2]
                if pixels.shape[:2] != size:
                    raise DataError(
                        f"is {pixels.shape[1]}x{pixels.shape[0]}, the pictures before it {size[1]}x{size[0]}: "
                        + ("all must have one size" if game else "give --resize to bring all to one size")
                    )
            except DataError as error:
                report(Problem(self.name, name, str(error)))
                continue
            yield replace(with_side(number, pixels, side, palette), corner=corner)
        watch.finish()


def losses_of_file(path: Path) -> tuple[Loss, ...]:
    """What a picture file loses as 8-bit RGB. Raises DataError as `read_rgb` does."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read as a picture ({error})") from None
    with opened(io.BytesIO(data)) as picture:
        return losses_of(picture, data)


def read_rgb(path: Path) -> np.ndarray:
    """A picture file as uint8 [H, W, 3], turned upright where the camera noted how it was held.

    Raises:
        DataError: unreadable, damaged, of more than MAX_PIXELS pixels, or of numbers that no colours can be made of.
    """
    from PIL import ImageOps

    with opened(path) as picture:
        if picture.mode.startswith(("I", "F")):  # Pillow takes everything above 255 for white
            return read_native(path.read_bytes()).rgba[..., :3]
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def read_entries(path: Path, game: GameSpec, first: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A picture file, indexed or in RGB, as the game's palette entries uint8 [H, W], and its palette uint8 [K, 3].

    Args:
        first: as of `pictures.indexed.read_picture`.
    Raises:
        DataError: as of `read_picture`; or a pixel is transparent, or has a colour that is not one of the game's.
    """
    try:
        picture = read_picture(path, game, first)
    except DataError as error:
        raise DataError(str(error).removeprefix(f"{path}: ")) from None
    strange = np.count_nonzero(picture.indices < 0)
    if strange:
        raise DataError(
            f"{strange} pixels have colours that {game.name} does not have: give the game's own pictures, neither "
            "scaled nor from a film or a JPEG file"
        )
    if picture.missing.any():
        raise DataError(f"{np.count_nonzero(picture.missing)} pixels are transparent: what they show is not known")
    return picture.indices.astype(np.uint8), picture.palette


@contextmanager
def opened(file: Path | BinaryIO) -> Iterator[Any]:
    """A PIL picture of a picture file; what goes wrong while it is read becomes a DataError."""
    from PIL import Image

    try:
        with Image.open(file, formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise DataError(f"{picture.width}x{picture.height} pixels are more than {MAX_PIXELS}")
            frames = int(getattr(picture, "n_frames", 1))
            if frames > 1 and picture.format not in ("JPEG", "MPO"):
                raise DataError(f"holds {frames} pictures: give it as an input of its own, as true colour")
            yield picture
    except Image.UnidentifiedImageError:  # whose text names a place in memory
        raise DataError("cannot be read as a picture (its format is not known)") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"cannot be read as a picture ({error})") from None


def resized(pixels: np.ndarray, side: int) -> np.ndarray:
    """uint8 [H, W, 3] scaled to side x side with antialiasing; as it is for side 0."""
    if not side or pixels.shape[:2] == (side, side):
        return np.ascontiguousarray(pixels)
    from PIL import Image

    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((side, side), Image.Resampling.BICUBIC))
