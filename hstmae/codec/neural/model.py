"""The codec's network: pictures from the game's state, corrected cell by cell by the latents of a stream.

The state's side is the masked autoencoder's decoder with nothing visible: four blocks that read the state tokens, the
state canvas, and the palette head. The stream's side is light: a cell of 2x16x16 pixels becomes one latent, which draws
extra hidden channels and extra logits for the cell's own pixels. Cells without a latent are what the state says. Cells
do not see each other's latents, so the gain of each can be weighed alone when a stream is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...config import ModelConfig
from ...errors import ConfigError
from ...games import GameState, get_game
from ...limits import check_model, check_ranges
from ...models.decoder import CubeContext, Decoder
from ...models.heads import PaletteHead
from ...models.inputs import CubeGrid, Decoded
from ...models.mae import HSTMAE
from ...models.pretrained import Pretrained
from ...models.state.canvas import Canvas, CellCodes
from ...models.state.regions import cube_regions
from ...models.state.tokens import COMPACT, FULL, NONE, StateEncoder
from .bitcoder import ONE
from .grid import CELL, OUTSIDE
from .prior import Layout
from .rvq import ResidualVQ

_PIXELS = 2 * CELL * CELL  # of a cell


@dataclass(frozen=True)
class CodecConfig:
    """Sizes of the codec's own parts, and the autoencoder that they stand on."""

    name: str = "hst-codec-nano"
    model: ModelConfig = field(default_factory=ModelConfig)
    latent: int = 64  # numbers of a cell's latent
    stages: int = 6  # codebooks ...
    codes: int = 512  # ... and vectors in each, a power of two
    channels: int = 12  # numbers that describe a colour, and that a latent draws at each pixel
    rotation: bool = True  # gradient around the quantiser: rotated, else straight through


RANGES = {"latent": (1, 4096), "stages": (1, 32), "codes": (2, 2**16), "channels": (1, 1024)}


def check_codec(config: CodecConfig) -> None:
    """Raises ConfigError where values are out of range or do not go together."""
    check_model(config.model)
    if config.model.screen:
        raise ConfigError("codec.model.screen: a codec of games without tiles is not built")
    check_ranges(config, RANGES, "codec.")
    if config.codes & (config.codes - 1):
        raise ConfigError(f"codec.codes must be a power of two, got {config.codes}")


class CellEncoder(nn.Module):
    """The pixels of a cell, palette indices uint8 [N, 2, 16, 16] (OUTSIDE = unknown), to its latent [N, latent]."""

    def __init__(self, config: CodecConfig, colours: int):
        super().__init__()
        self.colours = colours
        self.colour = nn.Embedding(colours, config.channels)
        self.mean = nn.Parameter(torch.zeros(_PIXELS, config.channels))  # of all cells; stands for unknown pixels
        self.map = nn.Linear(_PIXELS * config.channels, config.latent, bias=False)

    def described(self, cells: Tensor) -> Tensor:
        """Cells -> how their pixels differ from the mean of all cells, [N, 512, channels]; 0 where unknown."""
        flat = cells.flatten(1)
        known = flat != OUTSIDE
        return (self.colour(torch.where(known, flat, 0).int()) - self.mean) * known[..., None]

    def forward(self, cells: Tensor) -> Tensor:
        return self.map(self.described(cells).flatten(1))


class CellDrawer(nn.Module):
    """Latents [N, latent] to numbers at each pixel of the cell, [N, 2, 16, 16, channels + 1]; the last is a 1."""

    def __init__(self, config: CodecConfig):
        super().__init__()
        self.map = nn.Linear(config.latent, _PIXELS * config.channels)

    def forward(self, z: Tensor) -> Tensor:
        drawn = self.map(z).view(len(z), 2, CELL, CELL, -1)
        return torch.cat([drawn, torch.ones_like(drawn[..., :1])], -1)


class CodecModel(Pretrained):
    """State decoder, cell encoder, quantiser and cell drawer of one game."""

    CONFIG, KIND = CodecConfig, "codec model"
    config: CodecConfig
    palette: Tensor
    prior: Tensor  # int32 [contexts], probabilities of a 1 in parts of 65536: see `Layout`
    kept: Tensor  # uint8 [state_size], 1 = a byte of the game's memory that the pictures depend on

    def __init__(self, config: CodecConfig):
        check_codec(config)
        super().__init__()
        self.config = config
        self.layout = Layout(config.stages, config.codes.bit_length() - 1)
        model = config.model
        self.game = game = get_game(model.game)
        colours = len(game.palette)
        self.state = StateEncoder(game, model.state_dim)
        self.decoder = Decoder(model, len(game.regions), bool(game.token_names))
        self.head = PaletteHead(model, game, colours)
        self.canvas = Canvas(game, model.texture_dim) if game.tile_layers else None
        self.cells = CellCodes(game, 24, model.decoder_dim) if game.tile_layers else None
        self.coarse = nn.Parameter(torch.zeros(model.dims[3]))  # what the autoencoder's stage 4 says of nothing visible
        self.cell_encoder = CellEncoder(config, colours)
        self.rvq = ResidualVQ(config.latent, config.stages, config.codes, rotation=config.rotation)
        self.drawer = CellDrawer(config)
        self.to_hidden = nn.Linear(config.channels + 1, model.pixel_dim, bias=False)
        self.to_logits = nn.Linear(config.channels + 1, colours, bias=False)
        nn.init.zeros_(self.to_hidden.weight)
        self.register_buffer("prior", torch.full((self.layout.size,), ONE // 2, dtype=torch.int32))
        self.register_buffer("kept", torch.ones(game.state_size, dtype=torch.uint8))
        self.register_buffer("palette", torch.from_numpy(game.palette.copy()), persistent=False)

    @classmethod
    def least_parameters(cls, config: CodecConfig) -> int:
        check_codec(config)
        cells = 2 * _PIXELS * config.channels * config.latent + config.stages * config.codes * config.latent
        return cells + int(config.model.decoder_depth * 4 * config.model.decoder_dim**2)

    @staticmethod
    @torch.no_grad()
    def from_autoencoder(mae: HSTMAE, config: CodecConfig) -> CodecModel:
        """A codec that, without latents, draws what the autoencoder draws when nothing is visible."""
        model = CodecModel(config)
        for part in ("state", "decoder", "head", "canvas", "cells"):
            mine, other = getattr(model, part), getattr(mae, part)
            if mine is not None:
                mine.load_state_dict(other.state_dict())
        frames = torch.zeros(1, 16, 32, 32, dtype=torch.uint8)
        seen = torch.zeros(1, 0, dtype=torch.long)
        origin = torch.zeros(1, 2, dtype=torch.long)
        native = torch.tensor([mae.game.native_size])
        level = torch.zeros(1, dtype=torch.long)
        grid = CubeGrid((2, 2), 8, origin, native)
        encoded = mae.encoder(frames, seen, grid, cube_regions(mae.game, None, level, grid), mae.state(None, level))
        model.coarse.copy_(encoded.coarse[0, 0, 0])
        return model

    @torch.no_grad()
    def start_cells(self, cells: Tensor, generator: torch.Generator, weight: float = 6.0) -> None:
        """Begin with principal components: the latents that say most about distinct cells [N, 2, 16, 16].

        Colours are described by their RGB values and by random directions that keep apart those of like brightness. A
        pixel's logits then fall with the squared distance, times `weight`, of what is drawn to each colour's own.
        """
        encoder, c = self.cell_encoder, self.config.channels
        rgb = (self.palette.float() - 128) / 128
        apart = torch.randn(len(rgb), c - 3, generator=generator)
        encoder.colour.weight.copy_(torch.cat([rgb, 0.7 * F.normalize(apart, dim=1)], 1))
        encoder.mean.zero_()
        known = (cells.flatten(1) != OUTSIDE).float()
        encoder.mean.copy_(encoder.described(cells).sum(0) / known.sum(0).clamp(min=1)[:, None])
        x = encoder.described(cells).flatten(1)
        _, _, axes = torch.pca_lowrank(x, self.config.latent, center=False, niter=3)
        encoder.map.weight.copy_(axes.t())
        self.drawer.map.weight.copy_(axes)
        self.drawer.map.bias.copy_(encoder.mean.flatten())
        colour = encoder.colour.weight
        self.to_logits.weight.copy_(weight * torch.cat([colour, -0.5 * colour.square().sum(1, keepdim=True)], 1))

    def decode(
        self, state: GameState | None, level: Tensor, queries: Tensor, slices: int, size: tuple[int, int]
    ) -> Decoded:
        """What the state says about cubes of the picture.

        Args:
            state: leading axes [B, T], T = 2 * slices; None = level `none`.
            level: int64 [B].
            queries: int64 [B, Q], flat cube indices (unit * slices + slice).
            size: height and width of the pictures, multiples of 16, the native picture's corner at their corner.
        """
        b, q = queries.shape
        device = queries.device
        origin = torch.zeros(b, 2, dtype=torch.long, device=device)
        least = self.game.native_size
        native = torch.tensor([max(size[0], least[0]), max(size[1], least[1])], device=device).expand(b, 2)
        grid = CubeGrid((size[0] // CELL, size[1] // CELL), slices, origin, native)
        level = torch.full_like(level, NONE) if state is None else level
        if not self.game.tile_layers:
            level = level.clamp(max=COMPACT)
        tokens = self.state(state, level)
        regions = cube_regions(self.game, state, level, grid).flatten(1).gather(1, queries)
        at = grid.places(queries)
        codes = self.cells(state, level == FULL, at) if self.cells is not None and state is not None else None
        place = grid.positions(queries, state, level)
        context = CubeContext(queries, self.coarse.expand(b, q, -1), regions, place, codes)
        x = self.decoder(self.coarse.new_zeros(b, 0, self.config.model.dims[2]), context, tokens, level, grid)
        return Decoded(x, queries, at, state, level, grid)

    def hidden(self, done: Decoded) -> Tensor:
        """The head's hidden channels, before their activation, of each pixel of decoded cubes: [B, Q, 2, 16, 16, P]."""
        return self.head.hidden_of(done, None if self.canvas is None else self.canvas(done))

    def logits(self, hidden: Tensor, drawn: Tensor | None = None) -> Tensor:
        """Hidden channels [..., P], and what latents draw there [..., channels] or None, -> logits [..., K]."""
        if drawn is None:
            return self.head.colours(F.gelu(hidden))
        return self.head.colours(F.gelu(hidden + self.to_hidden(drawn))) + self.to_logits(drawn)

    def forward(self, cells: Tensor, used: Tensor) -> tuple[Tensor, Tensor]:
        """Cells uint8 [N, 2, 16, 16] with `used` int64 [N] stages -> what they draw, zero without any, and the
        commitment loss."""
        coded, commit = self.rvq(self.cell_encoder(cells), used)
        return self.drawer(coded) * (used > 0)[:, None, None, None, None], commit


def draw_cells(drawn: Tensor, local: Tensor, inside: Tensor) -> Tensor:
    """What cells draw, [N, 2, 16, 16, C], at pixels: `local` int64 [...] the place of each pixel's cell in the list
    plus one, 0 = none (zeros); `inside` int64 [...] its pixel -> [..., C]."""
    table = torch.cat([drawn.new_zeros(1, drawn.shape[-1]), drawn.flatten(0, 3)])
    row = torch.where(local > 0, (local - 1) * drawn.shape[1:4].numel() + inside + 1, 0)
    return table.index_select(0, row.flatten()).view(*local.shape, -1)
