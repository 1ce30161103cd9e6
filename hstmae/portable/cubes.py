"""Cubes, masks and attention windows in NumPy: what `hstmae.models` works out with PyTorch, to the same numbers.

See `models.cubes` for what cubes and units are, `models.attention` for windows.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

CUBE, DEPTH = 16, 2  # those of hstmae.models.cubes
SHOWN = 0.1  # that of hstmae.models.masking
_PLASTIC = 1.32471795724474602596
_SIDES = (2, 4, 8)  # units along a window's side at stages 1 to 3: those of hstmae.models.encoder


def to_cubes(frames: np.ndarray) -> np.ndarray:
    """[T, H, W, ...] -> [N, T/2, 2, 16, 16, ...]."""
    t, h, w = frames.shape[:3]
    x = frames.reshape(t // DEPTH, DEPTH, h // CUBE, CUBE, w // CUBE, CUBE, *frames.shape[3:])
    x = x.transpose(2, 4, 0, 1, 3, 5, *range(6, x.ndim))
    return x.reshape(-1, t // DEPTH, DEPTH, CUBE, CUBE, *frames.shape[3:])


def from_cubes(cubes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[N, T/2, 2, 16, 16, ...] -> [T, H, W, ...]."""
    rows, columns = size[0] // CUBE, size[1] // CUBE
    x = cubes.reshape(rows, columns, *cubes.shape[1:])
    x = x.transpose(2, 3, 0, 4, 1, 5, *range(6, x.ndim))
    return x.reshape(-1, *size, *cubes.shape[5:])


def visible_from_pixels(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """bool [T, H, W], True where a pixel is missing -> visible units [U], and the flat cubes with a missing pixel."""
    touched = to_cubes(mask).reshape(-1, len(mask) // DEPTH, DEPTH * CUBE * CUBE).any(-1)  # [N, T/2]
    return np.flatnonzero(~touched.any(-1)), np.flatnonzero(touched)


def shown_units(own: np.ndarray, visible: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The visible units that a network is shown: see `models.masking.shown_units`."""
    rest = spread_order(size)
    rest = rest[np.isin(rest, visible) & ~np.isin(rest, own)]
    room = max(0, round(SHOWN * size[0] * size[1]) - len(own))
    return np.sort(np.concatenate([own, rest[:room]]))


@lru_cache(16)
def spread_order(size: tuple[int, int]) -> np.ndarray:
    """Units in an order of which every beginning is spread over the whole grid: see `models.masking.spread_order`."""
    rows, columns = size
    steps = np.arange(1, 8 * rows * columns + 1, dtype=np.float64)
    y, x = ((0.5 + steps / _PLASTIC**k) % 1 for k in (1, 2))
    places = (y * rows).astype(np.int64) * columns + (x * columns).astype(np.int64)
    return np.array(list(dict.fromkeys([*places.tolist(), *range(rows * columns)])))


def unit_plans(visible: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """Which visible units share a window, for each of `models.encoder.unit_windows`: slots int32 [W, S], unit in each
    place, counted from 1 (0: none), and the place of each unit, int32 [V]."""
    y, x = visible // size[1], visible % size[1]
    out = []
    for side in _SIDES:
        for shift in (0, side // 2):
            per_row = (size[1] + shift - 1) // side + 1
            _, window = np.unique((y + shift) // side * per_row + (x + shift) // side, return_inverse=True)
            order = np.argsort(window, kind="stable")
            counts = np.bincount(window)
            within = np.arange(len(visible)) - np.repeat(np.cumsum(counts) - counts, counts)
            slots = np.zeros((len(counts), counts.max()), np.int32)
            slots[window[order], within] = order + 1
            places = np.empty(len(visible), np.int32)
            places[order] = window[order] * counts.max() + within
            out += [slots, places]
    return out
