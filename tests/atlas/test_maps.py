"""The atlas: places are looked up where they are, files are whole or refused, tiles look as they were seen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstmae.atlas.kinds import KINDS, kinds_of, usual_means
from hstmae.atlas.maps import LEVELS, MAP_ARRAYS, Atlas, Located, WorldMap
from hstmae.atlas.objects import ObjectLooks
from hstmae.atlas.tiles import TileLooks
from hstmae.errors import CheckpointError
from hstmae.games import GameState, get_game
from hstmae.games.camera_steps import CameraSteps
from hstmae.games.pixels import View

GAME = get_game("smb")
H, W = GAME.native_size
SCENE, WIDE = 41, 640


def made_up(seed: int = 0) -> Atlas:
    """An atlas of one random map, all of it seen by many."""
    rng = np.random.default_rng(seed)
    colours, fixed = rng.integers(0, 64, (H, WIDE), np.uint8), rng.integers(0, 64, (H, W), np.uint8)
    tiles = rng.integers(0, 200, (13, WIDE // 16)).astype(np.int16)
    kinds = np.full((H, WIDE), KINDS - 1, np.uint8)
    atlas = Atlas("smb", {SCENE: WorldMap(colours, kinds, tiles, fixed, kinds[:, :W].copy(), GAME.palette[fixed], 32)})
    atlas.trust[:, KINDS - 1] = 0.9, 0.95, 1.0
    return atlas


def blank(
    shape: tuple[int, int, int], level: str = "full", origin: tuple[int, int] = (0, 0), state: GameState | None = None
) -> View:
    return View(np.zeros(shape, np.uint8), np.zeros(shape, bool), GAME, state, level, origin)


@given(
    camera=st.integers(-300, WIDE + 50), top=st.integers(0, 60), left=st.integers(0, 40), level=st.sampled_from(LEVELS)
)
def test_places_are_looked_up_where_they_are(camera: int, top: int, left: int, level: str) -> None:
    atlas, shape = made_up(), (2, 100, 180)
    view = blank(shape, level, (top, left))
    colours, trust = atlas.look_up(Located(np.array([SCENE, SCENE + 1]), np.array([camera, camera])), view)
    assert not trust[1].any()  # another map
    bar = view.fixed[0]
    world = atlas.maps[SCENE]
    for y, x in np.random.default_rng(abs(camera)).integers(0, (100, 180), (200, 2)):
        if bar[y, x]:
            expected: int | None = int(world.fixed[top + y, left + x])
        else:
            at = camera + left + x
            expected = int(world.colours[top + y, at]) if 0 <= at < WIDE else None
        if expected is None:
            assert trust[0, y, x] == 0
        else:
            assert trust[0, y, x] == np.float32(atlas.trust[LEVELS.index(level), -1])
            assert colours[0, y, x] == expected


def test_beyond_the_native_picture_nothing_is_known() -> None:
    _, trust = made_up().look_up(Located(np.array([SCENE]), np.array([0])), blank((1, H + 16, W + 32)))
    assert trust[0, :H, :W].all() and not trust[0, H:].any() and not trust[0, :, W:].any()


def test_another_tile_than_the_maps_is_not_drawn() -> None:
    atlas, camera = made_up(), 37
    ids, place = np.full((1, H, W), -1, np.int16), Located(np.array([SCENE]), np.array([camera]))
    x = (np.arange(W) + camera) // 16
    ids[0, 32:] = atlas.maps[SCENE].tiles.repeat(16, 0)[:, x]
    _, same = atlas.look_up(place, blank((1, H, W)), ids)
    assert same.all()
    ids[0, 100:120, 60:70] += 1
    _, other = atlas.look_up(place, blank((1, H, W)), ids)
    assert np.array_equal(
        other == 0,
        ids != np.where(ids >= 0, atlas.maps[SCENE].tile_at(16, np.arange(H), np.arange(W) + camera), -1),
    )


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    atlas = made_up()
    atlas.looks = TileLooks(np.array([[1, 0, 0, 0, 7]], np.int32), *np.full((2, 1, 16, 16), 9, np.uint8))
    atlas.save(tmp_path / "a.npz")
    back = Atlas.load(tmp_path / "a.npz")
    assert back.game == "smb" and list(back.maps) == [SCENE]
    assert back.maps[SCENE].grid_top == 32
    for name in MAP_ARRAYS:
        assert np.array_equal(getattr(back.maps[SCENE], name), getattr(atlas.maps[SCENE], name))
    assert np.array_equal(back.trust, atlas.trust) and np.array_equal(back.looks.keys, atlas.looks.keys)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_files_of_earlier_versions_have_their_grid_at_the_lower_edge(tmp_path: Path) -> None:
    atlas = made_up()
    atlas.maps[SCENE].grid_top = None  # they do not say where it is
    atlas.save(tmp_path / "a.npz")
    back = Atlas.load(tmp_path / "a.npz")
    assert back.maps[SCENE].grid_top is None
    back.check_game(GAME, "a.npz")
    assert back.maps[SCENE].grid_top == 32


def test_how_the_camera_steps_is_kept_and_files_of_earlier_versions_do_not_know(tmp_path: Path) -> None:
    atlas = made_up()
    atlas.steps = CameraSteps.of([np.arange(200) % 3])
    atlas.save(tmp_path / "a.npz")
    back = Atlas.load(tmp_path / "a.npz").steps
    assert len(back.before) == 3 and np.array_equal(back.before, atlas.steps.before)
    assert np.array_equal(back.counts, atlas.steps.counts)
    with np.load(tmp_path / "a.npz") as file:
        arrays = {name: file[name] for name in file.files if not name.startswith("steps.")}
    np.savez(tmp_path / "old.npz", **arrays)
    assert not len(Atlas.load(tmp_path / "old.npz").steps.before)
    for counts in (np.uint32(3), back.counts[1:], back.counts.astype(np.int64)):
        np.savez(tmp_path / "bad.npz", **arrays, **{"steps.before": back.before, "steps.counts": counts})
        with pytest.raises(CheckpointError, match="do not fit"):
            Atlas.load(tmp_path / "bad.npz")
    np.savez(tmp_path / "bad.npz", **arrays, **{"steps.before": back.before})
    with pytest.raises(CheckpointError, match="not a readable atlas"):
        Atlas.load(tmp_path / "bad.npz")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    atlas = made_up()
    atlas.save(tmp_path / "a.npz")
    data = (tmp_path / "a.npz").read_bytes()
    bad = tmp_path / "bad.npz"
    for cut in (0, 1, 100, len(data) // 2, len(data) - 10):
        bad.write_bytes(data[:cut])
        with pytest.raises(CheckpointError, match="not a readable atlas"):
            Atlas.load(bad)
    with pytest.raises(CheckpointError, match="no such file"):
        Atlas.load(tmp_path / "none.npz")
    replace(atlas, trust=np.zeros((3, KINDS + 1), np.float32)).save(bad)
    with pytest.raises(CheckpointError, match="do not fit"):
        Atlas.load(bad)
    atlas.maps[SCENE].kinds[0, 0] = KINDS  # a kind that there is not
    atlas.save(bad)
    with pytest.raises(CheckpointError, match="do not fit"):
        Atlas.load(bad)
    np.savez(bad, head=np.zeros(3, np.uint8))
    with pytest.raises(CheckpointError):
        Atlas.load(bad)


def test_flipped_bits_are_found_or_do_no_harm(tmp_path: Path) -> None:
    atlas = made_up()
    atlas.save(tmp_path / "a.npz")
    data, whole = (tmp_path / "a.npz").read_bytes(), atlas.arrays()
    rng, refused = np.random.default_rng(0), 0
    for number in range(150):
        near_end = number % 2  # where names, sizes and checksums are
        at = int(rng.integers(max(0, len(data) - 3000), len(data)) if near_end else rng.integers(len(data)))
        changed = bytearray(data)
        changed[at] ^= 1 << int(rng.integers(8))
        (tmp_path / "b.npz").write_bytes(changed)
        try:
            back = Atlas.load(tmp_path / "b.npz").arrays()
        except CheckpointError:
            refused += 1
        else:
            assert all(np.array_equal(back[name], whole[name]) for name in whole)
    assert refused > 50


def test_an_atlas_that_does_not_fit_its_game_is_refused(tmp_path: Path) -> None:
    made_up().check_game(GAME, "a.npz")
    for name, value in (("colours", np.full((H, WIDE), 64, np.uint8)), ("fixed", np.zeros((H, W + 1), np.uint8))):
        bad = made_up()
        bad.maps[SCENE] = replace(bad.maps[SCENE], **{name: value})
        with pytest.raises(CheckpointError, match="does not fit the game smb"):
            bad.check_game(GAME, "a.npz")
    bad = made_up()
    bad.looks = TileLooks(np.zeros((1, 5), np.int32), *np.zeros((2, 1, 8, 8), np.uint8))  # cells are 16 pixels
    with pytest.raises(CheckpointError, match="does not fit the game smb"):
        bad.check_game(GAME, "a.npz")


@given(st.lists(st.integers(0, 9), min_size=3, max_size=3), st.integers(0, 5))
def test_kinds_tell_visits_and_agreement_apart(votes: list[int], varied: int) -> None:
    counts, total = np.array(votes)[:, None], np.array([sum(votes) + varied])
    number, kind = kinds_of(counts, total)
    assert (kind[0] == 0) == (total[0] == 0) and kind[0] < KINDS
    if total[0]:
        assert votes[number[0]] == max(votes)
        more = kinds_of(counts * 2, total * 2)[1]  # as much agreement, more visits
        assert more[0] >= kind[0] and (more[0] - kind[0]) % 4 == 0


def test_tiles_are_drawn_at_their_offset_in_their_look() -> None:
    rng = np.random.default_rng(3)
    pictures = rng.integers(0, 64, (2, 16, 16), np.uint8)
    state = GAME.decode(np.zeros((2, GAME.state_size), np.uint8), None)
    state.tiles[0][:] = 7
    state.tile_xy[0][:, 0] = -5, -11
    look = list(GAME.looks.tile_globals)
    state.globals[0, look], state.globals[1, look] = 1, 2
    keys = np.array([[1, 1, 1, 1, 7], [2, 2, 2, 2, 7]], np.int32)
    looks = TileLooks(keys, pictures, np.full((2, 16, 16), 4, np.uint8))
    view = View.whole(np.zeros((2, H, W), np.uint8), GAME, state)
    colours, kinds = looks.paint(view.tile_ids(0), view)
    for t, offset in ((0, 5), (1, 11)):
        for y, x in ((32, 0), (47, 200), (239, 255)):
            assert colours[t, y, x] == pictures[t, (y - 32) % 16, (x + offset) % 16] and kinds[t, y, x] == 4
    assert not kinds[:, :32].any()
    crop = blank((2, 40, 66), "full", (50, 33), state)
    assert np.array_equal(looks.paint(crop.tile_ids(0), crop)[0], colours[:, 50:90, 33:99])
    state.tiles[0][:] = 8  # never seen, and but for what the clip itself shows
    hidden = View(view.frames, np.ones(view.shape, bool), GAME, state, "full")
    assert not looks.paint(view.tile_ids(0) * 0 + 8, hidden)[1].any()
    assert looks.paint(view.tile_ids(0) * 0 + 8, view)[1].any()


def test_what_does_not_scroll_has_a_mean_where_it_was_seen() -> None:
    atlas, place = made_up(), Located(np.array([SCENE, SCENE + 1]), np.array([5, 5]))
    atlas.maps[SCENE].fixed_kinds[3, 40] = 0
    mean, seen = atlas.mean_of_fixed(place, blank((2, H, W)))
    expected = np.zeros((H, W), bool)
    expected[:32] = True
    expected[3, 40] = False
    assert np.array_equal(seen[0], expected) and not seen[1].any() and not mean[1].any()
    assert np.array_equal(mean[0][expected], GAME.palette[atlas.maps[SCENE].fixed][expected])
    part, _ = atlas.mean_of_fixed(place, blank((2, 20, 30), "full", (8, 100)))
    assert np.array_equal(part[0], mean[0, 8:28, 100:130])


def test_the_backdrop_is_what_most_of_a_map_shows() -> None:
    atlas = made_up()
    atlas.maps[SCENE].colours[:150] = 9
    atlas.maps[SCENE + 1] = replace(atlas.maps[SCENE], kinds=np.zeros((H, WIDE), np.uint8))
    assert atlas.backdrop(np.array([SCENE, SCENE + 1, 7, SCENE])).tolist() == [9, -1, -1, 9]


def test_files_of_another_format_or_with_foreign_looks_are_refused(tmp_path: Path) -> None:
    atlas = made_up()
    arrays = atlas.arrays()
    head = json.loads(arrays["head"].tobytes()) | {"format": 99}
    np.savez(tmp_path / "a.npz", **{**arrays, "head": np.frombuffer(json.dumps(head).encode(), np.uint8)})
    with pytest.raises(CheckpointError, match="format 99, this program reads"):
        Atlas.load(tmp_path / "a.npz")
    one = np.ones((1, 1, 1), np.uint8)
    rgb, seen = np.ones((1, 1, 1, 3), np.uint8), np.ones(1, np.int32)
    looks = ObjectLooks(np.ones((1, 4), np.int32), np.ones((1, 2), np.uint8), seen, one, one * 64, one, rgb)
    with pytest.raises(CheckpointError, match="does not fit the game"):
        replace(made_up(), objects=looks).check_game(GAME, "a.npz")  # colour 64 of 64
    fine = replace(looks, entry=one, keys=np.ones((1, 9), np.int32))
    with pytest.raises(CheckpointError, match="does not fit the game"):
        replace(made_up(), sprites=fine).check_game(GAME, "a.npz")  # keys of another version
    for name, part in (
        ("glow", replace(fine, seen=np.ones(2, np.int32))),
        ("text", TileLooks(np.zeros((3, 5), np.int32))),
    ):
        with pytest.raises(CheckpointError, match="do not fit each other"):
            replace(made_up(), **{name: part}).check("a.npz")


def test_status_bars_of_few_visits_look_as_those_of_all_maps_do() -> None:
    entries, seldom, agreed = np.full((1, 2), 3, np.uint8), np.array([[1, 4]], np.uint8), np.array([[13, 16]], np.uint8)
    one, many = np.full((1, 2, 3), 10, np.uint8), np.full((1, 2, 3), 100, np.uint8)
    made = usual_means({0: (entries, seldom, one), 1: (entries, agreed, many), 2: (entries + 1, seldom, one)})
    assert made[0][0, 1].tolist() == [10] * 3 and made[1][0, 1].tolist() == [100] * 3  # all visits agreed
    usual = (1 * 10 + 8 * 100) / 9
    assert made[0][0, 0].tolist() == [round(10 / 9 + usual * 8 / 9)] * 3  # one visit beside eight of all maps
    assert made[1][0, 0].tolist() == [round(50 + usual / 2)] * 3
    assert made[2][0, 0].tolist() == [10] * 3  # another background
