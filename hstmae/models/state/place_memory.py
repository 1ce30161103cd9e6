"""The place memory: the game's maps in the weights, addressed by the map and the camera of the state.

At 90 to 95 % masking most hidden cells were never visible in the clip. A map that was seen in training can still be
drawn where the state says where it is: map number and world coordinates are hashed into one table (the idea of the hash
grids of https://arxiv.org/abs/2201.05989). A cell that training never saw would read entries of other cells, so those
that were trained are noted in a Bloom filter, and all others get zero. Maps that are new still begin like others do:
their first columns have codes of their own, whatever the map.
"""

import torch
from torch import Tensor, nn

from ...errors import ConfigError
from ...games import GameSpec, GameState
from ...games.state import NOWHERE
from ..inputs import Places
from .tokens import COMPACT

PRIMES = (73_856_093, 19_349_663, 83_492_791)
_SEEDS = (0x5BD1E995, 0x1B873593)  # of the filter's two hashes
_BEGINNING = 32  # columns
NOT_KEPT = "none"  # as `model.places`: no such memory


class PlaceMemory(nn.Module):
    """One code per cell of the world: hash(map, column, row) -> entry -> code, where training has seen that cell."""

    trained: Tensor

    def __init__(
        self, game: GameSpec, code: int, key: str = "area", entries: int = 1 << 17, width: int = 8, marks: int = 1 << 19
    ):
        super().__init__()
        if key not in ("area", "scene"):
            raise ConfigError(f"model.places must be area, scene or none, got '{key}'")
        self.key = key
        self.layer = game.tile_layers[0]
        self.side = -(-16 // self.layer.cell) + 1
        self.entries = nn.Embedding(entries, width)
        self.beginnings = nn.Embedding(_BEGINNING * self.layer.rows, width)
        self.recall = nn.Linear(width, code, bias=False)
        self.hashed, self.mixed = hashed, mixed  # exports have others, without 64-bit numbers: exporting.whole_numbers
        self.register_buffer("trained", torch.zeros(marks + 1, dtype=torch.uint8))
        nn.init.normal_(self.entries.weight, std=0.02)
        nn.init.normal_(self.beginnings.weight, std=0.02)

    def forward(self, state: GameState, level: Tensor, at: Places) -> Tensor:
        """-> [B, Q, 2, side, side, code] for the cells that each wanted cube touches; zero at state level `none`.

        In training mode it marks those cells as seen.
        """
        cell, rows = self.layer.cell, self.layer.rows
        row, frame = at.row[..., 0, 0], at.frame[..., 0, 0]
        near = torch.arange(self.side, device=level.device)
        first = (at.y[:, :, :, 0, 0] - state.tile_xy[0][row, frame, 1].long()) // cell
        y = (first[..., None] + near)[..., :, None]  # [B, Q, 2, side, 1]
        world = (at.x[:, :, :, 0, 0] + state.camera[row, frame].long()) // cell
        x = (world[..., None] + near)[..., None, :]
        area = getattr(state, self.key)[row, frame].long()[..., None, None]
        inside = (y >= 0) & (y < rows) & (level >= COMPACT)[:, None, None, None, None]
        seen = self._seen(area, x, y, inside & (area != NOWHERE))
        code = self.entries(self.hashed(area, x, y) % self.entries.num_embeddings) * seen[..., None]
        early = inside & (x >= 0) & (x < _BEGINNING)
        start = x.clamp(0, _BEGINNING - 1) * rows + y.clamp(0, rows - 1)
        return self.recall(code + self.beginnings(start) * early[..., None])

    def _seen(self, area: Tensor, x: Tensor, y: Tensor, located: Tensor) -> Tensor:
        """Whether training has seen these cells of the world, as far as they are `located`: never a wrong no, rarely a
        wrong yes."""
        spare = self.trained.numel() - 1  # what cells that are not located write to
        marks = [torch.where(located, self.mixed(area, x, y, seed) % spare, spare) for seed in _SEEDS]
        if self.training:
            for index in marks:
                self.trained.scatter_(0, index.flatten(), 1)
        return located & (self.trained[marks[0]] & self.trained[marks[1]]).bool()


def hashed(area: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Which entry cells of the world have, int64 of any sign, broadcast over the arguments."""
    return (area * PRIMES[0]) ^ (x * PRIMES[1]) ^ (y * PRIMES[2])


def mixed(area: Tensor, x: Tensor, y: Tensor, seed: int) -> Tensor:
    """A second hash, int64 >= 0, broadcast over the arguments."""
    h = (area * 1_000_003 + x) * 8_191 + y + seed
    h = (h ^ (h >> 15)) * 2_246_822_519
    h = (h ^ (h >> 13)) * 3_266_489_917
    return (h ^ (h >> 16)) & 0x7FFFFFFFFFFFFFFF
