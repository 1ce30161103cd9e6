"""Folders of picture files to restore, with the state that lies in or beside them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ...data.sources.base import Problem
from ...data.sources.finding import layout_of
from ...data.sources.side_file import read_side_file
from ...data.sources.video import natural_order
from ...errors import DataError
from ...games import GameSpec
from ...inputs.unpacking import shown
from ...names import portable_name
from ...pictures.base import Picture
from ...pictures.indexed import IndexedPicture, end_of_png, read_picture, table_of
from ...pictures.reading import Look, look
from ...pictures.true_colour import read_rgb_picture
from .base import Stretch, lost_like, one_size
from .memory import PictureMemory

# `..._f12_a0_...png` of recordings, and `f000012.png` as this program names frames.
_NUMBERED = re.compile(r"(?:.*_f(\d{1,9})_a\d+_.*|f(\d{6,9}))\.\w+", re.IGNORECASE)
_KEPT = 64  # pictures that were read to find which memory belongs to which, and are kept until they are asked for


class PictureFiles:
    """Picture files in order: by frame number where all names hold one, else in natural order.

    They are written back in their own format where that keeps every pixel, else as PNG. A file that cannot be read is a
    frame of which everything is missing. The state, if `with_state`, is the memory appended to the files, or that of
    the side file where none has any; each picture has the memory that belongs to it, as far as there is such.

    Args:
        name: "" for an input that is itself the sequence.
        paths: at least one.
        side: file with the state of the frames, see data.sources.side_file.
        strict: a file that cannot be read is an error.
        lag: between memory and pictures, see `data.pairing`; None = found.
    Attributes:
        problems: files that could not be read.
        memory: None where there is none.
    Raises:
        DataError: none of them can be read, or their sizes differ.
    """

    fps: float | None = None

    def __init__(
        self,
        name: str,
        paths: list[Path],
        game: GameSpec,
        with_state: bool = True,
        side: Path | None = None,
        strict: bool = False,
        lag: int | None = None,
    ) -> None:
        self.name = name
        self._game, self._strict = game, strict
        self._paths, self._numbers = _in_order(paths)
        self.problems: list[Problem] = []
        self._kept: Counter[str] = Counter()
        self._lost: set[int] = set()
        self._read: dict[int, IndexedPicture] = {}
        looks = [self._look(k) for k in range(len(self._paths))]
        if len(self._lost) == len(looks):
            raise DataError(f"{self._paths[0]}: {self.problems[0].reason}")
        self._lose_other_sizes(looks)
        self.files = _written_as(self._paths, [".png" if game.indexed or one is None else one.ending for one in looks])
        self.count = len(self.files)
        self._size: tuple[int, int] | None = None
        self._corner = (0, 0)
        for k in range(self.count if strict else 0):  # what is broken is told before any work
            self._picture(k)
        rows = self._read_state(side) if with_state and game.state_size else None
        self.memory = None if rows is None else PictureMemory(rows, self._numbers, game, self._entries, lag, self._lost)

    @property
    def place(self) -> str:
        return str(self._paths[0])

    @property
    def has_state(self) -> bool:
        return self.memory is not None and self.memory.untold < self.count

    @property
    def remarks(self) -> list[str]:
        """What of the files was not kept, one line for each kind."""
        return [f"{count} pictures: {what}" for what, count in self._kept.items()]

    def signature(self) -> list[list[object]]:
        pairing = None if self.memory is None else self.memory.pairing
        files: list[list[object]] = [[shown(p), p.stat().st_size, p.stat().st_mtime_ns] for p in self._paths]
        return [*files, ["lag", pairing.lag]] if pairing is not None else files

    def _look(self, k: int) -> Look | None:
        try:
            return look(self._paths[k])
        except DataError as error:
            self._lose(k, error)
            return None

    def _lose(self, k: int, error: DataError) -> None:
        """Note that file `k` cannot be read."""
        if self._strict:
            raise error
        if k not in self._lost:
            self._lost.add(k)
            reason = str(error).removeprefix(f"{self._paths[k]}: ")
            self.problems.append(Problem(self.name or self._paths[k].parent.name, self._paths[k].name, reason))

    def _lose_other_sizes(self, looks: list[Look | None]) -> None:
        """A few pictures of another size are lost frames; where no size is that of most, nobody knows which are."""
        sizes = Counter(one.size for one in looks if one is not None)
        size, count = sizes.most_common(1)[0]
        for k, one in enumerate(looks):
            if one is None or one.size == size:
                continue
            what = f"{self._paths[k]}: is {one.size[1]}x{one.size[0]}, "
            if 2 * count <= sum(sizes.values()):
                raise DataError(f"{what}other frames {size[1]}x{size[0]}; restore sizes one by one")
            self._lose(k, DataError(f"{what}most of the frames are {size[1]}x{size[0]}"))

    def _entries(self, k: int) -> np.ndarray | None:
        """A picture's palette entries, -1 where they are unknown; None where it cannot be read, which is told later."""
        try:
            picture = read_picture(self._paths[k], self._game, self._colours)
        except DataError:
            return None
        if len(self._read) < _KEPT:  # it is asked for again
            self._read[k] = picture
        return np.where(picture.missing, np.int16(-1), picture.indices)

    def _read_state(self, side: Path | None) -> Sequence[np.ndarray | None] | None:
        layout = layout_of(self._game)
        rows: list[np.ndarray | None] = []
        strange: list[DataError] = []
        for k, path in enumerate([] if layout is None else self._paths):
            tail = None if k in self._lost else self._tail(k)
            try:
                rows.append(layout.memory(tail) if layout is not None and tail else None)
            except DataError as error:
                rows.append(None)
                strange.append(DataError(f"{path}: what is appended to it is no memory of the game: {error}"))
        if strange and (self._strict or all(row is None for row in rows)):
            raise DataError(f"{strange[0]}; leave it out with --state none")
        if any(row is not None for row in rows):
            if strange:
                self._kept["what is appended to them is no memory of the game: restored without"] += len(strange)
            return rows
        state = None if side is None else read_side_file(side, self._game.state_size).state
        if state is not None and len(state) != self.count:
            raise DataError(f"{side}: has {len(state)} frames, the folder {self.count} pictures")
        return None if state is None else list(state)

    @cached_property
    def _colours(self) -> np.ndarray | None:
        return table_of([path for k, path in enumerate(self._paths) if k not in self._lost], self._game)

    def _tail(self, k: int) -> bytes | None:
        """Bytes behind the PNG proper; empty for a plain picture, None where the file cannot be read."""
        path = self._paths[k]
        try:
            data = path.read_bytes()
            return data[end_of_png(data, str(path)) :] if data.startswith(b"\x89PNG") else b""
        except OSError as error:
            self._lose(k, DataError(f"{path}: cannot be read ({error.strerror})"))
        except DataError as error:
            self._lose(k, error)
        return None

    def read(self, start: int, end: int) -> Stretch:
        span = range(start, min(end, self.count))
        found = {k: picture for k in span if (picture := self._picture(k)) is not None}
        like = next(iter(found.values()), None)
        if like is None:  # another one, which tells size and palette
            like = next((one for k in range(self.count) if (one := self._picture(k)) is not None), None)
        if like is None and span:
            raise DataError(f"{self._paths[start]}: {self.problems[-1].reason}")
        memory = self.memory if self.has_state else None
        pictures = [found[k] if k in found else lost_like(like) for k in span]  # type: ignore[arg-type]
        return Stretch(
            self.files[start:end],
            pictures,
            None if memory is None else memory.state[start:end],
            None if memory is None or memory.context is None else memory.context[start:end],
            self._numbers[start:end],
            self._corner,
            told=None if memory is None or memory.told is None else memory.told[start:end],
            near=None if memory is None else memory.near[start:end],
        )

    def _picture(self, k: int) -> Picture | None:
        """None for a file that cannot be read."""
        if k in self._lost:
            return None
        path = self._paths[k]
        picture: Picture

        def note(what: str) -> None:
            self._kept[what] += 1

        try:
            if k in self._read:
                picture = replace(self._read.pop(k), note=note)
            elif self._game.indexed:
                picture = read_picture(path, self._game, self._colours, note)
            else:
                picture = read_rgb_picture(path, note)
        except DataError as error:
            self._lose(k, error)
            return None
        if self._game.indexed and self._size is None:
            self._corner = self._game.corner_of(picture.pixels) or (0, 0)
        self._size = one_size(path, picture, self._size)
        return picture


def _written_as(paths: list[Path], endings: list[str]) -> list[str]:
    """Names of what is written for files that lie in one folder: no two alike for any file system."""
    counts = Counter((path.stem + ending).casefold() for path, ending in zip(paths, endings, strict=True))
    names, taken = [], set[str]()
    for path, ending in zip(paths, endings, strict=True):
        name = portable_name(path.stem + ending)
        if counts[name.casefold()] > 1 and path.suffix.casefold() != ending.casefold():
            name = portable_name(path.name + ending)  # a.jpg beside a.png becomes a.jpg.png
        stem, number = name.removesuffix(ending), 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}~{number}{ending}"
        taken.add(name.casefold())
        names.append(name)
    return names


def _in_order(paths: list[Path]) -> tuple[list[Path], np.ndarray]:
    found = [_NUMBERED.fullmatch(p.name) for p in paths]
    if not all(found):
        return sorted(paths, key=lambda p: natural_order(p.name)), np.arange(len(paths))
    numbers = [int(match.group(1) or match.group(2)) for match in found if match]
    order = sorted(range(len(paths)), key=lambda i: (numbers[i], paths[i].name))
    ordered = np.array([numbers[i] for i in order])
    twice = np.flatnonzero(np.diff(ordered) == 0)
    if len(twice):
        raise DataError(f"{paths[order[twice[0] + 1]]}: a second file for frame {ordered[twice[0]]}")
    return [paths[i] for i in order], ordered
