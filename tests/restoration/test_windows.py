import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstmae.restoration.windows import plan_windows, runs


@given(st.integers(1, 400), st.sampled_from([2, 4, 16]), st.integers(1, 5), st.integers(0, 1))
def test_every_frame_is_owned_once(count: int, clip: int, stride: int, overlap: int) -> None:
    owned = np.zeros(count, int)
    for window in plan_windows(count, clip=clip, stride=stride, overlap=overlap):
        assert len(window.index) % 2 == 0 and len(window.index) <= clip
        assert (np.diff(window.index) >= 0).all() and window.index.max() < count
        np.add.at(owned, window.index[window.owned], 1)
    assert (owned == 1).all()


def test_long_footage_keeps_the_stride_of_training() -> None:
    windows = plan_windows(128, clip=16, stride=4)
    assert all((np.diff(w.index) == 4).all() for w in windows)
    assert {len(w.index) for w in windows} == {16}


def test_frames_at_a_seam_belong_to_the_clip_that_has_them_nearer_its_middle() -> None:
    first, second = plan_windows(24, clip=16, stride=1, overlap=4)
    np.testing.assert_array_equal(first.index[first.owned], np.arange(12))
    np.testing.assert_array_equal(second.index[second.owned], np.arange(12, 24))


def test_odd_and_single_frames_are_padded() -> None:
    (window,) = plan_windows(1)
    np.testing.assert_array_equal(window.index, [0, 0])
    np.testing.assert_array_equal(window.owned, [True, False])
    (window,) = plan_windows(5)
    np.testing.assert_array_equal(window.index, [0, 1, 2, 3, 4, 4])


def test_bad_requests() -> None:
    with pytest.raises(ValueError):
        plan_windows(0)
    with pytest.raises(ValueError):
        plan_windows(9, clip=4, overlap=4)


def test_runs_end_at_gaps() -> None:
    assert runs(np.array([3, 4, 5, 9, 10, 20])) == [(0, 3), (3, 5), (5, 6)]
    assert runs(np.array([7])) == [(0, 1)]
