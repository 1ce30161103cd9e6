"""From decoded queries and canvas features to every pixel: a posterior over the palette, or red, green and blue."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import ModelConfig
from ..games import GameSpec, GameState
from .inputs import Decoded
from .state.place_memory import NOT_KEPT, PlaceMemory
from .state.tokens import COMPACT, FULL

GREY = 0.5  # mean output of an untrained head ...
START_SPREAD = 0.1  # ... and by how much its fresh weights are scaled down


class PaletteHead(nn.Module):
    """Canvas features (exact, per pixel) and decoded content (per cell) meet in a small network per pixel.

    A decoded query predicts codes: one for each cell that the cube touches, drawn with a learned basis at the cell's
    exact offset (so that content and sub-cell shift stay apart), and one for the cube itself, at no offset. The place
    memory adds to the codes of cells. Global state (area type, colour cycle) scales and shifts the hidden channels.
    """

    def __init__(self, config: ModelConfig, game: GameSpec, colours: int):
        super().__init__()
        self.cell = game.tile_layers[0].cell if game.tile_layers else 16
        self.side = -(-16 // self.cell) + 1
        self.pieces = self.side**2
        self.channels, self.code = config.texture_dim // 2, config.code_dim
        self.codes = nn.Linear(config.decoder_dim, 2 * (self.pieces + 1) * self.code)
        kept = bool(game.tile_layers) and config.places != NOT_KEPT
        self.memory = PlaceMemory(game, self.code, config.places) if kept else None
        self.cell_basis = nn.Linear(self.code, self.cell**2 * self.channels, bias=False)
        self.cube_basis = nn.Linear(self.code, 256 * self.channels, bias=False)
        canvas = 3 * config.texture_dim if game.tile_layers or config.screen else 0
        self.hidden = nn.Linear(canvas + self.channels, config.pixel_dim)
        self.globals = nn.Embedding(256 * game.globals_count + 1, config.pixel_dim)  # the last: state not given
        self.film = nn.Linear(config.pixel_dim, 2 * config.pixel_dim)
        self.colours = nn.Linear(config.pixel_dim, colours)
        nn.init.normal_(self.globals.weight, std=0.1)

    def forward(self, done: Decoded, canvas: Tensor | None) -> Tensor:
        """canvas [B, Q, 2, 16, 16, 3 D] or None -> logits [B, Q, 2, 16, 16, K]."""
        return self.colours(F.gelu(self.hidden_of(done, canvas)))

    def hidden_of(self, done: Decoded, canvas: Tensor | None) -> Tensor:
        """The hidden channels of each pixel before their activation: [B, Q, 2, 16, 16, pixel_dim]."""
        drawn = self._draw(done)
        pixels = drawn if canvas is None else torch.cat([canvas.to(drawn.dtype), drawn], -1)
        film = self.frame_globals(done.state, done.level)
        if film.ndim == 3:
            film = film[done.at.row[..., 0, 0], done.at.frame[..., 0, 0]][:, :, :, None, None]
        scale, shift = self.film(film).chunk(2, -1)  # [B, Q, 2, 1, 1, pixel_dim], or [pixel_dim] without a state
        return self.hidden(pixels) * (1 + scale) + shift

    def _draw(self, done: Decoded) -> Tensor:
        """Codes -> [B, Q, 2, 16, 16, D / 2]."""
        x, state, level, at = done.x, done.state, done.level, done.at
        b, q = x.shape[:2]
        content, cube = self.codes_of(done)
        whole = self.cube_basis(cube).view(b, q, 2, 16, 16, self.channels)
        n, c = self.side, self.cell
        cells = self.cell_basis(content).view(b, q, 2, n, n, c, c, self.channels)
        wide = cells.permute(0, 1, 2, 3, 5, 4, 6, 7).reshape(b, q, 2, (n * c) ** 2, self.channels)
        oy = ox = torch.zeros(b, q, 2, dtype=torch.long, device=x.device)
        if state is not None and state.tile_xy:
            row, frame = at.row[..., 0, 0], at.frame[..., 0, 0]
            tiled = (level >= COMPACT)[:, None, None]
            oy = torch.where(tiled, (at.y[:, :, :, 0, 0] - state.tile_xy[0][row, frame, 1].long()) % c, 0)
            ox = torch.where(tiled, (at.x[:, :, :, 0, 0] - state.tile_xy[0][row, frame, 0].long()) % c, 0)
        step = torch.arange(16, device=x.device)
        pick = (oy[..., None, None] + step[:, None]) * (n * c) + ox[..., None, None] + step  # [B, Q, 2, 16, 16]
        pick = pick.flatten(3)[..., None].expand(-1, -1, -1, -1, self.channels)
        return whole + wide.gather(3, pick).view(b, q, 2, 16, 16, self.channels)

    def codes_of(self, done: Decoded) -> tuple[Tensor, Tensor]:
        """Codes of the cells that each cube touches [B, Q, 2, cells, code] and its own [B, Q, 2, code]."""
        codes = self.codes(done.x).view(*done.queries.shape, 2, self.pieces + 1, self.code)
        content = codes[..., :-1, :]
        if self.memory is not None and done.state is not None:
            content = content + self.memory(done.state, done.level, done.at).flatten(3, 4)
        return content, codes[..., -1, :]

    def frame_globals(self, state: GameState | None, level: Tensor) -> Tensor:
        """Embedded global state of each frame: [B, T, pixel_dim], or [pixel_dim] for all without a state."""
        last = self.globals.num_embeddings - 1
        nothing = self.globals.weight[last]
        if state is None:
            return nothing
        offsets = 256 * torch.arange(state.globals.shape[-1], device=nothing.device)
        found = self.globals(state.globals.long() + offsets).sum(-2)  # [B, T, pixel_dim]
        return torch.where((level == FULL)[:, None, None], found, nothing)


class RgbHead(nn.Module):
    """One linear map from a query to the colours of its cube, as masked autoencoders of natural video have; where the
    game has tile layers, plus a palette head with three colour channels in place of logits."""

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

    def forward(self, done: Decoded, canvas: Tensor | None) -> Tensor:
        """canvas [B, Q, 2, 16, 16, 3 D] or None -> colours [B, Q, 2, 16, 16, 3], about 0 .. 1.

        They are not clipped, so that gradients reach every pixel; who reads them out does it.
        """
        # Autocast would leave eight bits of a colour, the size of one step of an 8-bit picture.
        with torch.autocast(done.x.device.type, enabled=False):
            colours = GREY + self.cube(done.x.to(self.cube.weight.dtype)).unflatten(-1, (2, 16, 16, 3))
        return colours if self.drawn is None else colours + self.drawn(done, canvas)
