"""Pixels seen in other frames: right where nothing moves, never read from masked pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.atlas.recall import recall
from hstmae.games import GameState, get_game
from hstmae.games.pixels import View

GAME = get_game("smb")
H, W = GAME.native_size


def scene(rng: np.random.Generator, count: int, step: int) -> tuple[np.ndarray, GameState]:
    """A random level under a moving camera, a status bar that changes, and one sprite that wanders."""
    world = rng.integers(0, 64, (H, W + abs(step) * count), np.uint8)
    state = GAME.decode(np.zeros((count, GAME.state_size), np.uint8), None)
    camera = np.arange(count) * step - min(0, (count - 1) * step)
    state.camera[:] = camera
    state.scene[:] = 7
    state.tiles[1][:] = GAME.tile_layers[1].ids - 1  # what the status bar says is not told
    state.boxes[:] = 0
    state.sprites[..., 1] = H
    state.sprites[:, 0, 0], state.sprites[:, 0, 1] = rng.integers(0, W - 8, count), rng.integers(40, H - 8, count)
    frames = np.stack([world[:, c : c + W] for c in camera])
    bar = View.whole(frames, GAME, None).fixed
    frames[bar] = rng.integers(0, 64, int(bar.sum()))
    for t, (x, y) in enumerate(state.sprites[:, 0, :2].tolist()):
        frames[t, y : y + 8, x : x + 8] = rng.integers(0, 64, (8, 8))
    return frames, state


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), step=st.integers(-5, 9), share=st.floats(0.1, 0.9))
def test_what_is_found_is_right_and_masked_pixels_are_not_read(seed: int, step: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    frames, state = scene(rng, 6, step)
    mask = rng.random(frames.shape) < share
    made = recall(View(np.where(mask, np.uint8(0), frames), mask, GAME, state, "full"))
    assert not made.found[~mask].any() and made.found.any()
    assert np.array_equal(made.indices[made.found], frames[made.found])
    noisy = np.where(mask, rng.integers(0, 64, frames.shape, np.uint8), frames)
    again = recall(View(noisy, mask, GAME, state, "full"))
    assert np.array_equal(again.found, made.found) and np.array_equal(again.indices, made.indices)


def test_all_that_can_be_known_is_found() -> None:
    """Without a camera's movement: every still pixel that some frame shows."""
    rng = np.random.default_rng(1)
    frames, state = scene(rng, 4, 0)
    state.sprites[..., 1] = H
    mask = rng.random(frames.shape) < 0.5
    made = recall(View(frames, mask, GAME, state, "full"))
    expected = mask & ~mask.all(0) & ~View.whole(frames, GAME, None).fixed
    assert np.array_equal(made.found, expected)


@pytest.mark.parametrize("wrong", ["camera", "sprites", "scene"])
def test_a_state_that_lies_gives_wrong_pixels(wrong: str) -> None:
    rng = np.random.default_rng(2)
    frames, state = scene(rng, 6, 4)
    mask = rng.random(frames.shape) < 0.5
    if wrong == "camera":
        state.camera[3:] += 1
    elif wrong == "sprites":
        state.sprites[..., 1] = H
    else:
        frames[3:] = scene(rng, 3, 4)[0]  # another map, which the state does not tell
    made = recall(View(frames, mask, GAME, state, "full"))
    assert (made.indices != frames)[made.found].any()
    if wrong == "scene":
        state.scene[3:] = 8
        state.sprites[3:, :, 1] = 0
        state.sprites[3:, :, 0] = np.arange(64) * 4 % W  # the second map's sprite may be anywhere: cover nothing else
        corrected = recall(View(frames, mask, GAME, state, "full"))
        assert np.array_equal(corrected.indices[:3][corrected.found[:3]], frames[:3][corrected.found[:3]])


def test_the_nearer_sighting_counts_and_boxes_are_left_out_at_compact() -> None:
    _, state = scene(np.random.default_rng(3), 5, 0)
    frames = np.arange(5, dtype=np.uint8)[:, None, None].repeat(H, 1).repeat(W, 2)  # each frame its own colour
    mask = np.zeros(frames.shape, bool)
    mask[1:3] = True
    made = recall(View(frames, mask, GAME, state, "compact"))
    assert made.found[1:3].all() and not made.found[0].any()
    assert (made.indices[1] == 0).all() and (made.indices[2] == 3).all()
    state.boxes[:, -1] = (5, 100, 100, 120, 130)  # the player
    boxed = recall(View(frames, mask, GAME, state, "compact"))
    assert not boxed.found[1, 100:130, 100:120].any() and boxed.found[1].sum() == H * W - 20 * 30


def test_a_crop_is_looked_up_as_the_whole_picture_is() -> None:
    rng = np.random.default_rng(4)
    frames, state = scene(rng, 5, 3)
    mask = rng.random(frames.shape) < 0.5
    whole = recall(View(frames, mask, GAME, state, "full"))
    part = (slice(None), slice(48, 160), slice(64, 192))
    crop = recall(View(frames[part], mask[part], GAME, state, "full", (48, 64)))
    assert (crop.found <= whole.found[part]).all() and crop.found.any()
    assert np.array_equal(crop.indices[crop.found], frames[part][crop.found])


def test_tiles_that_changed_or_glow_are_left_to_the_network() -> None:
    _, state = scene(np.random.default_rng(5), 2, 0)
    state.sprites[..., 1] = H
    state.tiles[0][:] = 0x54
    state.tile_xy[0][:] = (0, 32)
    frames = np.zeros((2, H, W), np.uint8)
    mask = np.zeros(frames.shape, bool)
    mask[1] = True
    state.tiles[0][1, 2, 3] = 0  # a block that was broken in between
    state.tiles[0][:, 2, 5] = 0xC0  # a ? block
    state.tiles[0][1, 2, 7] = GAME.looks.first_guess  # a guess excludes nothing
    state.tiles[1][:] = 5
    state.tiles[1][1, 2, 4:6] = 6, GAME.tile_layers[1].ids - 1  # a digit that changed, and one that is not known
    found = recall(View(frames, mask, GAME, state, "full")).found[1]
    expected = np.ones((H, W), bool)
    expected[16:24, 32:48] = False
    for column in (3, 5):
        expected[64:80, 16 * column : 16 * column + 16] = False
    assert np.array_equal(found, expected)
