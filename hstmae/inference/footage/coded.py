"""Sessions of a .hst file to restore; what is lost of a damaged one is missing, as in a damaged folder of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...codec.session.reader import HstReader
from ...data.sources.base import Problem
from ...errors import CodecError, DataError
from ...games import get_game
from ...inputs.unpacking import shown
from .base import Stretch, lost_like
from .stored import picture_of

_AT_ONCE = 256  # frames decoded at a time where only their memory is wanted


class CodedFootage:
    """One episode of a .hst file; frames become `f000123.png` by their number.

    Frames that are lost, since groups of the file are damaged or gone, are there with everything missing; they have the
    number between their neighbours' and the memory of the one before them.

    Attributes:
        problems: stretches of frames that are lost.
    """

    fps: float | None = None
    of_game = True  # it says which game it shows

    def __init__(self, reader: HstReader, episode: int, name: str) -> None:
        self._reader, self._episode = reader, episode
        description = reader.episodes()[episode]
        game = get_game(description.game)
        self.name = name
        self.problems: list[Problem] = []
        self.has_state = description.state > 0 and description.state == game.state_size
        self._context_of = game.context if self.has_state and game.context_size else None
        self._state: np.ndarray | None = None
        self._context: np.ndarray | None = None
        self._rows, self._numbers = self._places()
        self.count = len(self._rows)
        self.files = [f"f{n:06d}.png" for n in self._numbers.tolist()]
        for first, count in _runs(self._rows < 0):
            self.problems.append(
                Problem(description.name, "", f"frames {first} to {first + count - 1} are lost: the file is damaged")
            )
        if not (self._rows >= 0).any():
            raise DataError(f"{reader.path}: {description.name}: none of its frames can be read")

    @property
    def place(self) -> str:
        return f"{self._reader.path}/{self._reader.episodes()[self._episode].name}"

    def signature(self) -> list[list[object]]:
        status = self._reader.path.stat()
        return [[shown(self._reader.path), self._episode, status.st_size, status.st_mtime_ns]]

    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """int64 [T] for each frame of the whole episode: its position among those that are there, -1 where it is lost;
        and its number."""
        entry, description = self._reader.entries[self._episode], self._reader.episodes()[self._episode]
        end = max([header.first + header.frames for _, header in entry.gops])
        total = max(end, description.frames if entry.final else 0)
        rows, numbers = np.full(total, -1, np.int64), np.zeros(total, np.int64)
        before = 0
        for k, (_, header) in enumerate(entry.gops):
            part = slice(header.first, header.first + header.frames)
            try:
                numbers[part] = self._reader.groups.parts(self._episode, k).numbers
                rows[part] = np.arange(before, before + header.frames)
            except CodecError:  # whole by its place in the file, but not by its checksum
                pass
            before += header.frames
        there = np.flatnonzero(rows >= 0)
        if len(there):
            known = numbers[there]
            step = int(np.median(np.diff(known))) if len(known) > 1 else 1
            numbers = np.interp(np.arange(total), there, known).round().astype(np.int64)
            last = np.arange(total) > there[-1]
            numbers[last] = known[-1] + step * (np.arange(total)[last] - there[-1])
            first = np.arange(total) < there[0]
            numbers[first] = known[0] - step * (there[0] - np.arange(total)[first])
            if numbers.min() < 0 or (np.diff(numbers) < 1).any():  # no room between the neighbours
                numbers = np.arange(total)
        return rows, numbers

    def _remember(self) -> None:
        """The memory of all frames, and what it tells of the level: decodes the whole episode once."""
        if self._state is not None or not self.has_state:
            return
        there = np.flatnonzero(self._rows >= 0)
        state = np.zeros((self.count, self._reader.episodes()[self._episode].state), np.uint8)
        for start in range(0, len(there), _AT_ONCE):
            part = there[start : start + _AT_ONCE]
            found = self._reader.read(self._episode, self._rows[part]).state
            if found is not None:
                state[part] = found
        nearest = np.maximum(np.searchsorted(there, np.arange(self.count), "right") - 1, 0)
        self._state = state[there[nearest]]
        if self._context_of is not None:
            self._context = self._context_of(self._state, self._numbers)

    def read(self, start: int, end: int) -> Stretch:
        if end - start > 1 or self.count == 1:  # not for a look at the first one
            self._remember()
        span = np.arange(start, max(start, min(end, self.count)))
        there = span[self._rows[span] >= 0]
        wanted = there if len(there) else np.flatnonzero(self._rows >= 0)[:1]
        part = self._reader.read(self._episode, self._rows[wanted])
        found = dict(zip(wanted.tolist(), (picture_of(frame, part.palette) for frame in part.frames), strict=True))
        like = next(iter(found.values()))
        return Stretch(
            self.files[start:end],
            [found[k] if self._rows[k] >= 0 else lost_like(like) for k in span.tolist()],
            None if self._state is None else self._state[span],
            None if self._context is None else self._context[span],
            self._numbers[span],
            part.corner,
        )


def open_coded(path: Path, game: str) -> list[CodedFootage]:
    """The episodes of a .hst file that show `game`.

    Raises:
        DataError: there is none; CodecError as HstReader does.
    """
    reader = HstReader(path)
    shown_games = sorted({description.game for description in reader.episodes()})
    if game not in shown_games:
        games = ", ".join(f"'{name}'" for name in shown_games)
        raise DataError(f"{path}: holds episodes of {games}, not of '{game}'; give a --checkpoint for those")
    episodes = [k for k, description in enumerate(reader.episodes()) if description.game == game]
    alone = len(reader.entries) == 1
    return [CodedFootage(reader, k, "" if alone else reader.episodes()[k].name) for k in episodes]


def _runs(lost: np.ndarray) -> list[tuple[int, int]]:
    """(first, count) of each stretch of True in bool [T]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], lost.astype(np.int8), [0]])))
    return [(int(a), int(b - a)) for a, b in edges.reshape(-1, 2)]
