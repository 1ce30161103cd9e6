"""The reconstruction loss in one pass over the logits, which are by far the largest tensor of a training step.

Gradients are written while a piece of the posterior is still in cache, so the posterior as a whole is never stored.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from .reconstruction import true_colours

CPU_PIXELS = 2048  # of 64 float32 logits each: half a megabyte, about a core's second-level cache
GPU_PIXELS = 1 << 21  # bounds the working memory to a few times half a gigabyte


def reconstruction(
    logits: Tensor, target: Tensor, palette: Tensor, rgb_weight: float, weight: Tensor | None = None, shown: bool = True
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """``CE + rgb_weight * MSE``, the posterior-mean colours, and the parts of the loss.

    CE is the mean over pixels of ``-log p(target)``: palette colours have no order, so they are classes. MSE is the one
    over pixels and RGB of ``(sum_k p_k c_k - c_target)^2``, so PSNR is ``-10 log10`` of it: the posterior mean has the
    least expected squared error, hence it is the read-out that PSNR judges.

    Args:
        logits: float [B, Q, ..., K], in any floating type; computed in float32.
        target: uint8 [B, Q, ...], palette indices; palette: uint8 [B, K, 3].
        weight: float [B, Q, ...] above 0, relative weight of each pixel in the loss; None weighs all alike.
        shown: whether colours are wanted; else they are empty.
    Returns:
        The float32 loss and the colours, float32 [B, Q, ..., 3] in 0 .. 1, both differentiable once with respect to
        `logits`; and detached scalars over all pixels alike: `ce` (nats), `mse` and `exact_match` (share of pixels
        whose most probable colour is the true one).
    """
    loss, ce, mse, exact, colours = _Reconstruction.apply(
        logits.flatten(1, -2), target.flatten(1), palette, rgb_weight, None if weight is None else weight.flatten(1),
        logits.requires_grad and torch.is_grad_enabled(), shown,
    )  # fmt: skip
    terms = {"ce": ce, "mse": mse, "exact_match": exact}
    return loss, colours.view(*target.shape, 3) if shown else colours, terms


class _Reconstruction(torch.autograd.Function):
    """Per pixel, with posterior p, colours c, mean colour m = sum_k p_k c_k, error e = m - c_target and
    w = 2 rgb_weight / 3: the gradient of the loss with respect to logit k is
    ``p_k (1 + w e . (c_k - m)) - [k is the target]``, and that of ``g . m`` is ``p_k g . (c_k - m)``. The latter is
    made in the backward pass, where g is known, from a posterior computed again."""

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        target: Tensor,
        palette: Tensor,
        rgb_weight: float,
        weight: Tensor | None,
        wanted: bool,
        shown: bool,
    ) -> tuple[Tensor, ...]:
        colours = palette.float() / 255
        grad = torch.empty_like(logits) if wanted else None
        means = logits.new_empty(*(logits.shape[:2] if shown else (0, 0)), 3, dtype=torch.float32)
        sums = torch.zeros(5, device=logits.device, dtype=torch.float64)  # ce, mse, exact, and weighted ce, mse
        with torch.autocast(logits.device.type, enabled=False):
            for part in _parts(logits):
                c, index = colours[part[0]], target[part].long().unsqueeze(-1)
                truth = true_colours(target[part], palette[part[0]])
                logp = logits[part].float().log_softmax(-1)
                chosen = logp.gather(-1, index)
                exact = (chosen >= logp.amax(-1, keepdim=True)).sum()
                p = logp.exp_()
                mean = torch.bmm(p, c)
                if shown:
                    means[part] = mean
                error = mean - truth
                square = error.square()
                parts = [-chosen.sum(), square.sum() / 3, exact.float()]
                if weight is None:
                    parts += parts[:2]
                else:
                    w = weight[part].float().unsqueeze(-1)
                    parts += [-(w * chosen).sum(), (w * square).sum() / 3]
                sums += torch.stack(parts)
                if grad is not None:
                    error *= 2 * rgb_weight / 3
                    slope = torch.bmm(error, c.transpose(1, 2))
                    slope += 1 - (error * mean).sum(-1, keepdim=True)
                    p *= slope
                    p.scatter_add_(-1, index, p.new_full((), -1).expand(index.shape))
                    if weight is not None:
                        p *= w
                    grad[part] = p  # of the sum, not the mean: the mean's would underflow in float16
        total = float(target.numel()) if weight is None else weight.sum(dtype=torch.float64)
        ce, mse, exact_match = (sums[:3] / target.numel()).float().unbind()
        weighted_ce, weighted_mse = (sums[3:] / total).float().unbind()
        if grad is not None:
            ctx.save_for_backward(grad, *((logits, palette, means) if shown else ()))
            ctx.total = total
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(ce, mse, exact_match, *(() if shown else (means,)))
        return weighted_ce + rgb_weight * weighted_mse, ce, mse, exact_match, means

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        grad, *saved = ctx.saved_tensors
        of_loss, of_means = grads[0], grads[4]
        scale = None if of_loss is None else of_loss / ctx.total
        if of_means is None:
            out = None if scale is None else grad * scale.to(grad.dtype)
        else:
            out = _with_means(grad, scale, of_means, *saved)
        return out, None, None, None, None, None, None


def _with_means(
    grad: Tensor, scale: Tensor | None, of_means: Tensor, logits: Tensor, palette: Tensor, means: Tensor
) -> Tensor:
    """``scale * grad`` plus the gradient through the mean colours."""
    out, colours = torch.empty_like(grad), palette.float() / 255
    with torch.autocast(logits.device.type, enabled=False):
        for part in _parts(logits):
            g = of_means[part]
            p = logits[part].float().softmax(-1)
            slope = torch.bmm(g, colours[part[0]].transpose(1, 2))
            slope -= (g * means[part]).sum(-1, keepdim=True)
            p *= slope
            if scale is not None:
                p += grad[part].float() * scale.float()
            out[part] = p
    return out


def _parts(logits: Tensor) -> Iterator[tuple[slice, slice]]:
    """Pieces of logits [B, M, K]: clips and pixels that are worked on at once."""
    clips, pixels, _ = logits.shape
    some, step = (1, CPU_PIXELS) if logits.device.type == "cpu" else (max(1, GPU_PIXELS // max(pixels, 1)), pixels)
    for b in range(0, clips, some):
        for m in range(0, pixels, max(step, 1)):
            yield slice(b, b + some), slice(m, m + step)
