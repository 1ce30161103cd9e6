"""An autoplayer for Super Mario Bros.: explores with save states, so that recordings differ and get far.

The search keeps one save state per *cell* (area, place, on the ground or not). It picks a cell, mostly one near the
furthest, plays a few random human-like moves from there, and keeps every new cell on the way; a move that ends in
death is dropped. All randomness comes from the seed, so a search that reaches its goal gives the same play on any
machine; one that runs out of time depends on how fast the machine is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...errors import UsageError
from .emulator import DOWN, LEFT, RIGHT, A, B, NesEmulator, PackedState
from .level_start import parse_level, start_level
from .movies import Movie

_DYING = (0x06, 0x0B)  # of the player's state, 0x0E
_AREA_VALUE = 600  # pixels that a load screen counts as when progress is compared
_NEAR = 150  # pixels over which the furthest cells are preferred
_WAIT_LIMIT = 1500  # frames without control: load screens, pipes, the flag pole and the counting down of the time
_CONTROL = 8  # player's state: moves as the buttons say
_MAX_CELLS = 20_000  # 13.6 KB each
_RUSH = 900  # frames of careless play after a search without success


@dataclass(frozen=True)
class Play:
    """What the autoplayer did.

    Attributes:
        movie: from power-on, with the pokes that choose the level.
        won: the level's end was reached.
        areas: load screens on the way; x: pixels from the left edge of the last one, at its furthest.
        searched: frames emulated by the search; seconds: what that took.
        cells: states kept.
    """

    movie: Movie
    won: bool
    areas: int
    x: int
    searched: int
    seconds: float
    cells: int


@dataclass
class _Cell:
    state: PackedState
    parent: _Cell | None
    buttons: bytes
    frames: int  # since the start of the level
    areas: int
    x: int
    visits: int = 0

    @property
    def progress(self) -> int:
        return _AREA_VALUE * self.areas + self.x

    def path(self) -> bytes:
        parts, cell = [], self
        while cell.parent is not None:
            parts.append(cell.buttons)
            cell = cell.parent
        return b"".join(reversed(parts))


@dataclass(frozen=True)
class _Style:
    """Habits of one player, drawn per seed: shares of moves."""

    run: float
    jump: float
    back: float
    wait: float
    crouch: float

    @staticmethod
    def draw(rng: np.random.Generator) -> _Style:
        low = np.array([0.6, 0.4, 0.03, 0.03, 0.01])
        high = np.array([0.95, 0.7, 0.1, 0.1, 0.04])
        return _Style(*rng.uniform(low, high).tolist())


def autoplay(
    emulator: NesEmulator,
    level: str,
    *,
    seed: int = 0,
    seconds: float = 60.0,
    max_frames: int = 10**9,
    report: Callable[[int, int], None] | None = None,
) -> Play:
    """Search a way through a level.

    Args:
        level: such as "1-1".
        seed: decides everything: title wait, power at the start, the player's habits, all moves.
        seconds: wall time after which the search gives up; play then goes on from the furthest cell without care, so
            that most such recordings end in a death.
        max_frames: the same limit in emulated frames.
        report: called now and then with frames emulated and progress in pixels.
    Raises:
        UsageError: no such level. DataError: the ROM does not start it.
    """
    world, number = parse_level(level)
    if seconds <= 0:
        raise UsageError(f"search time is {seconds}; expected more than 0 seconds")
    rng = np.random.default_rng([seed, world, number])
    start = start_level(
        emulator, world, number, wait=int(rng.integers(0, 90)), power=int(rng.choice([0, 0, 0, 1, 1, 2]))
    )
    search = _Search(emulator, rng, (world - 1, number - 1))
    began = time.monotonic()
    while not search.won and search.frames < max_frames and time.monotonic() - began < seconds:
        search.rollout()
        if report is not None:
            report(search.frames, search.best.progress)
    spent = time.monotonic() - began
    path = search.best.path()
    won = search.won
    if not won:
        path += search.rush(search.best)
        won = search.finished()
    actions = np.concatenate([start.actions, np.frombuffer(path, np.uint8)])
    movie = Movie("smb", actions, start.pokes)
    best = search.best
    return Play(movie, won, best.areas, best.x, search.frames, spent, len(search.cells))


class _Search:
    def __init__(self, emulator: NesEmulator, rng: np.random.Generator, place: tuple[int, int]) -> None:
        self.emulator, self.rng, self.place = emulator, rng, place
        self.style = _Style.draw(rng)
        root = _Cell(emulator.save(), None, b"", 0, 0, self._x())
        self.known = {self._key(0)}
        self.cells = [root]
        self.best, self.won, self.frames, self.loads = root, False, 0, 0

    def rollout(self) -> None:
        """Some moves from one cell."""
        cell = self._choose()
        cell.visits += 1
        self.emulator.load(cell.state)
        for _ in range(int(self.rng.integers(2, 9))):
            taken = bytearray()
            loads = self.loads
            if not self._play(self._move(), taken):
                return
            cell = self._keep(cell, bytes(taken), cell.areas + self.loads - loads)
            if self.won:
                return

    def rush(self, cell: _Cell) -> bytes:
        """Careless play from a cell until a life is lost or some time has passed."""
        self.emulator.load(cell.state)
        taken = bytearray()
        while len(taken) < _RUSH and not self.finished() and self._play(self._move(), taken):
            pass
        lives = self.emulator.read(0x75A)
        for _ in range(_WAIT_LIMIT):  # let the death run its course, so that the recording knows how it ended
            if self.finished() or self.emulator.read(0x75A) != lives or not self._dead():
                break
            self.emulator.step(0)
            taken.append(0)
        return bytes(taken)

    def _choose(self) -> _Cell:
        progress = np.array([cell.progress for cell in self.cells], np.float64)
        visits = np.array([cell.visits for cell in self.cells], np.float64)
        weight = (np.exp((progress - progress.max()) / _NEAR) + 1e-4) / (1 + visits) ** 1.5
        return self.cells[int(self.rng.choice(len(self.cells), p=weight / weight.sum()))]

    def _keep(self, parent: _Cell, buttons: bytes, areas: int) -> _Cell:
        """The cell the emulator is in now; kept to start from when it is new."""
        cell = _Cell(self.emulator.save(), parent, buttons, parent.frames + len(buttons), areas, self._x())
        if self.finished():
            self.won, self.best = True, cell
            return cell
        key = self._key(areas)
        if key not in self.known and len(self.cells) < _MAX_CELLS:
            self.known.add(key)
            self.cells.append(cell)
        if cell.progress > self.best.progress:
            self.best = cell
        return cell

    def _play(self, move: list[tuple[int, int]], taken: bytearray) -> bool:
        """Play (buttons, frames) pairs, then sit through what cannot be controlled; False when the player dies."""
        for buttons, count in move:
            for _ in range(count):
                self._step(buttons, taken)
                if self.finished():
                    return True
                if self._dead():
                    return False
        loading = False
        for _ in range(_WAIT_LIMIT):
            if self.emulator.read(0x772) != 3:
                self.loads += not loading
                loading = True
            elif self.emulator.read(0x0E) == _CONTROL:
                return True
            self._step(0, taken)
            if self.finished():
                return True
            if self._dead():
                return False
        return False

    def _step(self, buttons: int, taken: bytearray) -> None:
        self.emulator.step(buttons)
        taken.append(buttons)
        self.frames += 1

    def _move(self) -> list[tuple[int, int]]:
        """One move of the player's: (buttons, frames) pairs."""
        rng, style = self.rng, self.style
        kind = rng.random()
        if kind < style.wait:
            return [(0, int(rng.integers(4, 30)))]
        if kind < style.wait + style.crouch:
            return [(DOWN, int(rng.integers(8, 24)))]
        direction = LEFT if rng.random() < style.back else RIGHT
        if self.emulator.read(0x74E) == 0:  # water: strokes
            return [(direction | A, 3), (direction, int(rng.integers(3, 18)))]
        hold = direction | (B if rng.random() < style.run else 0)
        if rng.random() >= style.jump:
            return [(hold, int(rng.integers(4, 26)))]
        height = int(rng.integers(3, 12)) if rng.random() < 0.35 else int(rng.integers(12, 34))
        return [(hold, 1), (hold | A, height), (hold, int(rng.integers(1, 14)))]

    def _x(self) -> int:
        return 256 * self.emulator.read(0x6D) + self.emulator.read(0x86)

    def _key(self, areas: int) -> tuple[int, ...]:
        read = self.emulator.read
        return (areas, read(0x750), self._x() // 24, math.floor(read(0xCE) / 32), read(0x1D) == 0)

    def _dead(self) -> bool:
        return self.emulator.read(0x0E) in _DYING or self.emulator.read(0xB5) > 1

    def finished(self) -> bool:
        """Whether the level is over, by its flag, castle or a warp."""
        read = self.emulator.read
        return (read(0x75F), read(0x75C)) != self.place or read(0x770) == 2
