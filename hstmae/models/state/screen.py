"""The screen memory: what a game without tiles looks like at each pixel of its screen, as features that a head reads.

Consoles like the Atari 2600 hold no map and no patterns in their memory, so there is nothing to place as the state
canvas does. Their screens stand still, though: one learned vector for each pixel tells the scenery at once, where
attention would have to learn to draw it. What changes with the game's numbers (digits, what is left of a wall) is a
second vector for each pixel, multiplied by one that a small network makes of the state; and each labelled object has
textures of its own, placed in its box and changed by the state in the same way.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...games import GameSpec, GameState
from ..inputs import Decoded, Places
from .tokens import COMPACT

SIDE = 32  # pixels of an object's texture; larger boxes repeat their last row and column
_BITS = 8  # digits of each number of the state: most of them are bytes, and what they mean is often in single bits
_GATE = 128  # hidden channels of the network that reads them


class Screen(nn.Module):
    """Features of pixels [B, Q, 2, 16, 16, 3 D]: still scenery, scenery by the state, objects."""

    def __init__(self, game: GameSpec, dim: int):
        super().__init__()
        self.dim = dim
        self.height, self.width = game.native_size
        pixels = self.height * self.width
        self.still, self.turned = nn.Embedding(pixels + 1, dim), nn.Embedding(pixels + 1, dim)  # the last: outside
        self.objects = nn.Embedding(max(0, len(game.regions) - 1) * SIDE**2 + 1, dim)  # the last: nothing here
        for table in (self.still, self.turned, self.objects):
            nn.init.normal_(table.weight, std=0.2)
        numbers = _BITS * len(game.token_names) * game.token_features
        self.gate = nn.Sequential(nn.Linear(numbers, _GATE), nn.GELU(), nn.Linear(_GATE, 2 * dim)) if numbers else None

    def forward(self, done: Decoded) -> Tensor:
        """Features of the pixels of decoded cubes."""
        return self.features(done.state, done.level, done.at)

    def features(self, state: GameState | None, level: Tensor, at: Places) -> Tensor:
        """level int64 [B]: numbers and boxes count from `compact` on; without them the still scenery alone is told."""
        inside = (at.y >= 0) & (at.y < self.height) & (at.x >= 0) & (at.x < self.width)
        pixel = torch.where(inside, at.y * self.width + at.x, self.height * self.width)  # [B, Q, 1, 16, 16]
        still = self.still(pixel).expand(-1, -1, at.frame.shape[2], -1, -1, -1)
        if state is None or self.gate is None:
            return torch.cat([still, torch.zeros_like(still), torch.zeros_like(still)], -1)
        told = (level >= COMPACT)[:, None, None]
        gate = self.gate(binary_digits(state.tokens).to(still.dtype)) * told  # [B, T, 2 D]
        gate = gate[at.row[..., 0, 0], at.frame[..., 0, 0]][:, :, :, None, None]  # [B, Q, 2, 1, 1, 2 D]
        scenery, looks = gate.chunk(2, -1)
        texel = self._texels(state, told[..., None, None], at)
        drawn = self.objects(texel) * (1 + looks) * (texel < len(self.objects.weight) - 1)[..., None]
        return torch.cat([still, self.turned(pixel) * scenery, drawn], -1)

    def _texels(self, state: GameState, told: Tensor, at: Places) -> Tensor:
        """Row of `objects` at each pixel, int64 [B, Q, 2, 16, 16]; of boxes that overlap the last one is in front."""
        out = torch.full_like(at.y + at.x + at.frame, len(self.objects.weight) - 1)
        boxes = state.boxes.long()[at.row[..., 0, 0], at.frame[..., 0, 0]]  # [B, Q, 2, M, 5]
        for box in boxes.unbind(-2):
            region, x0, y0, x1, y1 = (side[..., None, None] for side in box.unbind(-1))
            here = (at.y >= y0) & (at.y < y1) & (at.x >= x0) & (at.x < x1) & (region > 0) & told
            texel = ((region - 1) * SIDE + (at.y - y0).clamp(0, SIDE - 1)) * SIDE + (at.x - x0).clamp(0, SIDE - 1)
            out = torch.where(here, texel, out)
        return out


def binary_digits(tokens: Tensor) -> Tensor:
    """Numbers from 0 to 1, [B, T, K, F], as bytes would hold them: -1 and 1, float [B, T, 8 K F]."""
    whole = (tokens.float().clamp(0, 1) * 255).round().long()
    return (whole[..., None] >> torch.arange(_BITS, device=tokens.device) & 1).flatten(2).float() * 2 - 1
