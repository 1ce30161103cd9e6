"""Windowed attention from any set of wanted and visible cubes to the visible ones: what keeps the decoder O(N).

Every token (a cube) reads the visible cubes of its own window of units, and one sink: a token outside of all windows
that all others can read and that itself reads everything. Like the encoder's plans (see `attention.py`), a plan holds
index tables made from coordinates alone; the tokens of each window are brought together and padded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .attention import sdpa, window_index


@dataclass
class CrossPlan:
    """Where L tokens, the first V of them keys, stand in W windows of R tokens and K keys. The sink is not counted.

    Attributes:
        rows: int64 [B, W * R] token in each place of each window, counted from 1; 0, the sink, is padding.
        place: int64 [B, L] flat place (window * R + place) of each token.
        keys: int64 [B, W * K] key in each place of each window, likewise.
        filled: bool [B, W, K], False on padding.
        inside: int64 [B, L, 2] y and x of each token's unit, counted from the first one of its window.
    """

    rows: Tensor
    place: Tensor
    keys: Tensor
    filled: Tensor
    inside: Tensor


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
    rows, _, place = _sorted_in(index, windows, room)
    own = index[:, :keys]
    at, filled, _ = _sorted_in(own, windows, _room(own, windows, most_keys, keys * per_cube, largest, slices))
    return CrossPlan(rows.flatten(1), place, at.flatten(1), filled, (yx + shift) % window)


def cross_attend(q: Tensor, k: Tensor, v: Tensor, plan: CrossPlan) -> Tensor:
    """Attention of q [B, 1 + L, heads, D] to k, v [B, 1 + V, heads, D], the first of each being the sink.

    Equal to plain attention with a mask that lets a token read the keys of its window and the sink, and lets the sink
    read all keys.

    Returns:
        [B, 1 + L, heads, D].
    """
    b, w, size = plan.filled.shape
    heads, d = q.shape[2:]
    batch = torch.arange(b, device=q.device)[:, None]

    def windows(x: Tensor, index: Tensor) -> Tensor:  # -> [B * W, tokens, heads, D]
        return x[batch, index].view(b * w, -1, heads, d)

    def with_sink(x: Tensor) -> Tensor:
        sink = x[:, None, :1].expand(b, w, 1, heads, d).flatten(0, 1)
        return torch.cat([sink, windows(x, plan.keys)], 1)

    known = torch.cat([torch.ones_like(plan.filled[..., :1]), plan.filled], -1).view(b * w, 1, 1, 1 + size)
    out = sdpa(windows(q, plan.rows), with_sink(k), with_sink(v), known)
    return torch.cat([sdpa(q[:, :1], k, v), out.reshape(b, -1, heads, d)[batch, plan.place]], 1)


def _sorted_in(index: Tensor, windows: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Put tokens with window numbers `index` [B, n] into windows of `size` places.

    Returns:
        token in each place int64 [B, W, size], counted from 1 (0: none); whether there is one, bool [B, W, size]; flat
        place of each token, int64 [B, n].
    """
    b, n = index.shape
    order = index.argsort(stable=True, dim=1)
    ordered = index.gather(1, order)
    first = torch.searchsorted(ordered, ordered)  # where each token's window begins
    flat = ordered * size + torch.arange(n, device=index.device) - first
    slots = torch.zeros(b, windows * size, dtype=torch.long, device=index.device).scatter_(1, flat, order + 1)
    filled = torch.zeros(b, windows * size, dtype=torch.bool, device=index.device).scatter_(1, flat, True)
    place = torch.empty_like(flat).scatter_(1, order, flat)
    return slots.view(b, windows, size), filled.view(b, windows, size), place


def _room(index: Tensor, windows: int, most: int, mean: float, largest: int, slices: int) -> int:
    """How many places every window gets: as many as the fullest one needs.

    That number lies in the data (one wait for the device). Compiled code must not look at data and takes the largest
    number possible. Where there are no data, because only costs are counted, units count as drawn at random (`mean` of
    them in a whole window of `largest`), and the fullest window as three standard deviations above the mean.
    """
    if torch.compiler.is_compiling():
        return max(1, most)
    if index.device.type == "meta" or torch._guards.detect_fake_mode(index) is not None:
        spread = (mean * max(0.0, 1 - mean / largest)) ** 0.5
        return max(1, min(most, slices * round(mean + 3 * spread)))
    full = torch.zeros(len(index), windows, dtype=torch.long, device=index.device)
    full = full.scatter_add_(1, index, torch.ones_like(index))
    return max(1, int(full.max()))
