import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.errors import DataError, UsageError
from hstmae.masks.frames import Frames
from hstmae.masks.growing import dilate, feather
from hstmae.masks.ranges import Drawn, parse_rectangle, parse_span


def footage(fps: float | None = 10.0, count: int = 40, starts=None) -> Frames:
    return Frames("", "clip", (20, 30), count, None, fps, starts)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("3-5", [3, 4, 5]),
        ("7", [7]),
        ("0-0", [0]),
        ("37-", [37, 38, 39]),
        ("-2", [0, 1, 2]),
        ("38-99", [38, 39]),
        ("0.5s-0.8s", [5, 6, 7]),
        ("0.45s-0.75s", [5, 6, 7]),
        ("3.7s-", [37, 38, 39]),
        ("-0.2s", [0, 1]),
        ("0:01-0:01.2", [10, 11]),
        ("0:00:03.7-0:00:09", [37, 38, 39]),
        (" 3 - 5 ", [3, 4, 5]),
    ],
)
def test_spans(text, inside) -> None:
    assert np.flatnonzero(parse_span(text).of(footage(), 0, 40)).tolist() == inside
    part = parse_span(text).of(footage(), 5, 35)
    np.testing.assert_array_equal(part, parse_span(text).of(footage(), 0, 40)[5:])


@pytest.mark.parametrize("fps", [10, 30, 24000 / 1001, 59.94, 60.0988, 15, 50])
def test_times_that_are_those_of_frames_take_exactly_these(fps) -> None:
    for t in range(0, 300, 7):
        inside = parse_span(f"{t / fps:.6f}s-{(t + 3) / fps:.6f}s").of(footage(fps, 400), 0, 400)
        assert np.flatnonzero(inside).tolist() == [t, t + 1, t + 2]


def test_frames_that_come_at_their_own_times() -> None:
    starts = np.array([0, 0.1, 0.5, 0.6, 2.0])
    inside = parse_span("0.1s-0.6s").of(footage(None, 5, starts), 0, 5)
    assert inside.tolist() == [False, True, True, False, False]


def test_what_is_no_span_or_rectangle() -> None:
    for text in ("", "-", "a-b", "3.5-4", "5-3", "1s-5", "2s", "1:2:3:4-9", "3--4", "2s-1s", "2s-2s"):
        with pytest.raises(UsageError, match="--lost"):
            parse_span(text)
    for text in ("1,2,3", "1,2,3,4,5", "-1,2,3,4", "1,2,0,4", "1.5,2,3,4", "1,2,3,4@", "1,2,3,4@x"):
        with pytest.raises(UsageError, match="--rect"):
            parse_rectangle(text)


def test_rectangles_and_lost_frames_add_up() -> None:
    drawn = Drawn([parse_rectangle("2,3,4,5"), parse_rectangle("10,0,30,2@5-6")], [parse_span("8"), parse_span("38-")])
    assert "reaches beyond the footage (30x20)" in drawn.check([footage()])[0]
    mask = drawn.of(footage(), 0, 40)
    expected = np.zeros((40, 20, 30), bool)
    expected[:, 3:8, 2:6] = expected[5:7, :2, 10:] = True
    expected[[8, 38, 39]] = True
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(drawn.of(footage(), 4, 6), expected[4:10])


def test_what_touches_nothing_is_an_error() -> None:
    for drawn, message in (
        (Drawn([parse_rectangle("30,0,2,2")]), "outside of the footage, which is 30x20"),
        (Drawn(lost=[parse_span("40-50")]), r"--lost 40-50: touches no frame, the footage has 40 \(0-39\)"),
        (Drawn([parse_rectangle("0,0,2,2@4s-5s")]), "touches no frame"),
    ):
        with pytest.raises(DataError, match=message):
            drawn.check([footage()])
    assert Drawn(lost=[parse_span("40-50")]).check([footage(), footage(count=60)]) == []
    with pytest.raises(DataError, match="no frame rate"):
        Drawn(lost=[parse_span("1s-2s")]).check([footage(None)])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), pixels=st.integers(0, 9))
def test_grown_masks_are_nearly_round(seed: int, pixels: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((2, 24, 31)) < 0.004
    grown = dilate(mask, pixels)
    y, x = np.indices(mask.shape[1:])
    for t in range(2):
        points = np.argwhere(mask[t])
        far = np.full(mask.shape[1:], np.inf)
        for py, px in points:
            far = np.minimum(far, np.hypot(y - py, x - px))
        assert not grown[t][far > pixels * 1.42 + 1e-9].any()
        assert grown[t][far <= pixels].all() if pixels < 2 else grown[t][far <= pixels * 0.9].all()
    np.testing.assert_array_equal(grown, mask if not pixels else dilate(mask, pixels))
    weight = feather(mask, pixels)
    np.testing.assert_array_equal(weight > 0, grown)
    assert (weight[mask] == 1).all() and (weight[~mask] < 1).all()
    if pixels > 1:
        np.testing.assert_array_equal(weight >= 1 - (pixels - 1) / (pixels + 1) - 1e-6, dilate(mask, pixels - 1))


def test_an_empty_mask_stays_empty() -> None:
    nothing = np.zeros((2, 4, 4), bool)
    assert not dilate(nothing, 3).any() and not feather(nothing, 3).any()
