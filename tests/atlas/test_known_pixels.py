"""What needs no network, on the bundled session with the bundled atlas: right, honest about its trust, never read from
masked pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hstmae.atlas.known_pixels import SURE, known_pixels
from hstmae.atlas.locate import Locator
from hstmae.atlas.maps import Located
from hstmae.data.store.reader import EpisodeStore
from hstmae.games import GameState
from hstmae.games.pixels import View
from hstmae.games.state import NOWHERE
from hstmae.inference.loading import load
from hstmae.inference.predictor import Predictor
from hstmae.masks.tubes import numbered_tube

ROWS = np.arange(0, 64, 4)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load("hst-mae-nano", "cpu")


@pytest.fixture(scope="module")
def locator(predictor: Predictor) -> Locator:
    assert predictor.atlas is not None
    return Locator(predictor.atlas, predictor.game)


@pytest.fixture(scope="module")
def clip(sample_store: EpisodeStore, predictor: Predictor) -> tuple[np.ndarray, np.ndarray, GameState]:
    read = sample_store.read(0, ROWS)
    assert read.state is not None
    mask = numbered_tube((16, 240, 256), 0.9, 0, 0)
    return read.frames, np.array(mask), predictor.game.decode(read.state, read.context)


def seen(frames: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.where(mask, np.uint8(0), frames)


@pytest.mark.parametrize(
    ("level", "share", "right"), [("full", 0.9, 0.9995), ("compact", 0.9, 0.99), ("none", 0.8, 0.97)]
)
def test_most_is_known_and_right(predictor, locator, clip, level: str, share: float, right: float) -> None:  # type: ignore[no-untyped-def]
    frames, mask, state = clip
    given = None if level == "none" else state
    known = known_pixels(View(seen(frames, mask), mask, predictor.game, given, level), locator)
    assert not known.found[~mask].any()
    assert known.found[mask].mean() >= share
    assert (known.indices == frames)[known.found].mean() >= right
    noise = np.random.default_rng(0).integers(0, 40, frames.shape, np.uint8)
    again = known_pixels(View(np.where(mask, noise, frames), mask, predictor.game, given, level), locator)
    assert np.array_equal(again.trust, known.trust)
    assert np.array_equal(again.indices[again.found], known.indices[known.found])


def test_a_camera_that_lies_is_found_out(predictor, locator, clip) -> None:  # type: ignore[no-untyped-def]
    """Visible pixels contradict it, so little is taken from there: at `compact` the place is found."""
    frames, mask, state = clip
    lying = replace(state, camera=state.camera + 40)
    known = known_pixels(View(seen(frames, mask), mask, predictor.game, lying, "compact"), locator)
    atlas = known.found & (known.trust != np.float32(0.9999))  # the rest is from other frames
    assert (known.indices == frames)[atlas].mean() > 0.97
    colours, trust = locator.atlas.look_up(
        Located.of_state(lying), View(frames, mask, predictor.game, lying, "compact")
    )
    believed = mask & (trust >= SURE)
    assert (colours == frames)[believed].mean() < 0.95  # control: the lie, believed


def test_places_are_found_from_what_is_visible(predictor, locator, clip) -> None:  # type: ignore[no-untyped-def]
    frames, mask, state = clip
    found = locator.locate(View(seen(frames, mask), mask, predictor.game))
    assert (found.scene == state.scene).mean() >= 0.9 and (found.camera == state.camera).mean() >= 0.9
    part = locator.locate(
        View(seen(frames, mask)[:, 32:, 48:208], mask[:, 32:, 48:208], predictor.game, origin=(32, 48))
    )
    assert (part.camera == state.camera)[part.scene == state.scene].mean() >= 0.9 and (part.scene == state.scene).any()
    noise = np.random.default_rng(0).choice(frames[0].ravel(), frames.shape)
    assert (locator.locate(View(seen(noise, mask), mask, predictor.game)).scene == NOWHERE).all()
    assert (
        locator.locate(View(frames, np.ones_like(mask), predictor.game)).scene == NOWHERE
    ).all()  # nothing visible at all


def test_a_tile_that_is_told_is_believed_before_a_map(predictor, locator, clip) -> None:  # type: ignore[no-untyped-def]
    """What few visits to a place saw may have been something before it, untold."""
    frames, state = clip[0][:1], clip[2].map(lambda array: array[:1])
    view = View(np.zeros_like(frames), np.ones(frames.shape, bool), predictor.game, state, "full")
    world = locator.atlas.maps[int(state.scene[0])]
    wrong = replace(world, colours=np.where(world.colours == 0x1A, np.uint8(0x21), world.colours))
    atlas = replace(locator.atlas, maps={int(state.scene[0]): wrong})
    tiles, trust = atlas.paint_tiles(view.tile_ids(0), view)
    told = (trust >= SURE) & ~view.moving & ~view.fixed
    known = known_pixels(view, Locator(atlas, predictor.game))
    assert np.array_equal(known.indices[told], tiles[told]) and (frames == tiles)[told].all()


def test_new_maps_are_completed_from_others(predictor, locator, clip) -> None:  # type: ignore[no-untyped-def]
    """Without its own map and history, the session's scenery comes from tiles and from what such maps hold."""
    frames, mask, state = clip
    own = int(state.scene[0])
    maps = {scene: world for scene, world in locator.atlas.maps.items() if scene != own}
    stranger = Locator(replace(locator.atlas, maps=maps), predictor.game)
    known = known_pixels(View(seen(frames, mask), mask, predictor.game, state, "full"), stranger)
    assert known.found[mask].mean() > 0.85
    assert (known.indices == frames)[known.found].mean() > 0.995


def test_restoring_with_an_atlas_is_better_at_every_level(predictor, clip, sample_store: EpisodeStore) -> None:  # type: ignore[no-untyped-def]
    rows = ROWS[:6]
    frames, mask, read = clip[0][:6], clip[1][:6], sample_store.read(0, rows)
    alone = Predictor(predictor.model, predictor.config)
    for level in ("full", "compact", "none"):
        errors = []
        for one in (predictor, alone):
            made = one.restore(frames, mask, state=read.state, context=read.context, level=level, frame_numbers=rows)
            assert np.array_equal(made.indices[~mask], frames[~mask])
            assert made.confidence is not None and made.confidence[~mask].min() == 1 and made.confidence.max() <= 1
            errors.append(np.square(made.rgb.astype(int) - one.game.palette[frames].astype(int))[mask].mean())
        assert errors[0] < (0.95 if level == "full" else 0.6) * errors[1], (level, errors)


def test_models_that_restore_differently_have_other_fingerprints(predictor: Predictor) -> None:
    assert predictor.atlas is not None
    other = replace(predictor.atlas, trust=predictor.atlas.trust * np.float32(0.5))
    prints = {
        Predictor(predictor.model, predictor.config, atlas=a).fingerprint() for a in (None, predictor.atlas, other)
    }
    assert len(prints) == 3 and predictor.fingerprint() in prints


def test_tiles_that_glow_show_the_colours_of_their_turn_at_compact(
    predictor, locator, sample_store, monkeypatch
) -> None:  # type: ignore[no-untyped-def]
    read = sample_store.read(0, np.arange(32, 96, 4))
    state, mask = predictor.game.decode(read.state, read.context), np.ones((16, 240, 256), bool)
    mask[:, :, ::32] = False  # the atlas has to be borne out
    view = View(seen(read.frames, mask), mask, predictor.game, state, "compact")
    whole = View.whole(read.frames, predictor.game, state)
    glow = np.isin(whole.tile_ids(0), predictor.game.looks.cycling_tiles) & ~whole.moving & mask
    assert glow.sum() > 2000
    right = []
    for code in (state.tokens[:, 8, 18], (state.tokens[:, 8, 18] + 0.5) % 1):  # the true turn, and three steps on
        state.tokens[:, 8, 18] = code
        right.append((known_pixels(view, locator).indices == read.frames)[glow].mean())
    assert right[0] > 0.8 and right[0] > right[1] + 0.1
