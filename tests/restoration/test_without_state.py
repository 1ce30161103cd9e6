"""Masked pixels without a state: scenery by the atlas, what moves before it by motion recall."""

from __future__ import annotations

import numpy as np
import pytest

from hstmae.atlas.known_pixels import SURE, Claim, known_pixels
from hstmae.atlas.locate import Locator
from hstmae.atlas.maps import Atlas, Located
from hstmae.bundled import CHECKPOINTS
from hstmae.data.store.reader import EpisodeStore
from hstmae.games import get_game
from hstmae.games.pixels import View
from hstmae.games.state import NOWHERE
from hstmae.motion.scene import Scene
from hstmae.restoration.without_state import camera_of, drawn_frames, known_without_state

GAME = get_game("smb")
FRAMES = 16


@pytest.fixture(scope="module")
def locator() -> Locator:
    return Locator(Atlas.load(CHECKPOINTS / "hst-mae-nano" / "atlas.npz"), GAME)


@pytest.fixture(scope="module")
def frames(sample_store: EpisodeStore) -> np.ndarray:
    return sample_store.read(0, np.arange(40, 40 + FRAMES)).frames


def damaged(kind: str) -> np.ndarray:
    mask, rng = np.zeros((FRAMES, 240, 256), bool), np.random.default_rng(0)
    if kind == "blocks":
        mask = rng.random((FRAMES, 15, 16)) < 0.08
        return mask.repeat(16, 1).repeat(16, 2)
    if kind == "lost frames":
        mask[[4, 5, 6, 10, 13]] = True
    elif kind == "scratches":
        mask[:, :, 100:103] = mask[:, :, 180:182] = True
    elif kind == "tubes":
        mask[:] = (rng.random((15, 16)) < 0.9).repeat(16, 0).repeat(16, 1)
    return mask


def view(frames: np.ndarray, mask: np.ndarray) -> View:
    return View(np.where(mask, np.uint8(0), frames), mask, GAME)


@pytest.mark.parametrize(
    ("kind", "found", "right"),
    [("blocks", 0.96, 0.995), ("lost frames", 0.8, 0.99), ("scratches", 0.93, 0.99), ("tubes", 0.6, 0.98)],
)
def test_what_is_sure_is_right(kind: str, found: float, right: float, frames: np.ndarray, locator: Locator) -> None:
    mask = damaged(kind)
    known = known_without_state(view(frames, mask), locator)
    sure = known.found
    assert not (sure & ~mask).any() and (known.trust[~mask] == 0).all()
    assert sure[mask].mean() >= found
    assert (known.indices == frames)[sure].mean() >= right


def test_it_knows_more_than_either_alone(frames: np.ndarray, locator: Locator) -> None:
    mask, frames = damaged("blocks")[:10], frames[:10]
    some = view(frames, mask)
    wrong = {
        "both": (known_without_state(some, locator).indices != frames)[mask].sum(),
        "atlas": (known_pixels(some, locator).indices != frames)[mask].sum(),
        "motion": (known_without_state(some, None).indices != frames)[mask].sum(),
    }
    assert wrong["both"] < 0.6 * wrong["atlas"] and wrong["both"] <= wrong["motion"]


def test_masked_pixels_are_not_read(frames: np.ndarray, locator: Locator) -> None:
    mask, frames = damaged("blocks")[:8], frames[:8]
    noise = np.random.default_rng(1).integers(0, 64, frames.shape).astype(np.uint8)
    one = known_without_state(view(frames, mask), locator)
    two = known_without_state(View(np.where(mask, np.uint8(0), np.where(mask, noise, frames)), mask, GAME), locator)
    assert np.array_equal(one.indices, two.indices) and np.array_equal(one.trust, two.trust)


def test_an_unknown_map_is_drawn_from_the_other_frames(frames: np.ndarray) -> None:
    mask = damaged("blocks")
    known = known_without_state(view(frames, mask), Locator(Atlas("smb"), GAME))
    assert known.found[mask].mean() > 0.95 and (known.indices == frames)[known.found].mean() > 0.99


def test_it_is_asked_where_enough_is_seen_or_nothing() -> None:
    mask = np.zeros((5, 10, 10), bool)
    mask[1, :5], mask[2, :6], mask[3, :, :9], mask[4] = True, True, True, True
    assert drawn_frames(mask).tolist() == [False, True, False, False, True]


def test_the_camera_is_where_the_place_was_found_and_leads_through_one_map_alone() -> None:
    scene = np.array([3, 3, NOWHERE, 4, 4])
    claim = Claim(*np.zeros((2, 5, 8, 8)), place=Located(scene, np.array([10, 12, 0, 12, 15])))
    camera = camera_of(claim)
    assert camera is not None and np.isnan(camera[2]).all() and (camera[[0, 1, 3, 4], 0] == 0).all()
    scene_ = Scene(np.zeros((5, 8, 8, 3), np.uint8), np.zeros((5, 8, 8), bool), camera=camera)
    assert [scene_.led(0, 1), scene_.led(3, 4), scene_.led(1, 3), scene_.led(1, 2)] == [(0, -2), (0, -3), None, None]
    claim.place = Located(np.array([3, 3, 3, 4, 4]), np.array([10, 12, 12, 12, 15]))
    assert Scene(scene_.rgb, scene_.mask, camera=camera_of(claim)).led(2, 3) is None
    assert camera_of(Claim(*np.zeros((2, 5, 8, 8)))) is None


@pytest.mark.parametrize("count", [0, 1])
def test_a_picture_alone_shows_no_other(count: int, frames: np.ndarray) -> None:
    mask = damaged("blocks")[:1]
    mask[:] &= bool(count)
    assert not known_without_state(view(frames[:1], mask), None).trust.any()


def test_sure_is_what_the_atlas_calls_so() -> None:
    from hstmae.restoration import without_state as room

    assert room.RIGHT >= SURE > room.UNSURE
