"""Films coded anew: what an encoder is told, pass by pass, until every group has the quality that was asked for."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from ...film.x264 import steady

NAMES = {"h264": "H.264", "vp9": "VP9", "av1": "AV1"}
PASSES = 6  # at most
_THREADS = "2"  # with another number other bytes come out
_SPARE = 0.2  # dB above what was asked for that are aimed at
_CLOSE = 1.0  # dB above what was asked for up to which a group is as it should be


class Search(Protocol):
    """What is tried next."""

    def options(self) -> dict[str, str]:
        """Of the encoder, for the next pass."""

    def is_done(self, found: np.ndarray, reached: bool) -> bool:
        """Learns from a pass.

        Args:
            found: PSNR in dB of each group, float64 [groups].
            reached: some pass so far had the quality in all groups.
        Returns:
            Whether no other pass is worth while.
        """


class ByGroups:
    """H.264: x264 can give hard groups more bits, so first these get more, and all get as many as most need.

    Args:
        quality: PSNR in dB.
        gop: frames of a group; groups: how many there are.
    """

    SLOPE = 4.0  # dB that half the quantizer is worth, about
    BOOST = 2.5  # most that a group is given more than others, as a power of two
    ENOUGH = 1.5  # dB above what was asked for, of half of the groups, at which films are not coded once more

    def __init__(self, quality: float, gop: int, groups: int, encoder: str) -> None:
        self._quality, self._gop, self._number = quality, gop, 0
        self._crf = min(max(23.0 + (40.0 - quality), 1.0), 50.0)
        self._more = np.zeros(groups)  # bits of hard groups, as a power of two

    def options(self) -> dict[str, str]:
        """None of the groups gets fewer bits than others: x264 begins each where the one before ended."""
        gop = self._gop
        zones = "/".join(f"{k * gop},{(k + 1) * gop - 1},b={2.0**m:.4f}" for k, m in enumerate(self._more) if m)
        params = "qpstep=69" + (f":zones={zones}" if zones else "")  # quality may change at once
        told = {"preset": "veryfast", "tune": "psnr", "crf": f"{self._crf:g}", "g": str(gop), "keyint_min": str(gop),
                "sc_threshold": "0", "threads": _THREADS, "x264-params": params}  # fmt: skip
        return steady(told)

    def is_done(self, found: np.ndarray, reached: bool) -> bool:
        off, number = found - self._quality, self._number
        self._number += 1
        if reached and (float(np.median(off)) < self.ENOUGH or number > 1):
            return True
        need = np.clip((_SPARE * (1 + number) - off) / self.SLOPE, -4.0, 4.0)
        need[(off >= 0) & (off <= _CLOSE)] = 0.0
        if number < 2:
            shift = float(np.median(self._more + need))
            self._more = np.clip(self._more + need - shift, 0.0, self.BOOST)
        else:  # what helps one group may cost the next: all get more
            shift = float(need.max())
        self._crf = min(max(self._crf - 6 * shift, 0.0), 51.0)
        return False


class OneForAll:
    """VP9 and AV1, whose encoders have one quality for a whole film: what the hardest group needs, by the secant."""

    SLOPE = 0.5  # dB that a step of the quality is worth, about
    WORST = 63

    def __init__(self, quality: float, gop: int, groups: int, encoder: str) -> None:
        self._quality, self._gop, self._encoder = quality, gop, encoder
        self._crf = self._within(30 + (38.0 - quality) / self.SLOPE)
        self._seen: dict[int, float] = {}

    def _within(self, crf: float) -> int:
        return min(max(math.floor(crf), 1), self.WORST)

    def options(self) -> dict[str, str]:
        usual = {"crf": str(self._crf), "g": str(self._gop)}
        if self._encoder == "libsvtav1":
            return usual | {"preset": "9", "svtav1-params": f"tune=1:lp={_THREADS}:scd=0"}
        usual |= {"b": "0", "keyint_min": str(self._gop), "threads": _THREADS, "tile-columns": "1"}
        if self._encoder == "libaom-av1":
            return usual | {"cpu-used": "8", "usage": "good"}
        return usual | {"deadline": "good", "cpu-used": "5", "auto-alt-ref": "1", "lag-in-frames": "16"}

    def is_done(self, found: np.ndarray, reached: bool) -> bool:
        self._seen[self._crf] = least = float(found.min())
        if reached and 0 <= least - self._quality <= _CLOSE:
            return True
        good = max((crf for crf, had in self._seen.items() if had >= self._quality), default=None)
        bad = min((crf for crf, had in self._seen.items() if had < self._quality), default=None)
        if good is not None and bad is not None:
            share = (self._seen[good] - self._quality - _SPARE) / (self._seen[good] - self._seen[bad])
            step = self._within(good + share * (bad - good))
            self._crf = min(max(step, good + 1), bad - 1)
        else:
            self._crf = self._within(self._crf + (least - self._quality - _SPARE) / self._slope())
        return self._crf in self._seen or (good is not None and bad is not None and bad - good <= 1)

    def _slope(self) -> float:
        """dB of a step, by the last two passes."""
        (a, x), (b, y) = [*self._seen.items()][-2:] if len(self._seen) > 1 else [(0, 0.0), (0, 0.0)]
        return max((x - y) / (b - a), 0.2) if a != b else self.SLOPE


SEARCHES: dict[str, type[ByGroups] | type[OneForAll]] = {"h264": ByGroups, "vp9": OneForAll, "av1": OneForAll}
