"""Frames that have nothing to do with those before and after: a flash, a lightning, a broken picture, a shot of a frame
or three. They have nothing to lend to the others, nor the others to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

LONGEST = 3  # frames in a row that are strangers together, not a shot of their own
_SAMPLE = 2048  # places of a picture that are compared
_ENOUGH = 96  # of them that have to be visible in both
_UNLIKE = 32  # difference in a channel from which a place has changed
_RULES = ((0.4, 0.5), (0.25, 0.25))  # share of the places that have changed, in a stranger beside those around it, of
# which those may have changed so much, compared with each other: one of these rules must hold
_ALIKE = 0.5  # share of that at which a stranger is like another one
_NEAR = 4  # frames before and after none of which may look like a stranger
_MEMORY = 16  # frames after which a stranger that comes again is another one
_FLAT = 8  # what a channel may differ by in a picture of one colour


@dataclass(frozen=True)
class Company:
    """Frames bool [T] that show each other's pixels; `blank` uint8 [3], if all that is seen of them is one colour."""

    frames: np.ndarray
    blank: np.ndarray | None = None


def companies(frames: np.ndarray, mask: np.ndarray) -> list[Company]:
    """Which frames of a stretch belong together: the usual ones first, then strangers, those together that are alike.

    Args:
        frames: uint8 [T, H, W, 3]; mask: bool [T, H, W], True = missing.
    """
    count = len(frames)
    compared = _Compared(frames, mask)
    strangers = np.zeros(count, bool)
    unlike = np.zeros(count)  # how much of a stranger is unlike those around it
    seen = np.flatnonzero(~mask.reshape(count, -1).all(1)).tolist()
    for i in range(1, len(seen) - 1):
        if not compared.share(seen[i - 1], seen[i]) > _RULES[-1][0]:
            continue
        for length in range(1, min(LONGEST, len(seen) - 1 - i) + 1):
            before, burst, after = seen[i - 1], seen[i : i + length], seen[i + length]
            if burst[-1] - burst[0] >= length or not all(all_over(~mask[b]) for b in burst):
                continue  # lost frames lie between, or what is seen is a part that may well change by itself
            least = np.min([compared.share(s, b) for b in burst for s in (before, after)])  # NaN if one is
            around = compared.share(before, after)
            if any(least > other and around < better * least for other, better in _RULES):
                strangers[burst] = True
                unlike[burst] = least
    usual = [t for t in seen if not strangers[t]]
    for t in np.flatnonzero(strangers).tolist():  # a change that goes back and forth once before it stays
        if any(compared.share(min(s, t), max(s, t)) < _ALIKE * unlike[t] for s in usual if abs(s - t) <= _NEAR):
            strangers[t] = False
    made = [Company(~strangers)]
    groups: list[list[int]] = []
    for t in np.flatnonzero(strangers).tolist():
        near = [(compared.share(group[-1], t), k) for k, group in enumerate(groups) if t - group[-1] <= _MEMORY]
        near = [one for one in near if one[0] >= 0]  # not NaN
        if near and min(near)[0] < _ALIKE * unlike[t]:
            groups[min(near)[1]].append(t)
        else:
            groups.append([t])
    for group in groups:
        made.append(Company(np.isin(np.arange(count), group), _one_colour(frames, mask, group)))
    return made


def all_over(shown: np.ndarray) -> bool:
    """Whether what is shown, bool [H, W], lies all over a picture: in each quarter of its height and of its width."""
    rows, columns = (np.array_split(shown.any(axis), min(4, shown.shape[1 - axis])) for axis in (1, 0))
    return all(part.any() for part in (*rows, *columns))


def _one_colour(frames: np.ndarray, mask: np.ndarray, group: list[int]) -> np.ndarray | None:
    seen = np.concatenate([frames[t][~mask[t]] for t in group])
    if len(seen) < _ENOUGH or (np.ptp(seen, 0) > _FLAT).any():
        return None
    return np.asarray(np.median(seen, 0), np.uint8)


class _Compared:
    """How much two frames differ, worked out once for each two."""

    def __init__(self, frames: np.ndarray, mask: np.ndarray) -> None:
        step = max(1, int((mask[0].size / _SAMPLE) ** 0.5))
        self._frames = np.ascontiguousarray(frames[:, ::step, ::step])
        self._seen = ~mask[:, ::step, ::step]
        self._least = min(_ENOUGH, self._seen[0].size // 8)
        self._shares: dict[tuple[int, int], float] = {}

    def share(self, one: int, other: int) -> float:
        """Of the places visible in both; NaN, which is neither more nor less than anything, where these are few."""
        key = (one, other)
        if key not in self._shares:
            both, a, b = self._seen[one] & self._seen[other], self._frames[one], self._frames[other]
            count = int(both.sum())
            apart = (np.maximum(a, b) - np.minimum(a, b)).max(-1) > _UNLIKE
            self._shares[key] = float((apart & both).sum() / count) if count >= max(self._least, 1) else float("nan")
        return self._shares[key]


def apart(
    frames: np.ndarray, mask: np.ndarray, size: tuple[int, int] | None = None
) -> Iterator[tuple[Company, np.ndarray]]:
    """Each company of a stretch, with the mask bool [T, H, W] in which all other frames are lost.

    Args:
        size: height and width of what is compared; what lies beyond was added.
    """
    height, width = size or frames.shape[1:3]
    every = companies(frames[:, :height, :width], mask[:, :height, :width])
    for company in every:
        yield company, mask if len(every) == 1 else mask | ~company.frames[:, None, None]
