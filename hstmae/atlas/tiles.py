"""What each tile looks like, wherever it stands: on consoles with tiled backgrounds that is the same pixels each time.

A network learns what is frequent; a tile seen three times in all of training it draws badly. Here two visits that
agree are enough.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..games.pixels import View
from .recolouring import Pictures, completed, recoloured, steady


@dataclass
class TileLooks:
    """Tiles of one of a game's layers by id and `ConsoleLooks.tile_globals`.

    Attributes:
        keys: int32 [N, 1 + globals], ascending: look globals, then the id.
        colours: uint8 [N, cell, cell] palette entries; kinds uint8 likewise, see `atlas.kinds_of`.
    """

    ARRAYS: ClassVar = ("keys", "colours", "kinds")  # what a file holds

    keys: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), np.int32))
    colours: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1), np.uint8))
    kinds: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1), np.uint8))
    _made: dict[tuple[int, ...], Pictures] = field(default_factory=dict, init=False, repr=False)
    _own: np.ndarray | None = field(default=None, init=False, repr=False)

    def paint(self, ids: np.ndarray, view: View, number: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Draw a clip's tiles.

        Args:
            ids: int16 [T, H, W], id of the tile under each pixel, -1 = not known (see `View.tile_ids`).
            view: the clip, with state.
            number: of the layer.
        Returns:
            (palette entries uint8 [T, H, W], kinds uint8 [T, H, W]; 0 where the tile was never seen).
        """
        colours, kinds = np.zeros(ids.shape, np.uint8), np.zeros(ids.shape, np.uint8)
        if not len(self.keys):
            return colours, kinds
        look, made = self.of_clip(ids, view, number)
        cell, (y, x), rows = view.game.tile_layers[number].cell, view.from_corner(number), rows_of(ids)
        for t in range(len(ids)):
            pictures, sorts = made[tuple(look[t].tolist())]
            place = places(ids[t, rows], y[t, rows], x[t], cell)  # id -1 reads the spare last entry
            colours[t, rows], kinds[t, rows] = pictures.take(place), sorts.take(place)
        return colours, kinds

    def of_clip(
        self, ids: np.ndarray, view: View, number: int = 0
    ) -> tuple[np.ndarray, dict[tuple[int, ...], Pictures]]:
        """All tiles as they look in a clip: those that were seen so in training, those of which the clip itself shows
        pixels, and others in the colours that these tell (see `recolouring`). Arguments as of `paint`.

        Returns:
            The look of each frame int32 [T, globals], and for each look colours and kinds, uint8 [ids + 1, cell, cell];
            0 where not known.
        """
        game, layer = view.game, view.game.tile_layers[number]
        look = np.asarray(view.needed_state().globals)[:, list(game.looks.tile_globals)].astype(np.int32)
        palettes = (0,) * layer.ids if number else game.looks.tile_palettes
        changing = (game.looks.cycling_tiles, game.looks.cycling_text)[number]
        rows = rows_of(ids)
        ids, (y, x) = ids[:, rows], view.from_corner(number)
        y, frames = y[:, rows], view.frames[:, rows]
        usable = ~view.mask[:, rows] & ~view.moving[:, rows] & (ids >= 0)
        every = [tuple(key) for key in np.unique(self.keys[:, :-1], axis=0).tolist()]
        made = {}
        for key in np.unique(look, axis=0):
            some = np.flatnonzero((look == key).all(1)).tolist()
            seen = self.seen(key, layer.ids)
            needed = np.zeros(layer.ids + 1, bool)  # -1 is the last
            needed[list(game.looks.guessed_tiles) if number == 0 else []] = True
            for t in some:
                needed[ids[t]] = True
            if not steady(seen[1][:-1][needed[:-1]]).all():
                place = [places(ids[t], y[t], x[t], layer.cell)[usable[t]] for t in some]
                shown = [frames[t][usable[t]] for t in some]
                seen = completed(seen, np.concatenate(place), np.concatenate(shown), changing)
                others = [self.seen(np.array(other), layer.ids) for other in every if other != tuple(key.tolist())]
                seen = recoloured(seen, others, palettes) if palettes else seen
            made[tuple(key.tolist())] = seen
        return look, made

    def solid(self, view: View) -> np.ndarray:
        """Where a clip's tiles of the first layer have something of their own, whatever its colour: bool [T, H, W].

        An outline may have the colour of the backdrop, as black ones at night. It differs from the backdrop where that
        has another colour.
        """
        layer = view.game.tile_layers[0]
        if self._own is None:
            self._own = np.zeros((layer.ids + 1, layer.cell, layer.cell), bool)
            for look in np.unique(self.keys[:, :-1], axis=0):
                pictures, kinds = self.seen(look, layer.ids)
                blank = pictures[0][kinds[0] > 0]
                if len(blank):
                    self._own |= (kinds > 0) & (pictures != np.bincount(blank).argmax())
        y, x = (along % layer.cell for along in view.from_corner(0))
        found: np.ndarray = self._own[view.tile_ids(0), y[:, :, None], x[:, None]]  # id -1 reads the spare last entry
        return found

    def seen(self, look: np.ndarray, ids: int) -> Pictures:
        """All tiles that were seen with one look: palette entries and kinds, uint8 [ids + 1, cell, cell]; 0 where it
        never was."""
        key = tuple(int(v) for v in look)
        if key not in self._made:
            same = np.flatnonzero((self.keys[:, :-1] == look).all(1))
            made = np.zeros((2, ids + 1, *self.colours.shape[1:]), np.uint8)
            made[:, self.keys[same, -1]] = self.colours[same], self.kinds[same]
            self._made[key] = (made[0], made[1])
        return self._made[key]

    def fits(self) -> bool:
        """Whether the arrays fit each other."""
        return (
            self.keys.ndim == 2
            and self.colours.ndim == 3
            and self.keys.dtype == np.int32
            and self.colours.dtype == self.kinds.dtype == np.uint8
            and self.colours.shape == self.kinds.shape
            and len(self.keys) == len(self.colours)
        )


def rows_of(ids: np.ndarray) -> slice:
    """Rows of int16 [T, H, W] between which all ids lie that are known; of a status bar these are few."""
    some = np.flatnonzero((ids >= 0).any((0, 2)))
    return slice(int(some[0]), int(some[-1]) + 1) if len(some) else slice(0, 0)


def places(ids: np.ndarray, y: np.ndarray, x: np.ndarray, cell: int) -> np.ndarray:
    """Where the pixels of a frame stand in pictures [ids, cell, cell] of its tiles, flat int64 [H, W]: negative for -1.

    Args:
        ids: int16 [H, W]; y, x: [H] and [W] from the corner of the grid.
    """
    return ids * np.int64(cell * cell) + (y % cell * cell)[:, None] + x % cell
