"""Files and folders of recordings under names that were changed, cut short or mixed up."""

from __future__ import annotations

from pathlib import Path

import fceux_files as fceux
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fceux_files import FAST, FRAMES, recorded

from hstmae.data.sources.smb.listing import list_episodes
from hstmae.data.sources.smb.names import Group, frame_name, group_files
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import DataError


def _names(
    count: int, *, session: str = "abcd1234", episode: int = 0, level: str = "1-1", first: int = 1, end: str = ""
):
    return [f"linux_{session}_e{episode}_{level}_f{first + k}_a0_2026-01-01_00-00-00{end}.png" for k in range(count)]


def _files(names: list[str], tails: int = 1 << 30) -> list[tuple[str, bytes]]:
    """The sample's frames by these names; only the first `tails` have memory."""
    found = []
    for k, name in enumerate(names):
        _, pixels, tail = FRAMES[k]
        outcome = 1 if ".fail." in name else 2 if ".win." in name else 0
        tail = tail.replace(b"\r\n", b"\n")
        tail = tail[: tail.rindex(b"BP1\0") + 4] + bytes(1) + tail[tail.rindex(b"BP1\0") + 5 :]
        at = tail.rindex(b"OUTCOME\0") + 8
        tail = tail[:at] + bytes([outcome]) + tail[at + 1 :]
        found.append((name, fceux.indexed(pixels, fceux.FCEUX) + (tail if k < tails else b"")))
    return found


@pytest.mark.parametrize("separator", ["\\", "\\\\"])
def test_paths_as_names_and_several_episodes_in_one_folder(tmp_path: Path, separator: str) -> None:
    one, two, three = _names(5, end=".fail"), _names(4, episode=1, level="1-2", end=".win"), _names(3, episode=2)
    literal = [separator.join(["data", "linux_abcd1234_e1_1-2", name]) for name in two]
    fceux.write(tmp_path, [*_files(one), *_files(literal), *_files(three)])
    (tmp_path / "datacollector.lua").write_text("-- the recorder")
    summary = preprocess(tmp_path, tmp_path.with_name(tmp_path.name + "_store"), workers=1, packing=FAST)
    store = EpisodeStore(tmp_path.with_name(tmp_path.name + "_store"))
    assert [(i.name, i.frames, i.outcome, i.level) for i in store.infos()] == [
        ("linux_abcd1234_e0_1-1_fail", 5, "fail", "1-1"),
        ("linux_abcd1234_e1_1-2_win", 4, "win", "1-2"),
        ("linux_abcd1234_e2_1-1", 3, "cut", "1-1"),
    ]
    assert (summary.left_out, summary.remarks) == (0, 4)
    assert sum("put together by the names of its files" in line for line in summary.problems) == 3


def test_an_episode_of_one_folder_and_the_next(tmp_path: Path) -> None:
    fceux.write(tmp_path / "linux_abcd1234_e0_1-1", _files(_names(5, end=".fail")))
    fceux.write(tmp_path / "linux_abcd1234_e0_2-1_fail", _files(_names(4, level="2-1", first=6, end=".fail")))
    fceux.write(tmp_path, _files(["data\\x\\" + name for name in _names(2, first=10, end=".fail")]))
    (episode,) = list_episodes(tmp_path)
    frames, problems = recorded(episode)
    assert [frame.number for frame in frames] == list(range(1, 12))
    assert (episode.name, episode.outcome) == ("linux_abcd1234_e0_1-1_fail", "fail")
    assert [problem.left_out for problem in problems] == [False]


def test_copies_of_an_episode_are_not_mixed(tmp_path: Path) -> None:
    for place in ("linux_abcd1234_e0_1-1", "copy of it"):
        fceux.write(tmp_path / place, _files(_names(4)))
    episodes = list_episodes(tmp_path)
    assert sorted(episode.name for episode in episodes) == ["copy of it", "linux_abcd1234_e0_1-1"]
    assert [episode.size for episode in episodes] == [4, 4]


@pytest.mark.parametrize("tails", [0, 3])
def test_a_recording_that_was_killed_gives_one_line(tmp_path: Path, tails: int) -> None:
    fceux.write(tmp_path / "linux_abcd1234_e0_1-1", _files(_names(12), tails))
    fceux.write(tmp_path / "linux_abcd1234_e1_1-1", _files(_names(4, episode=1)))
    summary = preprocess(tmp_path, tmp_path.with_name(tmp_path.name + "_store"), workers=1, packing=FAST)
    assert summary.frames == tails + 4
    (line,) = [line for line in summary.problems if "stopped" in line]
    assert f"{12 - tails} files, from" in line and "_f12_" in line
    assert summary.left_out == 12 - tails + (tails == 0)


def test_the_last_file_is_half_written(tmp_path: Path) -> None:
    folder = fceux.write(tmp_path / "linux_abcd1234_e0_1-1", _files(_names(6), 5))
    last = folder / _names(6)[-1]
    for cut in (0, 7, 40, 900, last.stat().st_size // 2):
        last.write_bytes(_files(_names(6))[-1][1][:cut])
        frames, problems = recorded(list_episodes(tmp_path)[0])
        assert [frame.number for frame in frames] == [1, 2, 3, 4, 5]
        assert [problem.file for problem in problems] == [last.name]


@pytest.mark.parametrize("name", ["my game", "linux_abcd1234_e0_1-1_win", "other_zzzz_e9_8-4_fail", "1-1"])
def test_a_renamed_folder(tmp_path: Path, name: str) -> None:
    fceux.write(tmp_path / name, _files(_names(4, end=".win")))
    (episode,) = list_episodes(tmp_path)
    frames, problems = recorded(episode)
    assert (episode.name, episode.level, episode.outcome, len(frames)) == (name, "1-1", "win", 4)
    assert len(problems) == (name != "linux_abcd1234_e0_1-1_win") and not any(p.left_out for p in problems)


def test_a_recorder_without_a_user_or_with_a_long_one(tmp_path: Path) -> None:
    for user in ("", "Jane_van_der_Berg e1_"):
        names = [name.replace("linux_", user) for name in _names(3)]
        fceux.write(tmp_path / f"in{len(user)}" / f"{user}abcd1234_e0_1-1", _files(names))
        (episode,) = list_episodes(tmp_path / f"in{len(user)}")
        frames, problems = recorded(episode)
        assert (len(frames), problems, episode.level) == (3, [], "1-1")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_file_is_in_one_episode(data: st.DataObject) -> None:
    """Any sessions, anywhere in a tree, with other files among them: none is lost, none is where it does not belong."""
    keys = data.draw(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), min_size=1, max_size=4, unique=True))
    places = ["", "x", "x/y", "linux_a_e0_1-1", "linux_b_e1_1-1_win", "z"]
    folders: dict[str, tuple[list[tuple[str, int, int]], list[str]]] = {}
    for session, number in keys:
        for frame in data.draw(st.sets(st.integers(1, 6), min_size=1)):
            place = data.draw(st.sampled_from(places))
            name = _names(1, session=session, episode=number, first=frame)[0]
            literal = data.draw(st.booleans())
            folders.setdefault(place, ([], []))[0].append((("data\\f\\" if literal else "") + name, frame, 0))
    for place in data.draw(st.lists(st.sampled_from(places), max_size=3)):
        files, others = folders.setdefault(place, ([], []))
        if ("strange.png", 0, 0) not in files:
            files.append(("strange.png", 0, 0))
            others.append("notes.txt")
    listed = [(place, files, others) for place, (files, others) in sorted(folders.items())]
    groups = group_files(listed)
    whole = sorted(f"{place}/{name}".lstrip("/") for place, files, _ in listed for name, _, _ in files)
    assert sorted(f"{group.folder}/{name}".lstrip("/") for group in groups for name, _, _ in group.files) == whole
    assert sum(len(group.others) for group in groups) == sum(len(others) for _, _, others in listed)
    for group in groups:
        numbers = [(m["session"], m["episode"]) for name, _, _ in group.files if (m := frame_name(name))]
        assert len(set(numbers)) <= 1
        assert group.title or _one_folder(group)


def _one_folder(group: Group) -> bool:
    return not any("/" in name for name, _, _ in group.files)


def test_an_archive_holds_the_same_episodes(tmp_path: Path) -> None:
    py7zr = pytest.importorskip("py7zr")
    files = [*_files(_names(5, end=".fail")), *_files(_names(4, episode=1, level="1-2", end=".win"))]
    apart = _files(_names(2, episode=2)), _files(_names(3, episode=2, level="4-1", first=3, end=""))
    fceux.write(tmp_path / "in", files)
    fceux.write(tmp_path / "in" / "linux_abcd1234_e2_1-1", apart[0])
    fceux.write(tmp_path / "in" / "linux_abcd1234_e2_4-1", apart[1])
    with py7zr.SevenZipFile(tmp_path / "set.7z", "w", filters=[{"id": py7zr.FILTER_COPY}]) as file:
        for name, content in files:
            file.writestr(content, name)
        for folder, part in zip(("linux_abcd1234_e2_1-1", "linux_abcd1234_e2_4-1"), apart, strict=True):
            for name, content in part:
                file.writestr(content, f"{folder}/{name}")
    unpacked = preprocess(tmp_path / "in", tmp_path / "a", workers=1, packing=FAST)
    packed = preprocess(tmp_path / "set.7z", tmp_path / "b", workers=1, packing=FAST)
    assert (packed.episodes, packed.hash) == (3, unpacked.hash)


def test_an_error_names_what_is_wrong(tmp_path: Path) -> None:
    fceux.write(tmp_path / "linux_abcd1234_e0_1-1", _files(_names(6), 2))
    with pytest.raises(DataError, match="stopped"):
        preprocess(tmp_path, tmp_path.with_name(tmp_path.name + "_store"), workers=1, on_error="fail")
