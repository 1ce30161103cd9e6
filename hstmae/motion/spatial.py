"""What the surroundings in the same frame, or the frame's place over time, say of missing pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .kernel import kernel

SIDES = ((0, -1), (0, 1), (-1, 0), (1, 0))  # left, right, up, down, in the order of Kernel.nearest
AROUND = 4  # pixels on each side
SAMPLES = 24  # frames from which the usual colour of a place is taken


@dataclass(frozen=True)
class Still:
    """What a stretch shows at each place over time.

    Attributes:
        usual: uint8 [H, W, 3], the median of what is seen, and bool [H, W], whether anything is.
        activity: float32 [2, H, W], how often a seen pixel changes from one frame to the next, of the place itself and
            of the 9 x 9 around it.
        mean: float32 [3], the mean colour of all that is seen.
    """

    usual: tuple[np.ndarray, np.ndarray]
    activity: np.ndarray
    mean: np.ndarray

    @classmethod
    def of(cls, frames: np.ndarray, mask: np.ndarray, colours: Sequence[np.ndarray]) -> Still:
        """frames: uint8 [T, H, W, 3], 0 where mask, bool [T, H, W]; colours: uint32 [H, W] of each, packed."""
        changes, pairs = np.zeros((2, *mask.shape[1:]), np.int16)
        for t in range(1, len(frames)):
            both = ~(mask[t] | mask[t - 1])
            pairs += both
            changes += both & (colours[t] != colours[t - 1])
        many, few = _around(pairs), _around(changes)
        whole = changes.sum() / max(float(pairs.sum()), 1)
        around = (few + whole) / (many + 1)
        activity = np.stack([(changes + around) / (pairs + 1), around])
        count = max(int((~mask).sum()), 1)
        mean = frames.reshape(-1, 3).sum(0, dtype=np.int64) / count
        return cls(usual(frames, mask), activity.astype(np.float32), mean.astype(np.float32))


def _around(a: np.ndarray) -> np.ndarray:
    """Sums over the 9 x 9 pixels around each."""
    total = np.pad(a, ((AROUND + 1, AROUND), (AROUND + 1, AROUND))).astype(np.float64).cumsum(0).cumsum(1)
    k = 2 * AROUND + 1
    return np.asarray(total[k:, k:] - total[:-k, k:] - total[k:, :-k] + total[:-k, :-k])


def smooth(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Missing pixels drawn smoothly from those around, coarse to fine: float32 [H, W, 3]; grey if nothing is seen.

    Args:
        rgb: uint8 [H, W, 3]; mask: bool [H, W].
    """
    weight = (~mask).astype(np.float32)[..., None]
    levels: list[tuple[np.ndarray, np.ndarray]] = [(rgb * weight, weight)]
    while min(levels[-1][1].shape[:2]) > 1 and (levels[-1][1] < 1).any():
        value, weight = levels[-1]
        value, weight = _half(value), _half(weight)
        levels.append((value / np.maximum(weight, 1e-6) * np.minimum(weight, 1), np.minimum(weight, 1)))
    value, weight = levels.pop()
    total = weight.sum()
    mean = value.sum((0, 1)) / total if total > 0 else np.full(3, 128, np.float32)
    made = np.where(weight > 0, value / np.maximum(weight, 1e-6), mean).astype(np.float32)
    for value, weight in reversed(levels):
        made = value + (1 - weight) * _double(made, value.shape[:2])
    return made


def _half(a: np.ndarray) -> np.ndarray:
    """Sums of 2 x 2 pixels."""
    h, w = a.shape[:2]
    a = np.pad(a, ((0, h % 2), (0, w % 2), (0, 0)))
    return np.asarray(a[::2, ::2] + a[1::2, ::2] + a[::2, 1::2] + a[1::2, 1::2])


def _double(a: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Twice as large, linear between the middles of pixels."""
    for axis in (0, 1):
        after = np.concatenate([a.take(range(1, a.shape[axis]), axis), a.take([-1], axis)], axis)
        before = np.concatenate([a.take([0], axis), a.take(range(a.shape[axis] - 1), axis)], axis)
        pair = np.stack([0.75 * a + 0.25 * before, 0.75 * a + 0.25 * after], axis + 1)
        a = pair.reshape(*a.shape[:axis], -1, *a.shape[axis + 1 :])
    return a[: size[0], : size[1]]


def sides(colours: np.ndarray, seen: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest seen pixel to the left, right, above and below of some places.

    Args:
        colours: uint32 [H, W]; seen: uint8 [H, W]; place: int32 [n], y * W + x.
    Returns:
        (uint32 [4, n] colours, int16 [4, n] how far away; 0 = there is none).
    """
    width = colours.shape[1]
    away = kernel().nearest(seen).reshape(4, -1)[:, place]
    step = np.array([dy * width + dx for dy, dx in SIDES])[:, None]
    return colours.reshape(-1)[place + away * step], away


def usual(frames: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The median over time of what is seen at each place.

    Args:
        frames: uint8 [T, H, W, 3]; mask: bool [T, H, W].
    Returns:
        (uint8 [H, W, 3], bool [H, W] whether anything is seen there).
    """
    some = np.unique(np.linspace(0, len(frames) - 1, min(SAMPLES, len(frames))).astype(int))
    made = np.empty(frames.shape[1:], np.uint8)
    count = (~mask[some]).sum(0)
    for rows in range(0, frames.shape[1], 64):  # bounded memory
        part = slice(rows, rows + 64)
        value = np.where(mask[some, part, :, None], 255, frames[some, part])
        value.sort(0)
        middle = np.maximum((count[part] - 1) // 2, 0)
        made[part] = np.take_along_axis(value, middle[None, ..., None], 0)[0]
    return made, np.asarray(count > 0)
