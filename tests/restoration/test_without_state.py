"""Masked pixels without a state: scenery by the atlas, what moves before it by motion recall."""

from __future__ import annotations

import numpy as np
import pytest

from hstmae.atlas.known_pixels import SURE, known_pixels
from hstmae.atlas.locate import Locator
from hstmae.atlas.maps import Atlas
from hstmae.bundled import CHECKPOINTS
from hstmae.data.store.reader import EpisodeStore
from hstmae.games import get_game
from hstmae.games.pixels import View
from hstmae.restoration.without_state import drawn_frames, known_without_state

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


@pytest.mark.parametrize("count", [0, 1])
def test_a_picture_alone_shows_no_other(count: int, frames: np.ndarray) -> None:
    mask = damaged("blocks")[:1]
    mask[:] &= bool(count)
    assert not known_without_state(view(frames[:1], mask), None).trust.any()


def test_sure_is_what_the_atlas_calls_so() -> None:
    from hstmae.restoration import without_state as room

    assert room.RIGHT >= SURE > room.UNSURE
