"""The state canvas for inference: textures already multiplied by the head's matrix, and which of them each pixel adds.

See `canvas.Canvas` for what the layers are; this module finds the same texels, for whole frames at a time.
"""

import torch
from torch import Tensor

from ...games import GameState
from ..inputs import CubeGrid
from ..state.canvas import Canvas

_PER_SPRITE = 2  # rows of a sprite's pixel: its texture and its attribute


class FastCanvas:
    """One table for everything a pixel can show, float32 [rows, pixel_dim]. Row 0 is zero: nothing here."""

    @torch.no_grad()
    def __init__(self, canvas: Canvas, hidden: Tensor) -> None:
        """hidden: the head's first matrix, [pixel_dim, 3 * texture_dim + ...]: ground, front sprite, second sprite."""
        self.game, d = canvas.game, canvas.dim
        ground, front, second = (hidden[:, i * d : (i + 1) * d].t() for i in range(3))
        parts = [hidden.new_zeros(1, len(hidden))]
        self.layers: list[int] = []  # where each layer's rows begin; an extra id at its end is blank
        for layer, table in zip(self.game.tile_layers, canvas.tiles, strict=True):
            self.layers.append(sum(map(len, parts)))
            weight = table.weight
            assert isinstance(weight, Tensor)
            parts += [weight[1:].float() @ ground, hidden.new_zeros(layer.cell**2, len(hidden))]
        self.sprites: list[tuple[int, int]] = []  # for the first and the second sprite: textures, attributes
        for matrix in (front, second):
            begin = sum(map(len, parts))
            parts += [canvas.sprite.weight[1:].float() @ matrix, canvas.attribute.weight[1:].float() @ matrix]
            self.sprites.append((begin, begin + len(parts[-2])))
        self.table = torch.cat(parts)

    def rows(self, state: GameState, clip: int, piece: int, grid: CubeGrid, units: Tensor) -> Tensor:
        """Which rows each pixel adds up.

        Args:
            state: leading axes [B, T]; clip, piece: which sample and which slice of it.
            units: int64 [n], the units of the slice that are wanted.
        Returns:
            int32 [2, n, 256, R]: frame of the slice, unit, pixel, rows.
        """
        (h, w), origin = grid.size, grid.origin[clip]
        columns = grid.units[1]
        bands, band = (units // columns).unique(return_inverse=True)  # rows of units of which some are wanted
        wanted = (16 * bands[:, None] + torch.arange(16, device=units.device)).flatten()
        frames = slice(2 * piece, 2 * piece + 2)
        layers = len(self.layers)
        out = torch.zeros(2, len(wanted), w, layers + 2 * _PER_SPRITE, dtype=torch.int32, device=units.device)
        y, x = wanted + origin[0], torch.arange(w, device=units.device) + origin[1]
        for i, (layer, begin) in enumerate(zip(self.game.tile_layers, self.layers, strict=True)):
            c = layer.cell
            corner = state.tile_xy[i][clip, frames].long()  # [2, 2]
            ids = torch.nn.functional.pad(state.tiles[i][clip, frames].int(), (0, 1, 0, 1), value=layer.ids)
            first = ids * (c * c) + begin
            dy, dx = y - corner[:, 1:], x - corner[:, :1]  # [2, h], [2, w]
            row, col = dy.div(c, rounding_mode="floor"), dx.div(c, rounding_mode="floor")
            row = torch.where((row >= 0) & (row < layer.rows), row, layer.rows)
            col = torch.where((col >= 0) & (col < layer.cols), col, layer.cols)
            within_y, within_x = (dy % c * c).int(), (dx % c).int()
            for f in range(2):
                along = first[f].index_select(1, col[f]) + within_x[f]
                torch.add(along.index_select(0, row[f]), within_y[f, :, None], out=out[f, :, :, i])
        place = torch.full((h,), -1, device=units.device)
        place[wanted] = torch.arange(len(wanted), device=units.device)
        self._place_sprites(out, state.sprites[clip, frames].long(), origin, place)
        cubes = out.view(2, len(bands), 16, columns, 16, -1).transpose(2, 3).reshape(2, len(bands) * columns, 256, -1)
        return cubes.index_select(1, band * columns + units % columns)

    def _place_sprites(self, out: Tensor, sprites: Tensor, origin: Tensor, place: Tensor) -> None:
        """Write the rows of the first two sprites (in order of priority) over each pixel into out [2, rows, w, R].

        place: int64 [h], which of its rows each row of the picture is, -1 for none.
        """
        s, n = self.game.sprite_size, sprites.shape[1]
        h, (rows, w) = len(place), out.shape[1:3]
        step = torch.arange(s, device=out.device)
        y = (sprites[..., 1] - origin[0])[..., None, None] + step[:, None]
        x = (sprites[..., 0] - origin[1])[..., None, None] + step
        shown = (sprites[..., 1] < self.game.native_size[0])[..., None, None]
        inside = (y >= 0) & (y < h) & (x >= 0) & (x < w) & shown  # [2, n, s, s]
        inside &= place[y.clamp(0, h - 1)] >= 0
        frame, number, dy, dx = inside.nonzero().unbind(1)
        if not len(frame):
            return
        x0, y0, tile, attribute = sprites[frame, number].unbind(1)
        pixel = place[y0 - origin[0] + dy] * w + x0 - origin[1] + dx + frame * (rows * w)
        dy = torch.where(attribute & self.game.looks.flip_y_bit > 0, s - 1 - dy, dy)
        dx = torch.where(attribute & self.game.looks.flip_x_bit > 0, s - 1 - dx, dx)
        texel = ((tile * s + dy) * s + dx).int()
        kind = (attribute % min(self.game.looks.flip_x_bit, self.game.looks.flip_y_bit)).int()
        flat = out.view(2 * rows * w, -1)
        top = torch.full((2 * rows * w,), n, dtype=torch.long, device=out.device)
        for k, (textures, attributes) in enumerate(self.sprites):
            top.index_fill_(0, pixel, n).scatter_reduce_(0, pixel, number, "amin")
            chosen = top[pixel] == number
            column = len(self.layers) + k * _PER_SPRITE
            flat[pixel[chosen], column] = texel[chosen] + textures
            flat[pixel[chosen], column + 1] = kind[chosen] + attributes
            rest = ~chosen
            pixel, number, texel, kind = pixel[rest], number[rest], texel[rest], kind[rest]
