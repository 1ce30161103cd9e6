"""Places that no frame shows are drawn from other parts of the picture that look alike, wherever these are."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from hstmae.motion.combiner import LOST, NOWHERE, SEEN, Combiner, Drawn, draw, load_combiner
from hstmae.motion.features import MIRRORED, SIDE_FILLED, SMOOTH_FILLED, Choices
from hstmae.motion.likeness import CLOSE, Likeness, centred, distances
from hstmae.motion.recall import Around, Mode, Recall
from hstmae.motion.running import RunningRecall
from hstmae.motion.scene import Points, Scene
from hstmae.restoration.anything import AnythingRestorer

HEIGHT, WIDTH = 72, 120


def drawn(rng: np.random.Generator, width: int) -> np.ndarray:
    """uint8 [HEIGHT, width, 3]: shapes of few colours."""
    colours = rng.integers(0, 256, (5, 3)).astype(np.uint8)
    cells = rng.integers(0, 5, (HEIGHT // 6, -(-width // 6)))
    return colours[cells.repeat(6, 0).repeat(6, 1)[:, :width]]


def mirrored(rng: np.random.Generator, axis: float) -> np.ndarray:
    """A picture whose column x is its column 2 * axis - x where there is one."""
    picture = drawn(rng, WIDTH)
    other = np.rint(2 * axis - np.arange(WIDTH)).astype(int)
    own = np.flatnonzero((other >= 0) & (other < WIDTH) & (other < np.arange(WIDTH)))
    picture[:, own] = picture[:, other[own]]
    return picture


def repeated(rng: np.random.Generator, period: int, down: int) -> np.ndarray:
    """A picture that is again the same `period` pixels across and `down` pixels below."""
    tile = drawn(rng, period)
    parts = [np.roll(tile, down * k, 0) for k in range(-(-WIDTH // period))]
    return np.ascontiguousarray(np.concatenate(parts, 1)[:, :WIDTH])


def offered(picture: np.ndarray, hidden: np.ndarray, which: str) -> float:
    """How many hidden pixels are rightly shown by one of the ways in which a frame is found to be like itself."""
    seen = np.where(hidden[..., None], np.uint8(0), picture)
    scene = Scene(seen[None].repeat(2, 0), hidden[None].repeat(2, 0))
    own = scene.frames[0]
    likeness = Likeness(scene, 0, own.colours, own.seen > 0, distances(seen, ~hidden, scene.soft))
    points, right = Points.of(hidden), np.zeros(int(hidden.sum()), bool)
    for move in getattr(likeness, which):
        colour, evidence = move.shown(scene, points)
        truth = picture.reshape(-1, 3)[points.place].astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        right |= (evidence[:, 0] > 0) & (colour == truth)
    return float(right.mean())


@pytest.mark.parametrize("axis", [WIDTH / 2 - 0.5, 47.0, 70.5])
def test_a_mirrored_picture_is_found_around_any_axis(axis: float) -> None:
    hidden = np.zeros((HEIGHT, WIDTH), bool)
    hidden[20:44, 74:92] = True
    assert offered(mirrored(np.random.default_rng(1), axis), hidden, "mirrored") > 0.97


@pytest.mark.parametrize("axis", [WIDTH / 2 - 0.5, 61.0])
def test_a_picture_that_is_mirrored_top_to_bottom_is_found(axis: float) -> None:
    hidden = np.zeros((HEIGHT, WIDTH), bool)
    hidden[20:44, 74:92] = True
    picture = mirrored(np.random.default_rng(6), axis).transpose(1, 0, 2)
    assert offered(np.ascontiguousarray(picture), hidden.T, "mirrored") > 0.97


@pytest.mark.parametrize(("period", "down"), [(WIDTH // 2, 0), (34, 0), (CLOSE + 8, 0), (48, 18)])
def test_a_pattern_is_found_at_any_distance(period: int, down: int) -> None:
    hidden = np.zeros((HEIGHT, WIDTH), bool)
    hidden[24:44, 50:70] = True
    assert offered(repeated(np.random.default_rng(2), period, down), hidden, "repeated") > 0.97


def test_noise_is_like_itself_nowhere() -> None:
    rng = np.random.default_rng(3)
    picture, known = rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8), np.ones((HEIGHT, WIDTH), bool)
    assert distances(picture, known, False) == centred(WIDTH)
    assert distances(picture, ~known, False) == centred(WIDTH)


def test_a_logo_on_a_mirrored_picture_is_drawn_from_its_other_side() -> None:
    rng = np.random.default_rng(4)
    frames = mirrored(rng, WIDTH / 2 - 0.5)[None].repeat(24, 0)
    for t in range(len(frames)):
        frames[t, 60:66, 4 * t : 4 * t + 6] = 255  # something moves, too
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, 10:40, 70:100] = True
    made = AnythingRestorer().restore(np.where(mask[..., None], np.uint8(0), frames), mask)
    assert (made.rgb[mask] == frames[mask]).all(-1).mean() > 0.9
    assert made.shown is not None
    assert made.shown[mask].mean() < 0.05  # no frame shows it


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (9, 9)])
def test_small_pictures_have_no_likeness_to_look_for(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    frames = rng.integers(0, 3, (6, *size, 3)).astype(np.uint8)
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, : max(1, size[0] // 2), : max(1, size[1] // 2)] = True
    mask[0] &= size != (1, 1)
    made = AnythingRestorer().restore(np.where(mask[..., None], np.uint8(0), frames), mask)
    np.testing.assert_array_equal(made.rgb[~mask], frames[~mask])


def moving_tubes(count: int, seed: int) -> np.ndarray:
    """bool [count, HEIGHT, WIDTH]: nine tenths of the squares of 12 pixels, others in every eighth frame."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((count, HEIGHT, WIDTH), bool)
    for t in range(0, count, 8):
        mask[t : t + 8] = (rng.random((HEIGHT // 12, WIDTH // 12)) < 0.9).repeat(12, 0).repeat(12, 1)
    return mask


def test_what_other_frames_show_of_a_picture_tells_of_its_other_half() -> None:
    frames = mirrored(np.random.default_rng(7), WIDTH / 2 - 0.5)[None].repeat(64, 0)
    mask = moving_tubes(64, 7)
    nowhere = mask.all(0)
    answered = nowhere & ~nowhere[:, ::-1]  # its other half is seen in some frame
    made = AnythingRestorer(Mode(exact=True)).restore(np.where(mask[..., None], np.uint8(0), frames), mask)
    assert answered.mean() > 0.1
    assert (made.rgb == frames).all(-1)[:, answered].mean() > 0.9


def around(frames: np.ndarray, mask: np.ndarray) -> Around:
    return Around(Scene(np.where(mask[..., None], np.uint8(0), frames), mask))


def test_pixels_that_no_frame_shows_are_kept_apart_and_asked_more() -> None:
    frames = mirrored(np.random.default_rng(8), 40.0)[None].repeat(32, 0)
    mask = moving_tubes(32, 8)
    points = Points.of(mask[0])
    parts = list(around(frames, mask).parts(0, points, 500))
    own = np.concatenate([part.points.place for part in parts])
    assert sorted(own.tolist()) == sorted(points.place.tolist())
    nowhere = mask.all(0).reshape(-1)
    inner = {MIRRORED, SIDE_FILLED, SMOOTH_FILLED}
    for part in parts:
        assert (nowhere[part.points.place] == part.nowhere).all()
        kinds = set(part.rows.kind.tolist())
        assert inner <= kinds if part.nowhere else not kinds & inner
    assert {part.nowhere for part in parts} == {False, True}


@pytest.mark.parametrize("live", [False, True])
def test_each_sort_of_pixel_is_weighed_by_its_own_network(live: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = mirrored(np.random.default_rng(9), 40.0)[None].repeat(6, 0)
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, 10:30, 60:90] = True  # never seen
    mask[3, 50:60] = True  # seen in other frames
    mask[4] = True
    asked: list[tuple[str, bool]] = []
    module = "running" if live else "recall"

    def spy(part: Choices, combiner: Combiner, exact: bool) -> Drawn:
        (which,) = (name for name in (SEEN, NOWHERE, LOST) if load_combiner(name) is combiner)
        asked.append((which, part.nowhere))
        return draw(part, combiner, exact)

    monkeypatch.setattr(f"hstmae.motion.{module}.draw", spy)
    seen = np.where(mask[..., None], np.uint8(0), frames)
    if live:
        running = RunningRecall((HEIGHT, WIDTH))
        for frame, missing in zip(seen, mask, strict=True):
            running.frame(frame, missing)
    else:
        list(Recall(seen, mask, Mode(gate=False)).draw_all(list(range(len(mask)))))
    assert set(asked) == {(LOST, False), (SEEN, False), (NOWHERE, True)}


def test_live_a_place_that_was_seen_long_ago_is_not_taken_for_one_never_seen() -> None:
    rng = np.random.default_rng(10)
    frame, mask = drawn(rng, WIDTH), np.zeros((HEIGHT, WIDTH), bool)
    mask[20:50, 30:80] = True
    running = RunningRecall((HEIGHT, WIDTH))
    for t in range(40):
        missing = mask & (t >= 12)
        made = running.frame(np.where(missing[..., None], np.uint8(0), frame), missing)
        assert made is None or (made.rgb == frame.reshape(-1, 3)[made.place]).all()


def test_a_handful_of_pixels_is_no_reason_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = drawn(np.random.default_rng(11), WIDTH)[None].repeat(4, 0)
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, 7, 9] = True
    monkeypatch.setattr("hstmae.motion.recall.Likeness", None)  # not called
    assert len(Recall(frames, mask).draw(1).place) == 1


def test_live_what_was_seen_before_a_cut_is_forgotten_and_nothing_else_is() -> None:
    rng = np.random.default_rng(12)
    running, first, second = RunningRecall((HEIGHT, WIDTH)), drawn(rng, WIDTH), drawn(rng, WIDTH)
    upper = np.zeros((HEIGHT, WIDTH), bool)
    upper[: HEIGHT // 2] = True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for t in range(4):  # no two frames in a row show the same place
            missing = upper == (t % 2 == 0)
            running.frame(np.where(missing[..., None], np.uint8(0), first), missing)
        assert running._memory.seen.all()
        running.frame(second, np.zeros_like(upper))
        running.frame(first, upper)
    assert not running._memory.seen[upper].any()
    assert running._memory.seen[~upper].all()
