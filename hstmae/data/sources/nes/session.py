"""Episodes of any NES game, played while they are read: by a movie, or by chance.

The state of a frame is what its picture was drawn from: the picture unit as it is at the picture's end, and the work
memory as it was when the frame began, since games prepare a picture while the one before is shown.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from ....errors import DataError
from ....games import get_game
from ....games.nes.memory import RUNS, WORK, pack_runs
from ..base import AT_HAND, Problem, Report, SourceFrame
from ..movies.hst_movie import format_json
from ..movies.movie import BUTTONS, Movie
from .console import NesConsole
from .scrolling import RunFinder

GAME = "nes"
MAX_HOLD = 20  # frames for which the random player holds buttons
_DIRECTIONS = [0, *(BUTTONS[name] for name in "RRRLUD")]
_OTHERS = [0, 0, BUTTONS["A"], BUTTONS["B"], BUTTONS["A"] | BUTTONS["B"]]
_START = 0.05  # how often it presses start instead


@dataclass
class NesEpisode:
    """A `SourceEpisode`: nothing of it is held in memory.

    It ends early, with a remark, where the program crashes. Frames that a reset parts are not neighbours by their
    numbers.

    Attributes:
        rom: an iNES file of the user's.
        frames_wanted: how many frames to record; of a movie at most as many as it has.
        seed: of the random player.
        movie: what is played instead.
    """

    rom: Path
    frames_wanted: int
    seed: int = 0
    movie: Movie | None = None
    level: ClassVar[str] = ""
    outcome: ClassVar[str] = "cut"
    fps: ClassVar[float | None] = None
    untold: int = field(default=0, init=False)  # lines, of the last reading

    @property
    def name(self) -> str:
        how = f"random_s{self.seed}" if self.movie is None else f"m{self._digest}"
        return f"{re.sub('[^A-Za-z0-9.-]+', '-', self.rom.stem)}_{how}_n{self.size}"

    @property
    def size(self) -> int:
        return self.frames_wanted if self.movie is None else min(self.frames_wanted, len(self.movie))

    @cached_property
    def _digest(self) -> str:
        return "" if self.movie is None else hashlib.sha256(format_json(self.movie)).hexdigest()[:8]

    @cached_property
    def _program(self) -> str:
        return hashlib.sha256(self.rom.read_bytes()).hexdigest()

    def signature(self, content: bool = False) -> list[list[object]]:
        """The ROM and the wish, not the pictures: the same wish is not played twice into one store."""
        return [["nes", self._program, self.size, self.seed, self._digest]]

    def frames(
        self, report: Report | None = None, notes: dict[str, int] | None = None, known: Container[int] = ()
    ) -> Iterator[SourceFrame]:
        """Play. Raises DataError where the ROM cannot be run at all."""
        console = NesConsole(self.rom)
        finder, palette = RunFinder(console.alike), get_game(GAME).palette
        console.emulator.power()
        number, strange, self.untold = 0, [0, 0], 0
        pokes = {} if self.movie is None else _by_frame(self.movie.pokes)
        resets = {} if self.movie is None else _by_frame(self.movie.resets)
        for t, action in enumerate(self._actions()):
            for _, kind in resets.get(t, ()):
                (console.emulator.power if kind == "hard" else console.emulator.reset)()
                number += t > 0
            for _, address, value in pokes.get(t, ()):
                console.emulator.poke(address, value)
            work = console.emulator.ram()
            try:
                console.emulator.step(action)
            except DataError as error:
                if not t or report is None:
                    raise
                report(Problem(self.name, "", f"ends after {t} of {self.size} frames: {error}", left_out=False))
                break
            number += 1
            memory, drawn, untold, other = read_frame(console, finder, work)
            strange = [strange[0] + (other > 0), strange[1] + other]
            self.untold += untold
            yield SourceFrame(number, AT_HAND if number in known else drawn, palette, memory, action)
        if strange[0] and report is not None:
            what = (
                f"{strange[1]} pixels of {strange[0]} frames have emphasised colours, which are stored as the nearest"
            )
            report(Problem(self.name, "", what, left_out=False))

    def _actions(self) -> Iterator[int]:
        if self.movie is not None:
            yield from self.movie.actions[: self.size].tolist()
            return
        rng = np.random.default_rng(self.seed)
        action = left = 0
        for _ in range(self.size):
            if not left:
                left = int(rng.integers(1, MAX_HOLD + 1))
                action = int(rng.choice(_DIRECTIONS)) | int(rng.choice(_OTHERS))
                if rng.random() < _START:
                    action = BUTTONS["T"]
            left -= 1
            yield action


def read_frame(console: NesConsole, finder: RunFinder, work: np.ndarray) -> tuple[np.ndarray, np.ndarray, int, int]:
    """The state of the frame that was just run, and its picture.

    Args:
        finder: has seen the frames before.
        work: work memory as it was when the frame began.
    Returns:
        Memory uint8 [SIZE], NES colours uint8 [240, 256], lines that the memory does not tell, and pixels that have
        none of the 64 colours.
    """
    state = console.emulator.save()
    shown, other = console.picture()
    memory = console.memory(state)
    runs, drawn = finder.find(memory, console.registers(state), shown)
    memory[RUNS], memory[WORK] = pack_runs(runs), work
    ends = [*(run.line for run in runs[1:]), len(shown)]
    untold = sum(end - run.line for run, end in zip(runs, ends, strict=True) if not run.told)
    return memory, drawn, untold, other


def _by_frame(events: tuple[tuple, ...]) -> dict[int, list[tuple]]:
    found: dict[int, list[tuple]] = {}
    for event in events:
        found.setdefault(event[0], []).append(event)
    return found
