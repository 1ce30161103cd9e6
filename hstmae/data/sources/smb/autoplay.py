"""An autoplayer for Super Mario Bros.: explores with save states, so that recordings differ and get far.

A player with habits of its own makes human-like moves, jumping mostly where a wall, a pit or an enemy is ahead; the
archive of `explore` decides where it goes on from. All randomness comes from the seed, so a search that reaches its
goal, or its limit of frames, gives the same play on any machine; one that runs out of time depends on how fast that is.

Memory addresses are those of the public disassembly by doppelganger ("SMBDIS.ASM").
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ....errors import UsageError
from ..movies.movie import Movie
from .emulator import DOWN, LEFT, RIGHT, A, B, NesEmulator
from .explore import Archive, Place
from .level_start import map_length, map_number, parse_level, start_level

_DYING = (0x06, 0x0B)  # of the player's state, 0x0E
_CONTROL = 8  # player's state: moves as the buttons say
_WAIT_LIMIT = 1500  # frames without control: load screens, pipes, the flag pole and the counting down of the time
_RUSH = 900  # frames of careless play after a search without success
_WARP_PIPE = (0x11, 0x10)  # blocks of the left and right half of a pipe that can be entered
# Habits of one player, drawn per seed: least and largest share of moves. `hop` is the share of needless jumps.
_HABITS = {"run": (0.6, 0.95), "jump": (0.6, 0.85), "hop": (0.1, 0.35), "back": (0.03, 0.1), "wait": (0.03, 0.08),
           "crouch": (0.01, 0.04)}  # fmt: skip


@dataclass(frozen=True)
class Play:
    """What the autoplayer did.

    Attributes:
        movie: from power-on, with the pokes that choose the level.
        won: the level's end was reached (its flag or castle, or a warp to another level).
        share: 1.0 when won; else the furthest place, in pixels from the left edge of the longest map that was entered,
            over the length of that map (see `map_length`).
        x: that place; length: that length.
        maps: number of different maps entered.
        searched: frames emulated by the search; seconds: what that took.
        cells: states kept.
    """

    movie: Movie
    won: bool
    share: float
    x: int
    length: int
    maps: int
    searched: int
    seconds: float
    cells: int


def autoplay(
    console: NesEmulator,
    level: str,
    *,
    seed: int = 0,
    seconds: float = 60.0,
    max_frames: int = 10**9,
    report: Callable[[int, int], None] | None = None,
) -> Play:
    """Search a way through a level.

    Args:
        console: switched off and on first.
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
    if seconds <= 0 or max_frames < 1:
        raise UsageError(f"search time is {seconds} seconds and {max_frames} frames; expected more than 0")
    rng = np.random.default_rng([seed, world, number])
    start = start_level(
        console, world, number, wait=int(rng.integers(0, 90)), power=int(rng.choice([0, 0, 0, 1, 1, 2]))
    )
    player = Player(console, rng, (world - 1, number - 1))
    archive = Archive(player, rng)
    began = time.monotonic()
    while not archive.won and archive.frames < max_frames and time.monotonic() - began < seconds:
        archive.rollout()
        if report is not None:
            report(archive.frames, int(archive.best.progress))
    spent = time.monotonic() - began
    path, won = archive.best.path(), archive.won
    if not won:
        console.load(archive.best.state)
        path += player.rush()
        won = player.won()
    actions = np.concatenate([start.actions, np.frombuffer(path, np.uint8)])
    x, length = player.furthest()
    share = 1.0 if won else min(x / length, 1.0)
    movie = Movie("smb", actions, start.pokes)
    return Play(movie, won, share, x, length, len(player.reached), archive.frames, spent, len(archive.cells))


class Player:
    """Random human-like moves in a running level: what `Archive` explores."""

    def __init__(self, console: NesEmulator, rng: np.random.Generator, level: tuple[int, int]) -> None:
        self.console, self.rng, self.level = console, rng, level
        low, high = zip(*_HABITS.values(), strict=True)
        self.style = dict(zip(_HABITS, rng.uniform(low, high).tolist(), strict=True))
        self.save, self.load, self.read = console.save, console.load, console.read
        self.reached: dict[int, tuple[int, int]] = {}  # per map: furthest x, and the map's length
        self._offset: dict[int, int] = {}  # per map: progress at its x = 0
        self._progress = 0  # where the player was last in control

    def furthest(self) -> tuple[int, int]:
        """Furthest x in the longest map entered, and that map's length."""
        return max(self.reached.values(), key=lambda entry: entry[1])

    def place(self) -> Place:
        """Cells of 16x16 pixels in a map, by power and by the counters of mazes.

        Progress is the x of the first map. Another map goes on counting from the progress with which it was first
        entered, so a bonus room is no step back, and coming out of it counts by where that is.
        """
        read, x, number = self.read, self._x(), map_number(self.console)
        if number not in self.reached:
            self.reached[number] = (0, map_length(self.console))
            self._offset[number] = self._progress - x if self._offset else 0
        self.reached[number] = (max(x, self.reached[number][0]), self.reached[number][1])
        self._progress = self._offset[number] + x
        footing = read(0x1D) in (0, 3) or read(0x704) != 0  # ground, climbing, swimming
        maze = (read(0x6D9), read(0x6DA))  # passed and rightly passed parts of a repeated stretch
        return Place((number, x // 16, read(0xCE) // 16, read(0x756) > 0, *maze), self._progress, footing)

    def won(self) -> bool:
        """Whether the level is over, by its flag, castle or a warp."""
        read = self.read
        return (read(0x75F), read(0x75C)) != self.level or read(0x770) == 2

    def move(self, taken: bytearray) -> bool:
        """Play one move, then sit through what cannot be controlled; False when the player dies."""
        for buttons, count in self._choose():
            for _ in range(count):
                if not self._step(buttons, taken):
                    return self.won()
        for _ in range(_WAIT_LIMIT):
            if self.read(0x772) == 3 and self.read(0x0E) == _CONTROL:
                return True
            if not self._step(0, taken):
                return self.won()
        return False

    def rush(self) -> bytes:
        """Careless play until a life is lost or some time has passed."""
        taken, lives = bytearray(), self.read(0x75A)
        while len(taken) < _RUSH and not self.won() and self.move(taken):
            self.place()
        for _ in range(_WAIT_LIMIT):  # let the death run its course, so that the recording knows how it ended
            if self.won() or self.read(0x75A) != lives or not self._dead():
                break
            self._step(0, taken)
        return bytes(taken)

    def _step(self, buttons: int, taken: bytearray) -> bool:
        """One frame; False when it ended the level or the player's life."""
        self.console.step(buttons)
        taken.append(buttons)
        return not (self.won() or self._dead())

    def _choose(self) -> list[tuple[int, int]]:
        """One move: (buttons, frames) pairs."""
        rng, style, read = self.rng, self.style, self.read
        direction = LEFT if rng.random() < style["back"] else RIGHT
        hold = direction | (B if rng.random() < style["run"] else 0)
        if read(0x704):  # water: a stroke, or sinking
            glide = (direction, direction, 0)[int(rng.integers(3))]
            return [(direction | A, 3 if rng.random() < 0.6 else 0), (glide, int(rng.integers(3, 24)))]
        if read(0x1D) in (1, 2):  # in the air: steer
            return [((hold, hold, hold, 0, LEFT)[int(rng.integers(5))], int(rng.integers(2, 10)))]
        kind = rng.random()
        if kind < style["wait"]:
            return [(0, int(rng.integers(4, 30)))]
        if kind < style["wait"] + (0.3 if self._on_warp_pipe() else style["crouch"]):
            return [(DOWN, int(rng.integers(8, 24)))]
        ahead = direction == RIGHT and self._obstacle(int(rng.integers(16, 80)))
        if rng.random() >= (style["jump"] if ahead else style["hop"]):
            return [(hold, int(rng.integers(2, 8)) if ahead else int(rng.integers(4, 26)))]
        height = int(rng.integers(3, 12)) if rng.random() < 0.3 else int(rng.integers(12, 34))
        return [(hold, 1), (hold | A, height), (hold, int(rng.integers(1, 10)))]

    def _obstacle(self, reach: int) -> bool:
        """Whether a wall, a pit or an enemy is at most so many pixels to the right."""
        read, x, y = self.read, self._x(), self.read(0xCE)
        if read(0xB5) != 1:  # above the screen
            return False
        feet = y // 16  # row of the block buffer below the feet: rows begin at y = 32, the player is 32 high
        for column in range(x + 16, x + 16 + reach, 16):
            if feet and self._block(column, feet - 1):
                return True
            if not any(self._block(column, row) for row in range(feet, 13)):
                return True
        for slot in range(5):
            distance = 256 * read(0x6E + slot) + read(0x87 + slot) - x
            if read(0x0F + slot) and 0 < distance < 2 * reach and abs(read(0xCF + slot) - y) < 48:
                return True
        return False

    def _on_warp_pipe(self) -> bool:
        x, feet = self._x(), self.read(0xCE) // 16
        return (self._block(x + 3, feet), self._block(x + 12, feet)) == _WARP_PIPE

    def _block(self, x: int, row: int) -> int:
        """The block at a world x in a row of the two pages of the game's map that it holds; 0 is empty."""
        if row > 12:
            return 0
        return self.read(0x500 + 0xD0 * (x >> 8 & 1) + 16 * row + (x >> 4 & 15))

    def _x(self) -> int:
        x = 256 * self.read(0x6D) + self.read(0x86)
        return x if x < 0x8000 else x - 0x10000  # a repeated stretch can set the player back to the left of 0

    def _dead(self) -> bool:
        return self.read(0x0E) in _DYING or self.read(0xB5) > 1
