"""Folders of picture files to restore, with the state that lies in or beside them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ...data.sources.finding import layout_of
from ...data.sources.side_file import read_side_file
from ...data.sources.video import natural_order
from ...errors import DataError
from ...games import GameSpec
from ...pictures.base import Picture
from ...pictures.indexed import end_of_png, read_picture
from ...pictures.true_colour import read_rgb_picture
from .base import Stretch, one_size

_NUMBERED = re.compile(r"_f(\d{1,9})_a\d+_.*\.png$", re.IGNORECASE)


class PictureFiles:
    """Picture files in order: by frame number where the names hold one (`..._f12_a0_...png`), else in natural order.

    They are written back as PNG files. The state, if `with_state`, is the memory appended to the files where every file
    has it, or that of the side file.

    Args:
        name: "" for an input that is itself the sequence.
        paths: at least one; of a game with a palette PNG files, else also JPEG files.
        side: file with the state of the frames, see data.sources.side_file.
    """

    fps: float | None = None

    def __init__(
        self, name: str, paths: list[Path], game: GameSpec, with_state: bool = True, side: Path | None = None
    ) -> None:
        self.name = name
        self._game = game
        self._paths, self._numbers = _in_order(paths)
        self.files = [p.name if game.indexed else f"{p.stem}.png" for p in self._paths]
        self.count = len(self.files)
        if len(set(self.files)) < self.count:
            twice = next(f for f in self.files if self.files.count(f) > 1)
            raise DataError(f"{paths[0].parent}: two pictures would both be written to {twice}; rename one")
        self._state = self._read_state(side) if with_state and game.state_size else None
        self.has_state = self._state is not None
        self._context = None
        if self._state is not None and game.context_size:
            self._context = game.context(self._state, self._numbers)
        self._size: tuple[int, int] | None = None
        self._corner = (0, 0)

    @property
    def place(self) -> str:
        return str(self._paths[0])

    def signature(self) -> list[list[object]]:
        return [[str(p), p.stat().st_size, p.stat().st_mtime_ns] for p in self._paths]

    def _read_state(self, side: Path | None) -> np.ndarray | None:
        layout, rows = layout_of(self._game), []
        if layout is not None:
            for path in self._paths:
                tail = _tail(path)
                if not tail:
                    break
                try:
                    rows.append(layout.memory(tail))
                except DataError as error:
                    raise DataError(
                        f"{path}: what is appended to it is no memory of the game: {error}; leave it out with "
                        "--state none"
                    ) from None
            else:
                return np.stack(rows)
        state = None if side is None else read_side_file(side, self._game.state_size).state
        if state is not None and len(state) != self.count:
            raise DataError(f"{side}: has {len(state)} frames, the folder {self.count} pictures")
        return state

    def read(self, start: int, end: int) -> Stretch:
        pictures: list[Picture] = []
        for path in self._paths[start:end]:
            pictures.append(read_picture(path, self._game) if self._game.indexed else read_rgb_picture(path))
            if self._game.indexed and self._size is None:
                self._corner = self._game.corner_of(pictures[-1].pixels) or (0, 0)
            self._size = one_size(path, pictures[-1], self._size)
        return Stretch(
            self.files[start:end],
            pictures,
            None if self._state is None else self._state[start:end],
            None if self._context is None else self._context[start:end],
            self._numbers[start:end],
            self._corner,
        )


def _tail(path: Path) -> bytes:
    """Bytes behind the PNG proper; empty for a plain PNG."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    return data[end_of_png(data, str(path)) :]


def _in_order(paths: list[Path]) -> tuple[list[Path], np.ndarray]:
    found = [_NUMBERED.search(p.name) for p in paths]
    if not all(found):
        return sorted(paths, key=lambda p: natural_order(p.name)), np.arange(len(paths))
    numbers = [int(match.group(1)) for match in found if match]
    order = sorted(range(len(paths)), key=lambda i: (numbers[i], paths[i].name))
    ordered = np.array([numbers[i] for i in order])
    twice = np.flatnonzero(np.diff(ordered) == 0)
    if len(twice):
        raise DataError(f"{paths[order[twice[0] + 1]]}: a second file for frame {ordered[twice[0]]}")
    return [paths[i] for i in order], ordered
