"""When places change, and after how many frames they look the same again: what there is to go by in lost frames.

Most games move things every second, third or fourth frame only, each kind of thing in frames of its own, and draw some
of them in every second one. So between the frames before and after a gap, time does not pass evenly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .spatial import box_sums

CELL = 8  # side of the squares that have a time of their own; it is told by them and those beside them
PERIODS = (1, 2, 3, 4, 6, 8, 12, 16)  # frames after which the same things may move again
LAGS = 8  # frames after which a place may look the same again
NEAR = 2  # pixels on each side by which that is told
BETTER = 0.8  # of the places that look another way a frame later, most of those that do so a period later
DRAWN = 2.0  # steps that the rhythm of the whole picture counts for
SLACK = 0.02  # of the mean pace: time passes a little in every frame


class Rhythm:
    """Of one stretch.

    Attributes:
        time: float32 [T, cells]: the time of each cell, as much as changes in it; cells row by row.
        again: float32 [LAGS, H * W]: how often a place looks the same 1 to LAGS frames later.
    """

    def __init__(self, colours: Sequence[np.ndarray], there: Sequence[int], step: int = 0) -> None:
        """colours: uint32 [H, W] of each frame; there: those that are seen; step: difference that does not count."""
        self._width = colours[0].shape[1]
        self.columns = -(-self._width // CELL)
        size, seen = colours[0].shape, set(there)
        changes = np.zeros((LAGS, *size), np.int16)
        pairs = np.zeros(LAGS)
        steps, moved = [], []
        for t in there:
            for lag in range(1, LAGS + 1):
                if t + lag not in seen:
                    continue
                other = _differ(colours[t], colours[t + lag], step)
                changes[lag - 1] += other
                pairs[lag - 1] += 1
                if lag == 1:
                    steps.append(t)
                    moved.append(self._cells(other))
        many = np.maximum((2 * NEAR + 1) ** 2 * pairs, 1)[:, None, None]
        around = np.stack([box_sums(lag, NEAR) for lag in changes])
        self.again = np.where(pairs[:, None, None] > 0, 1 - around / many, 0).astype(np.float32).reshape(LAGS, -1)
        cells = self.columns * -(-size[0] // CELL)
        pace = np.sqrt(np.stack(moved)) if moved else np.ones((1, cells))
        self.time = _times(np.array(steps or [0]), pace, len(colours))

    def _cells(self, other: np.ndarray) -> np.ndarray:
        """int [cells]: changed pixels of each cell and those beside it."""
        h, w = other.shape
        padded = np.pad(other, ((0, -h % CELL), (0, -w % CELL)))
        own = padded.reshape(-(-h // CELL), CELL, self.columns, CELL).sum((1, 3))
        return np.asarray(box_sums(own, 1)).reshape(-1)

    def cell(self, place: np.ndarray) -> np.ndarray:
        """int32 [n] of flat places, int32 [n]."""
        y, x = np.divmod(place, self._width)
        return np.asarray(y // CELL * self.columns + x // CELL, np.int32)

    def period(self, place: np.ndarray) -> np.ndarray:
        """int [n]: the number of frames, from 2 on, after which each place looks the same most often; 0 where it does
        so no more often than in the next frame."""
        some = self.again[:, place]
        best = some[1:].argmax(0) + 1
        better = 1 - some[best, np.arange(len(place))] < BETTER * (1 - some[0])
        return np.where(better, best + 1, 0)


def _differ(a: np.ndarray, b: np.ndarray, step: int) -> np.ndarray:
    if not step:
        return np.asarray(a != b)
    green = (a >> 8 & 255).astype(np.int16) - (b >> 8 & 255).astype(np.int16)
    return np.asarray(np.abs(green) > step)


def _times(steps: np.ndarray, pace: np.ndarray, count: int) -> np.ndarray:
    """float32 [count, cells]: time of every frame.

    For every period the pace of a step is told by the steps of the same phase, drawn towards the rhythm of the whole
    picture; periods count by how well they foretell each step from the others, in the cell and in the picture.

    Args:
        steps: int [n], steps from frame t to t + 1 that are seen; pace: float64 [n, cells], how much changes in them.
    """
    n = len(steps)
    mean, picture = pace.mean(0), pace.mean(1, keepdims=True)
    every = np.arange(count - 1)
    common: list[np.ndarray] = []
    weight: list[np.ndarray] = []
    told: list[np.ndarray] = []
    flat = np.ones((1, 1))
    for series, pattern in ((picture, [flat] * len(PERIODS)), (pace, common)):
        level = series.mean(0)
        for k, period in enumerate(PERIODS):
            of = (np.arange(period)[:, None] == steps % period).astype(float)
            total, many = of @ series, of.sum(1)[:, None]
            drawn = DRAWN * level * (pattern[k][np.arange(period) % len(pattern[k])])
            phase = steps % period
            guess = (total[phase] - series + drawn[phase]) / (many[phase] - 1 + DRAWN)
            error = ((series - guess) ** 2).mean(0) + 1e-3 * level**2 + 1e-9
            weight.append(-n / 4 * np.log(error))
            foretold = (total + drawn) / (many + DRAWN)
            if series is picture:
                common.append(foretold / max(float(level[0]), 1e-9) if level[0] else np.ones((period, 1)))
            else:
                told.append(foretold[every % period])
    own = np.stack(weight[len(PERIODS) :]) + np.stack(weight[: len(PERIODS)])
    share = np.exp(own - own.max(0))
    share /= share.sum(0)
    rate = sum(part * some for part, some in zip(share, told, strict=True))
    rate = rate + SLACK * (mean + pace.mean()) + 1e-6
    return np.concatenate([np.zeros((1, pace.shape[1])), np.cumsum(rate, 0)]).astype(np.float32)
