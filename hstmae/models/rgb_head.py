"""From decoded queries to the red, green and blue of every pixel, for footage without a palette."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..config import ModelConfig
from ..games import GameSpec, GameState
from .canvas import Places
from .heads import PaletteHead
from .place_memory import PlaceMemory

GREY = 0.5  # what an untrained head answers, about ...
START_SPREAD = 0.1  # ... with so much less spread than its weights were drawn for


class RgbHead(nn.Module):
    """One linear map from a query to the colours of its cube, as masked autoencoders of natural video have.

    Where the game has tile layers, what the palette head's network per pixel makes of the state canvas is added to it,
    with three colour channels in place of a posterior.
    """

    def __init__(self, config: ModelConfig, game: GameSpec):
        super().__init__()
        self.cube = nn.Linear(config.decoder_dim, 2 * 16 * 16 * 3)
        self.drawn = PaletteHead(config, game, 3) if game.tile_layers else None

    @property
    def memory(self) -> PlaceMemory | None:
        return None if self.drawn is None else self.drawn.memory

    def start_grey(self) -> None:
        """Scale fresh weights down until they answer nearly grey: a spread of 1 would be far outside of all colours."""
        with torch.no_grad():
            for last in [self.cube] if self.drawn is None else [self.cube, self.drawn.colours]:
                last.weight.mul_(START_SPREAD)

    def forward(self, x: Tensor, canvas: Tensor | None, state: GameState | None, level: Tensor, at: Places) -> Tensor:
        """x [B, Q, C], canvas [B, Q, 2, 16, 16, 3 D] or None -> colours [B, Q, 2, 16, 16, 3], about 0 .. 1.

        They are not clipped, so that gradients reach every pixel; who reads them out does it.
        """
        # Autocast would leave eight bits of a colour, the size of one step of an 8-bit picture.
        with torch.autocast(x.device.type, enabled=False):
            colours = GREY + self.cube(x.to(self.cube.weight.dtype)).unflatten(-1, (2, 16, 16, 3))
        return colours if self.drawn is None else colours + self.drawn(x, canvas, state, level, at)
