"""One long session on several cores: groups are coded at the same time, to the same bytes and frames."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import make_golden
import numpy as np
import pytest

from hstmae.codec.container.gop import Gop, GopShape
from hstmae.codec.lossless.kernel import library_path
from hstmae.codec.lossless.profile import LosslessProfile
from hstmae.codec.session import profiles
from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.writer import HstWriter
from hstmae.data.episode import Episode
from hstmae.errors import CodecError
from hstmae.executor import threads_of

pytestmark = pytest.mark.skipif(library_path() is None, reason="needs the compiled kernel")


class Meeting(LosslessProfile):
    """A profile whose calls wait for each other: alone none of them goes on."""

    together = threading.Barrier(2, timeout=20)

    def encode(self, gop: Gop) -> dict[str, bytes]:
        self.together.wait()
        return super().encode(gop)

    def decode(self, streams: Mapping[str, bytes], shape: GopShape) -> Gop:
        self.together.wait()
        return super().decode(streams, shape)


def write(path: Path, clip: Episode, threads: int, name: str = "lossless") -> bytes:
    with HstWriter(path) as writer:
        writer.add(make_profile(name, "smb"), clip, gop=4, threads=threads)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["lossless", "live"])
def test_the_bytes_and_the_frames_are_the_same_for_any_number_of_threads(name: str, tmp_path: Path) -> None:
    clip = make_golden.sample(19)  # the last group is not full
    files = [write(tmp_path / f"{threads}.hst", clip, threads, name) for threads in (1, 2, 5)]
    assert files[0] == files[1] == files[2]
    for threads in (1, 2, 5):
        with HstReader(tmp_path / "1.hst", threads=threads) as reader:
            played = list(reader.play(0))
            assert np.array_equal(np.stack([frame.pixels for frame in played]), clip.frames)
            assert np.array_equal(reader.episode(0).frames, clip.frames)
            assert np.array_equal(reader[17].pixels, clip.frames[17])  # and back again
            assert np.array_equal(reader[2].pixels, clip.frames[2])


def test_groups_are_coded_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write(tmp_path / "one.hst", clip := make_golden.sample(16), 1)
    monkeypatch.setitem(profiles._MAKERS, "lossless", lambda game=None, **options: Meeting(game, **options))
    assert write(tmp_path / "two.hst", clip, 2) == whole
    with HstReader(tmp_path / "two.hst", threads=2) as reader:
        frames = list(reader[0:16])
    assert np.array_equal(np.stack([frame.pixels for frame in frames]), clip.frames)


def test_a_damaged_group_is_told_when_its_frames_are_wanted(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "x.hst", make_golden.sample(12), 1))
    with HstReader(tmp_path / "x.hst") as reader:
        offset, header = reader.entries[0].gops[1]
    data[offset + header.size - 20] ^= 1
    (tmp_path / "x.hst").write_bytes(data)
    with HstReader(tmp_path / "x.hst", threads=3) as reader:
        shown = reader.play(0)
        assert [next(shown).index for _ in range(4)] == [0, 1, 2, 3]
        with pytest.raises(CodecError, match="damaged"):
            next(shown)


def test_an_error_in_a_group_stops_the_episode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: LosslessProfile, gop: Gop) -> dict[str, bytes]:
        raise CodecError("no")

    monkeypatch.setattr(LosslessProfile, "encode", broken)
    with pytest.raises(CodecError, match="no"):
        write(tmp_path / "x.hst", make_golden.sample(12), 3)


def test_no_worker_is_idle_where_there_are_few_episodes() -> None:
    assert [threads_of(4, jobs) for jobs in (1, 2, 3, 4, 9)] == [4, 2, 2, 1, 1]
    assert threads_of(1, 5) == 1 and threads_of(3, 0) == 3
