"""Statistics of an episode as LeRobot keeps them: least, largest, mean, deviation, quantiles and count of each feature.

Those of pictures are taken over all pixels of each channel, exactly, as shares of 255; those of numbers over frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
_MOST = 10_000  # frames whose numbers are looked at for quantiles, spread evenly
Stats = dict[str, np.ndarray]


class PictureStats:
    """Adds up pictures.

    Attributes:
        counts: int64 [3, 256], how often each level of each channel occurs; `frames`: how many pictures.
    """

    def __init__(self) -> None:
        self.counts, self.frames = np.zeros((3, 256), np.int64), 0

    def add(self, rgb: np.ndarray) -> None:
        """uint8 [T, H, W, 3]."""
        for channel in range(3):
            self.counts[channel] += np.bincount(rgb[..., channel].ravel(), minlength=256)
        self.frames += len(rgb)

    def result(self) -> Stats:
        """Arrays of shape [3, 1, 1], and `count` [1]."""
        levels = np.arange(256) / 255.0
        total = self.counts.sum(1, keepdims=True)
        mean = (self.counts * levels).sum(1, keepdims=True) / total
        variance = (self.counts * (levels - mean) ** 2).sum(1, keepdims=True) / total
        reached = np.cumsum(self.counts, 1) / total
        found = {
            "min": levels[(self.counts > 0).argmax(1)][:, None],
            "max": levels[255 - (self.counts[:, ::-1] > 0).argmax(1)][:, None],
            "mean": mean,
            "std": np.sqrt(variance),
            **{name: levels[(reached >= share).argmax(1)][:, None] for name, share in QUANTILES.items()},
        }
        return {**{name: value[..., None] for name, value in found.items()}, "count": np.array([self.frames])}


def number_stats(values: np.ndarray) -> Stats:
    """Of the values [T, ...] of a feature: arrays of the shape of one value ([1] for single numbers), and `count`."""
    frames = len(values)
    wide = values.reshape(frames, -1) if values.ndim > 2 else values.reshape(frames, *values.shape[1:] or (1,))
    some = wide[np.linspace(0, frames - 1, _MOST).astype(int)] if frames > _MOST else wide
    some = some.astype(np.float64)
    found = {
        "min": wide.min(0).astype(np.float64),
        "max": wide.max(0).astype(np.float64),
        "mean": wide.mean(0, dtype=np.float64),
        "std": wide.std(0, dtype=np.float64),
        **dict(zip(QUANTILES, np.quantile(some, [*QUANTILES.values()], axis=0), strict=True)),
    }
    shape = values.shape[1:] or (1,)
    return {**{name: value.reshape(shape) for name, value in found.items()}, "count": np.array([frames])}


def pooled_stats(episodes: Sequence[Mapping[str, Stats]]) -> dict[str, Stats]:
    """Of all episodes, from theirs: exact, but for quantiles, which are averages over the episodes."""
    pooled: dict[str, Stats] = {}
    for name in episodes[0]:
        own = [stats[name] for stats in episodes]
        counts = np.array([int(stats["count"][0]) for stats in own], np.float64)
        weights = counts.reshape(-1, *[1] * own[0]["mean"].ndim) / counts.sum()

        def mean(key: str, own: list[Stats] = own, weights: np.ndarray = weights) -> Any:
            return (np.stack([stats[key] for stats in own]) * weights).sum(0)

        middle = mean("mean")
        spread = np.stack([s["std"] ** 2 + (s["mean"] - middle) ** 2 for s in own])
        pooled[name] = {
            "min": np.stack([s["min"] for s in own]).min(0),
            "max": np.stack([s["max"] for s in own]).max(0),
            "mean": middle,
            "std": np.sqrt((spread * weights).sum(0)),
            **{key: mean(key) for key in QUANTILES},
            "count": np.array([int(counts.sum())]),
        }
    return pooled
