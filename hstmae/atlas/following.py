"""Finds the places of frames that come one by one: near those of the frame before, else everywhere."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from ..games.pixels import View
from ..games.state import NOWHERE
from .between import FASTEST, Likely
from .locate import PLACES, Locator
from .maps import Located
from .place_search import FAR, MANY, Places, evidence, led_on, started

LIKELY = 1e-3  # share of the likeliest place from which others are followed, too
FEW = 16  # places that are followed at most; from more, all places are searched
LONGEST = 20  # frames in a row without a place that still get one
STEP = 4  # frames by which the camera's speed is told
RIGHT, FALLING = 0.85, 0.955  # how often it is where it would come to at that speed, one frame on; and with each more
LOST = 4  # frames without a place after which all places are searched


@dataclass
class FollowingLocator(Locator):
    """As `Locator`, for views of one frame each, in order of time; what comes later is not known."""

    _last: tuple[Places, np.ndarray] | None = field(default=None, init=False, repr=False)  # with shares of speeds
    _gap: int = field(default=0, init=False, repr=False)  # frames since then
    _way: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=STEP + 1), init=False, repr=False)
    _time: int = field(default=0, init=False, repr=False)

    def restart(self) -> None:
        """What comes next is another recording."""
        self._last, self._gap = None, 0
        self._way.clear()

    def likely(self, view: View) -> list[Likely]:
        if self.tall:
            return super().likely(view)
        self._gap += 1
        self._time += 1
        scene, camera, weight = self.by_columns(view)
        if scene[0, 0] == NOWHERE:
            return self._onward()
        self._way.append((self._time, int(scene[0, 0]), int(camera[0, 0])))
        told = range(max(1, int((weight[0] > 0).sum())))
        return [Likely(Located(scene[:, k], camera[:, k]), weight[:, k]) for k in told]

    def _onward(self) -> list[Likely]:
        """Where the camera has come to, if it moved on as in the last frames whose places were found."""
        way = [one for one in self._way if one[1] == self._way[-1][1]]
        gone = self._time - way[-1][0] if way else LONGEST + 1
        if gone > LONGEST:
            return [_likely(NOWHERE, 0, 1)]
        (first, _, start), (last, scene, end) = way[0], way[-1]
        speed = (end - start) / max(last - first, 1)
        if abs(speed) > FASTEST:  # it was set to another place
            speed = 0
        at, right = math.floor(end + speed * gone + 0.5), RIGHT * FALLING ** (gone - 1)
        return [
            _likely(scene, x, share) for x, share in ((at, right), (at - 1, (1 - right) / 2), (at + 1, (1 - right) / 2))
        ]

    def _weighed(self, frames: np.ndarray, shown: np.ndarray, origin: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        made, weight = np.zeros((1, PLACES), np.int64), np.zeros((1, PLACES))
        index = self.columns
        if not index.cameras.any():
            return made, weight
        here = self._near(frames[0], shown[0], origin)
        if here is None:
            here = evidence(index, frames[0], shown[0], origin)
        if len(here) > MANY:
            return made, weight
        if self._last is None:
            shares = started(here)
        else:
            shares = led_on(self._last[1], self._last[0], here, self._gap, len(index.cameras))
        self._last, self._gap = (here, shares), 0
        total = shares.sum(0)
        best = np.argsort(-total, kind="stable")[:PLACES]
        made[0, : len(best)], weight[0, : len(best)] = here.at[best], total[best] / total.sum()
        return made, weight

    def _near(self, frame: np.ndarray, shown: np.ndarray, origin: tuple[int, int]) -> Places | None:
        """The places that the camera can have come to, as far as the frame fits them; None where it fits none."""
        if self._last is None or self._gap > LOST:
            return None
        total = self._last[1].sum(0)
        likely = self._last[0].at[total >= LIKELY * total.max()]
        if len(likely) > FEW:
            return None
        reach = FAR * self._gap
        found = evidence(self.columns, frame, shown, origin, np.unique(likely[:, None] + np.arange(-reach, reach + 1)))
        return found if len(found) else None


def _likely(scene: int, camera: int, weight: float) -> Likely:
    return Likely(Located(np.array([scene]), np.array([camera])), np.array([weight], np.float32))
