"""HST-MAE: the hierarchical spatio-temporal masked autoencoder, put together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..config import ModelConfig
from ..games import GameState, get_game
from .blocks import init_weights
from .canvas import Canvas, CellCodes, Places
from .cubes import take_cubes, take_units
from .decoder import Decoder
from .encoder import Encoder
from .heads import PaletteHead
from .masking import hidden_cubes
from .regions import cube_regions
from .state import COMPACT, FULL, NONE, StateEncoder

__all__ = ["COMPACT", "FULL", "HSTMAE", "NONE"]


class HSTMAE(nn.Module):
    """Restores the wanted cubes of a clip from its visible units and the game's state.

    The content of units that are not listed as visible never enters the computation.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.game = game = get_game(config.game)
        colours, regions = len(game.palette), len(game.regions)
        self.encoder = Encoder(config, colours, regions)
        self.state = StateEncoder(game, config.state_dim)
        self.decoder = Decoder(config, regions)
        self.head = PaletteHead(config, game, colours)
        self.apply(init_weights)
        # After init_weights, which is for the transformer: tables and codes have scales of their own.
        if self.head.memory is not None:
            nn.init.normal_(self.head.memory.recall.weight)
        self.canvas = Canvas(game, config.texture_dim) if game.tile_layers else None
        self.cells = CellCodes(game, 24, config.decoder_dim) if game.tile_layers else None
        self.register_buffer("palette", torch.from_numpy(game.palette.copy()), persistent=False)

    def no_weight_decay(self) -> set[str]:
        """Parameters that are tables or constants rather than maps: norms and biases are left out by their shape."""
        tables = {f"{n}.weight" for n, m in self.named_modules() if isinstance(m, nn.Embedding)}
        return tables | {"decoder.mask_token", "decoder.sink", "encoder.absent", "state.null", "state.bias"}

    def forward(
        self,
        frames: Tensor,
        visible: Tensor,
        queries: Tensor | None = None,
        *,
        state: GameState | None = None,
        level: Tensor | None = None,
        origin: Tensor | None = None,
    ) -> Tensor:
        """Posterior over the palette for every pixel of the wanted cubes.

        Args:
            frames: uint8 [B, T, H, W] palette indices; T even, H and W multiples of 16.
            visible: int64 [B, U], units that may be seen, ascending.
            queries: int64 [B, Q], flat cube indices to decode; None = every cube that is not visible.
            state: decoded state with leading axes [B, T], native pixels.
            level: int64 [B], 0 none, 1 compact, 2 full; None = full where there is a state.
            origin: int64 [B, 2], y and x of the frames' corner in the native picture; None = 0, 0.
        Returns:
            logits [B, Q, 2, 16, 16, K].
        """
        b, t, h, w = frames.shape
        grid, slices = (h // 16, w // 16), t // 2
        device = frames.device
        if level is None:
            level = torch.full((b,), NONE if state is None else FULL, device=device)
        if state is None:
            level = torch.zeros_like(level)
        if origin is None:
            origin = torch.zeros(b, 2, dtype=torch.long, device=device)
        if queries is None:
            queries = hidden_cubes(visible, grid[0] * grid[1], slices)
        native = (max(h, self.game.native_size[0]), max(w, self.game.native_size[1]))

        tokens = self.state(state, level)
        regions = cube_regions(self.game, state, level, origin, grid, slices)
        fine, coarse = self.encoder(frames, visible, origin, native, regions, tokens)

        seen = (visible[:, :, None] * slices + torch.arange(slices, device=device)).flatten(1)
        cubes = torch.cat([seen, queries], 1)  # [B, V + Q]
        at = Places.of(cubes, slices, grid[1], origin)
        wanted = Places.of(queries, slices, grid[1], origin)
        full = level == FULL
        codes = self.cells(state, full, at) if self.cells is not None and state is not None else None
        decoded = self.decoder(
            fine.flatten(1, 2),
            self._above(coarse, cubes, grid, slices),
            codes,
            take_cubes(regions, cubes),
            self._place(cubes, grid, slices, origin, state, level),
            native,
            tokens,
            level,
        )
        canvas = None
        if self.canvas is not None:
            if state is not None:
                canvas = self.canvas.features(state, full, wanted, (h, w), origin)
            else:
                canvas = decoded.new_zeros(*queries.shape, 2, 16, 16, 3 * self.canvas.dim)
        return self.head(decoded, canvas, state, level, wanted)

    @staticmethod
    def _above(coarse: Tensor, cubes: Tensor, grid: tuple[int, int], slices: int) -> Tensor:
        """Stage-4 cells [B, cells, S, C] over the given cubes -> [B, L, C]."""
        unit, piece = cubes // slices, cubes % slices
        cell = (unit // grid[1] // 2) * ((grid[1] + 1) // 2) + unit % grid[1] // 2
        return take_units(coarse.flatten(1, 2), cell * slices + piece)

    @staticmethod
    def _place(
        cubes: Tensor, grid: tuple[int, int], slices: int, origin: Tensor, state: GameState | None, level: Tensor
    ) -> Tensor:
        """Slice, y, x and world x of the given cubes in cubes, native: float [B, L, 4]."""
        unit, piece = cubes // slices, cubes % slices
        y = unit // grid[1] + origin[:, :1] / 16
        x = unit % grid[1] + origin[:, 1:] / 16
        world = x
        if state is not None:
            camera = state.camera[:, ::2].float()
            moved = (camera - camera[:, :1]).gather(1, piece) / 16  # only differences matter to attention
            world = x + torch.where((level >= COMPACT)[:, None], moved, 0)
        return torch.stack([piece.to(x.dtype), y, x, world], -1)
