"""Random clips in an order that serves footage whose frames are packed in large groups: a group that is decoded serves
many clips, and clips of many groups are mixed.

Clips are drawn in rounds. A round takes some neighbourhoods of frames at random, each as often as clips begin in it,
and draws as many clips from each; then it shuffles them. So every clip is as likely as in any other order, and what is
drawn depends on the seed and the index alone. The first round begins with clips of one neighbourhood, and the others
join in one by one: so a run can begin as soon as the first few groups are decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

AREAS = 8  # neighbourhoods of a round ...
CLIPS = 32  # ... and clips that are drawn from each
REACH = 256  # frames of a neighbourhood, at least
JOINING = 16  # clips of the first round until another neighbourhood joins in


@dataclass(frozen=True)
class Area:
    """Clips that begin at `start` up to `stop` of an episode, and the groups of pictures they lie in."""

    episode: int
    start: int
    stop: int
    groups: range


class GroupedOrder:
    """Which clip comes when.

    Args:
        stretches: (episode, first start, number of possible starts), as of ClipDataset.
        ends: for each episode, where its groups end.
        span: frames from the first to the last of a clip.
        seed: of all draws.
    """

    def __init__(
        self, stretches: Sequence[tuple[int, int, int]], ends: dict[int, np.ndarray], span: int, seed: int
    ) -> None:
        self.areas: list[Area] = []
        for episode, first, count in stretches:
            own = ends[episode]
            at = first
            while at < first + count:
                group = int(np.searchsorted(own, at, "right"))
                reach = int(np.searchsorted(own, at + REACH, "left"))
                stop = min(int(own[min(reach, len(own) - 1)]), first + count)
                last = int(np.searchsorted(own, stop - 1 + span - 1, "right"))
                self.areas.append(Area(episode, at, stop, range(group, last + 1)))
                at = stop
        weights = np.array([area.stop - area.start for area in self.areas], np.float64)
        self._cumulated = np.cumsum(weights / weights.sum())
        self._seed = seed
        self._round = lru_cache(4)(self._drawn)

    @property
    def clips(self) -> int:
        """Of a round."""
        return AREAS * CLIPS

    def of_round(self, number: int) -> list[Area]:
        """The neighbourhoods of a round."""
        return self._round(number)[0]

    def _drawn(self, number: int) -> tuple[list[Area], np.ndarray]:
        rng = np.random.default_rng([self._seed, 0x6E0, number])
        picks = np.searchsorted(self._cumulated, rng.random(AREAS), "right")
        chosen = [self.areas[min(int(k), len(self.areas) - 1)] for k in picks]
        return chosen, (rng.permutation(self.clips) % AREAS if number else _joining(rng, self.clips))

    def soon(self, index: int, count: int) -> list[Area]:
        """What to decode while the clips from `index` on, `count` of them, are worked on: what joins in behind them,
        and of the next round a share with each batch, so that no batch waits for all of it."""
        number, at = divmod(index, self.clips)
        share = min(1.0, (at + count) / self.clips)
        wanted = self.of_round(number + 1)[: round(share * AREAS)]
        if number == 0:
            wanted = self.of_round(0)[: 1 + (at + 2 * count + JOINING) // JOINING] + wanted
        return wanted

    def place(self, index: int) -> tuple[int, int]:
        """(episode, start) of clip number `index` of an endless sequence."""
        areas, order = self._round(index // self.clips)
        area = areas[int(order[index % self.clips])]
        rng = np.random.default_rng([self._seed, 0x6E1, index])
        return area.episode, int(rng.integers(area.start, area.stop))


def _joining(rng: np.random.Generator, clips: int) -> np.ndarray:
    """int64 [clips]: as many of each neighbourhood, those of the first ones first."""
    left = np.full(AREAS, clips // AREAS)
    order = np.empty(clips, np.int64)
    for k in range(clips):
        some = left[: 1 + k // JOINING]
        order[k] = rng.choice(len(some), p=some / some.sum())
        left[order[k]] -= 1
    return order
