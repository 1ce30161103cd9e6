"""Windowed cross-attention to the visible cubes: what keeps the decoder O(N).

Every token (a cube) attends to the visible cubes of its own window of units and to one sink, a token outside of all
windows that attends to all keys. Like the encoder's plans (see `attention.py`), a plan holds index tables made from
coordinates alone; the tokens of each window are gathered and padded.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .attention import sdpa, sorted_in, window_index


@dataclass
class CrossPlan:
    """Where L tokens, the first V of them keys, stand in W windows of R tokens and K keys. The sink is not counted."""

    rows: Tensor  # int64 [B, W * R] token in each place of each window, counted from 1; 0, the sink, is padding
    place: Tensor  # int64 [B, L] flat place (window * R + place) of each token
    keys: Tensor  # int64 [B, W * K] key in each place of each window, counted as rows are
    filled: Tensor  # bool [B, W, K], False on padding
    inside: Tensor  # int64 [B, L, 2] y and x of each token's unit, counted from the first one of its window


def cross_plan(yx: Tensor, keys: int, grid: tuple[int, int], slices: int, window: int, shift: int) -> CrossPlan:
    """Plan for windows of `window` x `window` units moved by `shift` units, over all slices.

    Args:
        yx: int64 [B, L, 2] unit of each cube; the first `keys` cubes are distinct, and so are the others.
        grid: units per column and row.
    """
    index, windows = window_index(yx, grid, window, shift)
    largest = min(window, grid[0]) * min(window, grid[1])  # units in a whole window
    per_cube = largest / (grid[0] * grid[1] * slices)
    most_keys = min(largest * slices, keys)
    most_rows = most_keys + min(largest * slices, yx.shape[1] - keys)
    room = _room(index, windows, most_rows, yx.shape[1] * per_cube, largest, slices)
    rows, _, place = sorted_in(index, windows, room)
    own = index[:, :keys]
    at, filled, _ = sorted_in(own, windows, _room(own, windows, most_keys, keys * per_cube, largest, slices))
    return CrossPlan(rows.flatten(1), place, at.flatten(1), filled, (yx + shift) % window)


def cross_attend(q: Tensor, k: Tensor, v: Tensor, plan: CrossPlan) -> Tensor:
    """Attention of q [B, 1 + L, heads, D] to k, v [B, 1 + V, heads, D], the first of each being the sink.

    Equal to attention under a mask: a token has the keys of its window and the sink, the sink has all keys.
    """
    b, w, size = plan.filled.shape
    heads, d = q.shape[2:]
    batch = torch.arange(b, device=q.device)[:, None]

    def windows(x: Tensor, index: Tensor) -> Tensor:  # -> [B * W, tokens, heads, D]
        return x[batch, index].view(b * w, -1, heads, d)

    def with_sink(x: Tensor) -> Tensor:
        sink = x[:, None, :1].expand(b, w, 1, heads, d).flatten(0, 1)
        return torch.cat([sink, windows(x, plan.keys)], 1)

    filled = torch.cat([torch.ones_like(plan.filled[..., :1]), plan.filled], -1).view(b * w, 1, 1, 1 + size)
    out = sdpa(windows(q, plan.rows), with_sink(k), with_sink(v), filled)
    return torch.cat([sdpa(q[:, :1], k, v), out.reshape(b, -1, heads, d)[batch, plan.place]], 1)


def _room(index: Tensor, windows: int, most: int, mean: float, largest: int, slices: int) -> int:
    """How many places every window gets: as many as the fullest one needs.

    That number lies in the data (one wait for the device). Compiled code must not read data and takes the largest
    possible number. On the meta device (cost counting) units count as drawn at random, `mean` of them in a whole window
    of `largest`, and the fullest window as three standard deviations above the mean.
    """
    if torch.compiler.is_compiling():
        return max(1, most)
    if index.device.type == "meta" or torch._guards.detect_fake_mode(index) is not None:
        spread = (mean * max(0.0, 1 - mean / largest)) ** 0.5
        return max(1, min(most, slices * round(mean + 3 * spread)))
    full = torch.zeros(len(index), windows, dtype=torch.long, device=index.device)
    full = full.scatter_add_(1, index, torch.ones_like(index))
    return max(1, int(full.max()))
