"""Spatial consistency: restored cubes fit their neighbours, areas stay even and their borders stay sharp."""

from __future__ import annotations

import torch
from torch import Tensor

from .balance import Term
from .neighbours import Neighbourhood, smooth_abs


def seam_loss(error: Tensor, around: Neighbourhood) -> Term:
    """Jumps across the borders of cubes that the true picture has not.

    Mean over border pixels and RGB of ``psi((r_a - r_b) - (t_a - t_b)) = psi(e_a - e_b)``, a and b being the pixels on
    the two sides of a border, r restored, t true and psi a smooth absolute value: the gradient difference of
    https://arxiv.org/abs/1511.05440 where independently decoded cubes meet. Counted are borders of a decoded cube with
    a visible one (whose error is 0) and of two decoded cubes of one slice.

    Args:
        error: float [B, Q, 2, 16, 16, 3], restored minus true colours, in 0 .. 1.
        around: of the same Q cubes.
    """
    row, column, piece = around.place
    count = error.shape[1]
    clip = torch.arange(len(error), device=error.device)[:, None]
    total, borders = error.new_zeros(()), error.new_zeros(())
    # Own side and other side of the border with the cube to the right, below, to the left and above.
    for dy, dx, axis, own, other in ((0, 1, -2, 15, 0), (1, 0, -3, 15, 0), (0, -1, -2, 0, 15), (-1, 0, -3, 0, 15)):
        slot = around.slots_at(row + dy, column + dx, piece)
        counted = slot <= count
        difference = error.select(axis, own)  # [B, Q, 2, 16, 3]
        if dy + dx > 0:
            decoded = slot < count
            theirs = error.select(axis, other)[clip, slot.clamp(max=count - 1)]
            difference = difference - theirs * decoded[..., None, None, None]
        else:
            counted = slot == count  # the border of two decoded cubes has been counted from its other side
        total = total + (smooth_abs(difference).flatten(2).mean(-1) * counted).sum()
        borders = borders + counted.sum()
    return Term(total / borders.clamp_min(1), borders > 0)


def region_loss(colours: Tensor, truth: Tensor, regions: Tensor) -> Term:
    """Similar within a region, different between regions, both measured against the true picture.

    For adjacent pixels p, q of a decoded cube with restored step ``r = |r_p - r_q|`` and true step ``t = |t_p - t_q|``
    (each of R, G, B): mean of ``max(0, r - t)`` where p and q lie in the same region and of ``max(0, t - r)`` where
    they do not: within a region a one-sided total variation (https://doi.org/10.1016/0167-2789(92)90242-F), between
    regions a border must not be blurred, and may be sharper.

    Args:
        colours: float [B, Q, 2, 16, 16, 3], restored, in 0 .. 1; truth: of the same shape.
        regions: int [B, Q, 2, 16, 16].
    """
    total = colours.new_zeros(())
    for axis in (3, 4):
        r, t, same = _step(colours, axis).abs(), _step(truth, axis).abs(), _step(regions, axis) == 0
        more = r - t
        total = total + torch.where(same[..., None], more, -more).relu().mean() / 2
    return Term(total, torch.ones((), dtype=torch.bool, device=colours.device))


def _step(x: Tensor, axis: int) -> Tensor:
    """Difference of neighbours along an axis."""
    return x.narrow(axis, 1, x.shape[axis] - 1) - x.narrow(axis, 0, x.shape[axis] - 1)
