"""Files written and read: every frame, in every way, with and without an index."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import assert_same, session, write
from plain_profile import PlainProfile

from hstmae.codec.container.gop import Gop
from hstmae.codec.container.group_chunks import NUMBERED, STEPPED
from hstmae.codec.session.encoder import description_of
from hstmae.codec.session.frame import HstFrame, rate
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.writer import PART, HstWriter
from hstmae.errors import CodecError, DataError, UsageError


@pytest.mark.parametrize("closed", [True, False])
def test_several_episodes_come_back(tmp_path: Path, closed: bool) -> None:
    episodes = [
        session(10, 1, name="a"),
        session(9, 2, name="b", rgb=True, state=0),
        session(4, 3, name="c", size=(3, 5), numbers=[2, 3, 9, 11]),
        session(1, 4, name="d", state=2048),
    ]
    path = write(tmp_path / "x.hst", *episodes)
    if not closed:
        path.write_bytes(path.read_bytes()[:-20])
    reader = HstReader(path)
    assert reader.contents.indexed == closed
    assert len(reader) == 24 and [f.frames for f in reader.episodes()] == [10, 9, 4, 1]
    for episode in episodes:
        assert_same(reader.episode(episode.name), episode)
    rows = [3, 3, 9, 0]
    assert_same(reader.read("a", rows), episodes[0].take(np.array(rows)))
    for at, (k, t) in {0: (0, 0), 10: (1, 0), 18: (1, 8), 22: (2, 3), -1: (3, 0)}.items():
        frame = reader[at]
        assert (frame.episode, frame.index, frame.number) == ("abcd"[k], t, episodes[k].frame_numbers[t])
        np.testing.assert_array_equal(frame.pixels, episodes[k].frames[t])
        palette = episodes[k].palette
        np.testing.assert_array_equal(frame.rgb, frame.pixels if palette is None else palette[frame.pixels])
    assert [f.number for f in reader[21:18:-1]] == [9, 3, 2]
    assert [f.episode for f in reader].count("c") == 4


def test_frame_numbers_that_follow_each_other_are_not_listed(tmp_path: Path) -> None:
    path = write(tmp_path / "x.hst", session(8, numbers=[1, 2, 3, 4, 6, 8, 9, 10]))
    assert [header.flags & NUMBERED for _, header in HstReader(path).entries[0].gops] == [0, NUMBERED]


@given(st.lists(st.integers(0, 300), min_size=1, max_size=9, unique=True).map(sorted), st.sampled_from([1, 4, 7000]))
def test_any_frame_numbers_come_back(numbers: list[int], step: int) -> None:
    episode = session(len(numbers), numbers=[step * n for n in numbers])
    with tempfile.TemporaryDirectory() as folder, HstReader(write(Path(folder) / "x.hst", episode)) as reader:
        np.testing.assert_array_equal(reader.episode(0).frame_numbers, episode.frame_numbers)


def test_every_fourth_frame_costs_two_bytes_more_than_every_frame(tmp_path: Path) -> None:
    sizes = []
    for name, numbers in (("a", range(8)), ("b", range(0, 32, 4)), ("c", [0, 4, 8, 9, 10, 14, 18, 22])):
        (header,) = [
            h for _, h in HstReader(write(tmp_path / name, session(8, numbers=numbers), gop=8)).entries[0].gops
        ]
        sizes.append((header.length, header.flags & (NUMBERED | STEPPED)))
    assert sizes == [
        (sizes[0][0], 0),
        (sizes[0][0] + 2, STEPPED),
        (sizes[0][0] + 2 + 2 + 6 * 3 - 4, STEPPED | NUMBERED),
    ]


@given(st.integers(1, 12), st.integers(1, 5), st.data())
def test_any_rows_at_any_group_size(frames: int, gop: int, data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, frames - 1), max_size=6))
    episode = session(frames, frames)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "x.hst", episode, gop=gop)
        with HstReader(path, cache=1) as reader:
            assert_same(reader.read(0, rows), episode.take(np.array(rows, np.int64)))
            with pytest.raises(IndexError):
                reader.read(0, [*rows, frames])


def test_only_the_groups_asked_for_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.hst", session(40))
    decoded: list[int] = []
    real = PlainProfile.decode
    monkeypatch.setattr(
        PlainProfile,
        "decode",
        lambda self, streams, shape: (decoded.append(shape.frames), real(self, streams, shape))[1],
    )
    reader = HstReader(path)
    reader.read(0, [5, 6, 7, 21])
    assert len(decoded) == 2
    assert reader[5].number == 6 and len(decoded) == 2  # kept
    list(reader[0:40])
    assert len(decoded) == 10
    small = HstReader(path, cache=1)
    decoded.clear()
    for at in (0, 1, 39, 0):
        _ = small[at]
    assert len(decoded) == 3


def test_a_frame_is_reached_without_what_lies_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once; what asks for more of the same group, or goes on in it, decodes it whole and no more than that."""
    decoded: list[int] = []

    def first(self: PlainProfile, streams: Any, shape: Any, count: int) -> Gop:
        decoded.append(count)
        gop = self.decode(streams, shape)
        return Gop(gop.frames[:count], None, gop.state[:count], gop.actions[:count])  # type: ignore[index]

    monkeypatch.setattr(PlainProfile, "decode_first", first, raising=False)
    real = PlainProfile.decode
    whole: list[int] = []
    monkeypatch.setattr(
        PlainProfile, "decode", lambda self, s, shape: (whole.append(shape.frames), real(self, s, shape))[1]
    )
    episode = session(90)
    path = write(tmp_path / "x.hst", episode, gop=80)
    reader = HstReader(path, cache=1)
    cases = ((3, [16], 0), (15, [16], 0), (9, [16], 0), (16, [16], 1), (79, [16], 1))
    for at, parts, all_of_it in cases:
        np.testing.assert_array_equal(reader[at].pixels, episode.frames[at])
        assert (decoded, len(whole) - len(decoded)) == (parts, all_of_it)
    ways: list[tuple[Callable[[HstReader], Iterable[HstFrame]], int]] = [
        (lambda reader: reader, 0),
        (lambda reader: reader[5:85], 0),
        (lambda reader: reader.play(0, None, None, 20), 1),
    ]
    for frames, parts in ways:
        decoded.clear()
        whole.clear()
        for frame in frames(HstReader(path)):
            np.testing.assert_array_equal(frame.pixels, episode.frames[frame.index])
        assert (len(decoded), len(whole)) == (parts, 2 + parts)
    decoded.clear()
    assert_same(HstReader(path).read(0, [40, 2]), episode.take(np.array([40, 2])))
    assert decoded == [48]
    with HstReader(path, keep=tmp_path / "kept") as keeping:
        np.testing.assert_array_equal(keeping[1].pixels, episode.frames[1])
    assert decoded == [48]


def test_play_keeps_to_the_rate(tmp_path: Path) -> None:
    reader = HstReader(write(tmp_path / "x.hst", replace(session(10), fps=60.0)))
    assert [f.index for f in reader.play(0)] == list(range(10))
    assert [f.index for f in reader.play("a", 30)] == [0, 2, 4, 6, 8]
    assert [f.index for f in reader.play(0, 120, range(2, 5))] == [2, 2, 3, 3, 4, 4]
    assert [f.index for f in reader.play(0, 25)] == [0, 2, 4, 7, 9]
    assert rate(60.0988) * 10_000 == 600_988


def test_readers_travel_to_other_processes(tmp_path: Path) -> None:
    reader = HstReader(write(tmp_path / "x.hst", session(6)))
    again = pickle.loads(pickle.dumps(reader))
    np.testing.assert_array_equal(again[5].pixels, reader[5].pixels)


def test_live_writing_can_be_read_along(tmp_path: Path) -> None:
    episode, profile = session(10), PlainProfile()
    path = tmp_path / "live.hst"
    assert episode.state is not None and episode.actions is not None
    description = description_of(profile, name="live", game="smb", frame=episode.frames[0], palette=episode.palette,
                     state=episode.state[0], action=1, fps=60.0, gop=4)  # fmt: skip
    with HstWriter(path, live=True) as writer, writer.episode(profile, description) as running:
        for t in range(10):
            running.add(episode.frames[t], t + 1, episode.state[t], int(episode.actions[t]))
            if t + 1 >= 4:
                seen = HstReader(path)
                assert len(seen) == (t + 1) // 4 * 4 and not seen.contents.indexed
        running.outcome = "fail"
    reader = HstReader(path)
    assert reader.contents.indexed and len(reader) == 10 and reader.episodes()[0].outcome == "fail"
    np.testing.assert_array_equal(reader.episode(0).frames, episode.frames)


def _write_forever(path: Path) -> None:
    episode, profile = session(64), PlainProfile()
    description = description_of(profile, name="k", game="smb", frame=episode.frames[0], palette=episode.palette,
                     state=None, action=None, fps=60.0, gop=4)  # fmt: skip
    with HstWriter(path) as writer, writer.episode(profile, description) as running:
        for t in range(10_000_000):
            running.add(episode.frames[t % 64], t)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 on this system")
def test_kill_9_loses_the_open_group_at_most(tmp_path: Path) -> None:
    path, part = tmp_path / "k.hst", tmp_path / f"k.hst{PART}"
    process = multiprocessing.get_context("fork").Process(target=_write_forever, args=(path,), daemon=True)
    process.start()
    while not part.exists() or part.stat().st_size < 50_000:
        time.sleep(0.005)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    reader = HstReader(part)
    whole = sum(gap.end - gap.start for gap in reader.contents.gaps)
    assert not path.exists() and len(reader) % 4 == 0 and len(reader) > 400 and whole < 1000
    assert all(reader.groups.check(0, k) == "" for k in range(len(reader.entries[0].gops)))
    assert len(reader) == reader[len(reader) - 1].number + 1  # none before the last is missing


def test_what_is_there_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "x.hst"
    (tmp_path / f"x.hst{PART}").write_bytes(b"something of mine")
    with pytest.raises(UsageError, match="resume"):
        HstWriter(path)
    with pytest.raises(CodecError):
        HstWriter(path, resume=True)
    assert (tmp_path / f"x.hst{PART}").read_bytes() == b"something of mine"


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="no such lock on this system")
    with HstWriter(tmp_path / "x.hst") as first:
        with pytest.raises(UsageError, match="another run"):
            HstWriter(tmp_path / "x.hst", resume=True)
        first.add(PlainProfile(), session(2))


def test_a_failed_or_empty_run_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="no episode"), HstWriter(tmp_path / "x.hst"):
        pass
    with pytest.raises(ZeroDivisionError), HstWriter(tmp_path / "x.hst"):
        _ = 1 // 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        {"frames": np.zeros((3, 7, 8), np.uint8)},
        {"frame_numbers": np.array([1, 2, 2], np.int32)},
        {"frame_numbers": np.array([5, 2, 9], np.int32)},
    ],
)
def test_frames_that_do_not_go_together_are_refused(tmp_path: Path, change: dict) -> None:
    first, second = session(3), session(3)
    whole = replace(second, frame_numbers=second.frame_numbers)
    broken = replace(whole, **{k: v for k, v in change.items() if k != "frames"})
    profile = PlainProfile()
    with pytest.raises(DataError), HstWriter(tmp_path / "x.hst") as writer:
        description = description_of(
            profile,
            name="a",
            game="smb",
            frame=first.frames[0],
            palette=first.palette,
            state=None,
            action=None,
            fps=60.0,
        )
        with writer.episode(profile, description) as running:
            for t in range(3):
                frames = change.get("frames", broken.frames)
                running.add(frames[t], int(broken.frame_numbers[t]))


def test_other_tables_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.hst", session(4))
    monkeypatch.setattr(PlainProfile.__init__, "__defaults__", (None, "plain-2"))
    with pytest.raises(CodecError, match=r"plain-1.*plain-2"):
        _ = HstReader(path)[0]


def test_an_unknown_profile_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "x.hst", session(4))
    monkeypatch.delitem(__import__("hstmae.codec.session.profiles", fromlist=["_MAKERS"])._MAKERS, "plain")
    reader = HstReader(path)
    assert reader.episodes()[0].profile == "plain"
    with pytest.raises(CodecError, match="unknown profile 'plain'"):
        _ = reader[0]
