"""Pictures of the frame before, beside a memory that has gone on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hstmae.atlas.late import in_time
from hstmae.atlas.maps import Atlas
from hstmae.bundled import CHECKPOINTS
from hstmae.data.store.reader import EpisodeStore
from hstmae.games import get_game
from hstmae.games.pixels import View
from hstmae.masks.tubes import numbered_tube

GAME = get_game("smb")


@pytest.fixture(scope="module")
def atlas() -> Atlas:
    made = Atlas.load(CHECKPOINTS / "hst-mae-nano" / "atlas.npz")
    made.check_game(GAME, "atlas.npz")
    return made


def test_late_frames_are_found_by_what_is_visible_and_others_left_alone(atlas, sample_store: EpisodeStore) -> None:  # type: ignore[no-untyped-def]
    rows = np.arange(40, 64, 4)
    read = sample_store.read(0, rows)
    assert read.state is not None
    mask = np.array(numbered_tube(read.frames.shape, 0.8, 0, 0))  # type: ignore[arg-type]
    state = GAME.decode(read.state, read.context)
    view = View(np.where(mask, 0, read.frames), mask, GAME, state, "full")
    assert in_time(view, atlas) is view
    camera, corner = state.camera.copy(), state.tile_xy[0].copy()
    camera[3], corner[3, 0] = camera[3] + 3, corner[3, 0] - 3  # the memory has gone on
    scrolled = read.frames.copy()
    scroll = int(state.camera[3]) % 512
    bar = np.full((32, 512), read.frames[3, 0, 0], np.uint8)
    bar[:, :256] = read.frames[3, :32]
    scrolled[3, :32] = np.roll(bar, -scroll, 1)[:, :256]
    ahead = replace(state, camera=camera, tile_xy=(corner, state.tile_xy[1]))
    for level in ("full", "compact"):
        found = in_time(View(np.where(mask, 0, scrolled), mask, GAME, ahead, level), atlas).needed_state()
        assert np.array_equal(found.camera, state.camera) and np.array_equal(found.tile_xy[0], state.tile_xy[0])
        assert found.tile_xy[1][:, 0].tolist() == [0, 0, 0, -scroll if scroll < 256 else 512 - scroll, 0, 0]
    assert in_time(View(scrolled, mask, GAME, None), atlas).state is None
