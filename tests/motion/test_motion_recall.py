"""What motion recall finds in footage of which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.motion.gate import MOST, more_hidden
from hstmae.motion.plain import Plain
from hstmae.motion.recall import Mode, Recall
from hstmae.motion.reference import Reference
from hstmae.restoration.anything import AnythingRestorer

HEIGHT, WIDTH = 64, 96
PALETTE = np.array([[0, 0, 0], [252, 152, 56], [92, 148, 252], [0, 168, 0], [252, 252, 252], [200, 76, 12]], np.uint8)


def scrolling(count: int, speed: float = 1.5, seed: int = 0) -> np.ndarray:
    """uint8 [T, H, W, 3]: a world of random tiles that scrolls under a bar that stands still, and an object that walks
    the other way."""
    rng = np.random.default_rng(seed)
    world = rng.integers(1, len(PALETTE), (HEIGHT // 8, 80)).repeat(8, 0).repeat(8, 1)
    world[rng.random(world.shape) < 0.15] = 0
    bar = rng.integers(0, 2, (12, WIDTH)) * 4
    thing = rng.integers(3, 6, (10, 10))
    frames = np.empty((count, HEIGHT, WIDTH), np.int64)
    for t in range(count):
        left = int(speed * t)
        frames[t] = world[:, left : left + WIDTH]
        x = 70 - 2 * t % 60
        frames[t, 40:50, x : x + 10] = thing
        frames[t, :12] = bar
    return PALETTE[frames]


def blocks(shape: tuple[int, ...], share: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    some = rng.random((shape[0], -(-shape[1] // 8), -(-shape[2] // 8))) < share
    return some.repeat(8, 1).repeat(8, 2)[:, : shape[1], : shape[2]]


def restored(frames: np.ndarray, mask: np.ndarray, **mode: bool) -> np.ndarray:
    made = AnythingRestorer(Mode(**mode)).restore(np.where(mask[..., None], np.uint8(0), frames), mask)
    np.testing.assert_array_equal(made.rgb[~mask], frames[~mask])
    assert made.confidence is not None
    assert (made.confidence[~mask] == 1).all() and (made.confidence >= 0).all() and (made.confidence <= 1).all()
    return made.rgb


def exact(made: np.ndarray, frames: np.ndarray, mask: np.ndarray) -> float:
    return float((made[mask] == frames[mask]).all(-1).mean())


def error(made: np.ndarray, frames: np.ndarray, mask: np.ndarray) -> float:
    return float(((made[mask].astype(float) - frames[mask]) ** 2).mean())


def nearest(frames: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Each missing pixel from the nearest frame that shows its place, of two the earlier one."""
    made = frames.copy()
    for t in range(len(frames)):
        for y, x in zip(*np.nonzero(mask[t]), strict=True):
            seen = np.flatnonzero(~mask[:, y, x])
            made[t, y, x] = frames[seen[np.abs(seen - t).argmin()], y, x] if len(seen) else 0
    return made


def test_blocks_of_a_scrolling_world_come_back() -> None:
    frames = scrolling(24)
    mask = blocks(frames.shape[:3], 0.1)
    made = restored(frames, mask, exact=True)
    assert exact(made, frames, mask) > 0.99
    assert error(made, frames, mask) < 0.05 * error(nearest(frames, mask), frames, mask)


def test_lost_frames_of_a_scrolling_world_come_back() -> None:
    frames = scrolling(28)
    mask = np.zeros(frames.shape[:3], bool)
    mask[[6, 7, 8, 20, 21, 22, 23]] = True
    assert exact(restored(frames, mask, exact=True), frames, mask) > 0.95
    assert error(restored(frames, mask), frames, mask) < 0.2 * error(nearest(frames, mask), frames, mask)


def test_a_logo_over_a_scrolling_world_shows_what_scrolled_out_from_under_it() -> None:
    frames = scrolling(40, speed=2)
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, 20:38, 40:60] = True
    made = restored(frames, mask, exact=True, gate=False)[14:26]
    assert exact(made, frames[14:26], mask[14:26]) > 0.9


@pytest.mark.parametrize("gate", [True, False])
def test_footage_that_stands_still_is_exact(gate: bool) -> None:
    frames = np.repeat(scrolling(1), 16, 0)
    mask = blocks(frames.shape[:3], 0.5)
    assert exact(restored(frames, mask, gate=gate), frames, mask) > 0.999


def test_hidden_pixels_have_no_say() -> None:
    frames = scrolling(10)
    mask = blocks(frames.shape[:3], 0.2)
    other = np.where(mask[..., None], 255 - frames, frames)
    made = [AnythingRestorer().restore(f, mask).rgb for f in (frames, other)]
    np.testing.assert_array_equal(*made)


def test_several_threads_give_the_same() -> None:
    frames = scrolling(10)
    mask = blocks(frames.shape[:3], 0.2)
    drawn = []
    for threads in (1, 3):
        recall = Recall(frames, mask, threads=threads)
        drawn.append([rgb.rgb for _, rgb in recall.draw_all(list(range(10)))])
    for one, other in zip(*drawn, strict=True):
        np.testing.assert_array_equal(one, other)


def test_numpy_draws_the_same_as_the_compiled_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = scrolling(6)
    mask = blocks(frames.shape[:3], 0.1)
    made = restored(frames, mask)
    for module in ("frames", "likeness", "candidates", "scene", "spatial"):
        monkeypatch.setattr(f"hstmae.motion.{module}.kernel", Reference)
    for module in ("combiner", "features", "gate", "spatial"):
        monkeypatch.setattr(f"hstmae.motion.{module}.weigher", Plain)
    np.testing.assert_array_equal(restored(frames, mask), made)


def test_parts_of_a_frame_draw_what_the_whole_does(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = scrolling(8)
    mask = blocks(frames.shape[:3], 0.4)
    made = restored(frames, mask)
    monkeypatch.setattr("hstmae.motion.recall.POINTS", 300)
    np.testing.assert_array_equal(restored(frames, mask), made)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 40), st.integers(1, 40), st.sampled_from([0.0, 0.1, 0.5, 0.95, 1.0]),
       st.sampled_from(["pixels", "frames", "everything in time"]), st.integers(0, 99))  # fmt: skip
def test_any_size_and_any_damage_is_drawn(
    count: int, height: int, width: int, share: float, kind: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (count, height, width, 3)).astype(np.uint8)
    shape = {"pixels": (count, height, width), "frames": (count, 1, 1), "everything in time": (1, height, width)}[kind]
    mask = np.broadcast_to(rng.random(shape) < share, frames.shape[:3])
    made = restored(frames, mask)
    assert made.shape == frames.shape and made.dtype == np.uint8


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(1, 50), st.integers(1, 50), st.floats(0, 1), st.booleans(), st.integers(0, 99))
def test_the_self_test_hides_what_is_seen_and_not_too_much(
    count: int, height: int, width: int, share: float, whole: bool, seed: int
) -> None:
    shape = (count, 1, 1) if whole else (count, height, width)
    mask = np.broadcast_to(np.random.default_rng(seed).random(shape) < share, (count, height, width))
    hidden = more_hidden(mask, seed)
    assert not (hidden & mask).any()
    assert hidden.sum() <= MOST * (~mask).sum() + height * width
