"""The votes of one visit to a map, and what they say about the look of single tiles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from ...games import GameSpec
from ..kinds import KINDS, kinds_of
from ..maps import WorldMap
from ..tiles import TileLooks

UNSEEN, VARIES = 255, 254  # votes that name no colour; VARIES: several colours within one visit
STEADY = 0.9  # share of a visit's sights that must show one colour


@dataclass
class Visit:
    """Votes of one visit: colours uint8 [Y, X] from world row `above` and column `left` on, tiles int16 [rows, cells]
    from world row `grid_top` and cell `left // cell` on, fixed uint8 [H, W]; where and when it was."""

    episode: int
    rows: np.ndarray
    area: int
    left: int
    colours: np.ndarray
    tiles: np.ndarray
    fixed: np.ndarray
    fixed_mean: np.ndarray  # float32 [H, W, 3], RGB of `fixed` over the visit's frames; NaN where never seen
    usual: np.ndarray  # uint8 [H, X], the colour most often seen, however often it varied; UNSEEN
    look: tuple[int, ...] = ()  # `ConsoleLooks.tile_globals`, as they were most of the time
    text: dict[int, np.ndarray] = field(default_factory=dict)  # votes uint8 [cell, cell] on each character
    above: int = 0
    grid_top: int = 0
    stale: int = 0  # world columns left of it show another page (see `mazes`)


def ballot(counts: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """Sights [K, ...] of each of K palette entries -> votes uint8 [...]."""
    total, most = counts.sum(0, dtype=np.uint32), counts.max(0)
    votes = np.asarray(entries, np.uint8)[counts.argmax(0)]
    votes[most < STEADY * total] = VARIES
    votes[total == 0] = UNSEEN
    return votes


def usual(counts: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """Sights [K, ...] of each of K palette entries -> the one most often seen, uint8 [...]; UNSEEN without any."""
    return np.where(counts.any(0), np.asarray(entries, np.uint8)[counts.argmax(0)], UNSEEN).astype(np.uint8)


def mean_colour(counts: np.ndarray, entries: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Sights [K, H, W] of each of K palette entries -> mean RGB, float32 [H, W, 3]; NaN without any."""
    total = counts.sum(0, dtype=np.float32)[..., None]
    summed = np.einsum("khw,kc->hwc", counts.astype(np.float32), palette[np.asarray(entries)].astype(np.float32))
    return np.where(total > 0, summed / np.maximum(total, 1), np.nan).astype(np.float32)


def learn_looks(game: GameSpec, visits: list[Visit]) -> tuple[TileLooks, np.ndarray]:
    """The look of every tile that was seen, and float32 [KINDS], how often a look of each kind held on other visits."""
    if not game.tile_layers:
        return TileLooks(), np.zeros(KINDS, np.float32)
    entries = np.array(game.shown_entries or range(len(game.palette)), np.uint8)
    votes: dict[tuple[int, ...], list[np.ndarray]] = defaultdict(list)
    for visit in visits:
        for tile, cells in _cells(game, visit).items():
            votes[(*visit.look, tile)].append(ballot(_counted(cells, entries), entries))
    return _tally(votes, entries, game.tile_layers[0].cell, game.looks.cycling_tiles)


def learn_text(game: GameSpec, visits: list[Visit]) -> TileLooks:
    """The look of every character of the status bar that was seen."""
    entries = np.array(game.shown_entries or range(len(game.palette)), np.uint8)
    votes: dict[tuple[int, ...], list[np.ndarray]] = defaultdict(list)
    for visit in visits:
        for number, vote in visit.text.items():
            votes[(*visit.look, number)].append(vote)
    return _tally(votes, entries, game.tile_layers[1].cell)[0] if votes else TileLooks()


def _tally(
    votes: dict[tuple[int, ...], list[np.ndarray]], entries: np.ndarray, cell: int, cycling: Collection[int] = ()
) -> tuple[TileLooks, np.ndarray]:
    """Votes uint8 [cell, cell] by look and id -> the looks by majority, and how often that held on the other visits;
    `cycling` ids, which show what it was the turn of, say nothing of that."""
    keys = sorted(votes)
    colours, kinds = np.zeros((2, len(keys), cell, cell), np.uint8)
    right, tested = np.zeros(KINDS), np.zeros(KINDS)
    for n, key in enumerate(keys):
        cast = np.stack(votes[key])
        counts = _counted(cast, entries)
        total = (cast != UNSEEN).sum(0)
        number, kinds[n] = kinds_of(counts, total)
        colours[n] = entries[number]
        for vote in () if key[-1] in cycling else cast:  # what the others would have said
            number, kind = kinds_of(counts - _counted(vote[None], entries), total - (vote != UNSEEN))
            seen = vote != UNSEEN
            tested += np.bincount(kind[seen], minlength=KINDS)
            right += np.bincount(kind[seen], (entries[number] == vote)[seen], minlength=KINDS)
    trust = np.where(tested > 0, right / (tested + 1), 0).astype(np.float32)
    trust[0] = 0
    return TileLooks(np.array(keys, np.int32).reshape(len(keys), -1), colours, kinds), trust


def recognise(world: WorldMap, looks: TileLooks, look: tuple[int, ...], game: GameSpec) -> None:
    """Name the tiles of a map that no state gave by what they look like, in place."""
    if not game.tile_layers:
        return
    layer = game.tile_layers[0]
    pictures, kinds = looks.seen(np.array(look), layer.ids)
    named: dict[bytes, int] = {}
    for tile in range(layer.ids - 1, -1, -1):  # of several that look alike the first one stays
        if kinds[tile].all():
            named[pictures[tile].tobytes()] = tile
    for row, column in zip(*np.nonzero(world.tiles < 0), strict=True):
        y, x = (world.grid_top or 0) + row * layer.cell, column * layer.cell
        part = (slice(max(y, 0), max(y + layer.cell, 0)), slice(x, x + layer.cell))
        if world.kinds[part].shape == (layer.cell, layer.cell) and world.kinds[part].all():
            world.tiles[row, column] = named.get(world.colours[part].tobytes(), -1)


def text_votes(game: GameSpec, frames: np.ndarray, ids: np.ndarray, still: np.ndarray) -> dict[int, np.ndarray]:
    """One visit's votes on the characters of the status bar.

    Args:
        frames: uint8 [n, rows * cell, cols * cell], the status bar in palette entries.
        ids: int16 [n, rows, cols] of tile_layers[1].
        still: bool as `frames`, where nothing moves in front of it.
    """
    entries = np.array(game.shown_entries or range(len(game.palette)), np.uint8)
    layer = game.tile_layers[1]
    size = layer.cell
    votes = np.where(still, frames, UNSEEN).reshape(len(frames), layer.rows, size, layer.cols, size).swapaxes(2, 3)
    found = np.unique(ids)
    return {int(n): ballot(_counted(votes[ids == n], entries), entries) for n in found if 0 < n < layer.ids - 1}


def _counted(votes: np.ndarray, entries: np.ndarray) -> np.ndarray:
    return np.stack([(votes == entry).sum(0) for entry in entries])


def _cells(game: GameSpec, visit: Visit) -> dict[int, np.ndarray]:
    """What one visit saw of each tile: votes uint8 [cells, cell, cell] by id."""
    cell, (rows, cells) = game.tile_layers[0].cell, visit.tiles.shape
    first = visit.grid_top - visit.above  # of the grid, in the visit's rows
    seen = np.full((rows * cell, visit.colours.shape[1]), UNSEEN, np.uint8)
    begin, end = max(first, 0), min(first + rows * cell, len(visit.colours))
    seen[begin - first : end - first] = visit.colours[begin:end]
    grid = seen.reshape(rows, cell, cells, cell).swapaxes(1, 2)
    return {int(tile): grid[visit.tiles == tile] for tile in np.unique(visit.tiles) if tile >= 0}
