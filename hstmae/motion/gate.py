"""The self-test: more of a stretch is hidden by its own kind of damage, to learn which offers are right there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .candidates import Points, Scene
from .combiner import Combiner, softmax
from .features import KINDS, Choices

FRAMES = 8  # frames of a stretch that are tested
PIXELS = 400  # tested pixels of each
MOST = 0.25  # share of the seen pixels that are hidden more
SPAN, WINDOWED = 20, 0.15  # side of the windows in which they are where the damage is dense, and the share of those
STEPS, RATE = 60, 0.3
PRIOR = 0.02  # pull towards what many games taught, by tested pixels' worth


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


def fitted(combiner: Combiner, tests: list[tuple[Choices, np.ndarray]]) -> Combiner:
    """The combiner with the biases and the sharpness by which it does best on tested pixels.

    Args:
        tests: choices with the true colours, uint8 [m, 3], of their open points.
    """
    tests = [(choices, truth) for choices, truth in tests if len(truth)]
    if not tests:
        return combiner
    scores = [combiner.scores(choices.numbers, choices.kind) for choices, _ in tests]
    count = sum(len(truth) for _, truth in tests)
    bias, sharp = np.zeros(len(KINDS)), 0.0
    velocity = np.zeros(len(KINDS) + 1)
    best, kept = np.inf, (bias, sharp)
    for _ in range(STEPS):
        gradient, loss = np.zeros(len(KINDS) + 1), 0.0
        for (choices, truth), score in zip(tests, scores, strict=True):
            part, step = _error(choices, truth, score * np.exp(sharp) + bias[choices.kind], score * np.exp(sharp))
            loss, gradient = loss + part, gradient + step
        pull = np.append(bias, 2 * sharp)
        loss = loss / count + PRIOR * float((pull**2).sum()) * 400 / max(count, 400)
        gradient = gradient / count + 2 * PRIOR * pull * 400 / max(count, 400)
        if loss < best:
            best, kept = loss, (bias.copy(), sharp)
        velocity = 0.8 * velocity - RATE * gradient / max(1.0, float(np.linalg.norm(gradient)))
        bias, sharp = bias + velocity[:-1], float(np.clip(sharp + velocity[-1], -1.5, 1.5))
    return replace(combiner, bias=combiner.bias + kept[0].astype(np.float32), sharpness=float(np.exp(kept[1])))


def _error(choices: Choices, truth: np.ndarray, score: np.ndarray, sharp: np.ndarray) -> tuple[float, np.ndarray]:
    """Sum over the points of the squared error, as a share of its scale, and its slope by kind and sharpness."""
    share = softmax(score, choices.start)
    first, size = choices.start[:-1], np.diff(choices.start)
    pixel = np.repeat(np.arange(len(size)), size)
    mean = np.stack([np.add.reduceat(share * choices.rgb[:, k], first) for k in range(3)], 1)
    off = (mean - truth) / 255
    scale = 25.0
    error = float((off**2).sum()) * scale
    towards = ((choices.rgb - mean[pixel]) / 255 * off[pixel]).sum(1) * 2 * scale * share
    by_kind = np.bincount(choices.kind, towards, minlength=len(KINDS))
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
    return Points(some.reshape(hidden.shape))


__all__ = ["Scene", "fitted", "more_hidden", "tested_frames", "tested_points"]
