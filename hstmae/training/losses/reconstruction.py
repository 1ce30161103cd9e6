"""Reconstruction losses over decoded cubes. Each is a pure function of its arguments; none reads statistics of hidden
pixels to normalise them, since a restoration has no such statistics."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...models.adaptive import ClipPalette, nearest_entries

EDGE = 32  # 8-bit steps between two pixels
RARE = 0.02  # share of the pixels
CHARBONNIER_EPS = 1e-3  # of colours in 0 .. 1: a quarter of one 8-bit step


def colour_loss(
    colours: Tensor, truth: Tensor, rgb_weight: float, weight: Tensor | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Charbonnier loss plus `rgb_weight` times the mean squared error, for a model that answers colours.

    The Charbonnier term, mean of ``sqrt(d^2 + eps^2)`` with eps = 1e-3, is an absolute error with a smooth minimum
    (https://doi.org/10.1109/ICIP.1994.413553), which blurs edges less than the square.

    Args:
        colours: float [B, Q, ..., 3], in 0 .. 1 where they are right, not clipped; truth: multiples of 1 / 255.
        weight: float [B, Q, ...] above 0, relative weight of each pixel in the loss; None weighs all alike.
    Returns:
        The float32 loss with its graph, and over all pixels alike the detached float32 scalars `charbonnier`, `mse`
        (of the clipped colours, so that PSNR is ``-10 log10`` of it) and `exact_match` (see `exact_colours`).
    """
    colours = colours.float()
    square = (colours - truth).square()
    smooth = (square + CHARBONNIER_EPS**2).sqrt()
    loss = smooth + rgb_weight * square
    loss = loss.mean() if weight is None else (loss.mean(-1) * weight).sum() / weight.sum()
    with torch.no_grad():
        shown = colours.clamp(0, 1)
        mse, exact = (shown - truth).square().mean(), exact_colours(shown, truth)
    return loss, {"charbonnier": smooth.detach().mean(), "mse": mse, "exact_match": exact}


def adaptive_loss(
    logits: Tensor, palette: ClipPalette, truth: Tensor, rgb_weight: float, weight: Tensor | None = None
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """``CE + rgb_weight * MSE`` as `losses.fused.reconstruction`, over each clip's own palette.

    Args:
        logits: float [B, Q, ..., K].
        truth: uint8 [B, Q, ..., 3]; its class is the nearest entry, its error counts from the true colour itself.
        weight: float [B, Q, ...], relative weight of each pixel in the loss.
    Returns:
        the loss, the mean colours [B, Q, ..., 3] in 0 .. 1, and detached `ce`, `mse`, `exact_match`.
    """
    target = nearest_entries(palette, truth)
    logp = logits.float().log_softmax(-1)
    ce = F.nll_loss(logp.flatten(0, -2), target.flatten(), reduction="none").view(target.shape)
    colours = torch.bmm(logp.exp().flatten(1, -2), palette.colours.float() / 255).view(truth.shape)
    square = (colours - truth.float() / 255).square().mean(-1)
    both = ce + rgb_weight * square
    loss = both.mean() if weight is None else (both * weight).sum() / weight.sum()
    with torch.no_grad():
        best = palette.colours[torch.arange(len(truth)), logits.flatten(1, -2).argmax(-1).T].transpose(0, 1)
        exact = (best.view(truth.shape) == truth).all(-1).float().mean()
    return loss, colours, {"ce": ce.detach().mean(), "mse": square.detach().mean(), "exact_match": exact}


def emphasis_weights(target: Tensor, strength: float, objects: Tensor | None = None) -> Tensor:
    """Weight of each pixel in the reconstruction: ``1 + strength`` where it matters, 1 elsewhere.

    That is on an edge (it differs from the pixel to the left or above, or these from it, within the cube; of RGB by
    more than an eighth of full scale), in a colour that fewer than 2 % of the target's pixels have (palette indices
    only), or on a sprite. Class weights of this kind: https://arxiv.org/abs/1901.05555.

    Args:
        target: uint8 [B, Q, 2, 16, 16] palette indices or [B, Q, 2, 16, 16, 3] RGB.
        strength: 0 or above.
        objects: bool [B, Q, 2, 16, 16], where the state has sprites.
    Returns:
        float32 [B, Q, 2, 16, 16].
    """
    if target.ndim == 6:
        across, down = (
            (target.narrow(a, 1, 15).short() - target.narrow(a, 0, 15).short()).abs().amax(-1) > EDGE for a in (4, 3)
        )
        marked = torch.zeros(target.shape[:-1], dtype=torch.bool, device=target.device)
    else:
        across, down = (target.narrow(a, 1, 15) != target.narrow(a, 0, 15) for a in (4, 3))
        share = torch.bincount(target.flatten().int(), minlength=256) / target.numel()
        marked = (share < RARE)[target.int()]
    for axis, edge in ((4, across), (3, down)):
        marked.narrow(axis, 1, 15).logical_or_(edge)
        marked.narrow(axis, 0, 15).logical_or_(edge)
    return 1 + strength * (marked if objects is None else marked | objects).float()


def exact_colours(colours: Tensor, truth: Tensor) -> Tensor:
    """Share of pixels float [B, ..., 3] whose red, green and blue all round to the true 8-bit values: a scalar."""
    return ((colours - truth).abs().amax(-1) * 255 < 0.5).float().mean()


def true_colours(target: Tensor, palette: Tensor) -> Tensor:
    """Colours of palette indices: target uint8 [B, ...], palette uint8 [B, K, 3] -> float32 [B, ..., 3] in 0 .. 1."""
    clip = torch.arange(len(target), device=target.device).view(-1, *[1] * (target.ndim - 1))
    return (palette.float() / 255)[clip, target.long()]


def target_colours(target: Tensor, palette: Tensor | None) -> Tensor:
    """Colours of decoded cubes, float32 [B, ..., 3] in 0 .. 1: of palette indices, or of RGB [B, ..., 3] as it is."""
    return target.float() / 255 if palette is None else true_colours(target, palette)


@torch.no_grad()
def cube_losses(out: Tensor, target: Tensor, palette: Tensor | None, head: str) -> Tensor:
    """Loss of each decoded cube over every fourth row and column, which is enough to rank them.

    Args:
        out: logits [B, Q, 2, 16, 16, K] of head "palette", colours [B, Q, 2, 16, 16, 3] of head "rgb".
        target: uint8 [B, Q, 2, 16, 16] palette indices or [B, Q, 2, 16, 16, 3] RGB.
        palette: uint8 [B, K, 3], None for RGB.
    Returns:
        float32 [B, Q]: cross-entropy in nats, or mean absolute difference of colours in 0 .. 1.
    """
    some, truth = out[:, :, :, ::4, ::4].float(), target[:, :, :, ::4, ::4]
    if head == "rgb":
        return (some - target_colours(truth, palette)).abs().flatten(2).mean(-1)
    chosen = some.gather(-1, truth.long().unsqueeze(-1)).squeeze(-1)
    return (some.logsumexp(-1) - chosen).flatten(2).mean(-1)
