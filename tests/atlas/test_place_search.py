"""Where frames were taken, weighed over all places: maps that look alike share, motion tells."""

from __future__ import annotations

import numpy as np
import pytest

from hstmae.atlas.kinds import KINDS
from hstmae.atlas.locate import Locator
from hstmae.atlas.maps import LEVELS, Atlas, WorldMap
from hstmae.games import get_game
from hstmae.games.pixels import View
from hstmae.games.state import NOWHERE

GAME = get_game("smb")
H, W = GAME.native_size
WIDE = 700


def pictures(seed: int, period: int = 0) -> np.ndarray:
    """A map of tiles drawn at random, uint8 [H, WIDE]; it repeats after `period` pixels."""
    rng = np.random.default_rng(seed)
    tiles = rng.integers(1, 5, (H // 16, 1 + (period or WIDE) // 16)).repeat(16, 0).repeat(16, 1)
    texture = rng.integers(0, 2, (16, 16))
    whole = tiles[:, : period or WIDE] + np.tile(texture, (H // 16, 1 + WIDE // 16))[:, : period or WIDE]
    return np.tile(whole, (1, 1 + WIDE // (period or WIDE)))[:, :WIDE].astype(np.uint8)


def locator(*maps: np.ndarray) -> Locator:
    atlas = Atlas("smb", trust=np.ones((len(LEVELS), KINDS), np.float32))
    fixed = np.zeros((H, W), np.uint8)
    for number, colours in enumerate(maps, 1):
        kinds = np.full(colours.shape, KINDS - 1, np.uint8)
        tiles = np.full((13, colours.shape[1] // 16), -1, np.int16)
        atlas.maps[number] = WorldMap(colours, kinds, tiles, fixed, fixed, np.zeros((H, W, 3), np.uint8), 32)
    return Locator(atlas, GAME)


def view(world: np.ndarray, cameras: list[int], tubes: int = 24, seed: int = 0) -> View:
    frames = np.stack([world[:, x : x + W] for x in cameras])
    shown = np.zeros(H // 16 * W // 16, bool)
    shown[np.random.default_rng(seed).choice(len(shown), tubes, replace=False)] = True
    mask = ~shown.reshape(H // 16, W // 16).repeat(16, 0).repeat(16, 1)
    mask = np.broadcast_to(mask, frames.shape)
    return View(np.where(mask, np.uint8(0), frames), mask, GAME)


STEPS = [40, 43, 46, 49, 53, 57, 61, 65]


@pytest.mark.parametrize("tubes", [6, 24, 200])
def test_the_place_is_found_and_masked_pixels_are_not_read(tubes: int) -> None:
    maps = [pictures(seed) for seed in range(3)]
    some, where = view(maps[1], STEPS, tubes), locator(*maps)
    found = where.likely(some)
    assert found[0].place.scene.tolist() == [2] * 8 and found[0].place.camera.tolist() == STEPS
    noise = np.random.default_rng(1).integers(0, 8, some.frames.shape, np.uint8)
    again = where.locate(View(np.where(some.mask, noise, some.frames), some.mask, GAME))
    assert again.camera.tolist() == STEPS


def test_maps_that_look_alike_share() -> None:
    one = pictures(3)
    other = one.copy()
    other[:, 400:] = pictures(4)[:, 400:]  # out of sight
    found = locator(one, other).likely(view(one, STEPS))
    assert {int(p.place.scene[0]) for p in found} == {1, 2} and len(found) == 2
    for likely in found:
        assert likely.weight == pytest.approx(np.full(8, 0.5), abs=0.01) and likely.place.camera.tolist() == STEPS


def test_motion_tells_places_of_a_pattern_apart() -> None:
    """Every 64 pixels the map looks alike, but for a mark that comes into sight in the last frames."""
    world = pictures(5, 64)
    world[64:, 310:330] = 9
    some = view(world, STEPS, 220)
    first = locator(world).likely(View(some.frames[:2], some.mask[:2], GAME))
    assert first[0].weight.max() < 0.9  # without the frames that show it
    found = locator(world).likely(some)
    assert found[0].place.camera.tolist() == STEPS and found[0].weight.min() > 0.9


def test_objects_in_front_are_overlooked_and_strangers_are_nowhere() -> None:
    world = pictures(6)
    some = view(world, STEPS)
    y, x = (int(n[0]) for n in np.nonzero(~some.mask[0] & ~some.fixed[0]))
    frames = some.frames.copy()
    frames[:, y : y + 8, x : x + 16] = 50  # of no map
    assert locator(world).locate(View(frames, some.mask, GAME)).camera.tolist() == STEPS
    stranger = locator(world).likely(view(pictures(7), STEPS))
    assert len(stranger) == 1 and (stranger[0].place.scene == NOWHERE).all()
    assert (locator().likely(some)[0].place.scene == NOWHERE).all()  # an atlas without maps


def test_frames_between_are_placed_by_those_around() -> None:
    world = pictures(8)
    some = view(world, STEPS)
    mask = some.mask.copy()
    mask[3:5] = True  # of these nothing is seen
    found = locator(world).likely(View(np.where(mask, np.uint8(0), some.frames), mask, GAME))
    assert found[0].place.camera[[2, 5]].tolist() == [46, 57] and 46 < found[0].place.camera[3] < 57
    assert sum(p.weight for p in found) == pytest.approx(np.ones(8))
