"""Which texels of the state canvas each pixel shows, in NumPy: see `models.fast.canvas`."""

from __future__ import annotations

import numpy as np

from ..games import GameSpec, GameState

_PER_SPRITE = 2  # rows of a sprite's pixel: its texture and its attribute


class Canvas:
    """One table for everything a pixel can show, float32 [rows, pixel_dim]. Row 0 is zero: nothing here."""

    def __init__(self, game: GameSpec, tables: dict[str, np.ndarray], hidden: np.ndarray) -> None:
        """
        Args:
            tables: textures by the names of the model's weights (`canvas.tiles.0`, ..., `canvas.sprite`,
                `canvas.attribute`), [texels + 1, dim].
            hidden: the head's first matrix [pixel_dim, 3 * dim + ...]: ground, front sprite, second sprite.
        """
        self.game = game
        dim = tables["canvas.sprite"].shape[1]
        ground, front, second = (hidden[:, i * dim : (i + 1) * dim].T.astype(np.float32) for i in range(3))
        parts = [np.zeros((1, len(hidden)), np.float32)]
        self.layers: list[int] = []  # where each layer's rows begin; an extra id at its end is blank
        for i, layer in enumerate(game.tile_layers):
            self.layers.append(sum(map(len, parts)))
            blank = np.zeros((layer.cell**2, len(hidden)), np.float32)
            parts += [tables[f"canvas.tiles.{i}"][1:].astype(np.float32) @ ground, blank]
        self.sprites: list[tuple[int, int]] = []  # for the first and the second sprite: textures, attributes
        for matrix in (front, second):
            begin = sum(map(len, parts))
            parts += [tables[f"canvas.{name}"][1:].astype(np.float32) @ matrix for name in ("sprite", "attribute")]
            self.sprites.append((begin, begin + len(parts[-2])))
        self.table = np.concatenate(parts)

    def rows(self, state: GameState, frame: int, size: tuple[int, int], origin: tuple[int, int]) -> np.ndarray:
        """Which rows each pixel of a frame adds up: int32 [H, W, R]."""
        (h, w), s = size, self.game.sprite_size
        out = np.zeros((h, w, len(self.layers) + 2 * _PER_SPRITE), np.int32)
        y, x = np.arange(h) + origin[0], np.arange(w) + origin[1]
        for i, (layer, begin) in enumerate(zip(self.game.tile_layers, self.layers, strict=True)):
            c = layer.cell
            left, top = (int(n) for n in state.tile_xy[i][frame])
            ids = np.pad(state.tiles[i][frame].astype(np.int32), (0, 1), constant_values=layer.ids)
            row, col = (y - top) // c, (x - left) // c
            row[(row < 0) | (row >= layer.rows)] = layer.rows
            col[(col < 0) | (col >= layer.cols)] = layer.cols
            texel = ((y - top) % c * c)[:, None] + ((x - left) % c)[None]
            out[..., i] = ids[row[:, None], col[None]] * (c * c) + begin + texel
        self._place_sprites(out.reshape(h * w, -1), state.sprites[frame].astype(np.int64), size, origin, s)
        return out

    def _place_sprites(
        self, flat: np.ndarray, sprites: np.ndarray, size: tuple[int, int], origin: tuple[int, int], s: int
    ) -> None:
        """Write the rows of the first two sprites (in order of priority) over each pixel into flat [H * W, R]."""
        (h, w), looks, step = size, self.game.looks, np.arange(s)
        y = (sprites[:, 1] - origin[0])[:, None, None] + step[:, None]
        x = (sprites[:, 0] - origin[1])[:, None, None] + step
        shown = (sprites[:, 1] < self.game.native_size[0])[:, None, None]
        number, dy, dx = np.nonzero((y >= 0) & (y < h) & (x >= 0) & (x < w) & shown)
        if not len(number):
            return
        x0, y0, tile, attribute = sprites[number].T
        pixel = (y0 - origin[0] + dy) * w + x0 - origin[1] + dx
        dy = np.where(attribute & looks.flip_y_bit > 0, s - 1 - dy, dy)
        dx = np.where(attribute & looks.flip_x_bit > 0, s - 1 - dx, dx)
        texel, kind = (tile * s + dy) * s + dx, attribute % min(looks.flip_x_bit, looks.flip_y_bit)
        order = np.argsort(pixel, kind="stable")  # those in front come first
        pixel = pixel[order]
        rank = np.arange(len(pixel)) - np.maximum.accumulate(
            np.where(np.diff(pixel, prepend=-1) != 0, np.arange(len(pixel)), 0)
        )
        for k, (textures, attributes) in enumerate(self.sprites):
            chosen = order[rank == k]
            column = len(self.layers) + k * _PER_SPRITE
            flat[pixel[rank == k], column] = texel[chosen] + textures
            flat[pixel[rank == k], column + 1] = kind[chosen] + attributes
