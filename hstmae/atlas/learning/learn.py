"""Learn an atlas from a store: what the places of each map looked like, visit by visit.

A visit is a stretch of an episode on one map. Each visit has one vote per pixel of the map, so that a minute of
standing still counts no more than running past. What the votes are worth is measured leaving out one visit at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...data.store.reader import EpisodeStore
from ...errors import DataError
from ...games import GameSpec, GameState
from ...games.boxes import glowing, objects, sprites
from ...games.pixels import View, led_back
from ...games.state import NOWHERE
from ..maps import AGREE, KINDS, LEVELS, Atlas, Located, WorldMap
from .map_votes import MapVotes, most_voted, tile_votes
from .object_counts import ObjectCounter
from .visits import (
    Visit,
    ballot,
    learn_looks,
    learn_text,
    mean_colour,
    recognise,
    text_votes,
    usual,
)

_WIDEST = 1 << 14  # pixels of a map; a camera beyond is a state that lies
_CHUNK = 64  # frames read at once
_AGREED = (np.arange(KINDS) > 0) & (np.arange(KINDS) % (len(AGREE) + 1) == 0)  # all visits showed one colour
_ALL = np.tile(_AGREED.astype(np.float32), (len(LEVELS), 1))


def build_atlas(
    store: EpisodeStore,
    game: GameSpec,
    splits: tuple[str, ...] = ("train",),
    *,
    stride: int = 4,
    progress: Callable[[int], object] | None = None,
) -> Atlas:
    """Learn what maps look like from every `stride`-th frame of a store.

    Args:
        splits: episodes to learn from; () = all.
        progress: called with the number of frames gone through; the total is `frames_to_read`.
    Raises:
        DataError: no episode with state in these splits, or a game without a palette or a map.
    """
    if not len(game.palette) or not game.state_size:
        raise DataError(f"{game.name}: an atlas needs a palette and a state that tells map and camera")
    visits: dict[int, list[Visit]] = defaultdict(list)
    for episode in _episodes(store, splits):
        for visit in _visits(store, game, episode, stride, progress):
            visits[visit.area].append(visit)
    if not visits:
        raise DataError(f"no episode of split {', '.join(splits) or 'any'} tells where it takes place")
    atlas = Atlas(game.name)
    everyone = [visit for found in visits.values() for visit in found]
    atlas.looks, atlas.look_trust[0] = learn_looks(game, everyone)
    atlas.text = learn_text(game, everyone)
    counters = ObjectCounter(game), ObjectCounter(game), ObjectCounter(game)
    right, tested = np.zeros((2, len(LEVELS) + 1, KINDS))  # the last row is for text
    for area, found in sorted(visits.items()):
        votes = MapVotes(game, found)
        atlas.maps[area] = world = votes.world()
        recognise(world, atlas.looks, found[0].look, game)
        for visit in found:
            _test(store, game, votes.world(without=visit), atlas, visit, stride, right, tested)
            if game.token_names or game.sprite_slots:
                _count_objects(store, game, Atlas(game.name, {area: world}, _ALL), visit, *counters)
            if progress is not None:
                progress(len(visit.rows))
    atlas.objects, atlas.sprites, atlas.glow = (counter.result() for counter in counters)
    # one wrong pixel more than were seen: a kind that was hardly tested is hardly trusted
    share = np.where(tested > 0, right / (tested + 1), 0)
    share[:, 0] = 0
    atlas.trust[:], atlas.look_trust[1] = share[: len(LEVELS)], share[-1]
    return atlas


def frames_to_read(store: EpisodeStore, splits: tuple[str, ...] = ("train",), stride: int = 4) -> int:
    """Frames that `build_atlas` reports: each that is learned from counts twice, since it is also tested."""
    return 2 * sum(len(range(0, store.info(e).frames, stride)) for e in _episodes(store, splits))


def _episodes(store: EpisodeStore, splits: tuple[str, ...]) -> list[int]:
    infos = enumerate(store.infos())
    return [i for i, info in infos if (not splits or info.split in splits) and "state" in info.columns]


def _visits(
    store: EpisodeStore, game: GameSpec, episode: int, stride: int, progress: Callable[[int], object] | None
) -> Iterator[Visit]:
    """The votes of an episode's visits, in order of time."""
    rows = np.arange(0, store.info(episode).frames, stride)
    parts = [_state(store, game, episode, some) for some in np.split(rows, range(_CHUNK, len(rows), _CHUNK))]
    area = np.concatenate([np.asarray(p.scene) for p in parts])
    camera = np.concatenate([np.asarray(p.camera) for p in parts]).astype(np.int64)
    back = led_back(camera, game)
    for run in np.split(np.arange(len(rows)), np.flatnonzero((np.diff(area) != 0) | back[1:]) + 1):
        place = int(area[run[0]])
        if place != NOWHERE and camera[run].min() >= 0 and camera[run].max() + game.native_size[1] <= _WIDEST:
            stale = camera[run[0]] + 2 * game.native_size[1] if back[run[0]] else 0
            yield _vote(store, game, episode, rows[run], camera[run], place, stale)
        if progress is not None:
            progress(len(run))


def _state(store: EpisodeStore, game: GameSpec, episode: int, rows: np.ndarray) -> GameState:
    read = store.read(episode, rows, ("state", "context"))
    assert read.state is not None
    return game.decode(read.state, read.context)


def _read(store: EpisodeStore, game: GameSpec, episode: int, rows: np.ndarray) -> View:
    """Some frames of an episode with all of their state."""
    read = store.read(episode, rows, ("frames", "state", "context"))
    assert read.state is not None
    return View.whole(read.frames, game, game.decode(read.state, read.context))


def _vote(
    store: EpisodeStore, game: GameSpec, episode: int, rows: np.ndarray, camera: np.ndarray, area: int, stale: int
) -> Visit:
    """One visit; columns of the world left of `stale` still show another page."""
    height, width = game.native_size
    entries = np.array(game.shown_entries or range(len(game.palette)), np.uint8)
    number = np.full(256, 0, np.uint8)
    number[entries] = np.arange(len(entries))
    cell = game.tile_layers[0].cell if game.tile_layers else width
    left = int(camera.min()) // cell * cell
    span = -(-(int(camera.max()) - left + width) // cell) * cell
    fixed = View.whole(np.zeros((1, height, width), np.uint8), game, None).fixed[0]
    counts = np.zeros((len(entries), height, span), np.uint16)
    bar = np.zeros((len(entries), height, width), np.uint16)
    tiles = _common_tiles(store, game, episode, rows, left, span, stale)
    y, x = np.arange(height)[:, None], np.arange(width)[None]
    looks: Any = []
    characters: Any = []
    for some in np.split(np.arange(len(rows)), range(_CHUNK, len(rows), _CHUNK)):
        view = _read(store, game, episode, rows[some])
        state, still = view.needed_state(), ~view.moving
        looks.append(np.asarray(state.globals)[:, list(game.looks.tile_globals)])
        if game.tile_layers:
            now = view.tile_ids(0)
        if len(game.tile_layers) > 1:
            bar_rows = game.tile_layers[1].rows * game.tile_layers[1].cell
            characters.append((view.frames[:, :bar_rows], np.asarray(state.tiles[1]), still[:, :bar_rows]))
        for k, i in enumerate(some):
            at = x + int(camera[i]) - left
            if game.tile_layers:
                stood = tiles[_cell_rows(game, state, k), at // cell]
                kept = still[k] & ~fixed & ((now[k] == stood) | (stood < 0) | (now[k] < 0))
            else:
                kept = still[k] & ~fixed
            kept &= at >= stale - left
            shown = number[view.frames[k]]
            counts[shown, y, at] += kept
            bar[shown, y, x] += fixed & still[k]
    looks, often = np.unique(np.concatenate(looks), axis=0, return_counts=True)
    look = tuple(int(v) for v in looks[often.argmax()])
    text = text_votes(game, *(np.concatenate(a) for a in zip(*characters, strict=True))) if characters else {}
    votes, most = ballot(counts, entries), usual(counts, entries)
    mean = mean_colour(bar, entries, game.palette)
    return Visit(episode, rows, area, left, votes, tiles, ballot(bar, entries), mean, most, look, text)


def _cell_rows(game: GameSpec, state: GameState, k: int) -> np.ndarray:
    """Row of the tile grid of each picture row, int64 [H, 1]."""
    layer = game.tile_layers[0]
    y = np.arange(game.native_size[0]) - int(np.asarray(state.tile_xy[0])[k, 1])
    return np.clip(y // layer.cell, 0, layer.rows - 1)[:, None]


def _common_tiles(
    store: EpisodeStore, game: GameSpec, episode: int, rows: np.ndarray, left: int, span: int, stale: int
) -> np.ndarray:
    """The tile that stood longest at each cell, int16 [rows, cells]; -1 where none was told."""
    if not game.tile_layers:
        return np.zeros((0, 0), np.int16)
    layer = game.tile_layers[0]
    cells = span // layer.cell
    places = np.arange(layer.rows)[:, None] * cells
    keys = []
    for some in np.split(rows, range(_CHUNK, len(rows), _CHUNK)):
        state = _state(store, game, episode, some)
        ids = np.asarray(state.tiles[0]).astype(np.int64)
        first = (np.asarray(state.camera).astype(np.int64) + np.asarray(state.tile_xy[0])[:, 0] - left) // layer.cell
        column = first[:, None, None] + np.arange(layer.cols)
        sure = ids < min(game.looks.first_guess, layer.ids - 1)
        sure &= (column >= max(0, (stale - left) // layer.cell)) & (column < cells)
        keys.append(tile_votes((places + column)[sure], ids[sure]))
    return most_voted(keys, layer.rows * cells).reshape(layer.rows, cells)


def _test(
    store: EpisodeStore,
    game: GameSpec,
    world: WorldMap,
    atlas: Atlas,
    visit: Visit,
    stride: int,
    right: np.ndarray,
    tested: np.ndarray,
) -> None:
    """Count, for every state level and kind, how often the map of the other visits is right about this one."""
    rows = visit.rows[:: max(1, 32 // stride)]
    single = Atlas(game.name, {visit.area: world}, np.tile(np.arange(KINDS, dtype=np.float32), (len(LEVELS), 1)))

    def count(number: int, view: View, colours: np.ndarray, kinds: np.ndarray) -> None:
        kind = kinds.astype(np.int64).ravel()
        tested[number] += np.bincount(kind, minlength=KINDS)
        right[number] += np.bincount(kind, (colours == view.frames).ravel(), minlength=KINDS)

    for some in np.split(rows, range(_CHUNK, len(rows), _CHUNK)):
        whole = _read(store, game, visit.episode, some)
        place = Located.of_state(whole.needed_state())
        for number, level in enumerate(LEVELS):
            view = whole.at_level(level)
            ids = view.tile_ids(0) if level == "full" and game.tile_layers else None
            colours, kinds = single.look_up(place, view, ids)
            if level != "none":
                kinds[view.moving] = 0
            count(number, view, colours, kinds)
        if len(game.tile_layers) > 1:
            colours, kinds = atlas.text.paint(whole.tile_ids(1), whole, 1)
            kinds[whole.moving] = 0
            count(-1, whole, colours, kinds)


def _count_objects(
    store: EpisodeStore, game: GameSpec, own: Atlas, visit: Visit, moving: ObjectCounter, hardware: ObjectCounter,
    glow: ObjectCounter,
) -> None:  # fmt: skip
    """Count a visit's objects, sprites and glowing tiles; `own` trusts only what all visits to the map agree on."""
    for some in np.split(visit.rows, range(_CHUNK, len(visit.rows), _CHUNK)):
        view = _read(store, game, visit.episode, some)
        state = view.needed_state()
        ids = view.tile_ids(0) if game.tile_layers else None
        colours, trust = own.look_up(Located.of_state(state), view, ids)
        backdrop = own.backdrop(state.scene)
        moving.add(view.frames, objects(state, game), colours, trust > 0, backdrop)
        hardware.add(view.frames, sprites(state, game), colours, trust > 0, backdrop)
        glow.add(view.frames, glowing(state, game), np.full_like(view.frames, 255), ~view.moving, backdrop)
