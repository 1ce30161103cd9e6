"""Mazes that set the camera back: what stands there is what stands some pages further on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hstmae.atlas.kinds import KINDS
from hstmae.atlas.learning.learn import build_atlas
from hstmae.atlas.maps import LEVELS, Atlas, Located, WorldMap
from hstmae.atlas.mazes import other_pages
from hstmae.data.store.reader import EpisodeStore
from hstmae.games import get_game
from hstmae.games.pixels import View, led_back, parts

GAME = get_game("smb")
H, W = GAME.native_size


def maze() -> Atlas:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 50, (H, 3000), np.uint8)
    kinds = np.ones((H, 3000), np.uint8)
    bar = np.zeros((H, W), np.uint8)
    world = WorldMap(colours, kinds, np.zeros((0, 0), np.int16), bar, bar, np.zeros((H, W, 3), np.uint8))
    return Atlas("smb", {7: world}, np.ones((len(LEVELS), KINDS), np.float32))


def test_each_column_of_the_world_shows_the_page_that_fits() -> None:
    atlas, camera = maze(), np.arange(500, 564, 4)
    world = atlas.maps[7].colours
    frames = np.stack([world[:, x : x + W] for x in camera])
    seam = 700  # to the left of it the picture is still that of four pages further on
    for t, x in enumerate(camera):
        frames[t, :, : seam - x] = world[:, x + 1024 : seam + 1024]
    frames[:, :32] = 0
    mask = np.random.default_rng(1).random((1, H // 16, W // 16)) < 0.9
    mask = np.broadcast_to(mask.repeat(16, 1).repeat(16, 2), frames.shape)
    place = Located(np.full(len(camera), 7), camera)
    shown = np.where(mask, np.uint8(255), frames)
    colours, trust = other_pages(View(shown, mask, GAME, None, "compact"), place, atlas, 0.5)
    right = (colours == frames)[:, 32:]
    assert right.mean() > 0.9 and trust[:, 32:].min() == 1
    own, _ = atlas.look_up(place, View(frames, mask, GAME, None, "compact"))
    assert (own == frames)[:, 32:].mean() < 0.5  # control: the state's own page
    shown = np.where(mask, np.uint8(255), own)
    assert np.array_equal(
        other_pages(View(shown, mask, GAME, None, "compact"), place, atlas, 0.5)[0], own
    )  # nothing to correct


def test_games_without_mazes_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Straight(type(GAME)):  # type: ignore[misc]
        looks = replace(GAME.looks, maze_step=0)

    atlas, asked = maze(), []
    monkeypatch.setattr(
        Atlas, "look_up", lambda self, place, view: asked.append(place) or (view.frames, view.mask * 1.0)
    )
    frames = np.zeros((2, H, W), np.uint8)
    other_pages(
        View(frames, frames > 0, Straight(), None, "compact"), Located(np.array([7, 7]), np.array([0, 4])), atlas, 0.5
    )
    assert len(asked) == 1


def test_cameras_left_of_the_world_are_no_trouble() -> None:
    atlas, camera = maze(), np.arange(-40, 0, 4)
    view = View(np.zeros((len(camera), H, W), np.uint8), np.zeros((len(camera), H, W), bool), GAME, None, "compact")
    place = Located(np.full(len(camera), 7), camera)
    own, _ = atlas.look_up(place, view)
    seen = replace(view, frames=own)
    assert np.array_equal(other_pages(seen, place, atlas, 0.5)[0], own)


def test_what_leads_back_is_told_from_a_new_beginning() -> None:
    camera = np.array([2180, 2190, 1168, 1180, 0, 8, 2000, 1990])
    assert led_back(camera, GAME).tolist() == [False, False, True, False, False, False, False, False]
    assert [p.tolist() for p in parts(camera[:4], np.zeros(4, int), led_back(camera[:4], GAME))] == [[0, 1], [2, 3]]


def test_a_camera_that_a_maze_sets_back_beyond_the_beginning_is_below_0(sample_store: EpisodeStore) -> None:
    read = sample_store.read(0, np.arange(8), ("state",))
    assert read.state is not None
    read.state[:, 0x71A], read.state[:, 0x71C] = [3, 3, 3, 0xFF, 0xFF, 0, 0, 0], [140, 143, 146, 152, 250, 2, 5, 8]
    place = Located.of_state(GAME.decode(read.state, None))
    assert place.camera.tolist() == [908, 911, 914, -104, -6, 2, 5, 8]
    assert led_back(place.camera, GAME).nonzero()[0].tolist() == [3]


class Lying(EpisodeStore):
    """The first frames' camera is beyond the map."""

    def read(self, episode: int, rows: Any, *args: Any, **options: Any) -> Any:
        found = super().read(episode, rows, *args, **options)
        if found.state is not None:
            found.state[np.asarray(rows) < 8, 0x71A] = 0xFF
        return found


def test_frames_beyond_the_map_do_not_cost_their_visit(sample_store: EpisodeStore) -> None:
    (world,) = build_atlas(sample_store, GAME, (), stride=8).maps.values()
    (fewer,) = build_atlas(Lying(sample_store.path), GAME, (), stride=8).maps.values()
    assert (fewer.kinds > 0).sum() > 0.95 * (world.kinds > 0).sum()
