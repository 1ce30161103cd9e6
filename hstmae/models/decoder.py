"""The decoder: queries for the wanted cubes read what is visible, what the coarse stage says there, and the state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..config import ModelConfig
from .attention import rope, rotate, sdpa
from .blocks import CrossAttention, Mlp, fourier
from .state import StateTokens


class DecoderBlock(nn.Module):
    """Transformer block on memory (visible cubes) and queries with shared weights; keys come from the memory alone.

    Queries do not see each other (as in CrossMAE, https://arxiv.org/abs/2401.14391), so any subset of them decodes
    to exactly the same pixels, and cost grows with what is asked for.
    """

    def __init__(self, config: ModelConfig, with_state: bool):
        super().__init__()
        dim = config.decoder_dim
        self.heads = dim // config.decoder_head_dim
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.q, self.kv, self.proj = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)
        self.mlp = Mlp(dim, config.mlp_ratio)
        self.state = CrossAttention(dim, config.state_dim, config.decoder_head_dim) if with_state else None

    def forward(
        self, x: Tensor, memory: int, turn: Tensor, state: StateTokens, state_turn: tuple[Tensor, Tensor]
    ) -> Tensor:
        """x [B, memory + Q, C]: the first `memory` tokens are keys; turn [B, memory + Q, 2, D/2]."""
        if self.state is not None:
            x = x + self.state(x, state_turn[0], state.tokens, state_turn[1], state.valid)
        y = self.norm1(x)
        q = rotate(self.q(y).unflatten(-1, (self.heads, -1)), turn)
        k, v = self.kv(y[:, :memory]).unflatten(-1, (2, self.heads, -1)).unbind(-3)
        x = x + self.proj(sdpa(q, rotate(k, turn[:, :memory]), v).flatten(-2))
        return x + self.mlp(self.norm2(x))


class Decoder(nn.Module):
    """Positions have four axes: slice, y, x on the screen, x in the world (equal to the screen's without a camera)."""

    def __init__(self, config: ModelConfig, regions: int):
        super().__init__()
        self.config = config
        dim = config.decoder_dim
        self.fine, self.coarse = nn.Linear(config.dims[2], dim), nn.Linear(config.dims[3], dim)
        self.mask_token = nn.Parameter(torch.randn(dim) * 0.02)
        self.sink = nn.Parameter(torch.randn(dim) * 0.02)  # a key that is always there, even with nothing visible
        self.position = nn.Linear(24, dim)
        self.region = nn.Embedding(regions, dim)
        self.level = nn.Embedding(3, dim)
        self.blocks = nn.ModuleList(DecoderBlock(config, i % 2 == 0) for i in range(config.decoder_depth))
        self.norm = nn.LayerNorm(dim)

    def forward(
        self,
        fine: Tensor,
        coarse: Tensor,
        codes: Tensor | None,
        regions: Tensor,
        place: Tensor,
        native: tuple[int, int],
        state: StateTokens,
        level: Tensor,
    ) -> Tensor:
        """Decode the queries.

        Args:
            fine: [B, V, C3] encoded visible cubes.
            coarse: [B, V + Q, C4] stage-4 cell over each visible and each wanted cube.
            codes: [B, V + Q, dim] what the state canvas says, or None.
            regions: int64 [B, V + Q].
            place: float [B, V + Q, 4] slice, y, x, world x in cubes, native.
            level: int64 [B] state level of each sample.
        Returns:
            [B, Q, dim].
        """
        b, v = fine.shape[:2]
        queries = coarse.shape[1] - v
        x = torch.cat([self.fine(fine), self.mask_token.to(fine.dtype).expand(b, queries, -1)], 1)
        height, width = native
        scale = torch.tensor([16 / height, 16 / width], device=x.device)
        x = x + self.coarse(coarse) + self.region(regions) + self.level(level)[:, None]
        x = x + self.position(fourier((place[..., 1:3] + 0.5) * scale))
        if codes is not None:
            x = x + codes
        x = torch.cat([self.sink.to(x.dtype).expand(b, 1, -1), x], 1)
        place = torch.cat([torch.zeros_like(place[:, :1]), place], 1)
        head_dim = self.config.decoder_head_dim
        turn = rope(place, head_dim)
        state_turn = (state.rotation(place[..., :3], head_dim), state.turn(head_dim))
        for block in self.blocks:
            x = block(x, v + 1, turn, state, state_turn)
        return self.norm(x[:, v + 1 :])
