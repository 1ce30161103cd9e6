"""How visits to one place agree, as one number per pixel; and what status bars usually look like."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

VISITS = (1, 2, 4, 8)  # visits from which the next kind begins
AGREE = (0.5, 0.75, 0.999)  # shares of the visits that showed the colour, likewise
KINDS = 1 + len(VISITS) * (len(AGREE) + 1)  # kind 0: never seen
AGREED = (np.arange(KINDS) > 0) & (np.arange(KINDS) % (len(AGREE) + 1) == 0)  # all visits showed one colour
_LEAST = np.array([0, *np.repeat(VISITS, len(AGREE) + 1)], np.float32)  # visits by kind
_OTHERS = 8.0  # visits to a map that tell as much of its status bar as all other maps


def kinds_of(counts: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Visits [K, ...] that showed each of K colours, of `total` [...] -> (colour most often seen, its number; kind).

    A kind, uint8 [...], stands for a range of visits and of their agreement; 0 where there was no visit.
    """
    most = counts.max(0).astype(np.int32)
    many = np.searchsorted(VISITS, total, side="right")  # 0 = none
    share = np.searchsorted(AGREE, most / np.maximum(total, 1), side="right")
    kinds = np.where(total > 0, 1 + (many - 1) * (len(AGREE) + 1) + share, 0)
    return counts.argmax(0), kinds.astype(np.uint8)


def usual_means(maps: Mapping[int, tuple[np.ndarray, np.ndarray, np.ndarray]]) -> dict[int, np.ndarray]:
    """Mean colours uint8 [H, W, 3] of the parts of the picture that do not scroll, by map.

    What few visits to one map have shown tells less of digits that change than all maps of the same background do; what
    all its visits agree on is its own.

    Args:
        maps: palette entries uint8 [H, W] most often seen, their kinds [H, W], and mean colours uint8 [H, W, 3].
    """
    alike: dict[int, list[int]] = defaultdict(list)
    for number, (entries, kinds, _) in maps.items():
        if kinds.any():
            alike[int(np.bincount(entries[kinds > 0]).argmax())].append(number)
    made = {number: mean for number, (_, _, mean) in maps.items()}
    for numbers in alike.values():
        visits = {number: _LEAST[maps[number][1]][..., None] for number in numbers}
        total = sum(visits[number] * maps[number][2] for number in numbers)
        usual = total / np.maximum(sum(visits.values()), 1)
        for number in numbers:
            own = np.where(AGREED[maps[number][1]][..., None], 1, visits[number] / (visits[number] + _OTHERS))
            made[number] = np.rint(own * made[number] + (1 - own) * usual).astype(np.uint8)
    return made
