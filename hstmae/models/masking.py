"""Masks as index lists of fixed length, drawn by seeded generators outside of the model."""

from __future__ import annotations

import torch
from torch import Tensor

from .cubes import to_cubes


def visible_count(units: int, ratio: float) -> int:
    """How many of `units` stay visible when `ratio` of them is masked: 196 at 0.9 -> 20, at 0.95 -> 10."""
    if not 0 <= ratio <= 1:
        raise ValueError(f"mask ratio must lie in 0 .. 1, got {ratio}")
    return units - round(ratio * units)


def tube_visible(batch: int, units: int, ratio: float, generator: torch.Generator | None = None) -> Tensor:
    """Tube masking (VideoMAE): the same random units stay visible in all slices. int64 [B, U], ascending."""
    order = torch.rand(batch, units, generator=generator).argsort(1)
    return order[:, : visible_count(units, ratio)].sort(1).values


def hidden_cubes(visible: Tensor, units: int, slices: int) -> Tensor:
    """visible int64 [B, U] -> flat indices int64 [B, (units - U) * slices] of all other cubes, ascending."""
    b, u = visible.shape
    hidden = torch.ones(b, units, dtype=torch.bool, device=visible.device).scatter_(1, visible, False)
    unit = hidden.long().sort(stable=True, dim=1, descending=True).indices[:, : units - u]
    return (unit[:, :, None] * slices + torch.arange(slices, device=visible.device)).flatten(1)


def visible_from_pixels(mask: Tensor) -> tuple[Tensor, Tensor]:
    """A user's mask -> what the model may see and what it has to draw.

    Args:
        mask: bool [T, H, W], True where a pixel is missing; sizes as in `to_cubes`.
    Returns:
        visible int64 [U]: units without any missing pixel; queries int64 [Q]: cubes with a missing pixel.
    """
    touched = to_cubes(mask[None])[0].flatten(2).any(-1)  # [N, S]
    return (~touched.any(1)).nonzero()[:, 0], touched.flatten().nonzero()[:, 0]
