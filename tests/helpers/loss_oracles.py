"""The parts of the reconstruction loss, each as its formula says: what the fused one is held against."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from hstmae.training.losses.reconstruction import true_colours


def palette_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over pixels of ``-log softmax(logits)[target]``, nats: float [B, Q, ..., K] and uint8 [B, Q, ...]."""
    return F.cross_entropy(logits.float().flatten(0, -2), target.flatten().long())


def posterior_mean(logits: Tensor, palette: Tensor) -> Tensor:
    """Expected colour of every pixel: logits float [B, ..., K], palette uint8 [B, K, 3] -> float32 [B, ..., 3]."""
    posterior = logits.float().softmax(-1).flatten(1, -2)  # [B, M, K]
    with torch.autocast(logits.device.type, enabled=False):  # three digits of a colour would limit PSNR
        return torch.bmm(posterior, palette.float() / 255).view(*logits.shape[:-1], 3)


def posterior_mean_mse(logits: Tensor, target: Tensor, palette: Tensor) -> Tensor:
    """Mean over pixels and RGB in 0 .. 1 of ``(sum_k p_k c_k - c_target)^2``; palette uint8 [B, K, 3]."""
    return (posterior_mean(logits, palette) - true_colours(target, palette)).square().mean()


def exact_match(logits: Tensor, target: Tensor) -> Tensor:
    """Share of pixels whose most probable colour is the true one; a tie counts as a match."""
    chosen = logits.gather(-1, target.long().unsqueeze(-1)).squeeze(-1)
    return (chosen >= logits.amax(-1)).float().mean()
