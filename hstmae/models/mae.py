"""HST-MAE: the hierarchical spatio-temporal masked autoencoder, put together."""

import math

import torch
from torch import Tensor, nn

from ..config import ModelConfig
from ..errors import ConfigError, DataError
from ..games import get_game
from ..limits import check_model, least_parameters
from .adaptive import AdaptiveHead, clip_palette
from .blocks import init_weights
from .cubes import CUBE, DEPTH, take_cubes, take_units
from .decoder import CubeContext, Decoder
from .encoder import Encoder, StageGeometry
from .heads import PaletteHead, RgbHead
from .inputs import CubeGrid, Decoded, MaskedClips
from .masking import hidden_cubes
from .pretrained import Pretrained
from .state.alignment import StateAlignment
from .state.canvas import Canvas, CellCodes
from .state.regions import cube_regions
from .state.screen import Screen
from .state.tokens import COMPACT, FULL, NONE, StateEncoder


class HSTMAE(Pretrained):
    """Restores the wanted cubes of a clip from its visible units and the game's state.

    The content of units that are not listed as visible never enters the computation.
    """

    CONFIG = ModelConfig
    config: ModelConfig
    palette: Tensor  # uint8 [K, 3], no rows for a true-colour game

    def __init__(self, config: ModelConfig):
        check_model(config)
        super().__init__()
        self.config = config
        self.game = game = get_game(config.game)
        colours, regions = len(game.palette), len(game.regions)
        has_tokens = bool(game.token_names)
        self.encoder = Encoder(config, colours, regions, has_tokens)
        self.state = StateEncoder(game, config.state_dim)
        self.decoder = Decoder(config, regions, has_tokens)
        self.head: PaletteHead | AdaptiveHead | RgbHead
        if config.head == "palette":
            self.head = PaletteHead(config, game, colours)
        else:
            self.head = AdaptiveHead(config) if config.head == "adaptive" else RgbHead(config, game)
        self.apply(init_weights)
        # After init_weights, which is for the transformer: tables and codes have scales of their own.
        if self.head.memory is not None:
            nn.init.normal_(self.head.memory.recall.weight)
        if isinstance(self.head, RgbHead):
            self.head.start_grey()
        self.canvas: Canvas | Screen | None = Canvas(game, config.texture_dim) if game.tile_layers else None
        if config.screen:
            self.canvas = Screen(game, config.texture_dim)
        self.cells = CellCodes(game, 24, config.decoder_dim) if game.tile_layers else None
        self.alignment = StateAlignment(game, config.dims[2]) if config.state_alignment and has_tokens else None
        self.register_buffer("palette", torch.from_numpy(game.palette.copy()), persistent=False)

    @classmethod
    def least_parameters(cls, config: ModelConfig) -> int:
        check_model(config)
        return least_parameters(config)

    def no_weight_decay(self) -> set[str]:
        """Parameters of two dimensions that are no maps, embeddings aside."""
        return {"state.bias", "alignment.queries"}

    def forward(
        self, clips: MaskedClips, queries: Tensor | None = None, *, align: bool = False, features: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Posterior over the palette, or the colour, of every pixel of the wanted cubes.

        Args:
            clips: what the model is given.
            queries: int64 [B, Q], flat cube indices to decode; None = every cube that is not visible.
            align: also predict the state from the visual tokens; needs `state_alignment`.
            features: also give the decoded vectors that the head draws from.
        Returns:
            heads "palette" and "adaptive": logits [B, Q, 2, 16, 16, K] over the colours of the game, or of the clip
            (`clips.palette`); head "rgb": colours [B, Q, 2, 16, 16, 3] scaled to 0 .. 1, not clipped. With `align`,
            that and the prediction, [B, T, K, F + 1] (see `StateAlignment`); with `features`, that and the vectors,
            [B, Q, C].
        Raises:
            DataError: palette frames for a true-colour game, or the other way round.
            ConfigError: `align` for a model that was built without it.
        """
        if align and self.alignment is None:
            raise ConfigError(f"model {self.config.name} predicts no state; build it with state_alignment=true")
        done = self.decode(clips, queries)
        if isinstance(self.head, AdaptiveHead):
            palette = clips.palette or clip_palette(clips.frames, clips.visible, self.config.clip_colours)
            out = self.head(done, palette)
        else:
            out = self.head(done, None if self.canvas is None else self.canvas(done))
        if features:
            return out, done.x
        return (out, self.alignment(done.visual)) if align and self.alignment is not None else out

    def decode(
        self, clips: MaskedClips, queries: Tensor | None = None, geometry: list[StageGeometry] | None = None
    ) -> Decoded:
        """All of `forward` up to its head: one vector per wanted cube, and what the head needs beside it.

        `geometry` saves work: see `Encoder.forward`.
        """
        frames, visible, state = clips.frames, clips.visible, clips.state
        self._check_kind(frames)
        grid = self._grid(clips)
        level = clips.level
        if level is None or state is None:
            level = torch.full((len(frames),), NONE if state is None else FULL, device=frames.device)
        if not self.game.tile_layers:  # then there is nothing that `full` adds
            level = level.clamp(max=COMPACT)
        if queries is None:
            queries = hidden_cubes(visible, math.prod(grid.units), grid.slices)

        tokens = self.state(state, level)
        regions = cube_regions(self.game, state, level, grid)
        encoded = self.encoder(frames, visible, grid, regions, tokens, geometry)

        seen = (visible[:, :, None] * grid.slices + torch.arange(grid.slices, device=frames.device)).flatten(1)
        cubes = torch.cat([seen, queries], 1) if visible.shape[1] else queries  # [B, V + Q]
        codes = None
        if self.cells is not None and state is not None:
            codes = self.cells(state, level == FULL, grid.places(cubes))
        context = CubeContext(
            cubes,
            self._above(encoded.coarse, cubes, grid),
            take_cubes(regions, cubes),
            grid.positions(cubes, state, level),
            codes,
        )
        x = self.decoder(encoded.fine.flatten(1, 2), context, tokens, level, grid)
        return Decoded(x, queries, grid.places(queries), state, level, grid, encoded.visual)

    def _grid(self, clips: MaskedClips) -> CubeGrid:
        """Where the cubes of the clips lie, with the defaults of `MaskedClips` filled in."""
        b, t, h, w = clips.frames.shape[:4]
        origin, size, device = clips.origin, clips.size, clips.frames.device
        if origin is None:
            origin = torch.zeros(b, 2, dtype=torch.long, device=device)
        if size is None:
            least = self.game.native_size if len(self.palette) else (h, w)
            size = torch.tensor([max(h, least[0]), max(w, least[1])], device=device).expand(b, 2)
        return CubeGrid((h // CUBE, w // CUBE), t // DEPTH, origin, size)

    def _check_kind(self, frames: Tensor) -> None:
        wanted = 4 if len(self.palette) else 5
        if frames.ndim != wanted or (wanted == 5 and frames.shape[-1] != 3):
            kind = "palette indices [B, T, H, W]" if wanted == 4 else "RGB frames [B, T, H, W, 3]"
            raise DataError(
                f"model {self.config.name} for game '{self.game.name}' takes {kind}, got {list(frames.shape)}"
            )

    @staticmethod
    def _above(coarse: Tensor, cubes: Tensor, grid: CubeGrid) -> Tensor:
        """Stage-4 cells [B, cells, S, C] over the given cubes -> [B, L, C]."""
        unit, piece = cubes // grid.slices, cubes % grid.slices
        columns = grid.units[1]
        cell = (unit // columns // 2) * ((columns + 1) // 2) + unit % columns // 2
        return take_units(coarse.flatten(1, 2), cell * grid.slices + piece)
