"""What is remembered of a level frame by frame, and the places of frames that come one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.atlas.following import FollowingLocator
from hstmae.atlas.maps import Atlas
from hstmae.atlas.running_looks import RunningAtlas
from hstmae.atlas.sightings import Sightings
from hstmae.data.store.reader import EpisodeStore
from hstmae.games import get_game
from hstmae.games.pixels import View
from hstmae.games.state import NOWHERE
from hstmae.model_folders import ATLAS, find_model

H, W, WIDE = 6, 8, 40


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-60, 60), st.integers(0, 1 << 30)), min_size=1, max_size=12))
def test_the_last_sighting_of_a_place_is_remembered(moves: list[tuple[int, int, int]]) -> None:
    """Beside a dictionary of places: what is told is what was seen there last, and what is near is not forgotten."""
    seen, plain, camera = Sightings((H, W), WIDE), {}, 0
    far: set[tuple[int, int]] = set()
    for y, step, seed in moves:
        camera += step
        rng = np.random.default_rng(seed)
        picture, shown = rng.integers(0, 64, (H, W), np.uint8), rng.random((H, W)) < 0.5
        ids = rng.integers(-1, 3, (H, W)).astype(np.int16)
        colours, known = seen.look_up((y, camera), ids)
        for i in range(H):
            for j in range(W):
                place = (y + i, camera + j)
                stood = plain.get(place)
                fits = stood is not None and (stood[1] == ids[i, j] or stood[1] < 0 or ids[i, j] < 0)
                if known[i, j]:
                    assert fits and stood is not None and colours[i, j] == stood[0]
                elif fits:
                    far.add(place)
                if shown[i, j]:
                    plain[place] = (picture[i, j], ids[i, j])
        seen.enter((y, camera), picture, shown, ids)
        assert seen._colours.shape == (2 * H, WIDE)
    if all(abs(step) == 0 for _, step, _ in moves[1:]):
        assert not far  # a camera that does not move forgets nothing


@pytest.fixture(scope="module")
def locator() -> FollowingLocator:
    atlas, game = Atlas.load(find_model("hst-mae-nano") / ATLAS), get_game("smb")
    atlas.check_game(game, "")
    return FollowingLocator(RunningAtlas.of(atlas), game)


def test_a_camera_is_followed_and_moves_on_where_nothing_is_seen(
    locator: FollowingLocator, sample_store: EpisodeStore
) -> None:
    game, episode = get_game("smb"), sample_store[0]
    assert episode.state is not None
    frames, state = np.asarray(episode.frames), np.asarray(episode.state)
    truth = game.decode(state, None)
    locator.restart()
    asked = np.random.default_rng(0).random((15, 16)).repeat(16, 0).repeat(16, 1) > 0.5
    wrong = []
    for t in range(40):
        lost = t >= 36
        mask = np.ones_like(asked) if lost else asked
        best = locator.likely(View(np.where(mask, 0, frames[t])[None], mask[None], game))
        assert all(one.place.scene[0] == truth.scene[t] for one in best) and sum(o.weight[0] for o in best) <= 1.001
        wrong.append(abs(int(best[0].place.camera[0]) - int(truth.camera[t])))
    assert max(wrong[:36]) == 0 and max(wrong[36:]) <= 2
    for _ in range(30):
        nothing = locator.likely(View(np.zeros((1, 240, 256), np.uint8), np.ones((1, 240, 256), bool), game))
    assert nothing[0].place.scene[0] == NOWHERE  # too long ago
