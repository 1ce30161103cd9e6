"""The state canvas: learned textures placed at the exact pixels where the game's memory has tiles and sprites.

Nothing of a game's graphics is built in. A GameSpec lists layers; ids and positions become texel numbers per pixel of
the wanted cubes, and a head reads the learned features there. Attention then only has to predict the content of unknown
cells, never shifts by single pixels.
"""

import torch
from torch import Tensor, nn

from ...games import GameSpec, GameState
from ..inputs import CubeGrid, Decoded, Places
from .tokens import FULL


class Canvas(nn.Module):
    """Texture tables of all layers, read as [B, Q, 2, 16, 16, 3 * D]: tiles and text, front sprite, next."""

    def __init__(self, game: GameSpec, dim: int):
        super().__init__()
        self.game, self.dim = game, dim
        self.tiles = nn.ModuleList(_texture(layer.ids * layer.cell**2, dim) for layer in game.tile_layers)
        self.sprite = _texture(game.sprite_tiles * game.sprite_size**2, dim)
        self.attribute = _texture(game.sprite_attributes, dim)

    def forward(self, done: Decoded) -> Tensor:
        """Features of the pixels of decoded cubes; zero for clips that are not at state level `full`."""
        if done.state is None:
            return done.x.new_zeros(*done.queries.shape, 2, 16, 16, 3 * self.dim)
        return self.features(done.state, done.level == FULL, done.at, done.grid)

    def features(self, state: GameState, full: Tensor, at: Places, grid: CubeGrid) -> Tensor:
        """full: bool [B], samples whose layers may be used."""
        allowed = full[:, None, None, None, None]
        ground: Tensor | None = None
        for layer, table, ids, xy in zip(self.game.tile_layers, self.tiles, state.tiles, state.tile_xy, strict=True):
            dy = at.y - xy[at.row, at.frame, 1].long()
            dx = at.x - xy[at.row, at.frame, 0].long()
            row, col = dy // layer.cell, dx // layer.cell
            inside = (row >= 0) & (row < layer.rows) & (col >= 0) & (col < layer.cols) & allowed
            tile = ids[at.row, at.frame, row.clamp(0, layer.rows - 1), col.clamp(0, layer.cols - 1)].long()
            texel = (tile * layer.cell + dy % layer.cell) * layer.cell + dx % layer.cell + 1
            texture = table(torch.where(inside, texel, 0))
            ground = texture if ground is None else ground + texture
        front, second = self._sprites(state, allowed, at, grid)
        parts = [front, second] if ground is None else [ground, front, second]
        return torch.cat(parts, -1)

    def _sprites(self, state: GameState, allowed: Tensor, at: Places, grid: CubeGrid) -> tuple[Tensor, Tensor]:
        """Features of the first two sprites (in order of priority) over each wanted pixel."""
        s = self.game.sprite_size
        sprites = state.sprites.long()  # [B, T, N, 4]
        b, t, n = sprites.shape[:3]
        if not n:
            nothing = self.sprite(torch.zeros_like(at.y + at.x + at.row + at.frame))
            return nothing, nothing
        (h, w), origin = grid.size, grid.origin
        step = torch.arange(s, device=sprites.device)
        y = (sprites[..., 1] - origin[:, None, None, 0])[..., None, None] + step[:, None]
        x = (sprites[..., 0] - origin[:, None, None, 1])[..., None, None] + step  # [B, T, N, s, s] with y
        shown = (sprites[..., 1] < self.game.native_size[0])[..., None, None]
        inside = (y >= 0) & (y < h) & (x >= 0) & (x < w) & shown
        flat = torch.where(inside, y * w + x, h * w).flatten(2)  # [B, T, N * s * s]; one spare place for the rest
        number = torch.arange(n, device=sprites.device).repeat_interleave(s * s).expand(b, t, -1)
        empty = torch.full((b, t, h * w + 1), n, dtype=torch.long, device=sprites.device)
        first = empty.scatter_reduce(2, flat, number, "amin")
        rest = torch.where(first.gather(2, flat) == number, n, number)
        second = empty.scatter_reduce(2, flat, rest, "amin")
        pixel = (at.y - origin[:, 0, None, None, None, None]) * w + at.x - origin[:, 1, None, None, None, None]
        return (
            self._sprite_features(sprites, first[at.row, at.frame, pixel], allowed, at),
            self._sprite_features(sprites, second[at.row, at.frame, pixel], allowed, at),
        )

    def _sprite_features(self, sprites: Tensor, number: Tensor, allowed: Tensor, at: Places) -> Tensor:
        n, s = sprites.shape[2], self.game.sprite_size
        there = (number < n) & allowed
        x, y, tile, attribute = sprites[at.row, at.frame, number.clamp(max=n - 1)].unbind(-1)
        dy, dx = (at.y - y).clamp(0, s - 1), (at.x - x).clamp(0, s - 1)
        dy = torch.where(attribute & self.game.looks.flip_y_bit > 0, s - 1 - dy, dy)
        dx = torch.where(attribute & self.game.looks.flip_x_bit > 0, s - 1 - dx, dx)
        kind = attribute % min(self.game.looks.flip_x_bit, self.game.looks.flip_y_bit)
        texel = torch.where(there, (tile * s + dy) * s + dx + 1, 0)
        return self.sprite(texel) + self.attribute(torch.where(there, kind + 1, 0))


class CellCodes(nn.Module):
    """Tile ids around a cube: two 3x3 convolutions over embedded ids, read at its cells."""

    def __init__(self, game: GameSpec, dim: int, out: int):
        super().__init__()
        self.layer = game.tile_layers[0]
        self.side = -(-16 // self.layer.cell) + 1  # cells that a cube can touch along one side
        self.embed = nn.Embedding(self.layer.ids, dim)
        self.mix = nn.Sequential(
            nn.Conv2d(dim, dim, 3, padding=1), nn.GELU(), nn.Conv2d(dim, dim, 3, padding=1), nn.GELU()
        )
        self.out = nn.Linear(2 * self.side**2 * dim + 4, out)

    def forward(self, state: GameState, full: Tensor, at: Places) -> Tensor:
        """-> [B, Q, out], zero for samples that are not `full`."""
        ids = state.tiles[0]
        b, t = ids.shape[:2]
        grid = self.embed(ids.long().flatten(0, 1))  # [B * T, rows, cols, dim]
        code = grid + self.mix(grid.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        code = code.unflatten(0, (b, t))
        cell = self.layer.cell
        xy = state.tile_xy[0].long()
        dy = at.y[:, :, :, 0, 0] - xy[at.row[..., 0, 0], at.frame[..., 0, 0], 1]  # [B, Q, 2]
        dx = at.x[:, :, :, 0, 0] - xy[at.row[..., 0, 0], at.frame[..., 0, 0], 0]
        near = torch.arange(self.side, device=ids.device)
        row, col = (dy // cell)[..., None, None] + near[:, None], (dx // cell)[..., None, None] + near
        inside = (row >= 0) & (row < self.layer.rows) & (col >= 0) & (col < self.layer.cols)
        found = code[at.row, at.frame, row.clamp(0, self.layer.rows - 1), col.clamp(0, self.layer.cols - 1)]
        found = (found * inside[..., None]).flatten(2)
        phase = torch.cat([dy % cell, dx % cell], -1).to(found.dtype) / cell
        return self.out(torch.cat([found, phase], -1)) * full[:, None, None]


def _texture(texels: int, dim: int) -> nn.Embedding:
    """Row 0 is "nothing here" and stays zero."""
    table = nn.Embedding(texels + 1, dim, padding_idx=0)
    nn.init.normal_(table.weight, std=0.2)
    with torch.no_grad():
        table.weight[0] = 0
    return table
