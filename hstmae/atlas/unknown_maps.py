"""Scenery that the state does not tell, on maps that the atlas does not have: what fits what is visible of it.

Candidates are the game's own guess (`ConsoleLooks.guessed_tiles`), the guess with the landmarks that a map of the atlas
has at the same columns, since maps begin alike, and those maps themselves. Each is drawn with the tiles' present look,
compared with the visible pixels around, and weighed by how well it fits there. A pixel is as sure as the candidates,
so weighed, agree on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..games import GameSpec, GameState
from ..games.pixels import View, parts
from .maps import Atlas
from .recolouring import Pictures

_UNSEEN = 255
_AROUND = 2  # columns of cells to either side whose visible pixels count
_MAP = 0.1  # weight of all maps together before anything is seen; that of the guess is 1, with landmarks another 1
_WRONG = 8.0  # wrong pixels that take a factor e off a candidate's weight
_ELSEWHERE = 0.1  # what wrong pixels in other columns count of a map, which is one thing; the guess is many
_STILL = 0.75  # share of the frames
_MOST = 0.99  # trust where all agree


@dataclass(frozen=True)
class _Candidates:
    """Layouts of a stretch of a map: one, then as many pairs as there are maps, see `_candidates`.

    Attributes:
        drawn: uint8 [C, rows * cell, cells * cell], palette entries; bool likewise `known`, where these are, and
            `named`, where the layout has a tile, known or not.
        marked: bool [maps, cells], columns in which a map has landmarks.
    """

    drawn: np.ndarray
    known: np.ndarray
    named: np.ndarray
    marked: np.ndarray


def complete(view: View, atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """Draw the cells that the state, at level "full", does not tell.

    Returns:
        (palette entries uint8 [T, H, W], trust float32 [T, H, W]; 0 where the state tells the tile or nothing fits).
    """
    game, state = view.game, view.needed_state()
    colours, trust = np.zeros(view.shape, np.uint8), np.zeros(view.shape, np.float32)
    layer = game.tile_layers[0]
    width, tops = view.inside[1].stop, np.asarray(state.tile_xy[0])[:, 1].astype(int) - view.origin[0]
    above = tops + np.asarray(state.camera_y)  # world y of the grid
    camera, scene = np.asarray(state.camera).astype(np.int64), np.asarray(state.scene)
    looks, made = atlas.looks.of_clip(view.tile_ids(0), view)
    for part in parts(camera, scene):
        tops_here, often = np.unique(tops[part], return_counts=True)
        top = int(tops_here[often.argmax()])  # of the grid, in the frames
        rows = slice(max(top, 0), max(0, min(top + layer.rows * layer.cell, view.inside[0].stop)))
        open_ = view.tile_ids(0) < 0
        open_[:, : rows.start], open_[:, rows.stop :], open_[:, :, width:] = False, False, False
        if int(scene[part[0]]) in atlas.maps or not (open_[part] & view.mask[part]).any():
            continue
        if np.ptp(above[part]) or often.max() < _STILL * len(part):
            continue  # candidates are columns of a picture that does not scroll up and down
        part = part[tops[part] == top]  # a few may be shown a line further down
        first = int(camera[part].min()) // layer.cell
        cells = (int(camera[part].max()) + game.native_size[1] - 1) // layer.cell - first + 1
        seen = np.full((layer.rows * layer.cell, cells * layer.cell), _UNSEEN, np.uint8)
        left = camera[part] - first * layer.cell + view.origin[1]
        inner = slice(rows.start - top, rows.stop - top)
        visible = open_ & ~view.mask & ~view.moving
        for t, x in zip(part, left, strict=True):
            shown = visible[t, rows, :width]
            seen[inner, x : x + width][shown] = view.frames[t, rows, :width][shown]
        tiles = made[tuple(_most(looks[part]).tolist())]
        best, sure = _weigh(_candidates(state, part, first, cells, game, atlas, tiles), seen, layer.cell)
        for t, x in zip(part, left, strict=True):
            here = open_[t, rows, :width]
            colours[t, rows, :width][here] = best[inner, x : x + width][here]
            trust[t, rows, :width][here] = sure[inner, x : x + width][here]
    return colours, trust


def _candidates(
    state: GameState, part: np.ndarray, first: int, cells: int, game: GameSpec, atlas: Atlas, tiles: Pictures
) -> _Candidates:
    """What may stand there: the game's guess; then for every map the guess with the map's landmarks in front of it,
    then for every map what it shows that a state may leave untold."""
    layer = game.tile_layers[0]
    maps = np.full((len(atlas.maps), layer.rows, cells), -1, np.int64)
    for number, world in enumerate(atlas.maps.values()):
        some = world.tiles[: layer.rows, first : first + cells]
        maps[number, : len(some), : some.shape[1]] = some
    ids = np.full((1 + 2 * len(maps), layer.rows, cells), -1, np.int64)
    stored, corner = np.asarray(state.tiles[0]), np.asarray(state.tile_xy[0]).astype(np.int64)
    meant = np.full(layer.ids, -1)
    meant[game.looks.first_guess : game.looks.first_guess + len(game.looks.guessed_tiles)] = game.looks.guessed_tiles
    meant[np.isin(meant, game.looks.landmark_tiles)] = -1  # where a wall begins is not known: a guess is worth nothing
    for t in part:
        at = (int(np.asarray(state.camera)[t]) + corner[t, 0]) // layer.cell - first + np.arange(layer.cols)
        inside = (at >= 0) & (at < cells)
        guess = meant[stored[t][:, inside]]
        ids[0][:, at[inside]] = np.where(guess >= 0, guess, ids[0][:, at[inside]])
    untold, marks = np.isin(maps, game.looks.unrecorded_tiles), np.isin(maps, game.looks.landmark_tiles)
    ids[1 : 1 + len(maps)] = np.where(marks, maps, ids[0])
    ids[1 + len(maps) :] = np.where(untold, maps, -1)
    pictures, kinds = tiles
    fine = (atlas.look_trust[0] >= 0.9)[kinds]

    def drawn(pictures: np.ndarray) -> np.ndarray:
        some = pictures[ids]  # [C, rows, cells, cell, cell]; id -1 reads the spare last entry
        return some.swapaxes(2, 3).reshape(len(ids), layer.rows * layer.cell, cells * layer.cell)

    means = np.broadcast_to((np.arange(len(fine)) < len(fine) - 1)[:, None, None], fine.shape)
    return _Candidates(drawn(pictures), drawn(fine), drawn(means), np.asarray(marks.any(1)))


def _most(rows: np.ndarray) -> np.ndarray:
    """The most frequent one of rows [N, F]."""
    different, count = np.unique(rows, axis=0, return_counts=True)
    return np.asarray(different[count.argmax()])


def _weigh(some: _Candidates, seen: np.ndarray, cell: int) -> tuple[np.ndarray, np.ndarray]:
    """Candidates and what is visible -> colours uint8 and trust float32 of every pixel, as `seen` [h, w]."""
    maps, drawn = len(some.marked), some.drawn
    wrong = (some.known & (seen != _UNSEEN) & (drawn != seen)).sum(1)  # [C, w]
    wrong = wrong.reshape(len(drawn), -1, cell).sum(2)
    elsewhere = _ELSEWHERE * wrong[1 + maps :].sum(1, keepdims=True)
    wrong = (wrong - wrong[0]).astype(float)  # more than of the guess
    padded = np.pad(wrong, ((0, 0), (_AROUND, _AROUND)))
    near = np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1, axis=1).sum(2)
    for n, marked in enumerate(some.marked, 1):  # a landmark is one thing: what tells of a part tells of all of it
        edges = np.flatnonzero(np.diff(np.concatenate([[0], marked, [0]])))
        for begin, end in edges.reshape(-1, 2).tolist():
            near[n, begin:end] = padded[n, begin : end + 2 * _AROUND].sum()
    near[1 + maps :] += elsewhere
    before = np.repeat([1.0, 1 / max(maps, 1), _MAP / max(maps, 1)], [1, maps, maps])
    weight = before[:, None] * np.exp(-(near - near.min(0)) / _WRONG)
    weight = weight.repeat(cell, 1)[:, None]
    total = (weight * some.named).sum(0)  # who knows which tile it is, but not its look, counts against all others
    weight = weight * some.known  # [C, h, w]
    best = np.take_along_axis(drawn, weight.argmax(0)[None], 0)[0]
    agree = (weight * (drawn == best)).sum(0)
    return best, np.where(total > 1e-6, _MOST * agree / np.maximum(total, 1e-6), 0).astype(np.float32)
