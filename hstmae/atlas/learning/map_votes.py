"""The votes of all visits to one map, and the map they make by majority."""

from __future__ import annotations

import warnings

import numpy as np

from ...games import GameSpec
from ..maps import WorldMap, kinds_of
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
        self.tiles = self._tiles()
        height = game.native_size[0]
        self.counts = np.zeros((len(self.entries) + 1, height, self.width), np.uint16)
        self.fixed = np.zeros((len(self.entries) + 1, *game.native_size), np.uint16)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing
            mean = np.nanmean(np.stack([v.fixed_mean for v in visits]), 0)
        self.mean = np.rint(np.nan_to_num(mean)).astype(np.uint8)
        self.usual = np.zeros((len(self.entries), height, self.width), np.uint16)
        for visit in visits:
            self._add(self.counts, self.fixed, visit, 1)
            here = self.usual[:, :, visit.left : visit.left + visit.usual.shape[1]]
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
        return WorldMap(colours, kinds, self.tiles, bar, bar_kinds, self.mean)

    def _majority(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        number, kinds = kinds_of(counts[:-1], counts.sum(0, dtype=np.int32))
        return np.where(kinds > 0, self.entries[number], 0).astype(np.uint8), kinds

    def _add(self, counts: np.ndarray, fixed: np.ndarray, visit: Visit, sign: int) -> None:
        votes = visit.colours
        if self.cell:  # a visit during which something else stood there has no say
            first = visit.left // self.cell
            here = self.tiles[:, first : first + visit.tiles.shape[1]]
            same = (visit.tiles == here) | (visit.tiles < 0) | (here < 0)
            layer = self.game.tile_layers[0]
            top = self.game.native_size[0] - layer.rows * layer.cell  # the grid ends where the picture does
            votes = votes.copy()
            grid = votes[max(top, 0) :]
            grid[~same.repeat(self.cell, 0).repeat(self.cell, 1)[-len(grid) :]] = UNSEEN
        for k, entry in enumerate((*self.entries, VARIES)):
            counts[k, :, visit.left : visit.left + votes.shape[1]] += (sign * (votes == entry)).astype(np.uint16)
            fixed[k] += (sign * (visit.fixed == entry)).astype(np.uint16)

    def _tiles(self) -> np.ndarray:
        if not self.cell:
            return np.zeros((0, 0), np.int16)
        rows = self.game.tile_layers[0].rows
        width = self.width // self.cell
        keys = []
        for visit in self.visits:
            row, column = np.nonzero(visit.tiles >= 0)
            keys.append(tile_votes(row * width + column + visit.left // self.cell, visit.tiles[row, column]))
        return most_voted(keys, rows * width).reshape(rows, -1)
