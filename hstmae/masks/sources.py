"""Mask files of every kind as one: looked at whole before work, then read a stretch of frames at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from tqdm import tqdm

from ..data.sources.video import FILMS
from ..errors import DataError
from ..inputs.kinds import file_kind
from .arrays import ARRAYS, read_array
from .films import FilmMask
from .folders import mask_files, pair
from .frames import Frames
from .meaning import Meaning, Reading, decide
from .planes import PICTURES, Plane, number_plane, read_planes, shape_of
from .survey import survey


class Source(Protocol):
    """What one mask file or folder says about one footage."""

    @property
    def share(self) -> float | None:
        """Share of the pixels that are missing, where it is known."""

    def of(self, first: int, count: int) -> np.ndarray:
        """bool [count, H, W], or [1, H, W] for all frames alike: True = missing, of frames from position `first` on.

        Raises:
            DataError: it cannot be read.
        """


@dataclass(frozen=True)
class Still:
    """One mask for all frames."""

    mask: np.ndarray  # [H, W]

    @property
    def share(self) -> float:
        return float(self.mask.mean())

    def of(self, first: int, count: int) -> np.ndarray:
        return self.mask[None]


@dataclass(frozen=True)
class Files:
    """A file for each frame; None for what is not damaged."""

    paths: list[Path | None]
    meaning: Meaning
    size: tuple[int, int]
    share: float | None

    def of(self, first: int, count: int) -> np.ndarray:
        made = np.zeros((count, *self.size), bool)
        for t, path in enumerate(self.paths[first : first + count]):
            if path is not None:
                made[t] = self.meaning.of(next(read_planes(path)))
        return made


@dataclass(frozen=True)
class Pages:
    """A picture with a frame or page for each frame."""

    path: Path
    meaning: Meaning
    share: float | None

    def of(self, first: int, count: int) -> np.ndarray:
        return np.stack([self.meaning.of(plane) for plane in read_planes(self.path, first, first + count)])


@dataclass(frozen=True)
class Arrays:
    """Numbers [T, H, W]."""

    array: np.ndarray
    meaning: Meaning
    where: str
    share: float | None

    def of(self, first: int, count: int) -> np.ndarray:
        part = self.array[first : first + count]
        return np.stack([self.meaning.of(number_plane(values, self.where)) for values in part])


@dataclass(frozen=True)
class _Look:
    """What reading all masks of one source showed."""

    meaning: Meaning
    share: float | None
    notes: list[str]
    shapes: dict[Path, tuple[int, int, int]]  # masks, height, width


@dataclass
class Sources:
    """Opens mask files for one footage after another; what is the same for several is looked at once.

    Attributes:
        reading: what the user says about their values.
        partial: frames without a mask are not damaged.
    """

    reading: Reading = field(default_factory=Reading)
    partial: bool = False
    _seen: dict[tuple[Path, ...], _Look] = field(default_factory=dict)

    def open(self, path: Path, frames: Frames) -> tuple[Source, list[str]]:
        """The source for this footage, and what the user should know about it.

        Raises:
            DataError: unreadable, of another size or number than the frames, or not to be understood.
        """
        found = locate(path, frames)
        where = f"mask {found}"
        if found.is_dir():
            paths, notes = pair(frames, found, self.partial)
            look = self._look(tuple(p for p in paths if p is not None), f"masks {found}")
            for mask, (count, *size) in look.shapes.items():
                check_size(f"mask {mask}", (size[0], size[1]), frames)
                if count > 1:
                    raise DataError(f"mask {mask}: has {count} frames, in a folder each mask is of one frame")
            return Files(paths, look.meaning, frames.size, look.share), notes + look.notes
        if found.suffix.lower() in ARRAYS:
            return self._array(found, frames)
        if file_kind(found) == "film" or found.suffix.lower() in set(FILMS) - set(PICTURES):
            film = FilmMask(found, frames, self.reading)
            check_size(where, film.size, frames)
            return film, film.notes
        count, *size = shape_of(found)
        check_size(where, (size[0], size[1]), frames)
        look = self._look((found,), where)
        if count == 1:
            return Still(look.meaning.of(next(read_planes(found)))), look.notes
        if count != frames.count:
            hint = (
                " (programs leave equal frames out of a GIF; TIFF keeps all)" if found.suffix.lower() == ".gif" else ""
            )
            raise DataError(
                f"{where}: has {count} frames, {frames.place} {frames.count}; give one mask, or as many{hint}"
            )
        return Pages(found, look.meaning, look.share), look.notes

    def _look(self, paths: tuple[Path, ...], where: str) -> _Look:
        """Read all of these once."""
        if paths not in self._seen:
            shapes: dict[Path, tuple[int, int, int]] = {}

            def planes() -> Iterator[Plane]:
                for path in tqdm(paths, unit="mask", desc="look at masks", delay=2, leave=False):
                    for count, plane in enumerate(read_planes(path), 1):
                        shapes[path] = (count, plane.values.shape[0], plane.values.shape[1])
                        yield plane

            self._seen[paths] = _Look(*decide(survey(planes()), self.reading, where), shapes)
        return self._seen[paths]

    def _array(self, path: Path, frames: Frames) -> tuple[Source, list[str]]:
        where, array = f"mask {path}", read_array(path)
        count, *size = (1, *array.shape) if array.ndim == 2 else array.shape
        check_size(where, (size[0], size[1]), frames)
        if count not in (1, frames.count):
            raise DataError(f"{where}: has {count} frames, {frames.place} {frames.count}; give one mask, or as many")
        pages: Iterable[np.ndarray] = [array] if array.ndim == 2 else array
        meaning, share, notes = decide(survey(number_plane(page, where) for page in pages), self.reading, where)
        if count == 1:
            return Still(meaning.of(number_plane(array.reshape(size), where))), notes
        return Arrays(array, meaning, where, share), notes


def check_size(where: str, size: tuple[int, int], frames: Frames) -> None:
    """Raises DataError where a mask of this height and width does not fit."""
    if size == frames.size:
        return
    (height, width), (own_height, own_width) = size, frames.size
    hint = "sizes must be equal"
    if size == (own_width, own_height):
        hint = "it is turned by 90 degrees"
    elif height * own_width == width * own_height:
        hint = f"scale it to that size without smoothing (nearest neighbour), by {own_width / width:g}"
    raise DataError(f"{where}: is {width}x{height}, {frames.place} is {own_width}x{own_height}; {hint}")


def locate(path: Path, frames: Frames) -> Path:
    """The file or folder of masks for this footage: `path` itself, or what in it is named like the footage.

    Raises:
        DataError: nothing there for it, or more than one.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise DataError(f"mask {path}: no such file or folder")
    place = Path(frames.place)
    one = frames.files is None or frames.count == 1
    names = [frames.name, frames.name.replace("__", "/"), place.stem if one else place.parent.name]
    names = [name for name in dict.fromkeys(names) if name]
    for name in names:
        if (path / name).is_dir() and mask_files(path / name):
            return path / name
        kinds = dict.fromkeys([*PICTURES, *ARRAYS, *FILMS])
        found = [p for p in (path / f"{name}{kind}" for kind in kinds) if p.is_file()]
        if len(found) > 1:
            raise DataError(
                f"masks {path}: {', '.join(p.name for p in found)} are all masks of {frames.place}; keep one"
            )
        if found:
            return found[0]
    if mask_files(path):
        return path
    there = sorted(p.name for p in path.iterdir() if not p.name.startswith("."))
    raise DataError(
        f"masks {path}: nothing for {frames.place}; looked for pictures in it, and for {' or '.join(names)} as a "
        f"folder, a picture, a film or an array; there is {', '.join(there[:5]) or 'nothing'}"
    )
