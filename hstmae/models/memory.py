"""A memory of the game's maps in the weights, addressed by the place that the state tells.

At 90 to 95 % masking most of what is hidden was never visible in the clip. A map that was seen in training can still be
drawn, if the model knows where it is: map number and world coordinates are hashed into one table (the idea of the hash
grids of https://arxiv.org/abs/2201.05989). Places that were never trained keep codes near zero and change nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..games import GameSpec, GameState
from .canvas import Places
from .state import COMPACT

_PRIMES = (73_856_093, 19_349_663, 83_492_791)


class PlaceMemory(nn.Module):
    """One code per cell of the world: hash(area, column, row) -> entry -> code."""

    def __init__(self, game: GameSpec, code: int, entries: int = 1 << 17, width: int = 8):
        super().__init__()
        self.layer = game.tile_layers[0]
        self.side = -(-16 // self.layer.cell) + 1
        self.entries = nn.Embedding(entries, width)
        self.recall = nn.Linear(width, code, bias=False)
        nn.init.normal_(self.entries.weight, std=0.02)

    def forward(self, state: GameState, level: Tensor, at: Places) -> Tensor:
        """-> [B, Q, 2, side, side, code] for the cells that each wanted cube touches; zero at state level `none`."""
        cell = self.layer.cell
        row, frame = at.row[..., 0, 0], at.frame[..., 0, 0]
        near = torch.arange(self.side, device=level.device)
        first = (at.y[:, :, :, 0, 0] - state.tile_xy[0][row, frame, 1].long()) // cell
        y = (first[..., None] + near)[..., :, None]  # [B, Q, 2, side, 1]
        world = (at.x[:, :, :, 0, 0] + state.camera[row, frame].long()) // cell
        x = (world[..., None] + near)[..., None, :]
        area = state.area[row, frame].long()[..., None, None]
        entry = (area * _PRIMES[0]) ^ (x * _PRIMES[1]) ^ (y * _PRIMES[2])
        code = self.recall(self.entries(entry % self.entries.num_embeddings))
        known = (y >= 0) & (y < self.layer.rows) & (level >= COMPACT)[:, None, None, None, None]
        return code * known[..., None]
