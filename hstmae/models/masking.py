"""Masks as index lists of fixed length, drawn by seeded generators outside of the model."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from .cubes import to_cubes

SHOWN = 0.1  # share of the units, what tubes at 90 % leave
_PLASTIC = 1.32471795724474602596  # by whose powers the R2 sequence shares out the plane evenly


def visible_count(units: int, ratio: float) -> int:
    """How many of `units` stay visible when `ratio` of them is masked: 196 at 0.9 -> 20, at 0.95 -> 10."""
    if not 0 <= ratio <= 1:
        raise ValueError(f"mask ratio must lie in 0 .. 1, got {ratio}")
    return units - round(ratio * units)


def tube_visible(batch: int, units: int, ratio: float, generator: torch.Generator | None = None) -> Tensor:
    """Tube masking (VideoMAE): the same random units stay visible in all slices. int64 [B, U], ascending."""
    order = torch.rand(batch, units, generator=generator).argsort(1)
    return order[:, : visible_count(units, ratio)].sort(1).values


def scored_visible(
    scores: Tensor, ratio: float, sharpness: float | Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Tube masking with a preference: an exact number of units, drawn by the rank of their scores.

    The units that stay visible are drawn without replacement in proportion to ``exp(-sharpness * rank)`` (the Gumbel
    top-k of https://arxiv.org/abs/1903.06059), ranks as in `score_ranks`. A positive sharpness hides what scores high
    (hard masks), a negative one what scores low, and 0 is `tube_visible` in distribution.

    Args:
        scores: float [B, N], any scale; sharpness: one number, or float [B, 1] with one for each clip.
    Returns:
        int64 [B, U] on the device of `scores`, ascending, U = visible_count(N, ratio).
    """
    shown = -sharpness * score_ranks(scores) + gumbel(scores.shape, generator).to(scores.device)
    return shown.topk(visible_count(scores.shape[1], ratio), dim=1).indices.sort(1).values


def score_ranks(scores: Tensor) -> Tensor:
    """Rank of each score within its row, 0 (lowest) to 1 (highest), equal ones sharing theirs: float64 [B, N]."""
    scores = scores.contiguous()
    ordered = scores.sort(1).values
    below, upto = (torch.searchsorted(ordered, scores, right=right) for right in (False, True))
    return (below + upto - 1).double() / (2 * max(scores.shape[1] - 1, 1))


def gumbel(shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
    """Gumbel noise, float64 on the CPU, so that a draw does not depend on the device."""
    uniform = torch.rand(tuple(shape), generator=generator, dtype=torch.float64)
    return -(-uniform.clamp_min(1e-300).log()).log()


def damaged_visible(mask: Tensor, ratio: float, generator: torch.Generator | None = None) -> Tensor:
    """Hide the units that damage bool [B, T, H, W] touches most, to an exact number; where it touches fewer, others at
    random. Returns the visible ones, int64 [B, U], ascending."""
    touched = to_cubes(mask).flatten(2).sum(-1)  # pixels, [B, N]
    order = (touched + torch.rand(touched.shape, generator=generator).to(mask.device)).argsort(1)
    return order[:, : visible_count(touched.shape[1], ratio)].sort(1).values


def hidden_units(visible: Tensor, units: int) -> Tensor:
    """visible int64 [B, U] -> int64 [B, units - U], all other units, ascending."""
    b, u = visible.shape
    hidden = torch.ones(b, units, dtype=torch.bool, device=visible.device).scatter_(1, visible, False)
    return hidden.long().sort(stable=True, dim=1, descending=True).indices[:, : units - u]


def hidden_cubes(visible: Tensor, units: int, slices: int) -> Tensor:
    """visible int64 [B, U] -> flat indices int64 [B, (units - U) * slices] of all other cubes, ascending."""
    unit = hidden_units(visible, units)
    return (unit[:, :, None] * slices + torch.arange(slices, device=visible.device)).flatten(1)


def shown_units(own: Tensor, visible: Tensor, size: tuple[int, int]) -> Tensor:
    """The visible units that a network is shown: its own, and where they are fewer than a tenth, others up to that.

    What was looked up elsewhere would otherwise fill the picture: more than a network was trained to see, which costs
    time and gains nothing.

    Args:
        own: int64 [V], units of which nothing was missing to begin with.
        visible: int64 [U], these and those that were looked up.
        size: units per column and row.
    Returns:
        int64 [S], ascending.
    """
    rest = spread_order(size)
    rest = rest[torch.isin(rest, visible) & ~torch.isin(rest, own)]
    room = max(0, round(SHOWN * size[0] * size[1]) - len(own))
    return torch.cat([own, rest[:room]]).sort().values


@lru_cache(16)
def spread_order(size: tuple[int, int]) -> Tensor:
    """Units of a grid (per column and row) in an order of which every beginning is spread over all of it: int64 [N].

    They follow the points of Roberts' R2 sequence; units that it takes long to fall into come last.
    """
    rows, columns = size
    steps = torch.arange(1, 8 * rows * columns + 1, dtype=torch.float64)
    y, x = ((0.5 + steps / _PLASTIC**k) % 1 for k in (1, 2))
    places = (y * rows).long() * columns + (x * columns).long()
    return torch.tensor(list(dict.fromkeys([*places.tolist(), *range(rows * columns)])))


def visible_from_pixels(mask: Tensor) -> tuple[Tensor, Tensor]:
    """A user's mask bool [T, H, W], True where a pixel is missing -> visible units int64 [U], those without a missing
    pixel, and queries int64 [Q], the cubes with one."""
    touched = to_cubes(mask[None])[0].flatten(2).any(-1)  # [N, S]
    return (~touched.any(1)).nonzero()[:, 0], touched.flatten().nonzero()[:, 0]
