"""Recordings in every form that settings of FCEUX, other systems and other programs leave them in."""

from __future__ import annotations

from pathlib import Path

import fceux_files as fceux
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.sources.base import Problem, SourceFrame
from hstmae.data.sources.smb.colours import nes_colours
from hstmae.data.sources.smb.dataset import SmbEpisode
from hstmae.data.sources.smb.listing import list_episodes
from hstmae.data.sources.smb.names import Group, frame_name, group_files
from hstmae.data.sources.smb.tail import read_metadata
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.data.store.writer import Packing
from hstmae.errors import DataError
from hstmae.games import get_game
from hstmae.games.smb.overscan import find_corner

GAME = get_game("smb")
FRAMES = fceux.sample()
FAST = Packing(level=1)


def recorded(episode: SmbEpisode) -> tuple[list[SourceFrame], list[Problem]]:
    problems: list[Problem] = []
    return list(episode.recorded(problems.append, {})), problems


def written(folder: Path, make, rows: slice = slice(None), columns: slice = slice(None), tail: bool = True) -> Path:
    """The sample's frames as `make` writes a picture, in a folder of the recorder's name."""
    files = ((name, make(pixels[rows, columns]) + (after if tail else b"")) for name, pixels, after in FRAMES)
    return fceux.write(folder / fceux.SAMPLE.name / "recorded_heldout3000_e0_1-1_fail", files)


@pytest.mark.parametrize("lines", [slice(None), fceux.LINES], ids=["240", "224"])
@pytest.mark.parametrize("table", fceux.TABLES)
@pytest.mark.parametrize("form", fceux.FORMS)
def test_every_kind_of_picture_has_the_same_colours(tmp_path: Path, form: str, table: str, lines: slice) -> None:
    colours = fceux.TABLES[table]
    (episode,) = list_episodes(written(tmp_path, lambda pixels: fceux.FORMS[form](pixels, colours), lines))
    frames, problems = recorded(episode)
    assert problems == [] and len(frames) == len(FRAMES)
    for frame, (name, pixels, tail) in zip(frames, FRAMES, strict=True):
        np.testing.assert_array_equal(frame.pixels, pixels[lines])
        assert frame.palette is not None and frame.state is not None
        used = np.unique(pixels)
        np.testing.assert_array_equal(frame.palette[used], colours[used])
        assert frame.corner == ((0, 0) if lines.start is None else (8, 0))
        assert frame.state.tobytes() == read_metadata(tail).ram
        assert frame.number == int(frame_name(name)["frame"])  # type: ignore[index]


@pytest.mark.parametrize("bits", [5, 6])
def test_colours_that_lost_their_last_bits_are_known(tmp_path: Path, bits: int) -> None:
    shift = 8 - bits
    for table in fceux.TABLES.values():
        coarse = table >> shift << shift
        for _, pixels, _ in FRAMES[::8]:
            found, _ = nes_colours(_decoded(fceux.rgb(pixels, coarse)))
            np.testing.assert_array_equal(found, pixels)


def _decoded(data: bytes):
    from hstmae.data.sources.png import read_png

    return read_png(data, (240, 256))


def test_pictures_in_no_known_colours_are_refused(tmp_path: Path) -> None:
    odd = np.random.default_rng(0).integers(0, 256, (64, 3), np.uint8)
    for form in ("rgb", "few colours", "base 0"):
        (episode,) = list_episodes(written(tmp_path / form, lambda pixels: fceux.FORMS[form](pixels, odd)))  # noqa: B023
        frames, problems = recorded(episode)
        if form == "base 0":  # by the numbers of its entries
            assert len(frames) == len(FRAMES)
        else:
            assert frames == [] and all(problem.left_out for problem in problems)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 16), st.integers(0, 40), st.integers(0, 140), st.integers(0, 20))
def test_what_a_smaller_picture_shows_is_found_by_its_status_bar(top: int, below: int, left: int, right: int) -> None:
    _, pixels, _ = FRAMES[0]
    part = pixels[top : 240 - below, left : 256 - right]
    assert find_corner(part, (240, 256)) == (top, left)


def test_cut_pictures_without_a_status_bar() -> None:
    _, pixels, _ = FRAMES[0]
    assert find_corner(pixels[24:], (240, 256)) is None
    blank = np.zeros((240, 256), np.uint8)
    assert find_corner(blank, (240, 256)) == (0, 0)
    assert find_corner(blank[fceux.LINES], (240, 256)) == (8, 0)
    assert find_corner(blank[:232], (240, 256)) is None
    assert find_corner(np.zeros((480, 512), np.uint8), (240, 256)) is None


@pytest.mark.parametrize(
    ("rows", "columns"), [(slice(0, 232), slice(None)), (slice(8, 240), slice(None)), (slice(None), slice(8, 248))]
)
def test_other_settings_of_the_lines_and_columns(tmp_path: Path, rows: slice, columns: slice) -> None:
    make = lambda pixels: fceux.indexed(pixels, fceux.FCEUX)  # noqa: E731
    (episode,) = list_episodes(written(tmp_path, make, rows, columns))
    frames, problems = recorded(episode)
    assert problems == [] and {frame.corner for frame in frames} == {(rows.start or 0, columns.start or 0)}


def test_a_cut_that_nothing_tells_of_is_refused_by_name(tmp_path: Path) -> None:
    make = lambda pixels: fceux.indexed(pixels, fceux.FCEUX)  # noqa: E731
    (episode,) = list_episodes(written(tmp_path, make, slice(30, 230)))
    frames, problems = recorded(episode)
    assert frames == [] and "256x200 pixels: neither 256x240 nor FCEUX's 256x224" in problems[0].reason


def _stored(tmp_path: Path, lines: slice) -> EpisodeStore:
    source = written(tmp_path / "in", lambda pixels: fceux.indexed(pixels, fceux.FCEUX), lines)
    preprocess(source, tmp_path / "out", workers=1, packing=FAST)
    return EpisodeStore(tmp_path / "out")


def test_what_was_cut_off_is_no_part_of_a_clip(tmp_path: Path) -> None:
    whole, cut = _stored(tmp_path / "a", slice(None)), _stored(tmp_path / "b", fceux.LINES)
    assert (cut.info(0).size, cut.info(0).corner, whole.info(0).corner) == ((224, 256), (8, 0), (0, 0))
    assert cut.verify() == [] and cut.info(0).content_hash != whole.info(0).content_hash
    kind = {"clip": 4, "stride": 2, "crop": (208, 224), "flip": 0.5}
    small, large = ClipDataset(cut, **kind), ClipDataset(whole, **kind)
    for start, x in ((0, 0), (5, 32), (9, 7)):
        one, other = small.clip(0, start, (3, x)), large.clip(0, start, (11, x))
        np.testing.assert_array_equal(one.frames, other.frames)
        assert (one.origin, one.size) == (other.origin, other.size) == ((11, x), (240, 256))
    for index in range(20):
        one = small.random(index)
        draw = small.draw(index)
        other = large._one(
            type(draw)(0, draw.start, (draw.origin[0] + 8, draw.origin[1]), draw.with_context, draw.flip)
        )
        np.testing.assert_array_equal(one.frames, other.frames)
        assert one.origin == other.origin and one.state is not None and other.state is not None
        for mine, its in zip(one.state.arrays(), other.state.arrays(), strict=True):
            np.testing.assert_array_equal(mine, its)
    assert small.batch(0, 3).size.tolist() == [[240, 256]] * 3  # type: ignore[union-attr]


def test_an_atlas_learns_nothing_of_what_was_cut_off(tmp_path: Path) -> None:
    from hstmae.atlas.learning.learn import build_atlas

    whole, cut = (build_atlas(_stored(tmp_path / n, lines), GAME, (), stride=2)
                  for n, lines in (("a", slice(None)), ("b", fceux.LINES)))  # fmt: skip
    for area, world in whole.maps.items():
        other = cut.maps[area]
        assert not other.kinds[:8].any() and not other.kinds[232:].any()
        np.testing.assert_array_equal(other.colours[8:232], world.colours[8:232])


# Where the files lie


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
