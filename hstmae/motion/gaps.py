"""What there is to tell of offers for a frame that is lost whole: when they were seen, in the time of their places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .candidates import Move
from .rhythm import LAGS
from .scene import Scene

REPEATS = 4  # periods before and after that are asked
MOST_PASSED = 3.0


class Gap:
    """Some places of a lost frame.

    Attributes:
        one_scene: how much of the picture is alike before and after; first: the nearest frame in time.
        cell: int32 [n], of the rhythm; same: float32 [LAGS, n], how often each place looks the same again.
    """

    def __init__(self, scene: Scene, t: int, place: np.ndarray, moves: Sequence[Move]) -> None:
        self._scene, self._t, self._place = scene, t, place
        rhythm = scene.rhythm
        before, after = scene.beside(t)
        self.cell = rhythm.cell(place)
        self.same = rhythm.again.take(place, 1)
        first, last = (side[0] if side else t for side in (before, after))
        self._whole = np.maximum(rhythm.time[last] - rhythm.time[first], 1e-6)
        self.one_scene = max((move.bands[1] for move in moves if move.rows is not None and move.through), default=0.0)
        ends = before[:1] + after[:1]
        self.first = min(ends, key=lambda s: abs(s - t)) if ends else -1

    def passed(self, source: int) -> np.ndarray:
        """float32 [cells]: the time between another frame and this one, as a share of that of the whole gap."""
        time = self._scene.rhythm.time
        return np.asarray(np.minimum(np.abs(time[source] - time[self._t]) / self._whole, MOST_PASSED))

    def pace(self, source: int) -> tuple[np.ndarray, int]:
        """The numbers "passed" and "much" of an offer of another frame, float32 [cells, 2], and which lag it has."""
        share = self.passed(source)
        much = np.log2(1 + np.abs(self._scene.rhythm.time[source] - self._scene.rhythm.time[self._t])) / 6
        return np.stack([share, much], 1), min(abs(source - self._t), LAGS) - 1

    def again(self) -> Iterator[tuple[bool, np.ndarray, np.ndarray, dict[str, np.ndarray]]]:
        """What stands at each place a few of its periods before, and after: whether before, uint32 [n] colours, bool
        [n] where there is one, numbers."""
        period, there = self._scene.rhythm.period(self._place), set(self._scene.there)
        if not period.any():
            return
        for sign in (-1, 1):
            source = np.full(len(self._place), -1)
            for lag in range(2, LAGS + 1):
                some = [s for s in (self._t + sign * k * lag for k in range(1, REPEATS + 1)) if s in there]
                if some:
                    source[period == lag] = some[0]
            shown = source >= 0
            if not shown.any():
                continue
            colour, passed = np.zeros(len(source), np.uint32), np.zeros(len(source), np.float32)
            for s in np.unique(source[shown]).tolist():
                at = source == s
                colour[at] = self._scene.frames[s].colours.reshape(-1)[self._place[at]]
                passed[at] = self.passed(s)[self.cell[at]]
            alike = self.same[np.maximum(period, 1) - 1, np.arange(len(source))]
            far = np.log2(1 + np.abs(source - self._t)) / 6
            own = {"distance": far, "passed": passed, "alike again": alike}
            yield sign < 0, colour, shown, own
