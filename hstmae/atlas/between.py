"""Where frames were taken in which next to nothing is seen, from where those before and after them were.

A camera that moves evenly stands at the whole pixel below a straight line. The lines through the last frames before a
gap, and those through the first ones after it, are continued into it and joined there, at all times at which the speed
may have begun and ended to change. The less it changes, the likelier is the way of getting there; a frame has as many
likely places as the ways give. Where an atlas has learned how the game's camera moves, and the footage moves so, that
tells more than lines (see `hstmae.games.camera_steps`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from ..games.camera_steps import LONGEST as FAST
from ..games.camera_steps import ORDER, CameraSteps, Shares, seen_steps
from ..games.state import NOWHERE
from .maps import Located

LONGEST = 32  # frames in a row that are looked for, between two that were found ...
OUTSIDE = 8  # ... and before the first one or after the last
AROUND = ORDER + 1  # frames on each side that tell ...
ON_LINE = 8  # ... and those by which lines are found, as many of these as lie on one
FASTEST = 16  # pixels a frame; what is faster was a jump
SPEEDS, PHASES = 25, 8  # lines tried: within what two frames allow, and parts of a pixel
LINES, TIMES = 12, 9  # at most so many lines of a side, and times at which the speed may change, are tried
STEADY = 0.15  # pixels a frame by which the speed changes that make a way less likely by a factor e


@dataclass(frozen=True)
class Likely:
    """Places that frames may have been taken at: each `place` with the probability of each frame, float32 [T]."""

    place: Located
    weight: np.ndarray


def between(place: Located, most: int = 4, steps: CameraSteps | None = None) -> list[Likely]:
    """Likely places of all frames, the likeliest first; those that `place` has, with certainty.

    Args:
        steps: how the game's camera moves from frame to frame; None = not known.
    """
    count = len(place.scene)
    made = [Located(place.scene.copy(), place.camera.copy(), place.camera_y.copy()) for _ in range(most)]
    weight = np.zeros((most, count), np.float32)
    weight[0] = 1
    gaps = list(_gaps(place))
    if steps is not None and not (gaps and steps.fitting(seen_steps(place.camera, place.scene))):
        steps = None
    for gap, before, after in gaps:
        across = None if steps is None else _stepped(steps, place.camera, gap, before, after)
        if across is None:
            ways, shares = _ways(place.camera, gap, before, after)
            across = [_summed(ways[:, k], shares) for k in range(len(gap))]
        down, shares = _ways(place.camera_y, gap, before, after)
        for k, t in enumerate(gap):
            x, likely = _likeliest(*across[k])
            y, _ = _likeliest(*_summed(down[:, k], shares))
            for n in range(min(most, len(x))):
                made[n].scene[t] = place.scene[(before or after)[0]]
                made[n].camera[t], made[n].camera_y[t], weight[n, t] = x[n], y[0], likely[n]
    return [Likely(p, w) for p, w in zip(made, weight, strict=True) if w.any()]


def _stepped(
    steps: CameraSteps, at: np.ndarray, gap: np.ndarray, before: list[int], after: list[int]
) -> list[Shares] | None:
    """Places of the frames of `gap` by how cameras step, and how likely each is; None where no steps lead there."""
    if not before:
        return None
    first = int(at[before[0]])
    way = int(at[after[0]]) - first if after else None
    left, right = (np.diff(at[frames]).tolist() for frames in (before[::-1], after))
    if any(abs(step) > FAST for step in (*left, *right)):
        return None
    told = steps.likely(left, len(gap), way, right)
    return None if told is None else [(first + moved, shares) for moved, shares in told]


def _summed(at: np.ndarray, shares: np.ndarray) -> Shares:
    """Different places, and the sum of the shares of each."""
    places, which = np.unique(at, return_inverse=True)
    return places, np.bincount(which, shares)


def _likeliest(places: np.ndarray, shares: np.ndarray) -> Shares:
    order = np.argsort(-shares, kind="stable")
    return places[order], shares[order]


def _gaps(place: Located) -> Iterator[tuple[np.ndarray, list[int], list[int]]]:
    """Frames without a place that may get one, and those before and after by which, nearest first."""
    count, scene = len(place.scene), place.scene
    found = np.flatnonzero(scene != NOWHERE).tolist()
    for before, after in zip([-1, *found], [*found, count], strict=True):
        gap, ends = np.arange(before + 1, after), [t for t in (before, after) if 0 <= t < count]
        if not len(gap) or not ends or len(gap) > (LONGEST if len(ends) == 2 else OUTSIDE):
            continue
        first, last = ends[0], ends[-1]
        far = max(abs(int(a[last]) - int(a[first])) for a in (place.camera, place.camera_y))
        if scene[first] == scene[last] and far <= FASTEST * (last - first):
            sides = (range(before, max(before - AROUND, -1), -1), range(after, min(after + AROUND, count)))
            here = scene == scene[first]
            near, behind = (list(takewhile(here.__getitem__, side)) for side in sides)
            yield gap, near, behind


def _ways(at: np.ndarray, gap: np.ndarray, before: list[int], after: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Places of the frames of `gap` in each way of getting there, at least one, and how likely each way is.

    Returns:
        (int64 [ways, frames], float64 [ways], which add up to 1).
    """
    if not (before and after):
        speed, start = _lines(at, before or after)
        ways = np.floor(start[:, None] + speed[:, None] * (gap - (before or after)[0]))
        return ways.astype(np.int64), np.full(len(ways), 1 / len(ways))
    a, b = before[0], after[0]
    (v, x), (w, y) = _lines(at, before), _lines(at, after)
    times = np.unique(np.linspace(a, b, min(TIMES, b - a + 1)).astype(int))
    one, two = (times[k] for k in np.triu_indices(len(times), 1))
    i, j, k = (n.ravel() for n in np.meshgrid(np.arange(len(v)), np.arange(len(w)), np.arange(len(one)), indexing="ij"))
    v, x, w, y, one, two = v[i], x[i], w[j], y[j], one[k], two[k]
    left, right = x + v * (one - a), y + w * (two - b)
    speed = (right - left) / (two - one)
    change = abs(speed - v) + abs(w - speed)
    shares = np.exp((change.min() - change) / STEADY)
    shares /= shares.sum()
    t = gap[None].astype(float)
    early, late = x[:, None] + v[:, None] * (t - a), y[:, None] + w[:, None] * (t - b)
    middle = left[:, None] + speed[:, None] * (t - one[:, None])
    ways = np.floor(np.where(t < one[:, None], early, np.where(t > two[:, None], late, middle)))
    return ways.astype(np.int64), shares


def _lines(at: np.ndarray, frames: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Speeds of the lines that give the places of `frames`, nearest first, and where each is at the nearest."""
    first, phase = frames[0], (np.arange(PHASES) + 0.5) / PHASES
    if len(frames) == 1:
        return np.zeros(1), np.array([at[first] + 0.5])
    second = frames[1]
    step = (float(at[second]) - float(at[first])) / (second - first)
    speed, phase = (n.ravel() for n in np.meshgrid(np.linspace(step - 1, step + 1, 2 * SPEEDS + 1)[1:-1], phase))
    kept = np.ones(len(speed), bool)
    for t in frames[:ON_LINE]:
        more = kept & (np.floor(phase + speed * (t - first)) == at[t] - at[first])
        if not more.any():
            break
        kept = more
    some = np.flatnonzero(kept)
    some = some[np.unique(np.linspace(0, len(some) - 1, min(LINES, len(some))).astype(int))]
    return speed[some], at[first] + phase[some]
