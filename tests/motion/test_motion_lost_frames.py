"""Whole lost frames: what moves in some frames only, blinks, stands still or is cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hstmae.motion import gate
from hstmae.motion.combiner import LOST, SETTLED, Combiner, load_combiner
from hstmae.motion.features import AGAIN, FILLERS, KINDS
from hstmae.motion.frames import pack
from hstmae.motion.recall import Mode, Recall
from hstmae.motion.rhythm import Rhythm
from hstmae.restoration.anything import AnythingRestorer

HEIGHT, WIDTH, COUNT = 48, 64, 40
GAPS = ((7, 9), (17, 18), (28, 32))  # first and last frame of each
PALETTE = np.array([[0, 0, 0], [252, 152, 56], [92, 148, 252], [0, 168, 0], [252, 252, 252], [200, 76, 12]], np.uint8)


def scenery(seed: int) -> np.ndarray:
    """int64 [H, W]: a picture of random tiles."""
    rng = np.random.default_rng(seed)
    return rng.integers(1, len(PALETTE), (HEIGHT // 8, WIDTH // 8)).repeat(8, 0).repeat(8, 1)


def thing(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 6, (9, 8))


def moving(every: int) -> np.ndarray:
    """Two things that move in every `every`th frame, each in one of its own, the other way."""
    frames = np.repeat(scenery(0)[None], COUNT, 0)
    for t in range(COUNT):
        for k, (top, seed) in enumerate(((5, 1), (32, 2))):
            passed = min(every, 2) * ((t + k) // every)
            x = 2 + passed if k else 54 - passed
            frames[t, top : top + 9, x : x + 8] = thing(seed)
    return PALETTE[frames]


def blinking(period: int) -> np.ndarray:
    """Four things at their places, each drawn in every `period`th frame, or in all but those."""
    frames = np.repeat(scenery(0)[None], COUNT, 0)
    for t in range(COUNT):
        for k in range(4):
            if ((t + k) % period == 0) == (k < 2):
                frames[t, 3 + 11 * k : 12 + 11 * k, 4 + 13 * k : 12 + 13 * k] = thing(k)
    return PALETTE[frames]


def without_gaps(frames: np.ndarray) -> np.ndarray:
    mask = np.zeros(frames.shape[:3], bool)
    for first, last in GAPS:
        mask[first : last + 1] = True
    return mask


def restored(frames: np.ndarray, mask: np.ndarray, **mode: bool) -> np.ndarray:
    made = AnythingRestorer(Mode(**mode)).restore(np.where(mask[..., None], np.uint8(0), frames), mask).rgb
    np.testing.assert_array_equal(made[~mask], frames[~mask])
    return made


def error(made: np.ndarray, frames: np.ndarray, mask: np.ndarray) -> float:
    return float(((made[mask].astype(float) - frames[mask]) ** 2).mean())


def nearest(frames: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Each lost frame as the nearest one, of two the earlier."""
    there, made = np.flatnonzero(~mask[:, 0, 0]), frames.copy()
    for t in np.flatnonzero(mask[:, 0, 0]):
        made[t] = frames[there[np.abs(there - t).argmin()]]
    return made


@pytest.mark.parametrize("every", [1, 2, 3, 4])
def test_things_move_in_their_own_frames(every: int) -> None:
    frames = moving(every)
    mask = without_gaps(frames)
    assert error(restored(frames, mask), frames, mask) < 0.5 * error(nearest(frames, mask), frames, mask)


@pytest.mark.parametrize("period", [2, 3, 4])
def test_things_blink_on_in_a_gap(period: int) -> None:
    frames = blinking(period)
    mask = without_gaps(frames)
    assert error(restored(frames, mask), frames, mask) < 0.15 * error(nearest(frames, mask), frames, mask)


@pytest.mark.parametrize("cut", [8, 9, 18, 30, 31])
def test_of_two_scenes_none_shows_through_the_other(cut: int) -> None:
    frames = PALETTE[np.stack([scenery(5 if t < cut else 6) for t in range(COUNT)])]
    mask = without_gaps(frames)
    made = restored(frames, mask, exact=True)
    assert error(made, frames, mask) <= 1.05 * error(nearest(frames, mask), frames, mask)


def test_the_mean_of_two_scenes_is_by_how_likely_each_is() -> None:
    ours, hard = [], []
    first, last = GAPS[2]
    for cut in range(first, last + 2):  # in every place of the gap
        frames = PALETTE[np.stack([scenery(5 if t < cut else 6) for t in range(COUNT)])]
        mask = without_gaps(frames)
        made = restored(frames, mask)
        ours.append(error(made, frames, mask))
        hard.append(error(nearest(frames, mask), frames, mask))
        a, b, drawn = (x.astype(float) for x in (frames[0], frames[-1], made[first]))
        differ = (a != b).any(-1)
        share = ((drawn - a) * (b - a))[differ].sum() / ((b - a)[differ] ** 2).sum()
        assert abs(share - 1 / (last - first + 2)) < 0.02
    assert np.mean(ours) < 0.75 * np.mean(hard)


@pytest.mark.parametrize("gaps", ["in the middle", "first", "last", "all but one"])
def test_a_still_picture_is_exact(gaps: str) -> None:
    frames = np.repeat(PALETTE[scenery(3)][None], 12, 0)
    mask = np.zeros(frames.shape[:3], bool)
    lost = {"in the middle": [4, 5, 8], "first": [0, 1], "last": [10, 11], "all but one": [*range(5), *range(6, 12)]}
    mask[lost[gaps]] = True
    np.testing.assert_array_equal(restored(frames, mask), frames)


@pytest.mark.parametrize("every", [1, 2, 3, 4, 6, 8])
def test_time_passes_in_the_frames_in_which_things_move(every: int) -> None:
    frames = np.repeat(scenery(0)[None], COUNT, 0)
    for t in range(COUNT):
        x = 2 * (t // every) % 54
        frames[t, 20:29, x : x + 8] = thing(1)
    lost = without_gaps(PALETTE[frames])[:, 0, 0]
    rhythm = Rhythm([pack(frame) for frame in PALETTE[frames]], np.flatnonzero(~lost).tolist())
    steps = np.diff(rhythm.time.mean(1))
    moved = (frames[1:] != frames[:-1]).any((1, 2))
    assert every == 1 or steps[moved].min() > 4 * steps[~moved].max()


@pytest.mark.parametrize("period", [2, 3, 4, 6, 8])
def test_the_period_of_a_place_is_found(period: int) -> None:
    frames = np.zeros((COUNT, 24, 24), np.uint32)
    frames[np.arange(COUNT) % period == 1, 8:14, 8:14] = 7
    lost = without_gaps(np.zeros((*frames.shape, 3), np.uint8))[:, 0, 0]
    rhythm = Rhythm(list(frames), np.flatnonzero(~lost).tolist())
    found = rhythm.period(np.arange(24 * 24)).reshape(24, 24)
    assert (found[8:14, 8:14] == period).all() and (found[:5] == 0).all() and (found[18:] == 0).all()


def test_tested_gaps_are_as_far_from_what_is_seen_as_lost_frames() -> None:
    mask = without_gaps(np.zeros((COUNT, 2, 2, 3), np.uint8))[:, 0, 0]
    there = np.flatnonzero(~mask).tolist()

    def away(t: int, seen: list[int]) -> tuple[int, int]:
        return t - max(s for s in seen if s < t), min(s for s in seen if s > t) - t

    of_lost = {away(t, there) for t in np.flatnonzero(mask).tolist()}
    found = gate.tested_gaps(there, COUNT)
    assert len(found) >= 3
    for t, hidden in found:
        assert t in there and t in hidden
        assert away(t, [s for s in there if s not in hidden]) in of_lost


def test_a_filler_that_is_right_in_the_self_test_draws_the_rest() -> None:
    """Noise that stands still for four frames at a time, as no game moves: the nearest frame is the best guess."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 2, (COUNT // 4, HEIGHT, WIDTH)).repeat(4, 0) * 4
    frames[:, :, ::2] = scenery(1)[:, ::2]
    frames = PALETTE[frames]
    mask = without_gaps(frames)
    made = restored(frames, mask)
    assert error(made, frames, mask) <= 1.02 * error(nearest(frames, mask), frames, mask)


def test_what_frames_that_are_seen_teach_counts_in_lost_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_again(known: Combiner, tests: list[gate.Test], least: float) -> Combiner:
        assert tests and all(found.points.place.size for found, _ in tests)
        return replace(known, bias=np.where(np.arange(len(KINDS)) == AGAIN, 1000, 0).astype(np.float32))

    frames, mask = blinking(2), without_gaps(blinking(2))
    monkeypatch.setattr("hstmae.motion.recall.fitted", only_again)
    monkeypatch.setattr("hstmae.motion.recall.judged", lambda known, tests: known)
    drawn = Recall(frames, mask).draw(8)
    open_ = drawn.kind[drawn.confidence != SETTLED]
    assert len(open_)
    assert (open_ == AGAIN).all()


@pytest.mark.parametrize(("worse", "has"), [(0, True), (1, True), (2, False)])
def test_a_filler_that_does_worse_now_and_then_has_no_part(
    worse: int, has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def off(known: Combiner, test: int) -> tuple[np.ndarray, np.ndarray]:
        own, other = np.ones((50, 3), np.float32), np.zeros((len(FILLERS), 50, 3), np.float32)
        other[1] = -1 if test < worse else 1  # as far off on the other side, or right
        return own, other

    monkeypatch.setattr(gate, "_off", off)
    found = gate.judged(load_combiner(LOST), list(range(12)))  # type: ignore[arg-type]
    assert (found.part > 0, found.filler) == ((True, 1) if has else (False, 0))
