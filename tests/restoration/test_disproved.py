"""Frames of which the state says something else than they show: restored as without it, no harm to the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hstmae.atlas.evidence import Claim, disproved
from hstmae.atlas.known_pixels import Known, known_pixels
from hstmae.atlas.locate import Locator
from hstmae.data.store.reader import EpisodeStore
from hstmae.games import GameState
from hstmae.games.pixels import View
from hstmae.inference.live import LiveRestorer
from hstmae.inference.loading import load
from hstmae.inference.predictor import Predictor
from hstmae.masks.tubes import numbered_tube
from hstmae.restoration.disproved import blank_frames, fill_blanks

ROWS = np.arange(0, 40, 4)
FAR = 6  # the frame whose state is of another place
SKY = 34


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load("hst-mae-nano", "cpu")


@pytest.fixture(scope="module")
def clip(sample_store: EpisodeStore, predictor: Predictor) -> tuple[np.ndarray, np.ndarray, GameState, GameState]:
    """Frames, mask, their states, and states of a place far away."""
    read, far = sample_store.read(0, ROWS), sample_store.read(0, ROWS + sample_store.info(0).frames - 60)
    assert read.state is not None and far.state is not None
    mask = np.array(numbered_tube((len(ROWS), 240, 256), 0.9, 0, 0))
    return read.frames, mask, *(predictor.game.decode(one.state, one.context) for one in (read, far))


def of(state: GameState, other: GameState, frames: Any) -> GameState:
    """`state`, at `frames` that of `other`."""
    parts: list[np.ndarray] = []
    other.map(lambda array: (parts.append(array), array)[1])
    rest = iter(parts)

    def mixed(array: np.ndarray) -> np.ndarray:
        made = np.array(array)
        made[frames] = next(rest)[frames]
        return made

    return state.map(mixed)


def view_of(clip: Any, predictor: Predictor, state: GameState, frames: np.ndarray | None = None) -> View:
    shown = clip[0] if frames is None else frames
    return View(np.where(clip[1], np.uint8(0), shown), clip[1], predictor.game, state, "full")


def restored(predictor: Predictor, frames: np.ndarray, mask: np.ndarray, state: GameState | None, level: str) -> Any:
    return predictor.restore_clip(frames, mask, state, level=level)


@pytest.mark.parametrize("level", ["full", "compact"])
def test_a_state_of_another_place_harms_its_own_frame_alone(predictor, clip, level: str) -> None:  # type: ignore[no-untyped-def]
    frames, mask, state, far = clip
    made = restored(predictor, frames, mask, of(state, far, [FAR]), level)
    assert np.flatnonzero(made.disproved).tolist() == [FAR]
    others = np.arange(len(frames)) != FAR
    right = (made.indices == frames) & mask
    assert right[others].sum() >= (0.9999 if level == "full" else 0.985) * mask[others].sum()
    without = restored(predictor, frames, mask, None, "none")
    right_without = ((without.indices == frames) & mask)[FAR].sum()
    assert right[FAR].sum() >= 0.98 * right_without > 0.9 * mask[FAR].sum()
    sure = (made.confidence[FAR] >= 0.99) & mask[FAR]
    assert (made.indices == frames)[FAR][sure].mean() > 0.99


def test_a_true_state_is_believed(predictor, clip) -> None:  # type: ignore[no-untyped-def]
    frames, mask, state, _ = clip
    assert not restored(predictor, frames, mask, state, "full").disproved.any()


def test_a_blank_frame_is_blank_and_lends_nothing(predictor, clip) -> None:  # type: ignore[no-untyped-def]
    frames, mask, state, _ = clip
    shown = frames.copy()
    shown[FAR] = 13
    for given, level in ((state, "compact"), (None, "none")):
        made = restored(predictor, shown, mask, given, level)
        assert (made.indices[FAR] == 13).all() and (made.rgb[FAR] == predictor.game.palette[13]).all()
        others = np.arange(len(frames)) != FAR
        assert (made.indices == shown)[others][mask[others]].mean() > (0.9 if given is None else 0.98)


def test_a_blank_frame_beside_one_that_is_lost_is_blank(predictor, clip) -> None:  # type: ignore[no-untyped-def]
    shown, mask = clip[0].copy(), clip[1].copy()
    shown[FAR], mask[FAR - 1] = 13, True
    view = View(np.where(mask, np.uint8(0), shown), mask, predictor.game)
    expected = np.where(np.arange(len(shown)) == FAR, 13, -1)
    assert (blank_frames(view, None) == expected).all()


def test_what_is_known_of_an_honest_frame_is_left_alone(predictor, clip) -> None:  # type: ignore[no-untyped-def]
    shown, mask = clip[0].copy(), clip[1]
    shown[FAR] = 13
    view = View(np.where(mask, np.uint8(0), shown), mask, predictor.game)
    known = Known(np.full(mask.shape, 7, np.uint8), np.zeros(mask.shape, np.float32))
    known.trust[FAR, 100:120] = 0.999
    fill_blanks(view, known)
    assert (known.indices[FAR, 100:120] == 7).all() and (known.indices[FAR, 130:][mask[FAR, 130:]] == 13).all()
    assert not known.trust[FAR - 1].any()


def test_sky_is_not_blank(predictor, clip) -> None:  # type: ignore[no-untyped-def]
    """A part of the picture that always has one colour, and a frame of which a corner alone is seen."""
    frames, _, state, _ = clip
    for rows, columns in ((slice(40, 56), slice(0, 256)), (slice(32, 48), slice(0, 48))):
        mask = np.ones(frames.shape, bool)
        mask[:, rows, columns] = False
        shown = np.where(mask, np.uint8(0), frames)
        shown[FAR, rows, columns] = SKY
        assert (blank_frames(View(shown, mask, predictor.game, state, "full"), None) == -1).all()


def test_what_looks_otherwise_everywhere_is_no_lie(predictor, clip) -> None:  # type: ignore[no-untyped-def]
    """A game with altered graphics: the state tells where the camera is all the same."""
    frames, _, state, _ = clip
    altered = np.random.default_rng(0).permutation(64).astype(np.uint8)[frames]
    locator = Locator(predictor.atlas, predictor.game)
    known = known_pixels(view_of(clip, predictor, state, altered), locator)
    assert not known.disproved.any()
    assert known.recalled is not None and known.recalled.any()
    wandering = replace(state, camera=state.camera + 37 * (np.arange(len(ROWS)) % 3))
    assert known_pixels(view_of(clip, predictor, wandering, altered), locator).disproved.any()


def claimed(colour: int, shape: tuple[int, ...]) -> Claim:
    return Claim(np.full(shape, colour, np.uint8), np.ones(shape, np.float32))


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ((slice(80, 96), slice(0, 16)), False),  # one block that was hit
        ((slice(80, 96), slice(0, 256)), True),  # a row of them
        ((slice(80, 81), slice(0, 100)), False),  # too little to tell
    ],
)
def test_how_much_disproves(predictor, clip, wrong: Any, expected: bool) -> None:  # type: ignore[no-untyped-def]
    """Of a picture of nothing but what all places have in common."""
    state = clip[2].map(lambda array: array[:1])
    state.sprites[..., 1] = 255
    frames = np.full((1, 240, 256), SKY, np.uint8)
    frames[0][wrong] = 22
    view = View(frames, np.zeros(frames.shape, bool), predictor.game, state, "full")
    assert disproved(view, claimed(SKY, frames.shape)).tolist() == [expected]


def test_without_an_atlas_a_frame_is_compared_with_its_neighbours(predictor, clip) -> None:  # type: ignore[no-untyped-def]
    frames, _, state, _ = clip
    shown = frames.copy()
    shown[FAR] = np.roll(frames[FAR], (40, 90), (0, 1))
    assert np.flatnonzero(disproved(view_of(clip, predictor, state, shown), None)).tolist() == [FAR]
    assert not disproved(view_of(clip, predictor, state), None).any()


def test_what_a_memory_leaves_in_those_after_it_is_taken_back(predictor, sample_store: EpisodeStore) -> None:  # type: ignore[no-untyped-def]
    """Columns of the level that it says were drawn, or that nothing is known of what was."""
    rows = np.arange(24, 36)
    read = sample_store.read(0, rows)
    far = sample_store.read(0, [sample_store.info(0).frames - 20]).state
    assert read.state is not None and far is not None
    state = read.state.copy()
    state[4] = far[0]
    mask = np.array(numbered_tube(read.frames.shape, 0.9, 0, 0))
    made = predictor.restore(read.frames, mask, state=state, frame_numbers=rows)
    assert np.flatnonzero(made.disproved).tolist() == [4]
    others = np.arange(len(rows)) != 4
    assert (made.indices == read.frames)[others].all()


def test_live_a_frame_of_another_place_is_restored_without_its_state(predictor, sample_store: EpisodeStore) -> None:  # type: ignore[no-untyped-def]
    episode = sample_store[0]
    frames, state = np.asarray(episode.frames[30:36]), np.array(episode.state[30:36])
    state[3] = episode.state[len(episode.state) - 20]
    mask = np.array(numbered_tube(frames.shape, 0.9, 0, 0))
    live = LiveRestorer(predictor, state_level="full")
    right = []
    for t in range(len(frames)):
        made = live.frame(frames[t], mask[t], state[t])
        right.append((made.picture == frames[t])[mask[t]].mean())
    assert min(right[:3] + right[4:]) > 0.995 and right[3] > 0.85


def test_live_altered_graphics_are_no_lie_for_long(predictor, sample_store: EpisodeStore) -> None:  # type: ignore[no-untyped-def]
    episode = sample_store[0]
    altered = np.arange(64, dtype=np.uint8)
    altered[[0x22, 0x1A, 0x17]] = altered[[0x1A, 0x17, 0x22]]
    frames, state = altered[np.asarray(episode.frames[30:46])], np.asarray(episode.state[30:46])
    rng = np.random.default_rng(0)
    live, right = LiveRestorer(predictor, state_level="full"), []
    for frame, memory in zip(frames, state, strict=True):
        mask = (rng.random((15, 16)) < 0.3).repeat(16, 0).repeat(16, 1)
        right.append((live.frame(frame, mask, memory).picture == frame)[mask].mean())
    assert np.mean(right[-4:]) > 0.9
