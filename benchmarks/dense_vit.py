"""A plain video ViT that computes on every token, for comparison: what masking units and a hierarchy save or cost.

Tokens are cubes of 2x16x16 RGB pixels as in VideoMAE (https://arxiv.org/abs/2203.12602); hidden ones enter as a learned
mask token (as in SimMIM, https://arxiv.org/abs/2111.09886), so encoder and decoder both run over all of them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CUBE_VALUES = 2 * 16 * 16 * 3


class Block(nn.Module):
    """Pre-norm transformer block with attention over all tokens."""

    def __init__(self, dim: int, head_dim: int):
        super().__init__()
        self.heads = dim // head_dim
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


class DenseViT(nn.Module):
    """Encoder and decoder over all tokens.

    Args:
        tokens: cubes of a clip; dim, depth: of the encoder; decoder_dim, decoder_depth: of the decoder.
    """

    def __init__(self, tokens: int, dim: int, depth: int, decoder_dim: int, decoder_depth: int, head_dim: int = 32):
        super().__init__()
        self.embed = nn.Linear(CUBE_VALUES, dim)
        self.mask_token = nn.Parameter(torch.zeros(dim))
        self.position: Tensor
        self.register_buffer("position", torch.randn(1, tokens, dim) * 0.02)
        self.encoder = nn.Sequential(*(Block(dim, head_dim) for _ in range(depth)), nn.LayerNorm(dim))
        self.narrow = nn.Linear(dim, decoder_dim)
        self.decoder = nn.Sequential(*(Block(decoder_dim, head_dim) for _ in range(decoder_depth)))
        self.out = nn.Linear(decoder_dim, CUBE_VALUES)

    def forward(self, cubes: Tensor, hidden: Tensor) -> Tensor:
        """cubes [B, N, CUBE_VALUES] and hidden bool [B, N] -> pixels [B, N, CUBE_VALUES]."""
        x = torch.where(hidden[..., None], self.mask_token, self.embed(cubes)) + self.position
        return self.out(self.decoder(self.narrow(self.encoder(x))))


def encoder_shape(parameters: int, head_dim: int = 32) -> tuple[int, int]:
    """Width and depth of the encoder with about so many parameters whose width is nearest to 48 times its depth."""
    fits = []
    for depth in range(4, 33):
        dim = head_dim * max(1, round((parameters / (12 * depth)) ** 0.5 / head_dim))
        counted = 12 * depth * dim**2 + (13 * depth + CUBE_VALUES + 4) * dim
        fits.append((abs(counted / parameters - 1) > 0.03, abs(dim / depth - 48), dim, depth))
    _, _, dim, depth = min(fits)
    return dim, depth
