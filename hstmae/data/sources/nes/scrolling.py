"""Which settings each line of a picture was drawn with: what is known at its end, and for lines above it what fits.

Games change the scrolling while a picture is drawn (a status bar that stands still), and a save state tells the last
setting alone. What stands above is looked for among the settings of the frame before, screens that stand still, and all
places of the name tables; it counts where whole lines come out exactly as the console has shown them. A line that
nothing explains is not told: then something else was changed meanwhile (colours, patterns).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ....games.nes.memory import BACKGROUND, COLOURS, LINES, SPRITES_SHOWN, Run
from ....games.nes.picture import PictureUnit
from .console import Registers

_WINDOW = 48  # pixels by which a line is looked for
_MOST = 64  # places of which a line may be
_SEARCHES = 12  # lines of a picture that are looked for in all of the name tables


class RunFinder:
    """Finds the runs of one frame after the other.

    Args:
        alike: uint8 [64], of NES colours that look alike the first.
    """

    def __init__(self, alike: np.ndarray) -> None:
        self._alike, self._unit = alike, PictureUnit()
        self._last: list[Run] = []

    def find(self, memory: np.ndarray, end: Registers, shown: np.ndarray) -> tuple[list[Run], np.ndarray]:
        """The runs of a picture, and what it shows as they tell it.

        Args:
            memory: uint8 [SIZE], without runs.
            end: the settings at its end.
            shown: uint8 [240, 256] NES colours, of those that look alike the first.
        Returns:
            Runs; NES colours uint8 [240, 256], as `shown` where nothing is told.
        """
        whole = Run(0, end.x, _back(end.y, LINES), end.background, end.sprites, end.large, end.mask & 31)
        drawn, right = self._draw(memory, whole, shown)
        if not right.all():
            runs = self._split(memory, whole, shown, right)
            drawn = shown.copy()
            for run, stop in zip(runs, [*(run.line for run in runs[1:]), LINES], strict=True):
                if run.told:
                    drawn[run.line : stop] = self._unit.lines(memory, run, stop)
        else:
            runs = [whole]
        self._last = runs
        return runs, drawn

    def _draw(self, memory: np.ndarray, run: Run, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lines `run.line` to the last, and which of them are as shown, bool [lines]."""
        drawn = self._unit.lines(memory, run, LINES)
        return drawn, (self._alike[drawn] == shown[run.line :]).all(1)

    def _fitting(self, memory: np.ndarray, run: Run, shown: np.ndarray) -> int:
        """How many lines from the first of a run on are as shown."""
        first = self._unit.lines(memory, run, run.line + 1)
        if not np.array_equal(self._alike[first[0]], shown[run.line]):
            return 0
        return _leading(self._draw(memory, run, shown)[1])

    def _split(self, memory: np.ndarray, whole: Run, shown: np.ndarray, below: np.ndarray) -> list[Run]:
        runs: list[Run] = []
        line, searches = 0, 0
        while line < LINES:
            if below[line:].all():
                runs.append(replace(whole, line=line, y=_on(whole.y, line)))
                break
            best, length = Run(line, told=False), 0
            for candidate in self._likely(whole, runs, line):
                found = self._fitting(memory, candidate, shown)
                if found > length:
                    best, length = candidate, found
            if not length and searches < _SEARCHES:
                searches += 1
                for candidate in self._anywhere(memory, whole, shown, line):
                    found = self._fitting(memory, candidate, shown)
                    if found > length:
                        best, length = candidate, found
            if best.told or not runs or runs[-1].told:
                runs.append(best)
            line += max(length, 1)
        return runs

    def _likely(self, whole: Run, before: list[Run], line: int) -> Iterator[Run]:
        """Settings for the lines from `line` on, the most likely first."""
        yield replace(whole, line=line, y=_on(whole.y, line))
        told = [run for run in before if run.told]
        for run in [*(run for run in self._last if run.told), *told[-1:]]:
            moved = line - run.line
            if moved >= 0:
                yield replace(run, line=line, y=_on(run.y, moved))
            yield replace(run, line=line)
        for x in (0, 256):
            for table in (0, 256):
                yield replace(whole, line=line, x=x, y=_on(table, line))
        yield replace(whole, line=line, mask=0)
        yield replace(whole, line=line, y=_on(whole.y, line), background=1 - whole.background)
        yield replace(whole, line=line, y=_on(whole.y, line), mask=whole.mask ^ BACKGROUND)
        yield replace(whole, line=line, y=_on(whole.y, line), mask=whole.mask ^ SPRITES_SHOWN)

    def _anywhere(self, memory: np.ndarray, whole: Run, shown: np.ndarray, line: int) -> Iterator[Run]:
        """Settings for which some part of the line stands in the name tables; none where that is in many places."""
        colours = self._alike[memory[COLOURS][:16] & 63]
        for patterns in (whole.background, 1 - whole.background):
            plane = colours[self._unit.plane(memory, patterns)]
            wide = np.concatenate([plane, plane[:, :_WINDOW]], 1)
            for begin in range(8, 257 - _WINDOW, _WINDOW):
                wanted = shown[line, begin : begin + _WINDOW]
                if (wanted == wanted[0]).all():
                    continue
                fits = np.ones((512, 512), bool)
                for k in range(_WINDOW):
                    fits &= wide[:, k : k + 512] == wanted[k]
                    if k % 8 == 7 and not fits.any():
                        break
                places = np.argwhere(fits)
                if 0 < len(places) <= _MOST:
                    for row, column in places.tolist():
                        yield replace(whole, line=line, x=(column - begin) % 512, y=row, background=patterns)
                    break


def _leading(right: np.ndarray) -> int:
    """How many are True before the first False."""
    return len(right) if right.all() else int(right.argmin())


def _on(y: int, lines: int) -> int:
    """The row of the name tables so many lines further down."""
    return int(Run(0, y=y).rows(lines + 1)[-1])


def _back(y: int, lines: int) -> int:
    """The row from which so many lines lead to row `y`, of tables with tiles alone."""
    at = ((y >> 8) * LINES + min(y & 255, LINES - 1) - lines) % (2 * LINES)
    return 256 * (at // LINES) + at % LINES
