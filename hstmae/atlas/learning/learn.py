"""Learn an atlas from a store: what the places of each map looked like, visit by visit.

A visit is a stretch of an episode on one map. Each visit has one vote per pixel of the map, so that a minute of
standing still counts no more than running past. What the votes are worth is measured leaving out one visit at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from ...data.store.reader import EpisodeStore
from ...errors import DataError
from ...games import GameSpec, GameState
from ...games.boxes import glowing, objects, sprites
from ...games.camera_steps import CameraSteps, seen_steps
from ...games.pixels import View, led_back, on_native
from ...games.state import NOWHERE
from ..kinds import AGREED, KINDS
from ..maps import LEVELS, Atlas, Located, WorldMap
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
_ALL = np.tile(AGREED.astype(np.float32), (len(LEVELS), 1))


def build_atlas(
    store: EpisodeStore,
    game: GameSpec,
    splits: tuple[str, ...] = ("train",),
    *,
    stride: int = 4,
    without: Collection[int] = (),
    progress: Callable[[int], object] | None = None,
) -> Atlas:
    """Learn what maps look like from every `stride`-th frame of a store.

    Args:
        splits: episodes to learn from; () = all.
        without: positions in the store of episodes that are left out.
        progress: called with the number of frames gone through; the total is `frames_to_read`.
    Raises:
        DataError: no episode with state in these splits, or a game without a palette or a map.
    """
    if not len(game.palette) or not game.state_size:
        raise DataError(f"{game.name}: an atlas needs a palette and a state that tells map and camera")
    visits: dict[int, list[Visit]] = defaultdict(list)
    for episode in _episodes(store, splits, without):
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
    atlas.steps = CameraSteps.of(camera_steps(store, game, splits, without))
    # one wrong pixel more than were seen: a kind that was hardly tested is hardly trusted
    share = np.where(tested > 0, right / (tested + 1), 0)
    share[:, 0] = 0
    atlas.trust[:], atlas.look_trust[1] = share[: len(LEVELS)], share[-1]
    return atlas


def camera_steps(
    store: EpisodeStore, game: GameSpec, splits: tuple[str, ...] = ("train",), without: Collection[int] = ()
) -> Iterator[np.ndarray]:
    """Steps of the camera from each frame to the next, int64 [n] for each stretch on one map, as no jump interrupts.

    Arguments as of `build_atlas`.
    """
    for episode in _episodes(store, splits, without):
        rows = np.arange(store.info(episode).frames)
        parts = [Located.of_state(_state(store, game, episode, some)) for some in chunks(rows)]
        camera, scene = (np.concatenate([getattr(p, name) for p in parts]) for name in ("camera", "scene"))
        yield from seen_steps(camera, scene)


def frames_to_read(
    store: EpisodeStore, splits: tuple[str, ...] = ("train",), stride: int = 4, without: Collection[int] = ()
) -> int:
    """Frames that `build_atlas` reports: each that is learned from counts twice, since it is also tested."""
    return 2 * sum(len(range(0, store.info(e).frames, stride)) for e in _episodes(store, splits, without))


def _episodes(store: EpisodeStore, splits: tuple[str, ...], without: Collection[int]) -> list[int]:
    infos = enumerate(store.infos())
    chosen = ((i, info) for i, info in infos if (not splits or info.split in splits) and "state" in info.columns)
    return [i for i, _ in chosen if i not in without]


def _visits(
    store: EpisodeStore, game: GameSpec, episode: int, stride: int, progress: Callable[[int], object] | None
) -> Iterator[Visit]:
    """The votes of an episode's visits, in order of time."""
    rows = np.arange(0, store.info(episode).frames, stride)
    parts = [Located.of_state(_state(store, game, episode, some)) for some in chunks(rows)]
    place = Located(*(np.concatenate(arrays) for arrays in zip(*(vars(p).values() for p in parts), strict=True)))
    camera, back = place.camera, led_back(place.camera, game)
    inside = (camera >= 0) & (camera + game.native_size[1] <= _WIDEST)
    inside &= (place.camera_y >= 0) & (place.camera_y + game.native_size[0] <= _WIDEST)
    for run in np.split(np.arange(len(rows)), np.flatnonzero((np.diff(place.scene) != 0) | back[1:]) + 1):
        stale = camera[run[0]] + 2 * game.native_size[1] if back[run[0]] else 0
        told = run[inside[run]]
        if place.scene[run[0]] != NOWHERE and len(told):
            yield _vote(store, game, episode, rows[told], place.take(told), stale)
        if progress is not None:
            progress(len(run))


def chunks(rows: np.ndarray) -> list[np.ndarray]:
    """Rows in pieces that are read at once."""
    return np.split(rows, range(_CHUNK, len(rows), _CHUNK))


def _state(store: EpisodeStore, game: GameSpec, episode: int, rows: np.ndarray) -> GameState:
    read = store.read(episode, rows, ("state", "context"))
    assert read.state is not None
    return game.decode(read.state, read.context)


def _read(store: EpisodeStore, game: GameSpec, episode: int, rows: np.ndarray) -> View:
    """Some frames of an episode with all of their state; masked is what a recorder cut off."""
    read = store.read(episode, rows, ("frames", "state", "context"))
    assert read.state is not None
    state = game.decode(read.state, read.context)
    if read.corner == (0, 0):
        return View.whole(read.frames, game, state)
    frames, known = on_native(read.frames, read.corner, game)
    return View(frames, np.broadcast_to(~known, frames.shape), game, state, "full")


def _vote(store: EpisodeStore, game: GameSpec, episode: int, rows: np.ndarray, place: Located, stale: int) -> Visit:
    """One visit; columns of the world left of `stale` still show another page."""
    height, width = game.native_size
    entries = np.array(game.shown_entries or range(len(game.palette)), np.uint8)
    number = np.full(256, 0, np.uint8)
    number[entries] = np.arange(len(entries))
    cell = game.tile_layers[0].cell if game.tile_layers else width
    left, above = int(place.camera.min()) // cell * cell, int(place.camera_y.min())
    span = -(-(int(place.camera.max()) - left + width) // cell) * cell
    fixed = View.whole(np.zeros((1, height, width), np.uint8), game, None).fixed[0]
    counts = np.zeros((len(entries), int(place.camera_y.max()) - above + height, span), np.uint16)
    bar = np.zeros((len(entries), height, width), np.uint16)
    tiles, grid_top = _common_tiles(store, game, episode, rows, left, span, stale)
    y, x = np.arange(height)[:, None], np.arange(width)[None]
    looks: Any = []
    characters: Any = []
    for some in chunks(np.arange(len(rows))):
        view = _read(store, game, episode, rows[some])
        still, uncovered = ~view.moving & ~view.mask, ~view.in_front & ~view.mask
        looks.append(np.asarray(view.needed_state().globals)[:, list(game.looks.tile_globals)])
        if len(game.tile_layers) > 1:
            characters.append(_characters(view, still))
        for k, i in enumerate(some):
            at_x, at_y = x + int(place.camera[i]) - left, y + int(place.camera_y[i]) - above
            kept = still[k] & ~fixed & (at_x >= stale - left)
            if game.tile_layers:
                now = view.tile_ids(0)[k]
                row = np.clip((at_y + above - grid_top) // cell, 0, len(tiles) - 1)
                stood = tiles[row, at_x // cell]
                kept &= (now == stood) | (stood < 0) | (now < 0)
            shown = number[view.frames[k]]
            counts[shown, at_y, at_x] += kept
            bar[shown, y, x] += fixed & uncovered[k]
    looks, often = np.unique(np.concatenate(looks), axis=0, return_counts=True)
    look = tuple(int(v) for v in looks[often.argmax()])
    text = text_votes(game, *(np.concatenate(a) for a in zip(*characters, strict=True))) if characters else {}
    return Visit(
        episode, rows, int(place.scene[0]), left, ballot(counts, entries), tiles, ballot(bar, entries),
        mean_colour(bar, entries, game.palette), usual(counts, entries), look, text, above, grid_top, stale,
    )  # fmt: skip


def _characters(view: View, still: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The part of the frames that tile_layers[1] covers, its ids, and `still` there; the layer does not scroll."""
    layer, state = view.game.tile_layers[1], view.needed_state()
    x, y = np.asarray(state.tile_xy[1])[0].astype(int).clip(0)
    part = (slice(None), slice(y, y + layer.rows * layer.cell), slice(x, x + layer.cols * layer.cell))
    return view.frames[part], np.asarray(state.tiles[1]), still[part]


def _common_tiles(
    store: EpisodeStore, game: GameSpec, episode: int, rows: np.ndarray, left: int, span: int, stale: int
) -> tuple[np.ndarray, int]:
    """The tile that stood longest at each cell, int16 [rows, cells], -1 = not known; and world y of the first row."""
    if not game.tile_layers:
        return np.zeros((0, 0), np.int16), 0
    layer = game.tile_layers[0]
    cells, found = span // layer.cell, []
    for some in chunks(rows):
        state = _state(store, game, episode, some)
        corner = np.asarray(state.tile_xy[0]).astype(np.int64) + np.stack([state.camera, state.camera_y], -1)
        found.append((np.asarray(state.tiles[0]).astype(np.int64), corner))
    top = min(int(corner[:, 1].min()) for _, corner in found)
    height = (max(int(corner[:, 1].max()) for _, corner in found) - top) // layer.cell + layer.rows
    keys = []
    for ids, corner in found:
        column = ((corner[:, 0] - left) // layer.cell)[:, None, None] + np.arange(layer.cols)
        row = ((corner[:, 1] - top) // layer.cell)[:, None, None] + np.arange(layer.rows)[:, None]
        sure = ids < min(game.looks.first_guess, layer.ids - 1)
        sure &= (column >= max(0, (stale - left) // layer.cell)) & (column < cells)
        keys.append(tile_votes((row * cells + column)[sure], ids[sure]))
    return most_voted(keys, height * cells).reshape(height, cells), top


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
        kinds[view.mask] = 0
        kind = kinds.astype(np.int64).ravel()
        tested[number] += np.bincount(kind, minlength=KINDS)
        right[number] += np.bincount(kind, (colours == view.frames).ravel(), minlength=KINDS)

    for some in chunks(rows):
        whole = _read(store, game, visit.episode, some)
        place = Located.of_state(whole.needed_state())
        for number, level in enumerate(LEVELS):
            view = whole.at_level(level)
            ids = view.tile_ids(0) if level == "full" and game.tile_layers else None
            colours, kinds = single.look_up(place, view, ids)
            kinds[_stale(view, place, visit)] = 0
            if level != "none":
                kinds[view.moving] = 0
            count(number, view, colours, kinds)
        if len(game.tile_layers) > 1:
            colours, kinds = atlas.text.paint(whole.tile_ids(1), whole, 1)
            kinds[whole.moving] = 0
            count(-1, whole, colours, kinds)


def _stale(view: View, place: Located, visit: Visit) -> np.ndarray:
    """Where a visit's frames show another page of the map than the place tells: bool [T, H, W]."""
    left = place.camera[:, None] + np.arange(view.shape[2]) < visit.stale
    stale: np.ndarray = left[:, None] & ~view.fixed
    return stale


def _count_objects(
    store: EpisodeStore, game: GameSpec, own: Atlas, visit: Visit, moving: ObjectCounter, hardware: ObjectCounter,
    glow: ObjectCounter,
) -> None:  # fmt: skip
    """Count a visit's objects, sprites and glowing tiles; `own` trusts only what all visits to the map agree on."""
    for some in chunks(visit.rows):
        view = _read(store, game, visit.episode, some)
        state = view.needed_state()
        ids = view.tile_ids(0) if game.tile_layers else None
        place = Located.of_state(state)
        colours, trust = own.look_up(place, view, ids)
        trust[view.mask | _stale(view, place, visit)] = 0
        backdrop = own.backdrop(state.scene)
        moving.add(view.frames, objects(state, game), colours, trust > 0, backdrop)
        hardware.add(view.frames, sprites(state, game), colours, trust > 0, backdrop)
        glow.add(
            view.frames, glowing(state, game), np.full_like(view.frames, 255), ~(view.in_front | view.mask), backdrop
        )
