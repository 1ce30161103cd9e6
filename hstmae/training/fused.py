"""The reconstruction loss in one pass over the logits, which are by far the largest tensor of a training step.

Gradients are written while a piece of the posterior is still in cache, so the posterior as a whole is never stored.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .losses import true_colours

CPU_PIXELS = 2048  # of 64 float32 logits each: half a megabyte, about a core's second-level cache
GPU_PIXELS = 1 << 21  # bounds the working memory to a few times half a gigabyte


def reconstruction_loss(
    logits: Tensor, target: Tensor, palette: Tensor, rgb_weight: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """``palette_cross_entropy + rgb_weight * posterior_mean_mse`` and its parts, equal to those functions.

    Args:
        logits: float [B, Q, ..., K], in any floating type; computed in float32.
        target: uint8 [B, Q, ...], palette indices 0 .. K - 1.
        palette: uint8 [B, K, 3].
        rgb_weight: weight of the squared error of the posterior-mean colour.
    Returns:
        The float32 loss, differentiable once with respect to `logits`, and detached float32 scalars `ce` (nats), `mse`
        (RGB in 0 .. 1) and `exact_match` (share of pixels whose most probable colour is the true one).
    """
    loss, ce, mse, exact = _Reconstruction.apply(
        logits.flatten(1, -2), target.flatten(1), palette, rgb_weight, logits.requires_grad and torch.is_grad_enabled()
    )
    return loss, {"ce": ce, "mse": mse, "exact_match": exact}


class _Reconstruction(torch.autograd.Function):
    """Per pixel, with posterior p, colours c, error e = sum_k p_k c_k - c_target and w = 2 rgb_weight / 3: the gradient
    of the loss with respect to logit k is ``p_k (1 + w e . (c_k - sum_j p_j c_j)) - [k is the target]``."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, target: Tensor, palette: Tensor, rgb_weight: float, wanted: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        clips, pixels, _ = logits.shape
        colours = palette.float() / 255
        grad = torch.empty_like(logits) if wanted else None
        sums = torch.zeros(3, device=logits.device, dtype=torch.float64)
        if logits.device.type == "cpu":
            some, step = 1, CPU_PIXELS
        else:
            some, step = max(1, GPU_PIXELS // pixels), pixels
        with torch.autocast(logits.device.type, enabled=False):
            for b in range(0, clips, some):
                c, truth = colours[b : b + some], true_colours(target[b : b + some], palette[b : b + some])
                for m in range(0, pixels, step):
                    part = (slice(b, b + some), slice(m, m + step))
                    index = target[part].long().unsqueeze(-1)
                    logp = logits[part].float().log_softmax(-1)
                    chosen = logp.gather(-1, index)
                    exact = (chosen >= logp.amax(-1, keepdim=True)).sum()
                    p = logp.exp_()
                    mean = torch.bmm(p, c)
                    error = mean - truth[:, m : m + step]
                    sums += torch.stack([-chosen.sum(), error.square().sum() / 3, exact.float()])
                    if grad is not None:
                        error *= 2 * rgb_weight / 3
                        slope = torch.bmm(error, c.transpose(1, 2))
                        slope += 1 - (error * mean).sum(-1, keepdim=True)
                        p *= slope
                        p.scatter_add_(-1, index, p.new_full((), -1).expand(index.shape))
                        grad[part] = p  # of the sum, not the mean: the mean's would underflow in float16
        ce, mse, exact_match = (sums / target.numel()).float().unbind()
        if grad is not None:
            ctx.save_for_backward(grad)
            ctx.pixels = target.numel()
        ctx.mark_non_differentiable(ce, mse, exact_match)
        return ce + rgb_weight * mse, ce, mse, exact_match

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:  # type: ignore[override]
        (grad,) = ctx.saved_tensors
        return grad * (grads[0] / ctx.pixels).to(grad.dtype), None, None, None, None
