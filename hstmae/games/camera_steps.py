"""How a game's camera moves from frame to frame, learned from recordings.

Games move their camera by whole pixels while it stands at fractions of them: at two and a half pixels a frame, two and
three take turns. What follows the last steps is therefore told by them, often to the pixel; and of a gap, whose steps
add up to the way between its two ends, most is told by the steps before and after it. How often each step followed
which steps is counted; the longest run that was seen counts most (an n-gram model with interpolated back-off).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from .state import NOWHERE

ORDER = 10  # steps that tell the next one
LONGEST = 8  # pixels a frame; a camera that is faster has jumped
STEPS = 2 * LONGEST + 1
_PRIOR = 4.0  # counts that shorter runs of steps are worth
_RARE = 1e-4  # probability of a step below which it is left out
_KEPT = 24  # ways of getting to each place that are followed at a time
_REMEMBERED = 1 << 16  # runs of steps whose next step is remembered
_ODD = 1e-6  # probability of a step that never was
FITTING = 0.1  # mean probability (geometric) of the steps that are seen, from which footage moves as was learned


Way = tuple[tuple[int, ...], int]  # the last steps, and pixels that the camera has moved
Shares = tuple[np.ndarray, np.ndarray]  # pixels int64 [n] that the camera has moved, and how likely each is


@dataclass
class CameraSteps:
    """Counts of steps, in pixels to the right.

    Attributes:
        before: int8 [N, ORDER], steps of frames one after the other, the latest one last.
        counts: uint32 [N, STEPS], how often each step from -LONGEST to LONGEST came next.
    """

    ARRAYS: ClassVar[tuple[str, ...]] = ("before", "counts")

    before: np.ndarray = field(default_factory=lambda: np.zeros((0, ORDER), np.int8))
    counts: np.ndarray = field(default_factory=lambda: np.zeros((0, STEPS), np.uint32))
    _known: dict[tuple[int, ...], list[tuple[int, float]]] = field(default_factory=dict, init=False, repr=False)
    _often: Any = field(default=None, init=False, repr=False)

    def fits(self) -> bool:
        """Whether the arrays fit each other."""
        return (
            self.before.ndim == self.counts.ndim == 2
            and self.before.shape == (len(self.counts), ORDER)
            and self.counts.shape == (len(self.before), STEPS)
            and self.before.dtype == np.int8
            and self.counts.dtype == np.uint32
            and bool((abs(self.before.astype(int)) <= LONGEST).all())
        )

    @classmethod
    def of(cls, runs: Iterable[np.ndarray]) -> CameraSteps:
        """Count runs of steps, each integer [n], of frames one after the other on one map."""
        counted: Counter[tuple[int, ...]] = Counter()
        for run in runs:
            steps = tuple(run.tolist())
            counted.update(steps[t - ORDER : t + 1] for t in range(ORDER, len(steps)))
        rows: defaultdict[tuple[int, ...], np.ndarray] = defaultdict(lambda: np.zeros(STEPS, np.uint32))
        for (*context, step), often in sorted(counted.items()):
            rows[tuple(context)][step + LONGEST] = often
        if not rows:
            return cls()
        return cls(np.array(list(rows), np.int8), np.stack(list(rows.values())))

    def likely(self, before: Sequence[int], count: int, way: int | None, after: Sequence[int]) -> list[Shares] | None:
        """How far the camera has moved in each frame of a gap.

        Args:
            before: steps before the gap, the latest last; after: those behind it.
            count: frames of the gap.
            way: pixels from the last frame before the gap to the first one behind it; None = the footage ends there.
        Returns:
            For each frame the distances from the last frame before the gap, with probabilities that add up to 1; None
            where no steps lead there.
        """
        layers: list[dict[Way, float]] = [{(self._end(before), 0): 1.0}]
        for k in range(count + (way is not None)):
            new: defaultdict[Way, float] = defaultdict(float)
            far = LONGEST * (count - k)
            for (context, moved), share in layers[-1].items():
                for step, probability in self.next(context):
                    if way is None or abs(way - moved - step) <= far:
                        new[self._end((*context, step)), moved + step] += share * probability
            best = _best(new)
            total = sum(share for _, share in best)
            if not total:
                return None
            layers.append({key: share / total for key, share in best})
        told = {key: self._told(key, way, after) for key in layers[-1]}
        made = []
        for layer in layers[count:0:-1]:
            if layer is not layers[-1]:
                told = {
                    (context, moved): sum(
                        p * told.get((self._end((*context, step)), moved + step), 0.0) for step, p in self.next(context)
                    )
                    for context, moved in layer
                }
            shares: defaultdict[int, float] = defaultdict(float)
            for key, share in layer.items():
                shares[key[1]] += share * told[key]
            total = sum(shares.values())
            if not total:
                return None
            there = {moved: share for moved, share in shares.items() if share > 0}
            made.append((np.array(list(there)), np.array(list(there.values())) / total))
        return made[::-1]

    def next(self, context: tuple[int, ...]) -> list[tuple[int, float]]:
        """Steps that may follow steps, and their probabilities."""
        found = self._known.get(context)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            p = self._probability(context)
            made = [(int(k) - LONGEST, float(p[k])) for k in np.flatnonzero(p > _RARE)]
            return self._known.setdefault(context, made)
        return found

    def fitting(self, runs: Iterable[np.ndarray]) -> bool:
        """Whether footage moves as was learned: not so if frames are missing between those that there are.

        Args:
            runs: steps integer [n] each, of frames one after the other.
        """
        runs = list(runs)
        logs = [
            np.log(self._step(tuple(run[max(t - ORDER, 0) : t].tolist()), int(run[t])))
            for run in runs
            for t in range(1, len(run))
            if run[t - 1] or run[t]
        ]
        return bool(len(self.before) and runs) and (not logs or float(np.mean(logs)) >= np.log(FITTING))

    def _told(self, key: Way, way: int | None, after: Sequence[int]) -> float:
        """How likely what is seen behind a gap is, after the steps and the way of `key`."""
        context, moved = key
        if way is None:
            return 1.0
        if moved != way:
            return 0.0
        likely = 1.0
        for step in after:
            likely *= self._step(context, step)
            context = self._end((*context, step))
        return likely

    def _step(self, context: tuple[int, ...], step: int) -> float:
        return max(dict(self.next(context)).get(step, 0.0), _ODD)

    @staticmethod
    def _end(steps: Sequence[int]) -> tuple[int, ...]:
        return tuple(steps)[-ORDER:]

    def _probability(self, context: tuple[int, ...]) -> np.ndarray:
        """Of each step after others, float64 [STEPS]."""
        if self._often is None:
            self._often = self._all_orders()
        first = self._often[()]
        p = first / max(first.sum(), 1)
        for n in range(1, len(context) + 1):
            counts = self._often.get(context[-n:])
            if counts is None:
                break
            p = (counts + _PRIOR * p) / (counts.sum() + _PRIOR)
        return np.asarray(p)

    def _all_orders(self) -> dict[tuple[int, ...], np.ndarray]:
        """Counts after each run of up to ORDER steps."""
        made: dict[tuple[int, ...], np.ndarray] = {(): self.counts.sum(0, dtype=np.float64)}
        for order in range(1, ORDER + 1):
            runs, which = np.unique(self.before[:, ORDER - order :], axis=0, return_inverse=True)
            total = np.zeros((len(runs), STEPS))
            np.add.at(total, which.reshape(-1), self.counts)
            made |= zip(map(tuple, runs.tolist()), total, strict=True)
        return made


def seen_steps(camera: np.ndarray, scene: np.ndarray) -> Iterator[np.ndarray]:
    """Steps of the camera through frames one after the other, int64 [n] for each stretch on one map without a jump.

    Args:
        camera: integer [T]; scene: integer [T], the map of each frame, NOWHERE where none is known.
    """
    step = np.diff(camera)
    there = (scene[1:] == scene[:-1]) & (scene[1:] != NOWHERE) & (abs(step) <= LONGEST)
    for run in np.split(np.arange(len(step)), np.flatnonzero(np.diff(there)) + 1):
        if len(run) and there[run[0]]:
            yield step[run]


def _best(ways: dict[Way, float]) -> list[tuple[Way, float]]:
    """The likeliest ways to each place: those to places that are not likely by themselves may be the ones that are
    left in the end."""
    kept: defaultdict[int, int] = defaultdict(int)
    best = []
    for way, share in sorted(ways.items(), key=lambda entry: -entry[1]):
        kept[way[1]] += 1
        if kept[way[1]] <= _KEPT:
            best.append((way, share))
    return best
