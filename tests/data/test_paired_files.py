"""Files that are paired again: whose memory goes with which picture, and every file back byte for byte."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.data.pairing import LAGS, paired, partners
from hstmae.data.sources.base import SourceFrame
from hstmae.data.sources.smb.alone import AloneLog, AloneParts
from hstmae.data.sources.smb.pairing import follows

SIZE = (40, 32)


def recorded(numbers: list[int], stops: list[bool], seed: int) -> list[SourceFrame]:
    """Files with these frame numbers, before some of which the game went on unrecorded although the numbers do not."""
    rng = np.random.default_rng(seed)
    frames, clock = [], 0
    for number, stop in zip(numbers, stops, strict=True):
        clock += 40 if stop else 1
        state = rng.integers(0, 256, 2048).astype(np.uint8)
        state[0x09] = clock % 256
        pixels = rng.integers(0, 3, SIZE).astype(np.uint8)
        frames.append(SourceFrame(number, pixels, None, state, int(rng.integers(256))))
    return frames


files = st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=9)


@settings(max_examples=150, deadline=None)
@given(files, st.sampled_from(LAGS), st.integers(0, 999))
def test_pictures_get_the_memory_of_the_frame_that_was_recorded_right_beside_them(
    steps: list[tuple[int, bool]], lag: int, seed: int
) -> None:
    numbers = np.cumsum([step for step, _ in steps]).tolist()
    frames = recorded(numbers, [stop for _, stop in steps], seed)
    together = list(paired(frames, lag, follows))
    assert [frame.number for frame in together] == numbers  # no picture is lost, none moves
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(together, frames, strict=True))
    for k, frame in enumerate(together):
        first, second = min(k, k - lag), max(k, k - lag)
        right_after = (
            numbers[second] - numbers[first] == second - first if first >= 0 and second < len(frames) else False
        )
        if not lag or (right_after and not steps[second][1]):
            assert not frame.alone and np.array_equal(frame.state, frames[k - lag].state)
            assert frame.action == frames[k - lag].action  # buttons stay with the memory they led to
        else:
            assert frame.alone and frame.state is None and frame.action is None
    linked = [follows(a, b) for a, b in itertools.pairwise(frames)]
    expected = [-1 if frame.alone else k - lag for k, frame in enumerate(together)]
    assert partners(linked, lag).tolist() == expected


@settings(max_examples=150, deadline=None)
@given(files, st.sampled_from([-1, 1]), st.integers(0, 999), st.data())
def test_every_file_comes_back_from_frames_and_what_is_left_over(
    steps: list[tuple[int, bool]], lag: int, seed: int, data: st.DataObject
) -> None:
    frames = recorded(np.cumsum([step for step, _ in steps]).tolist(), [stop for _, stop in steps], seed)
    log, rows = AloneLog(lag), []
    for own, frame in zip(frames, paired(frames, lag, follows), strict=True):
        assert own.state is not None and own.action is not None
        log.add(frame, own.state, own.action)
        if not frame.alone:
            rows.append(frame)
    about, packed = log.pack()
    parts = AloneParts(len(frames), about, packed)
    assert parts.rows == len(rows)
    back = dict(parts.own_files(enumerate(rows), range(len(rows))))
    assert sorted(back) == (list(range(len(frames))) if rows else [])
    for k, file in back.items():
        own = frames[k]
        assert file is not None and (file.number, file.action) == (own.number, own.action)
        assert np.array_equal(file.pixels, own.pixels) and np.array_equal(file.state, own.state)
    if not rows:
        return
    # Some of the frames, with one more on either side, give the files that go with them, the same ones.
    start = data.draw(st.integers(0, len(rows) - 1))
    stop = data.draw(st.integers(start + 1, len(rows)))
    near = [(r, rows[r]) for r in range(max(0, start - 1), min(len(rows), stop + 1))]
    some = dict(parts.own_files(near, range(start, stop)))
    assert set(some) <= set(back) and len(some) >= stop - start
    for k, file in some.items():
        assert file is not None and np.array_equal(file.state, frames[k].state)
        assert np.array_equal(file.pixels, frames[k].pixels)


def test_a_file_whose_memory_was_lost_with_another_frame_is_not_made_up() -> None:
    frames = recorded([1, 2, 3, 4, 5], [False] * 5, 0)
    log = AloneLog(1)
    rows = []
    for own, frame in zip(frames, paired(frames, 1, follows), strict=True):
        assert own.state is not None and own.action is not None
        log.add(frame, own.state, own.action)
        rows += [] if frame.alone else [frame]
    parts = AloneParts(5, *log.pack())
    back = dict(parts.own_files([(0, rows[0]), (1, rows[1]), (3, rows[3])], range(4)))  # the third was damaged
    assert back[2] is None and all(back[k] is not None for k in (0, 1, 4)) and 3 not in back


def test_what_is_left_over_of_nothing_takes_no_room() -> None:
    same = [SourceFrame(n, np.zeros(SIZE, np.uint8), None, np.zeros(2048, np.uint8), 0) for n in range(1, 200)]
    log = AloneLog(1)
    for own, frame in zip(same, paired(same, 1, lambda a, b: True), strict=True):
        assert own.state is not None and own.action is not None
        log.add(frame, own.state, own.action)
    about, packed = log.pack()
    assert len(packed) < 64 and about["alone"] == [[0, 1]]


@pytest.mark.parametrize("change", [{"lag": 2}, {"alone": [[9, 9]]}, {"pictures": []}, {"memories": [[0, 1, 99]]}])
def test_senseless_parts_are_refused(change: dict[str, object]) -> None:
    log = AloneLog(1)
    frames = recorded([1, 2], [False, False], 0)
    for own, frame in zip(frames, paired(frames, 1, follows), strict=True):
        assert own.state is not None and own.action is not None
        log.add(frame, own.state, own.action)
    about, packed = log.pack()
    AloneParts(2, about, packed)
    with pytest.raises(ValueError):
        AloneParts(2, {**about, **change}, packed)
