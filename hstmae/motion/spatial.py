"""What the surroundings in the same frame, or the frame's place over time, say of missing pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .kernel import kernel
from .weigher import weigher

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
        many, few = box_sums(pairs, AROUND), box_sums(changes, AROUND)
        whole = changes.sum() / max(float(pairs.sum()), 1)
        around = (few + whole) / (many + 1)
        activity = np.stack([(changes + around) / (pairs + 1), around])
        count = max(int((~mask).sum()), 1)
        mean = frames.reshape(-1, 3).sum(0, dtype=np.int64) / count
        return cls(usual(frames, mask), activity.astype(np.float32), mean.astype(np.float32))


def box_sums(a: np.ndarray, reach: int) -> np.ndarray:
    """Sums over the squares of `reach` around each of [H, W]."""
    total = np.pad(a, ((reach + 1, reach), (reach + 1, reach))).astype(np.float64).cumsum(0).cumsum(1)
    k = 2 * reach + 1
    return np.asarray(total[k:, k:] - total[:-k, k:] - total[k:, :-k] + total[:-k, :-k])


def smooth(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Missing pixels drawn smoothly from those around, coarse to fine: float32 [H, W, 3]; grey if nothing is seen.

    Args:
        rgb: uint8 [H, W, 3]; mask: bool [H, W].
    """
    return weigher().smooth(rgb, np.ascontiguousarray(~mask).view(np.uint8))


class Surroundings:
    """What is seen around the missing pixels of one frame."""

    def __init__(self, rgb: np.ndarray, colours: np.ndarray, seen: np.ndarray) -> None:
        self._rgb, self._colours, self._seen = rgb, colours, seen

    @cached_property
    def smooth(self) -> np.ndarray:
        """float32 [H * W, 3]: a smooth surface through what is seen."""
        return weigher().smooth(self._rgb, self._seen).reshape(-1, 3)

    @cached_property
    def _away(self) -> np.ndarray:
        return kernel().nearest(self._seen).reshape(4, -1)

    def sides(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The nearest seen pixel to the left, right, above and below of some places, int32 [n], y * W + x.

        Returns:
            (uint32 [4, n] colours, int16 [4, n] how far away; 0 = there is none).
        """
        away, width = self._away[:, place], self._seen.shape[1]
        step = np.array([dy * width + dx for dy, dx in SIDES])[:, None]
        return self._colours.reshape(-1)[place + away * step], away


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
