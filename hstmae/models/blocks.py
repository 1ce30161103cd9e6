"""Small parts shared by encoder and decoder."""

import torch
from torch import Tensor, nn

from .attention import WindowPlan, attend, rotate, sdpa


class Mlp(nn.Sequential):
    """Linear, GELU, Linear."""

    def __init__(self, dim: int, ratio: float):
        hidden = int(dim * ratio)
        super().__init__(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))


class DropPath(nn.Module):
    """Stochastic depth per sample (https://arxiv.org/abs/1603.09382)."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        keep = torch.rand(len(x), *[1] * (x.ndim - 1), device=x.device) >= self.rate
        return x * keep / (1 - self.rate)


def head_norm(head_dim: int, wanted: bool) -> nn.Module:
    """Normalisation of queries or keys [..., heads, D] before rotation (https://arxiv.org/abs/2302.05442), which bounds
    the attention logits; an identity without weights where it is not `wanted`."""
    return nn.RMSNorm(head_dim) if wanted else nn.Identity()


class WindowBlock(nn.Module):
    """Pre-norm transformer block whose attention follows a WindowPlan."""

    def __init__(self, dim: int, head_dim: int, mlp_ratio: float, drop_path: float = 0.0, qk_norm: bool = False):
        super().__init__()
        self.heads = dim // head_dim
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.q_norm, self.k_norm = head_norm(head_dim, qk_norm), head_norm(head_dim, qk_norm)
        self.mlp = Mlp(dim, mlp_ratio)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, turn: Tensor, plan: WindowPlan, slices: int) -> Tensor:
        """x [B, U, S, P, C], turn [B, U, S, P, 2, D/2] -> [B, U, S, P, C]."""
        qkv = self.qkv(self.norm1(x)).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.unbind(-3)
        mixed = attend(rotate(self.q_norm(q), turn), rotate(self.k_norm(k), turn), v, plan, slices)
        x = x + self.drop_path(self.proj(mixed.flatten(-2)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class CrossAttention(nn.Module):
    """softmax(Q K^T / sqrt d) V with queries from visual tokens and keys from state tokens, behind a zero gate."""

    def __init__(self, dim: int, state_dim: int, head_dim: int, qk_norm: bool = False):
        super().__init__()
        self.heads = dim // head_dim
        self.q_norm, self.k_norm = head_norm(head_dim, qk_norm), head_norm(head_dim, qk_norm)
        self.norm = nn.LayerNorm(dim)
        self.norm_state = nn.LayerNorm(state_dim)
        self.q, self.kv, self.proj = nn.Linear(dim, dim), nn.Linear(state_dim, 2 * dim), nn.Linear(dim, dim)
        self.gate = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor, turn: Tensor, state: Tensor, state_turn: Tensor, valid: Tensor) -> Tensor:
        """What to add to x [B, L, C], given state [B, M, Cs], rotations of both and valid [B, M]."""
        q = self.q_norm(self.q(self.norm(x)).unflatten(-1, (self.heads, -1)))
        k, v = self.kv(self.norm_state(state)).unflatten(-1, (2, self.heads, -1)).unbind(-3)
        out = sdpa(rotate(q, turn), rotate(self.k_norm(k), state_turn), v, valid[:, None, None, :])
        return self.gate * self.proj(out.flatten(-2))


def fourier(position: Tensor, bands: int = 6) -> Tensor:
    """position [..., A] in about 0 .. 1 -> sines and cosines [..., A * 2 * bands] of 1/2, 1, 2, 4 ... periods."""
    frequency = torch.pi * 2.0 ** torch.arange(bands, device=position.device, dtype=position.dtype)
    angle = (position[..., None] * frequency).flatten(-2)
    return torch.cat([angle.sin(), angle.cos()], -1)


def init_weights(module: nn.Module) -> None:
    """Truncated normal for linear layers, as in MAE; norms and gates keep their defaults."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02 if module.in_features > 400 else module.in_features**-0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
