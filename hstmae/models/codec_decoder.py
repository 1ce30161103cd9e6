"""The codec's light decoder: from the latents of every cube, and the game's state, to features for a pixel head.

A stream carries a latent for each cube, so nothing is missing and nothing has to be queried: the blocks are shifted
windows over the whole grid, and the cost grows with the number of cubes. `ModelConfig.codec_dim` and `codec_depth` set
its size apart from the decoder of restoration, which is several times wider in the large variants.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..config import ModelConfig
from .attention import rope, temporal_window, window_plan
from .blocks import CrossAttention, WindowBlock, fourier
from .state import StateTokens

_WINDOW = 8  # units along one side of a window
_SLICES = 8  # slices attending to each other


class CodecDecoder(nn.Module):
    """`codec_depth` blocks of shifted-window attention; every second one first reads the state tokens."""

    def __init__(self, config: ModelConfig, regions: int, with_state: bool = True, latent: int | None = None):
        """regions: number of region ids; latent: channels of a cube's latent, by default those of encoder stage 3."""
        super().__init__()
        dim, head_dim = config.codec_dim, config.codec_head_dim
        self.head_dim = head_dim
        self.latent = nn.Linear(latent or config.dims[2], dim)
        self.position = nn.Linear(24, dim)
        self.region = nn.Embedding(regions, dim)
        depth = config.codec_depth
        self.blocks = nn.ModuleList(
            WindowBlock(dim, head_dim, config.mlp_ratio, qk_norm=config.qk_norm) for _ in range(depth)
        )
        told = range(0, depth, 2) if with_state else range(0)
        self.state = nn.ModuleDict(
            {str(i): CrossAttention(dim, config.state_dim, head_dim, config.qk_norm) for i in told}
        )
        self.norm = nn.LayerNorm(dim)

    def forward(
        self,
        latents: Tensor,
        grid: tuple[int, int],
        origin: Tensor,
        native: Tensor,
        regions: Tensor,
        state: StateTokens,
        codes: Tensor | None = None,
    ) -> Tensor:
        """Decode all cubes of a group of frames.

        Args:
            latents: float [B, N, S, C], the (dequantised) latent of each cube; N = units in raster order.
            grid: units per column and row.
            origin: int64 [B, 2], y and x of the frames' corner in the native picture.
            native: int64 [B, 2], height and width of the native picture.
            regions: int64 [B, N, S], region id of each cube.
            state: state tokens; their null token alone where the stream carries no state.
            codes: [B, N * S, codec_dim] what the state canvas says of each cube, or None.
        Returns:
            [B, N * S, codec_dim], in the order of flat cube indices: what a head takes for queries.
        """
        b, n, slices = latents.shape[:3]
        unit = torch.arange(n, device=latents.device)
        yx = torch.stack([unit // grid[1], unit % grid[1]], -1).expand(b, -1, 2)
        place = (yx + origin[:, None] / 16)[:, :, None].expand(b, n, slices, 2)
        time = torch.arange(slices, device=latents.device)[:, None].expand(b, n, slices, 1)
        position = torch.cat([time.to(place.dtype), place], -1)  # [B, N, S, 3]: slice, native y and x in cubes
        turn = rope(position, self.head_dim)
        state_turn = state.turn(self.head_dim)
        x = self.latent(latents) + self.region(regions)
        x = x + self.position(fourier((place + 0.5) * (16 / native)[:, None, None]))
        if codes is not None:
            x = x + codes.view_as(x)
        plans = [window_plan(yx, grid, _WINDOW, shift) for shift in (0, _WINDOW // 2)]
        group = temporal_window(slices, _SLICES)
        for i, block in enumerate(self.blocks):
            if str(i) in self.state:
                told = self.state[str(i)](x.flatten(1, 2), turn.flatten(1, 2), state.tokens, state_turn, state.valid)
                x = x + told.view_as(x)
            x = block(x[:, :, :, None], turn[:, :, :, None], plans[i % 2], group)[:, :, :, 0]
        return self.norm(x.flatten(1, 2))
