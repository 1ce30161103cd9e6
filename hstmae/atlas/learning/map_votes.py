"""The votes of all visits to one map, and the map they make by majority."""

from __future__ import annotations

import warnings

import numpy as np

from ...games import GameSpec
from ..kinds import kinds_of
from ..maps import WorldMap
from .visits import UNSEEN, VARIES, Visit

_TILES_ABOVE = 1 << 14  # no tile id is as large


def tile_votes(place: np.ndarray, tile: np.ndarray) -> np.ndarray:
    """Votes on the tile ids of places: int64 of the same shape, for `most_voted`."""
    return place.astype(np.int64) * _TILES_ABOVE + tile


def most_voted(votes: list[np.ndarray], places: int) -> np.ndarray:
    """The tile that most of the votes (see `tile_votes`) name at each place: int16 [places], -1 without any."""
    key, count = np.unique(np.concatenate(votes), return_counts=True)
    tiles = np.full(places, -1, np.int16)
    order = np.argsort(count, kind="stable")  # the most frequent one is written last
    tiles[key[order] // _TILES_ABOVE] = key[order] % _TILES_ABOVE
    return tiles


class MapVotes:
    """The votes of all visits of one map."""

    def __init__(self, game: GameSpec, visits: list[Visit]) -> None:
        self.game, self.visits = game, visits
        self.entries = np.array(game.shown_entries or range(len(game.palette)), np.uint8)
        self.width = max(v.left + v.colours.shape[1] for v in visits)
        self.cell = game.tile_layers[0].cell if game.tile_layers else 0
        self.grid_top = min(v.grid_top for v in visits)
        self.tiles = self._tiles()
        height = max(v.above + len(v.colours) for v in visits)
        self.counts = np.zeros((len(self.entries) + 1, height, self.width), np.uint16)
        self.fixed = np.zeros((len(self.entries) + 1, *game.native_size), np.uint16)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing
            mean = np.nanmean(np.stack([v.fixed_mean for v in visits]), 0)
        self.mean = np.rint(np.nan_to_num(mean)).astype(np.uint8)
        self.usual = np.zeros((len(self.entries), height, self.width), np.uint16)
        for visit in visits:
            self._add(self.counts, self.fixed, visit, 1)
            here = self.usual[self._place(visit)]
            for k, entry in enumerate(self.entries):
                here[k] += visit.usual == entry

    def world(self, without: Visit | None = None) -> WorldMap:
        """The map by majority; `without` leaves one visit's votes out."""
        counts, fixed = self.counts, self.fixed
        if without is not None:
            counts, fixed = counts.copy(), fixed.copy()
            self._add(counts, fixed, without, -1)
        colours, kinds = self._majority(counts)
        glowing = (kinds > 0) & ~counts[:-1].any(0)  # several colours on every visit: the most frequent one
        colours[glowing] = self.entries[self.usual.argmax(0)[glowing]]
        bar, bar_kinds = self._majority(fixed)
        return WorldMap(colours, kinds, self.tiles, bar, bar_kinds, self.mean, self.grid_top)

    def _majority(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        number, kinds = kinds_of(counts[:-1], counts.sum(0, dtype=np.int32))
        return np.where(kinds > 0, self.entries[number], 0).astype(np.uint8), kinds

    def _add(self, counts: np.ndarray, fixed: np.ndarray, visit: Visit, sign: int) -> None:
        votes = visit.colours
        if self.cell:  # a visit during which something else stood there has no say
            row, column = (visit.grid_top - self.grid_top) // self.cell, visit.left // self.cell
            here = self.tiles[row : row + len(visit.tiles), column : column + visit.tiles.shape[1]]
            same = (visit.tiles == here) | (visit.tiles < 0) | (here < 0)
            y = (np.arange(len(votes)) + visit.above - visit.grid_top) // self.cell
            inside = (y >= 0) & (y < len(same))
            other = inside[:, None] & ~same.repeat(self.cell, 1)[y.clip(0, len(same) - 1)]
            votes = np.where(other, np.uint8(UNSEEN), votes)
        for k, entry in enumerate((*self.entries, VARIES)):
            counts[k][self._place(visit)[1:]] += (sign * (votes == entry)).astype(np.uint16)
            fixed[k] += (sign * (visit.fixed == entry)).astype(np.uint16)

    @staticmethod
    def _place(visit: Visit) -> tuple[slice, slice, slice]:
        """Where a visit's votes belong in counts [K, Y, X]."""
        height, width = visit.colours.shape
        return slice(None), slice(visit.above, visit.above + height), slice(visit.left, visit.left + width)

    def _tiles(self) -> np.ndarray:
        if not self.cell:
            return np.zeros((0, 0), np.int16)
        rows = max((v.grid_top - self.grid_top) // self.cell + len(v.tiles) for v in self.visits)
        width = self.width // self.cell
        keys = []
        for visit in self.visits:
            row, column = np.nonzero(visit.tiles >= 0)
            below = (visit.grid_top - self.grid_top) // self.cell
            place = (row + below) * width + column + visit.left // self.cell
            keys.append(tile_votes(place, visit.tiles[row, column]))
        return most_voted(keys, rows * width).reshape(rows, -1)
