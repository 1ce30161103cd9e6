"""HST-MAE: the hierarchical spatio-temporal masked autoencoder, put together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..config import ModelConfig
from ..errors import ConfigError, DataError
from ..games import GameState, get_game
from .alignment import StateAlignment
from .blocks import init_weights
from .canvas import Canvas, CellCodes, Places
from .cubes import take_cubes, take_units
from .decoder import Decoder
from .encoder import Encoder, StageGeometry
from .heads import PaletteHead
from .masking import hidden_cubes
from .regions import cube_regions
from .rgb_head import RgbHead
from .state import COMPACT, FULL, NONE, StateEncoder

__all__ = ["COMPACT", "FULL", "HSTMAE", "NONE", "Decoded"]


@dataclass
class Decoded:
    """What the decoder says: x [B, Q, C] about the cubes `queries` [B, Q] at the places `at`, and the state to be used.

    `state`, `level` [B] and `origin` [B, 2] are those of `HSTMAE.forward` with its defaults filled in.
    """

    x: Tensor
    queries: Tensor
    at: Places
    state: GameState | None
    level: Tensor
    origin: Tensor


class HSTMAE(nn.Module):
    """Restores the wanted cubes of a clip from its visible units and the game's state.

    The content of units that are not listed as visible never enters the computation.
    """

    palette: Tensor  # uint8 [K, 3], no rows for a true-colour game

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.game = game = get_game(config.game)
        colours, regions = len(game.palette), len(game.regions)
        told = bool(game.token_names)
        self.encoder = Encoder(config, colours, regions, told)
        self.state = StateEncoder(game, config.state_dim)
        self.decoder = Decoder(config, regions, told)
        self.head = PaletteHead(config, game, colours) if config.head == "palette" else RgbHead(config, game)
        self.apply(init_weights)
        # After init_weights, which is for the transformer: tables and codes have scales of their own.
        if self.head.memory is not None:
            nn.init.normal_(self.head.memory.recall.weight)
        if isinstance(self.head, RgbHead):
            self.head.start_grey()
        self.canvas = Canvas(game, config.texture_dim) if game.tile_layers else None
        self.cells = CellCodes(game, 24, config.decoder_dim) if game.tile_layers else None
        self.alignment = StateAlignment(game, config.dims[2]) if config.state_alignment and told else None
        self.register_buffer("palette", torch.from_numpy(game.palette.copy()), persistent=False)

    @classmethod
    def from_pretrained(cls, name: str | Path) -> HSTMAE:
        """A trained model from a folder, a bundled name or a hub id: see `zoo.load_pretrained`."""
        from .zoo import load_pretrained  # the zoo builds on this module

        return load_pretrained(name)

    def save_pretrained(self, folder: str | Path, dtype: torch.dtype = torch.float32) -> None:
        """Write config.json and model.safetensors into a folder: see `zoo.save_pretrained`."""
        from .zoo import save_pretrained

        save_pretrained(self.state_dict(), self.config, folder, dtype)

    def no_weight_decay(self) -> set[str]:
        """Parameters that are tables or constants rather than maps: norms and biases are left out by their shape."""
        tables = {f"{n}.weight" for n, m in self.named_modules() if isinstance(m, nn.Embedding)}
        single = {"decoder.mask_token", "decoder.sink", "encoder.absent", "state.null", "state.bias"}
        return tables | single | {"alignment.queries"}

    def forward(
        self,
        frames: Tensor,
        visible: Tensor,
        queries: Tensor | None = None,
        *,
        state: GameState | None = None,
        level: Tensor | None = None,
        origin: Tensor | None = None,
        size: Tensor | None = None,
        align: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Posterior over the palette, or the colour, of every pixel of the wanted cubes.

        Args:
            frames: uint8 [B, T, H, W] palette indices, or [B, T, H, W, 3] RGB for a game without a palette; T even, H
                and W multiples of 16.
            visible: int64 [B, U], units that may be seen, ascending.
            queries: int64 [B, Q], flat cube indices to decode; None = every cube that is not visible.
            state: decoded state with leading axes [B, T], native pixels.
            level: int64 [B], 0 none, 1 compact, 2 full; None = full where there is a state.
            origin: int64 [B, 2], y and x of the frames' corner in the native picture; None = 0, 0.
            size: int64 [B, 2], height and width of the native picture; None = the game's, or for a game without a
                palette, whose pictures have any size, that of the frames.
            align: also predict the state from the visual tokens; needs `state_alignment`.
        Returns:
            head "palette": logits [B, Q, 2, 16, 16, K]; head "rgb": colours [B, Q, 2, 16, 16, 3] scaled to 0 .. 1, not
            clipped. With `align`, that and the prediction, [B, T, K, F + 1] (see `StateAlignment`).
        Raises:
            DataError: palette frames for a true-colour game, or the other way round.
            ConfigError: `align` for a model that was built without it.
        """
        if align and self.alignment is None:
            raise ConfigError(f"model {self.config.name} predicts no state; build it with state_alignment=true")
        before: list[Tensor] | None = [] if align else None
        done = self.decode(frames, visible, queries, state=state, level=level, origin=origin, size=size, before=before)
        canvas = None
        if self.canvas is not None:
            if done.state is not None:
                size_hw = (frames.shape[2], frames.shape[3])
                canvas = self.canvas.features(done.state, done.level == FULL, done.at, size_hw, done.origin)
            else:
                canvas = done.x.new_zeros(*done.queries.shape, 2, 16, 16, 3 * self.canvas.dim)
        out = self.head(done.x, canvas, done.state, done.level, done.at)
        return out if self.alignment is None or before is None else (out, self.alignment(before[0]))

    def decode(
        self,
        frames: Tensor,
        visible: Tensor,
        queries: Tensor | None = None,
        *,
        state: GameState | None = None,
        level: Tensor | None = None,
        origin: Tensor | None = None,
        size: Tensor | None = None,
        before: list[Tensor] | None = None,
        geometry: list[StageGeometry] | None = None,
    ) -> Decoded:
        """All of `forward` up to its head: one vector per wanted cube, and what the head needs beside it.

        `before` receives the visible tokens before they meet the state, `geometry` saves work: see `Encoder.forward`.
        """
        self._check_kind(frames)
        b, t, h, w = frames.shape[:4]
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
        if not self.game.tile_layers:  # then there is nothing that `full` adds
            level = level.clamp(max=COMPACT)
        if size is None:
            least = self.game.native_size if len(self.palette) else (h, w)
            size = torch.tensor([max(h, least[0]), max(w, least[1])], device=device).expand(b, 2)

        tokens = self.state(state, level)
        regions = cube_regions(self.game, state, level, origin, grid, slices)
        fine, coarse = self.encoder(frames, visible, origin, size, regions, tokens, before, geometry)

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
            size,
            tokens,
            level,
            cubes,
            grid,
            slices,
        )
        return Decoded(decoded, queries, wanted, state, level, origin)

    def _check_kind(self, frames: Tensor) -> None:
        wanted = 4 if len(self.palette) else 5
        if frames.ndim != wanted or (wanted == 5 and frames.shape[-1] != 3):
            kind = "palette indices [B, T, H, W]" if wanted == 4 else "RGB frames [B, T, H, W, 3]"
            raise DataError(
                f"model {self.config.name} for game '{self.game.name}' takes {kind}, got {list(frames.shape)}"
            )

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
