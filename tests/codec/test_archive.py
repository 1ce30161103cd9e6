"""Whole folders into one file and back: every way in and out, in several processes, after being killed."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain_profile import PlainProfile, Tables

from hstmae import cli
from hstmae.bundled import SAMPLES
from hstmae.codec.jobs.decode import parts_of, write_recordings
from hstmae.codec.jobs.encode_many import Archived, archive
from hstmae.codec.jobs.inputs import Found, coded_episodes, find_input
from hstmae.codec.jobs.tasks import Settings
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.writer import PART
from hstmae.data.sources.smb.dataset_files import FileLog
from hstmae.data.sources.video import VideoOptions
from hstmae.data.store.preprocessing import build_store, preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.data.store.writer import Packing
from hstmae.errors import CodecError, DataError, UsageError


def copy_session(target: Path, count: int, name: str = "") -> Path:
    """The first files, by name, of the bundled session, as an episode folder of its own."""
    (source,) = (p for p in (SAMPLES / "sample_session").iterdir() if p.is_dir())
    folder = target / (name or source.name)
    folder.mkdir(parents=True)
    for path in sorted(source.glob("*.png"))[:count]:
        shutil.copy(
            path, folder / path.name.replace(source.name.removesuffix("_fail"), folder.name.removesuffix("_fail"))
        )
    return folder


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    copy_session(tmp_path / "in", 9)
    copy_session(tmp_path / "in" / "more", 5, "other_abcd_e1_1-1_fail")
    return tmp_path / "in"


PLAIN = Settings("plain", (("tables", Tables("plain-1")),), gop=4)  # known to other processes, too


def pack(source: Path, path: Path, **settings: Any) -> Archived:
    found = find_input(source, None, VideoOptions())
    return archive(found, path, replace(PLAIN, options=(), **settings), workers=1)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.png")}


def test_recordings_come_back_as_the_very_files(recordings: Path, tmp_path: Path) -> None:
    summary = pack(recordings, tmp_path / "x.hst")
    assert (summary.episodes, summary.frames, summary.files, summary.exact_files) == (2, 14, 14, 14)
    with HstReader(tmp_path / "x.hst") as reader:
        assert write_recordings(reader, parts_of(reader, None, None), tmp_path / "out", 1, lambda n: None) == 14
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(f.name for f in reader.episodes())
        with pytest.raises(UsageError, match="not empty"):
            write_recordings(reader, parts_of(reader, None, None), tmp_path / "out", 1, lambda n: None)
    assert content(tmp_path / "out") == content(recordings) and len(content(recordings)) == 14


@pytest.mark.parametrize("exact", [False, True])
def test_files_packed_in_another_way_keep_their_content_or_all(recordings: Path, tmp_path: Path, exact: bool) -> None:
    """Pillow's own filters: no recipe writes these again."""
    from PIL import Image

    path = sorted(recordings.rglob("*.png"))[3]
    data = path.read_bytes()
    tail = data[data.index(b"IEND") + 8 :]
    with Image.open(path) as picture:
        picture.save(tmp_path / "again.png", compress_level=2)
    path.write_bytes((tmp_path / "again.png").read_bytes() + tail)
    summary = pack(recordings, tmp_path / "x.hst", exact=exact)
    assert summary.exact_files == 13
    with HstReader(tmp_path / "x.hst") as reader:
        write_recordings(reader, parts_of(reader, None, None), tmp_path / "out", 1, lambda n: None)
    got, wanted = content(tmp_path / "out"), content(recordings)
    assert got.keys() == wanted.keys()
    assert {name for name in got if got[name] != wanted[name]} == (set() if exact else {path.name})
    a, b = (find_input(p, None, VideoOptions()) for p in (tmp_path / "out", recordings))
    for x, y in zip(*(sorted(f.episodes, key=lambda e: e.name) for f in (a, b)), strict=True):
        for p, q in zip(x.frames(print, {}), y.frames(print, {}), strict=True):
            np.testing.assert_array_equal(p.pixels, q.pixels)
            np.testing.assert_array_equal(p.state, q.state)
            assert (p.number, p.action) == (q.number, q.action)


def test_a_store_comes_back_as_the_same_store(recordings: Path, tmp_path: Path) -> None:
    packing = Packing(level=1)
    first = preprocess(recordings, tmp_path / "store", workers=1, packing=packing, val_levels=["1-1"], val_fraction=0.1)
    pack(tmp_path / "store", tmp_path / "x.hst")
    with HstReader(tmp_path / "x.hst") as reader:
        about = reader.contents.about
        assert {f.split for f in reader.episodes()} == {"val_level"}
    episodes = coded_episodes(tmp_path / "x.hst")
    second = build_store(episodes, tmp_path / "again", "smb", "smbdataset", about["splits"], packing=packing, workers=1)
    assert first.hash == second.hash
    assert EpisodeStore(tmp_path / "again").verify() == []


def test_a_killed_run_is_gone_on_with(recordings: Path, tmp_path: Path) -> None:
    """At any point: what is written is kept, and the file is the one that an unbroken run makes."""
    whole = pack(recordings, tmp_path / "whole.hst")
    data = (tmp_path / "whole.hst").read_bytes()
    path, part = tmp_path / "x.hst", tmp_path / f"x.hst{PART}"
    kept = set()
    for cut in [*range(0, len(data) - 400, 1500), len(data) - 60]:
        part.write_bytes(data[:cut])
        summary = pack(recordings, path)
        kept.add(summary.kept_frames)
        assert summary.kept_frames + summary.coded_frames == summary.frames == whole.frames
        assert path.read_bytes() == data and not part.exists()
        path.unlink()
    assert {0, 4, 5, 9, 13, 14} >= kept > {0, 4}


def test_resuming_with_other_settings_or_input_is_refused(recordings: Path, tmp_path: Path) -> None:
    pack(recordings, tmp_path / "whole.hst")
    (tmp_path / f"x.hst{PART}").write_bytes((tmp_path / "whole.hst").read_bytes()[:9000])
    with pytest.raises(UsageError, match="other settings"):
        pack(recordings, tmp_path / "x.hst", with_state=False)
    next(recordings.rglob("*.png")).touch()
    first = sorted(p for p in recordings.iterdir() if p.name != "more")[0]
    sorted(first.glob("*.png"))[0].unlink()
    with pytest.raises(UsageError, match="another input"):
        pack(recordings, tmp_path / "x.hst")


def test_an_episode_is_not_gone_on_with_by_other_tables(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(recordings, tmp_path / "whole.hst")
    (tmp_path / f"x.hst{PART}").write_bytes((tmp_path / "whole.hst").read_bytes()[:9000])
    monkeypatch.setattr(PlainProfile.__init__, "__defaults__", (None, "plain-2"))
    with pytest.raises(CodecError, match=r"plain-1.*plain-2"):
        pack(recordings, tmp_path / "x.hst")


def test_damaged_files_are_left_out_and_told_or_stop_the_run(recordings: Path, tmp_path: Path) -> None:
    broken = sorted(recordings.rglob("*.png"))[2]
    broken.write_bytes(broken.read_bytes()[:500])
    summary = pack(recordings, tmp_path / "x.hst")
    assert summary.frames == 13 and [p.file for p in summary.problems] == [broken.name]
    with HstReader(tmp_path / "x.hst") as reader:
        assert sum(len(f.problems) for f in reader.episodes()) == 1
    with pytest.raises(DataError, match=broken.name):
        pack(recordings, tmp_path / "y.hst", fail=True)
    assert not (tmp_path / "y.hst").exists()


def test_any_number_of_processes_writes_the_same_file(tmp_path: Path) -> None:
    """The first episode ends last; of a copy of the input, too, and of an interrupted run."""
    for k, count in enumerate((9, 3, 1)):
        copy_session(tmp_path / "in", count, f"u{k}_abcd_e{k}_1-1_fail")
    shutil.copytree(tmp_path / "in", tmp_path / "copy", copy_function=shutil.copyfile)  # other times
    hashes = set()
    for k, (name, workers) in enumerate((("in", 1), ("copy", 3))):
        path, source = tmp_path / f"{k}.hst", tmp_path / name
        assert cli.main(["encode", str(source), str(path), "--gop", "4", "--workers", str(workers)]) == 0
        hashes.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(hashes) == 1
    for cut, workers in ((3000, 1), (len(path.read_bytes()) - 500, 2)):
        (tmp_path / f"r.hst{PART}").write_bytes(path.read_bytes()[:cut])
        found = find_input(tmp_path / "in", None, VideoOptions())
        summary = archive(found, tmp_path / "r.hst", Settings(gop=4), workers=workers)
        assert summary.frames == 13 and (tmp_path / "r.hst").read_bytes() == path.read_bytes()
        (tmp_path / "r.hst").unlink()


def test_processes_write_what_they_read(recordings: Path, tmp_path: Path) -> None:
    found = find_input(recordings, None, VideoOptions())
    archive(found, tmp_path / "one.hst", PLAIN, workers=2)
    with HstReader(tmp_path / "one.hst", tables=Tables("plain-1")) as reader:
        written = write_recordings(reader, parts_of(reader, None, None), tmp_path / "out", 2, lambda n: None)
    assert written == 14 and content(tmp_path / "out") == content(recordings)


def test_an_error_in_a_process_ends_the_run(recordings: Path, tmp_path: Path) -> None:
    for folder in (recordings / "more").iterdir():
        for path in folder.iterdir():
            path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match="other_abcd"):
        found = find_input(recordings, None, VideoOptions())
        archive(found, tmp_path / "x.hst", replace(PLAIN, fail=True), workers=2)
    assert not (tmp_path / "x.hst").exists()


def test_inputs_are_told_apart(recordings: Path, tmp_path: Path) -> None:
    assert find_input(recordings, None, VideoOptions()).game == "smb"
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.txt").write_text("x")
    for path, game in (("nothing", None), ("x.txt", None), ("empty", None)):
        with pytest.raises((UsageError, DataError)):
            find_input(tmp_path / path, game, VideoOptions())
    pack(recordings, tmp_path / "x.hst")
    with pytest.raises(UsageError, match="--game"):
        find_input(tmp_path / "x.hst", "smb", VideoOptions())
    assert [e.name for e in find_input(recordings, None, VideoOptions(), ["other_*"]).episodes] == [
        "other_abcd_e1_1-1_fail"
    ]
    with pytest.raises(UsageError, match="has no episode"):
        find_input(recordings, None, VideoOptions(), ["nobody"])


def test_what_is_there_is_kept(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "x.hst").write_bytes(b"mine")
    with pytest.raises(UsageError, match="there already"):
        pack(recordings, tmp_path / "x.hst")
    with pytest.raises(CodecError, match="unknown profile"):
        found = find_input(recordings, None, VideoOptions())
        archive(Found("smbdataset", "smb", found.episodes), tmp_path / "y.hst", Settings("none"))
    assert (tmp_path / "x.hst").read_bytes() == b"mine" and not list(tmp_path.glob("y.hst*"))


def test_a_log_of_files_keeps_odd_names() -> None:
    from hstmae.data.sources.smb.dataset_files import FileLooks

    palette = np.zeros((64, 3), np.uint8)
    log = FileLog()
    pixels, state = np.zeros((240, 256), np.uint8), np.zeros(2048, np.uint8)
    names = ["u_s_e0_1-1_f1_a0_2020-01-01_00-00-00.png", "u_s_e0_1-1_f0002_a0_2020-01-01_00-00-00.PNG"]
    for number, name in enumerate(names, 1):
        log.add(name, b"no picture", number, pixels, state, 0, "cut")
    looks = FileLooks(log.pack(palette), palette)
    assert [looks.name(row, row + 1, 0) for row in range(2)] == names
    assert log.exact == 0 and looks.frames == 2


def test_parts_of_a_file(recordings: Path, tmp_path: Path) -> None:
    pack(recordings, tmp_path / "x.hst")
    with HstReader(tmp_path / "x.hst") as reader:
        name = reader.episodes()[1].name
        first = reader.frames(0)
        assert [(p.position, p.rows) for p in parts_of(reader, None, (first - 2, first + 1))] == [
            (0, range(first - 2, first)),
            (1, range(0, 1)),
        ]
        count = reader.frames(1)
        assert [(p.position, p.rows) for p in parts_of(reader, name, (-2, None))] == [(1, range(count - 2, count))]
        with pytest.raises(UsageError, match="it has"):
            parts_of(reader, name, (99, 100))
        with pytest.raises(CodecError, match="no episode"):
            parts_of(reader, "nobody", None)
        episode = coded_episodes(tmp_path / "x.hst", [0])[0]
        part = replace(episode, rows=range(1, 3), size=2)
        assert [frame.number for frame in part.frames(print, {})] == reader.episode(0).frame_numbers[1:3].tolist()
