"""Attention over visible tokens: rotary positions, and shifted windows on any set of units.

Tube masking leaves an irregular set of units. Windows and shifts are whole units, so a plan is made from the units'
coordinates alone, and two back ends carry it out with equal results:

* mask: one attention over all visible tokens with a same-window mask (cheap when few units are visible);
* gather: the units of each window gathered and padded (linear in the number of units).

Swin Transformer (https://arxiv.org/abs/2103.14030) moves windows by rolling the picture and masking what wrapped
around; with the window's number (y + shift) // w the same groups come out without a roll, partial windows included.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .cubes import take_units


def rope(position: Tensor, head_dim: int, base: float = 100.0) -> Tensor:
    """Rotary embedding (RoFormer, https://arxiv.org/abs/2104.09864) of positions float [..., A], among whose axes the
    head's channel pairs are shared out: cosine and sine, float [..., 2, head_dim / 2]."""
    axes, pairs, angles = position.shape[-1], head_dim // 2, []
    for a in range(axes):
        n = pairs // axes + (a >= axes - pairs % axes)
        frequency = base ** (-torch.arange(n, device=position.device, dtype=position.dtype) / n)
        angles.append(position[..., a, None] * frequency)
    angle = torch.cat(angles, -1)
    return torch.stack([angle.cos(), angle.sin()], -2)


def rotate(x: Tensor, turn: Tensor) -> Tensor:
    """x [..., heads, D] turned by `rope` [..., 2, D/2] (the same for every head)."""
    cos, sin = turn[..., None, 0, :].to(x.dtype), turn[..., None, 1, :].to(x.dtype)
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


def sdpa(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt d) v on [B, L, heads, D] tensors; mask bool, broadcastable to [B, heads, Lq, Lk]."""
    out = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask)
    return out.transpose(1, 2)


@dataclass
class WindowPlan:
    """Which of U units attend to each other. At most one of `same` and `slots` is set (neither: all to all)."""

    same: Tensor | None = None  # bool [B, U, U], True where two units share a window (mask back end)
    slots: Tensor | None = None  # int64 [B, W, S] unit in each place of each window, padded with 0 (gather back end)
    filled: Tensor | None = None  # bool [B, W, S], False on padding
    place: Tensor | None = None  # int64 [B, U] flat place (window * S + slot) of each unit


def window_index(yx: Tensor, grid: tuple[int, int], window: int, shift: int) -> tuple[Tensor, int]:
    """Number of the window that each unit lies in, int64 [B, U] from yx [B, U, 2], and how many windows there are."""
    per_row = (grid[1] + shift - 1) // window + 1
    per_column = (grid[0] + shift - 1) // window + 1
    return ((yx[..., 0] + shift) // window) * per_row + (yx[..., 1] + shift) // window, per_row * per_column


def window_plan(yx: Tensor, grid: tuple[int, int], window: int, shift: int, backend: str = "auto") -> WindowPlan:
    """Plan for windows of `window` x `window` units moved by `shift` units.

    Args:
        yx: int64 [B, U, 2] coordinates of the units; grid: units per column and row.
        backend: "mask"; "gather"; "packed", which is gather with the padding that these units need and no more, so its
            sizes depend on data; or "auto", which decides from sizes alone so that no graph breaks, except in eager
            inference on a CPU, where counting is cheap.
    """
    b, u = yx.shape[:2]
    if window >= max(grid) and shift == 0:
        return WindowPlan()
    index, index_count = window_index(yx, grid, window, shift)
    traced = torch.compiler.is_compiling() or torch.jit.is_tracing()  # then sizes must not depend on data
    eager = yx.device.type == "cpu" and not torch.is_grad_enabled() and not traced
    packed = backend == "packed" or (backend == "auto" and eager)
    if packed:
        counts = torch.zeros(b, index_count, dtype=torch.long, device=yx.device)
        counts.scatter_add_(1, index, torch.ones_like(index))
        windows, size = int((counts > 0).sum(1).amax()), int(counts.amax())
    else:
        windows, size = min(index_count, u), min(window * window, u)
    if backend == "auto":
        backend = "mask" if u <= 64 and u * u <= (2 if packed else 4) * windows * size * size else "gather"
    if backend == "mask":
        return WindowPlan(same=index[:, :, None] == index[:, None, :])
    inside = torch.zeros(b, index_count, dtype=torch.long, device=yx.device).scatter_(1, index, 1)
    number = (inside.cumsum(1) - 1).gather(1, index)  # windows in use, counted from 0
    slots, filled, place = sorted_in(number, windows, size)
    return WindowPlan(slots=(slots - 1).clamp(min=0), filled=filled, place=place)


def sorted_in(index: Tensor, windows: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
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


def attend(q: Tensor, k: Tensor, v: Tensor, plan: WindowPlan, slices: int) -> Tensor:
    """Attention inside windows and inside groups of `slices` consecutive slices.

    Args:
        q, k, v: [B, U, S, P, heads, D]; S must be a multiple of `slices`.
    Returns:
        [B, U, S, P, heads, D].
    """
    b, u, s, p, h, d = q.shape
    groups = s // slices

    def grouped(x: Tensor) -> Tensor:  # -> [B, groups, U, slices * P * heads * D]
        return x.reshape(b, u, groups, slices * p * h * d).transpose(1, 2)

    def ungrouped(x: Tensor) -> Tensor:
        return x.reshape(b, groups, u, slices, p, h, d).permute(0, 2, 1, 3, 4, 5, 6).reshape(b, u, s, p, h, d)

    unit = slices * p  # tokens of one unit in one group
    q, k, v = grouped(q), grouped(k), grouped(v)
    if plan.slots is None:
        mask = None
        if plan.same is not None:
            mask = plan.same[:, None, :, None, :, None].expand(b, groups, u, unit, u, unit)
            mask = mask.reshape(b * groups, 1, u * unit, u * unit)
        shape = (b * groups, u * unit, h, d)
        return ungrouped(sdpa(q.reshape(shape), k.reshape(shape), v.reshape(shape), mask))
    assert plan.filled is not None and plan.place is not None
    w, n = plan.slots.shape[1:]
    slots = plan.slots.flatten(1)

    def gathered(x: Tensor) -> Tensor:  # -> [B * groups * W, n * unit, heads, D]
        x = take_units(x.transpose(1, 2), slots).reshape(b, w, n, groups, unit * h * d)
        return x.permute(0, 3, 1, 2, 4).reshape(b * groups * w, n * unit, h, d)

    key = plan.filled.clone()
    key[..., 0] = True  # an unused window still needs one key; its result is never read
    mask = key[:, None, :, None, None, :, None].expand(b, groups, w, 1, 1, n, unit).reshape(-1, 1, 1, n * unit)
    out = sdpa(gathered(q), gathered(k), gathered(v), mask).reshape(b, groups, w * n, unit * h * d)
    out = take_units(out.transpose(1, 2), plan.place).transpose(1, 2)
    return ungrouped(out)


def temporal_window(slices: int, window: int) -> int:
    """The largest group of slices, at most `window`, that divides a clip evenly."""
    return max(n for n in range(1, min(slices, window) + 1) if slices % n == 0)
