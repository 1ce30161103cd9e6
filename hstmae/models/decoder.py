"""The decoder: queries for the wanted cubes attend to visible cubes and to state tokens."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import ModelConfig
from .attention import rope, rotate, sdpa
from .blocks import CrossAttention, Mlp, fourier, head_norm
from .cross_windows import CrossPlan, cross_attend, cross_plan
from .inputs import CubeGrid
from .state.tokens import StateTokens

GLOBAL_UNITS = 256  # pictures of up to so many units (256x256 pixels) are decoded in one window
_WINDOW = 16  # units along one side of a window in larger ones


class DecoderBlock(nn.Module):
    """Transformer block on visible cubes and queries with shared weights; keys come from the visible cubes alone.

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
        self.q_norm, self.k_norm = (head_norm(config.decoder_head_dim, config.qk_norm) for _ in range(2))
        self.state = (
            CrossAttention(dim, config.state_dim, config.decoder_head_dim, config.qk_norm) if with_state else None
        )

    def forward(
        self,
        x: Tensor,
        keys: int,
        turn: Tensor,
        state: StateTokens,
        state_turn: tuple[Tensor, Tensor],
        plan: CrossPlan | None = None,
    ) -> Tensor:
        """x [B, keys + Q, C]: the first `keys` tokens (sink, visible) are read; turn [B, keys + Q, 2, D/2]."""
        if self.state is not None:
            x = x + self.state(x, state_turn[0], state.tokens, state_turn[1], state.valid)
        y = self.norm1(x)
        q = rotate(self.q_norm(self.q(y).unflatten(-1, (self.heads, -1))), turn)
        k, v = self.kv(y[:, :keys]).unflatten(-1, (2, self.heads, -1)).unbind(-3)
        k = rotate(self.k_norm(k), turn[:, :keys])
        mixed = sdpa(q, k, v) if plan is None else cross_attend(q, k, v, plan)
        x = x + self.proj(mixed.flatten(-2))
        return x + self.mlp(self.norm2(x))


@dataclass
class CubeContext:
    """Inputs of the decoder at L cubes."""

    cubes: Tensor  # int64 [B, L], flat cube indices
    coarse: Tensor  # [B, L, C4], the stage-4 cell over each cube
    regions: Tensor  # int64 [B, L]
    place: Tensor  # float [B, L, 4], slice, y, x, world x in cubes, native
    codes: Tensor | None  # [B, L, dim], embedded tile ids around each cube (`CellCodes`)


class Decoder(nn.Module):
    """Rotary positions have four axes: slice, y and x on the screen, x in the world (the screen's without a camera)."""

    def __init__(self, config: ModelConfig, regions: int, with_state: bool = True):
        super().__init__()
        self.config = config
        dim = config.decoder_dim
        self.fine, self.coarse = nn.Linear(config.dims[2], dim), nn.Linear(config.dims[3], dim)
        self.mask_token = nn.Parameter(torch.randn(dim) * 0.02)
        self.sink = nn.Parameter(torch.randn(dim) * 0.02)  # a key that exists even with nothing visible
        self.position = nn.Linear(24, dim)
        self.region = nn.Embedding(regions, dim)
        self.level = nn.Embedding(3, dim)
        self.blocks = nn.ModuleList(
            DecoderBlock(config, with_state and i % 2 == 0) for i in range(config.decoder_depth)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, fine: Tensor, context: CubeContext, state: StateTokens, level: Tensor, grid: CubeGrid) -> Tensor:
        """Decode the queries.

        Pictures of more than 256 units are decoded in windows of 16x16 units, moved by 8 in every other block, with
        positions counted from the window's corner: no distance is larger than in a small picture.

        Args:
            fine: [B, V, C3] encoded visible cubes.
            context: of the V visible and then the Q wanted cubes, which differ from each other.
            level: int64 [B] state level of each sample.
        Returns:
            [B, Q, dim].
        """
        b, v = fine.shape[:2]
        queries, place = context.cubes.shape[1] - v, context.place
        x = self.mask_token.to(fine.dtype).expand(b, queries, -1)
        if v:
            x = torch.cat([self.fine(fine), x], 1)
        x = x + self.coarse(context.coarse) + self.region(context.regions) + self.level(level)[:, None]
        x = x + self.position(fourier((place[..., 1:3] + 0.5) * (16 / grid.native)[:, None]))
        if context.codes is not None:
            x = x + context.codes
        x = torch.cat([self.sink.to(x.dtype).expand(b, 1, -1), x], 1)
        place = torch.cat([torch.zeros_like(place[:, :1]), place], 1)
        head_dim = self.config.decoder_head_dim
        state_turn = (rope(place[..., :3].float(), head_dim), rope(state.position.float(), head_dim))
        plans: list[CrossPlan | None] = [None]
        if grid.units[0] * grid.units[1] > GLOBAL_UNITS:
            unit = context.cubes // grid.slices
            yx = torch.stack([unit // grid.units[1], unit % grid.units[1]], -1)
            plans = [cross_plan(yx, v, grid.units, grid.slices, _WINDOW, shift) for shift in (0, _WINDOW // 2)]
        turns = [rope(place if plan is None else self._inside(place, plan), head_dim) for plan in plans]
        for i, block in enumerate(self.blocks):
            n = i % len(plans)
            x = block(x, v + 1, turns[n], state, state_turn, plans[n])
        return self.norm(x[:, v + 1 :])

    @staticmethod
    def _inside(place: Tensor, plan: CrossPlan) -> Tensor:
        """Places [B, 1 + L, 4] of the sink and the cubes, counted from the corner of each cube's window."""
        y, x = F.pad(plan.inside, (0, 0, 1, 0)).to(place.dtype).unbind(-1)
        moved = place[..., 3] - place[..., 2]  # by the camera
        return torch.stack([place[..., 0], y, x, x + moved], -1)
