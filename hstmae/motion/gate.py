"""The self-test: more of a stretch is hidden by its own kind of damage, to learn which offers are right there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .combiner import Combiner, draw
from .features import FILLERS, KINDS, Choices
from .frames import unpack
from .scene import Points
from .weigher import weigher
from .weighing import Rows

FRAMES = 8  # frames of a stretch that are tested ...
GAPS = 16  # ... and those that are as if they were lost, at most
PIXELS = 240  # tested pixels of each ...
GAP_PIXELS = 2048  # ... and of those that are as if they were lost
MOST = 0.25  # share of the seen pixels that are hidden more
SPAN, WINDOWED = 20, 0.15  # side of the windows in which they are where the damage is dense, and the share of those
STEPS, RATE = 20, 0.4
WHOLE = 0.9  # part from which a filler draws everything
PRIOR = 0.02  # pull towards what many games taught
LEAST = 0.05  # of the squared error that what one half taught has to save in the other half ...
SELDOM = 0.1  # of the tests, in which a filler may do worse
GAP_LEAST = 0.01  # ... where whole frames are as if they were lost, which are more pixels
Test = tuple[Choices, np.ndarray]  # what is offered for some points, and their true colours, uint8 [n, 3]


def more_hidden(mask: np.ndarray, seed: int = 0) -> np.ndarray:
    """Further pixels to hide, bool [T, H, W], by damage like that of `mask`: the same shapes at other places.

    None of them is missing already; at most a share of MOST of what is seen is added.
    """
    rng = np.random.default_rng(seed)
    _, height, width = mask.shape
    seen = max(int((~mask).sum()), 1)
    dy, dx = int(rng.integers(height // 4, height - height // 4)), int(rng.integers(width // 4, width - width // 4))
    moved = np.roll(mask, (dy, dx), (1, 2)) & ~mask
    if moved.sum() <= MOST * seen:
        return np.asarray(moved)
    # So dense that small windows here and there have to do.
    windows = np.zeros((height, width), bool)
    while windows.mean() < WINDOWED:
        top, left = int(rng.integers(height)), int(rng.integers(width))
        windows[top : top + SPAN, left : left + SPAN] = True
    return np.asarray(moved & windows)


def fitted(combiner: Combiner, tests: list[Test], least: float = LEAST) -> Combiner:
    """The combiner with the biases and the sharpness by which it does best on tested pixels; as it was, where what one
    half of the tests teaches does not save the share `least` of the squared error in the other half, both ways."""
    tests = [test for test in tests if len(test[0].open)]
    halves = tests[::2], tests[1::2]
    if not all(halves):
        return combiner
    for own, other in (halves, halves[::-1]):
        learned = _fit(combiner, own)
        if _loss(learned, other) > (1 - least) * _loss(combiner, other):
            return combiner
    return _fit(combiner, tests)


def _loss(combiner: Combiner, tests: list[Test]) -> float:
    made = (_error(c.rows, truth[c.open], combiner.scores(c.rows.numbers, c.rows.kind), None) for c, truth in tests)
    return sum(error for error, _ in made)


def _fit(combiner: Combiner, tests: list[Test]) -> Combiner:
    scores = [combiner.scores(c.rows.numbers, c.rows.kind) for c, _ in tests]
    count = sum(len(c.open) for c, _ in tests)
    bias, sharp = np.zeros(len(KINDS)), 0.0
    velocity = np.zeros(len(KINDS) + 1)
    best, kept = np.inf, (bias, sharp)
    for _ in range(STEPS):
        gradient, loss = np.zeros(len(KINDS) + 1), 0.0
        for (c, truth), score in zip(tests, scores, strict=True):
            sharper = score * np.exp(sharp)
            part, step = _error(c.rows, truth[c.open], sharper + bias[c.rows.kind], sharper)
            loss, gradient = loss + part, gradient + step
        pull = np.append(bias, 2 * sharp)
        loss = loss / count + PRIOR * float((pull**2).sum())
        gradient = gradient / count + 2 * PRIOR * pull
        if loss < best:
            best, kept = loss, (bias.copy(), sharp)
        velocity = 0.8 * velocity - RATE * gradient / max(1.0, float(np.linalg.norm(gradient)))
        bias, sharp = bias + velocity[:-1], float(np.clip(sharp + velocity[-1], -1.5, 1.5))
    return replace(combiner, bias=combiner.bias + kept[0].astype(np.float32), sharpness=float(np.exp(kept[1])))


def _error(rows: Rows, truth: np.ndarray, score: np.ndarray, sharp: np.ndarray | None) -> tuple[float, np.ndarray]:
    """Sum over the points of the squared error, as a share of its scale, and its slope by kind and sharpness."""
    share = weigher().softmax(score, rows.start)
    first, size = rows.start[:-1], np.diff(rows.start)
    pixel = np.repeat(np.arange(len(size)), size)
    mean = np.stack([np.add.reduceat(share * rows.rgb[:, k], first) for k in range(3)], 1)
    off = (mean - truth) / 255
    scale = 25.0
    error = float((off**2).sum()) * scale
    if sharp is None:
        return error, np.zeros(0)
    towards = ((rows.rgb - mean[pixel]) / 255 * off[pixel]).sum(1) * 2 * scale * share
    by_kind = np.bincount(rows.kind, towards, minlength=len(KINDS))
    return error, np.append(by_kind, float((towards * sharp).sum()))


def judged(combiner: Combiner, tests: list[Test]) -> Combiner:
    """The combiner with the filler, and its part of what is drawn, by which the squared error of the tested pixels is
    least; without one, where what one half of the tests teaches does not help with the other half, both ways."""
    if len(tests) < 2:
        return combiner
    off = [_off(combiner, test) for test in tests]
    best, error = combiner, sum(float((own**2).sum()) for own, _ in off)
    for k in range(len(FILLERS)):
        # Of a part p the error is that of the combiner - 2 p a + p p b.
        a, b = (np.array([f(own, other[k]) for own, other in off]) for f in (_along, _apart))
        halves = (a[::2].sum(), b[::2].sum()), (a[1::2].sum(), b[1::2].sum())
        parts = [_part(*half) for half in halves]
        whole = [sum(float((own**2).sum()) for own, _ in off[n::2]) for n in range(2)]
        if any(
            2 * parts[1 - n] * halves[n][0] - parts[1 - n] ** 2 * halves[n][1] < GAP_LEAST * whole[n] + 1e-9
            for n in range(2)
        ):
            continue
        part = _part(a.sum(), b.sum())
        if (2 * part * a < part**2 * b - 1e-9).mean() > SELDOM:
            continue
        left = sum(whole) - 2 * part * a.sum() + part**2 * b.sum()
        if left < error:
            best, error = replace(combiner, filler=k, part=part), left
    return best


def _off(combiner: Combiner, test: Test) -> tuple[np.ndarray, np.ndarray]:
    """float32 [n, 3], how far off the combiner is, and [FILLERS, n, 3], how far its colours are from the fillers'."""
    choices, truth = test
    made = draw(choices, combiner, False).rgb.astype(np.float32)
    colours, there = choices.fillers
    return made - truth, np.where(there[..., None], made - unpack(colours), 0).astype(np.float32)


def _along(own: np.ndarray, other: np.ndarray) -> float:
    return float((own * other).sum())


def _apart(own: np.ndarray, other: np.ndarray) -> float:
    return float((other**2).sum())


def _part(a: float, b: float) -> float:
    made = min(max(a / b, 0.0), 1.0) if b > 0 else 0.0
    return 1.0 if made > WHOLE else made


def tested_gaps(there: list[int], count: int, seed: int = 0) -> list[tuple[int, range]]:
    """Frames that are seen, with those around them that are to be as if they were lost, so that the nearest frames are
    as far away as they are of lost frames; at most GAPS, spread over the stretch.

    Args:
        there: frames that are seen; count: frames of the stretch.
    """
    seen, rng = np.zeros(count, bool), np.random.default_rng(seed)
    seen[there] = True
    lost, found = np.flatnonzero(~seen), list[tuple[int, range]]()
    for t in rng.permutation(lost)[: 4 * GAPS].tolist() if there else ():
        before, after = seen[:t].nonzero()[0][-1:], seen[t:].nonzero()[0][:1] + t
        back, on = (int(abs(t - side[0])) if len(side) else 0 for side in (before, after))
        own = [s for s in there if (s - back >= 0 and s + on < count and seen[s - back] and seen[s + on])
               and s not in [u for u, _ in found]]  # fmt: skip
        if own:
            s = own[int(rng.integers(len(own)))]
            found.append((s, range(s - back + 1 if back else 0, s + on if on else count)))
        if len(found) == GAPS:
            break
    return sorted(found, key=lambda one: one[0])


def tested_frames(hidden: np.ndarray, seed: int = 0) -> list[int]:
    """Frames of which something was hidden, spread over the stretch; at most FRAMES."""
    some = np.flatnonzero(hidden.any((1, 2)))
    return [int(t) for t in some[np.unique(np.linspace(0, len(some) - 1, min(FRAMES, len(some))).astype(int))]]


def tested_points(hidden: np.ndarray, most: int, seed: int = 0) -> Points:
    """At most so many of the hidden pixels of a frame, bool [H, W]."""
    place = np.flatnonzero(hidden)
    if len(place) > most:
        place = np.random.default_rng(seed).choice(place, most, replace=False)
    some = np.zeros(hidden.size, bool)
    some[place] = True
    return Points.of(some.reshape(hidden.shape))
