"""Spatial consistency: restored cubes fit their neighbours, areas stay even and their borders stay sharp. Temporal
coherence: what is restored changes in time as the true picture does, along the camera's motion."""

import torch
from torch import Tensor

from ...games import GameSpec, GameState
from ...models.cubes import DEPTH
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


def temporal_loss(error: Tensor, around: Neighbourhood, shift: Tensor, joined: Tensor, still: Tensor) -> Term:
    """Flicker along the paths of the scenery.

    Mean over pixels and RGB of ``psi((r' - r) - (t' - t)) = psi(e' - e)``, with r the restored and t the true colour of
    a pixel of frame n, and r', t' those in frame n + 1 where the camera's motion takes it: the warping error of
    https://arxiv.org/abs/1808.00449 with the true change in place of a mask, so sprites and blinking tiles count, and a
    frozen picture is not rewarded. Counted are pixels of decoded cubes whose counterpart lies in a decoded or a visible
    cube.

    Args:
        error: float [B, Q, 2, 16, 16, 3], restored minus true colours, in 0 .. 1.
        around: of the same Q cubes.
        shift: int64 [B, T - 1], pixels that the camera moves to the right from frame n to n + 1.
        joined: bool [B, T - 1], whether frames n and n + 1 show the same scene.
        still: bool [B, Q], cubes that stay on the screen when the camera moves.
    """
    b, count = error.shape[:2]
    if shift.shape[1] == 0:
        return Term(error.sum() * 0, torch.zeros((), dtype=torch.bool, device=error.device))
    row, column, piece = around.place
    frame = DEPTH * piece[..., None] + torch.arange(DEPTH, device=error.device)  # [B, Q, 2]
    last = frame == around.slices * DEPTH - 1
    now = torch.where(last, 0, frame).flatten(1)
    moved = shift.gather(1, now).view_as(frame).masked_fill(still[..., None], 0)
    goes_on = joined.gather(1, now).view_as(frame) & ~last
    x = 16 * column[..., None, None] + torch.arange(16, device=error.device) - moved[..., None]  # [B, Q, 2, 16]
    then = (frame + 1)[..., None]
    unit = x.div(16, rounding_mode="floor")
    slot = around.slots_at(row[..., None, None].expand_as(x), unit, (then // DEPTH).expand_as(x))
    # Columns of pixels as rows of a table, so that each counterpart is one row.
    columns = error.transpose(3, 4).contiguous()  # [B, Q, 2, x, y, 3]
    clip = torch.arange(b, device=error.device)[:, None, None, None]
    index = ((clip * count + slot.clamp(max=count - 1)) * DEPTH + then % DEPTH) * 16 + x % 16
    theirs = columns.flatten(0, 3).flatten(1).index_select(0, index.flatten()).view_as(columns)
    counted = goes_on[..., None] & (slot <= count)
    decoded = (slot < count)[..., None, None]
    off = smooth_abs(theirs * decoded - columns).flatten(4).mean(-1)
    pixels = counted.sum()
    return Term((off * counted).sum() / pixels.clamp_min(1), pixels > 0)


def camera_motion(state: GameState | None, batch: int, frames: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """How many pixels the camera moves to the right from each frame to the next, int64 [B, T - 1] (0 without a state),
    and whether both show the same map, bool [B, T - 1]."""
    if state is None:
        size = (batch, frames - 1)
        return torch.zeros(size, dtype=torch.long, device=device), torch.ones(size, dtype=torch.bool, device=device)
    return state.camera.long().diff(dim=1), state.scene[:, 1:] == state.scene[:, :-1]


def fixed_cubes(game: GameSpec, around: Neighbourhood, origin: Tensor) -> Tensor:
    """Whether the centre of each decoded cube lies in a fixed region of the game (a HUD): bool [B, Q]."""
    row, column, _ = around.place
    y, x = 16 * row + 8 + origin[:, :1], 16 * column + 8 + origin[:, 1:]
    still = torch.zeros_like(row, dtype=torch.bool)
    for _, left, top, right, bottom in game.fixed_regions:
        still |= (x >= left) & (x < right) & (y >= top) & (y < bottom)
    return still
