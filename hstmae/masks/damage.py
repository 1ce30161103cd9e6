"""Masks shaped like real damage, for training and measuring restoration.

All are bool [T, H, W], True = missing, drawn by a seeded CPU generator. Finding damage in given footage is another
matter, see `hstmae.masks.detect`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Size = tuple[int, int, int]  # frames, height, width

_TRIES = 1000  # bound on shapes per mask; shares up to 0.9 need a small part of it


def block_damage(size: Size, share: float, generator: torch.Generator) -> Tensor:
    """Rectangles, each lost for a stretch of frames, until `share` of all pixels is: lost packets, painted blocks.

    Sides run from 8 pixels to a third of the picture's, stretches from 1 frame to all; the last rectangle may exceed
    the share.
    """
    time, height, width = _checked(size, share)
    mask, missing = torch.zeros(size, dtype=torch.bool), share * time * height * width
    for _ in range(_TRIES):
        if missing <= 0:
            break
        top, rows = _span(height, 8, max(8, height // 3), generator)
        left, columns = _span(width, 8, max(8, width // 3), generator)
        first, frames = _span(time, 1, time, generator)
        missing -= _lose(mask[first : first + frames, top : top + rows, left : left + columns])
    return mask


def scratch_damage(size: Size, share: float, generator: torch.Generator) -> Tensor:
    """Upright lines of 1 to 3 pixels that wander sideways from frame to frame, until `share` of all pixels is lost."""
    time, height, width = _checked(size, share)
    mask, missing = torch.zeros(size, dtype=torch.bool), share * time * height * width
    for _ in range(_TRIES):
        if missing <= 0:
            break
        first, frames = _span(time, max(1, time // 4), time, generator)
        top, rows = _span(height, max(1, height // 2), height, generator)
        thick = _integer(1, 3, generator)
        at = torch.randint(width, (), generator=generator) + torch.randint(
            -2, 3, (frames,), generator=generator
        ).cumsum(0)
        for t, left in enumerate(at.clamp(0, max(width - thick, 0)).tolist()):
            missing -= _lose(mask[first + t, top : top + rows, left : left + thick])
    return mask


def logo_damage(size: Size, share: float, generator: torch.Generator) -> Tensor:
    """One rectangle in a corner, in all frames, of about `share` of the picture: a station's logo, an overlay."""
    _, height, width = _checked(size, share)
    mask = torch.zeros(size, dtype=torch.bool)
    wide = 1 + torch.rand((), generator=generator).item() * 2  # width : height, before the picture bounds it
    rows = min(height, max(1, round((share * height * width / wide) ** 0.5)))
    columns = min(width, max(1, round(share * height * width / rows)))
    top = _integer(0, 1, generator) * (height - rows)
    left = _integer(0, 1, generator) * (width - columns)
    mask[:, top : top + rows, left : left + columns] = True
    return mask


def lost_frames(size: Size, share: float, generator: torch.Generator) -> Tensor:
    """Whole frames in bursts of up to six, exactly ``round(share * T)`` of them."""
    time, _, _ = _checked(size, share)
    mask, missing = torch.zeros(size, dtype=torch.bool), round(share * time)
    while missing:
        first, frames = _span(time, min(missing, 6), min(missing, 6), generator)
        fresh = ~mask[first : first + frames, 0, 0]
        mask[first : first + frames] = True
        missing -= int(fresh.sum())
    return mask


SHAPES: dict[str, Callable[[Size, float, torch.Generator], Tensor]] = {
    "lost blocks": block_damage,
    "scratches": scratch_damage,
    "logo": logo_damage,
    "lost frames": lost_frames,
}
NAMES = tuple(SHAPES)
MEASURED = {"lost blocks": 0.08, "scratches": 0.03, "logo": 0.05, "lost frames": 0.375}  # shares hidden by `damages`


def damages(size: Size, seed: int = 0) -> dict[str, np.ndarray]:
    """One mask of every shape, bool [T, H, W], by which restoration is measured; none is empty from 4 frames on."""
    generator = torch.Generator().manual_seed(seed)
    return {name: draw(size, MEASURED[name], generator).numpy() for name, draw in SHAPES.items()}


def _checked(size: Size, share: float) -> Size:
    if min(size) < 1 or not 0 <= share <= 0.9:
        raise ValueError(f"damage of a share in 0 .. 0.9 on at least one pixel, got {share} of {size}")
    return size


def _lose(part: Tensor) -> int:
    """Set a part of a mask; returns how many of its pixels were not lost before."""
    new = part.numel() - int(part.count_nonzero())
    part.fill_(True)
    return new


def _integer(low: int, high: int, generator: torch.Generator) -> int:
    """Uniform in low .. high, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def _span(length: int, least: int, most: int, generator: torch.Generator) -> tuple[int, int]:
    """Start and extent (least .. most, at most `length`) of a stretch inside `length`."""
    extent = _integer(min(least, length), min(most, length), generator)
    return _integer(0, length - extent, generator), extent
