"""The self-test: more of a stretch is hidden by its own kind of damage, to learn which offers are right there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .candidates import Points, Scene
from .combiner import Combiner
from .features import KINDS
from .weigher import weigher
from .weighing import Rows

FRAMES = 8  # frames of a stretch that are tested
PIXELS = 240  # tested pixels of each
MOST = 0.25  # share of the seen pixels that are hidden more
SPAN, WINDOWED = 20, 0.15  # side of the windows in which they are where the damage is dense, and the share of those
STEPS, RATE = 20, 0.4
PRIOR = 0.02  # pull towards what many games taught
LEAST = 0.05  # of the squared error that what one half taught has to save in the other half
Test = tuple[Rows, np.ndarray]


def more_hidden(mask: np.ndarray, seed: int = 0) -> np.ndarray:
    """Further pixels to hide, bool [T, H, W], by damage like that of `mask`: the same shapes at other places, or where
    whole frames are lost at other times.

    None of them is missing already; at most a share of MOST of what is seen is added.
    """
    rng = np.random.default_rng(seed)
    time, height, width = mask.shape
    lost = mask.reshape(time, -1).mean(1) > 0.98
    made = np.zeros_like(mask)
    seen = max(int((~mask).sum()), 1)
    if lost.any() and time > 1:
        whole = np.roll(lost, int(rng.integers(1, max(2, time // 2)))) & ~lost
        for t in np.flatnonzero(whole):
            if made.sum() + (~mask[t]).sum() <= MOST * seen:
                made[t] = ~mask[t]
        if made.any():
            return made
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


def fitted(combiner: Combiner, tests: list[Test]) -> Combiner:
    """The combiner with the biases and the sharpness by which it does best on tested pixels; as it was, where what one
    half of the tests teaches does not help with the other half, both ways.

    Args:
        tests: rows with the true colours, uint8 [m, 3], of their points.
    """
    tests = [test for test in tests if len(test[1])]
    halves = tests[::2], tests[1::2]
    if not all(halves):
        return combiner
    for own, other in (halves, halves[::-1]):
        learned = _fit(combiner, own)
        if _loss(learned, other) > (1 - LEAST) * _loss(combiner, other):
            return combiner
    return _fit(combiner, tests)


def _loss(combiner: Combiner, tests: list[Test]) -> float:
    return sum(_error(c, truth, combiner.scores(c.numbers, c.kind), None)[0] for c, truth in tests)


def _fit(combiner: Combiner, tests: list[Test]) -> Combiner:
    scores = [combiner.scores(rows.numbers, rows.kind) for rows, _ in tests]
    count = sum(len(truth) for _, truth in tests)
    bias, sharp = np.zeros(len(KINDS)), 0.0
    velocity = np.zeros(len(KINDS) + 1)
    best, kept = np.inf, (bias, sharp)
    for _ in range(STEPS):
        gradient, loss = np.zeros(len(KINDS) + 1), 0.0
        for (rows, truth), score in zip(tests, scores, strict=True):
            sharper = score * np.exp(sharp)
            part, step = _error(rows, truth, sharper + bias[rows.kind], sharper)
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


def tested_frames(hidden: np.ndarray, seed: int = 0) -> list[int]:
    """Frames of which something was hidden, spread over the stretch; at most FRAMES."""
    some = np.flatnonzero(hidden.any((1, 2)))
    return [int(t) for t in some[np.unique(np.linspace(0, len(some) - 1, min(FRAMES, len(some))).astype(int))]]


def tested_points(hidden: np.ndarray, seed: int = 0) -> Points:
    """Some of the hidden pixels of a frame, bool [H, W]."""
    place = np.flatnonzero(hidden)
    if len(place) > PIXELS:
        place = np.random.default_rng(seed).choice(place, PIXELS, replace=False)
    some = np.zeros(hidden.size, bool)
    some[place] = True
    return Points.of(some.reshape(hidden.shape))


__all__ = ["Scene", "fitted", "more_hidden", "tested_frames", "tested_points"]
