"""The smbdataset source: exact repair, cross-checks, order, and what happens to files that are broken."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from synthetic_episodes import PALETTE, frame_file, make_episode, make_png, write_episodes

from hstmae.data.sources.base import Problem, SourceFrame
from hstmae.data.sources.finding import find_sources
from hstmae.data.sources.png import PngImage
from hstmae.data.sources.smb.colours import nes_colours
from hstmae.data.sources.smb.dataset import SmbEpisode
from hstmae.data.sources.smb.dataset_writer import write_smbdataset
from hstmae.data.sources.smb.listing import list_episodes
from hstmae.data.sources.smb.tail import read_metadata
from hstmae.data.sources.video import VideoOptions
from hstmae.errors import DataError, UsageError
from hstmae.games import get_game


def _tail(ram: bytes, action: int, outcome: int) -> bytes:
    def chunk(key: bytes, value: bytes) -> bytes:
        return struct.pack(">I", len(key) + 1 + len(value)) + b"tEXt" + key + b"\0" + value + bytes(4)

    return chunk(b"RAM", ram) + chunk(b"BP1", bytes([action])) + chunk(b"OUTCOME", bytes([outcome]))


def _read(folder: Path) -> tuple[list[SourceFrame], list[Problem], dict[str, int]]:
    (episode,) = list_episodes(folder)
    problems: list[Problem] = []
    notes: dict[str, int] = {}
    return list(episode.frames(problems.append, notes)), problems, notes


# Memory made of the bytes that matter for line-end damage, and of any; from a seed, since 2,048 draws are too many.
def _memory(seed: int, alphabet: list[int]) -> bytes:
    return bytes(np.random.default_rng(seed).choice(np.array(alphabet, np.uint8), 2048))


_MEMORY = st.builds(
    _memory,
    st.integers(0, 2**32 - 1),
    st.sampled_from([[0x0A, 0x0D], [0x0A, 0x0D, 0x00], [0x0D, 0x0A, 0x74, 0x45, 0x58], list(range(256))]),
)


@given(_MEMORY, st.integers(0, 255), st.integers(0, 2))
@example(b"\n" * 2048, 0x0A, 2)
@example(b"\r\n" * 1024, 0x0D, 0)
@example(b"\r" * 2048, 0x0A, 1)
def test_metadata_survives_line_end_damage_exactly(ram: bytes, action: int, outcome: int) -> None:
    tail = _tail(ram, action, outcome)
    damaged = tail.replace(b"\n", b"\r\n")
    clean = read_metadata(tail)
    assert (clean.ram, clean.action, clean.outcome, clean.repaired) == (ram, action, outcome, False)
    repaired = read_metadata(damaged)
    assert (repaired.ram, repaired.action, repaired.outcome) == (ram, action, outcome)
    assert repaired.repaired == (damaged != tail)


@pytest.mark.parametrize("ram", [bytes(2048), b"\n" * 2048, b"\r\n" * 1024])
@pytest.mark.parametrize("damaged", [False, True])
def test_every_truncation_of_metadata_is_a_data_error(ram: bytes, damaged: bool) -> None:
    tail = _tail(ram, 10, 1)
    tail = tail.replace(b"\n", b"\r\n") if damaged else tail
    for cut in range(len(tail)):
        with pytest.raises(DataError):
            read_metadata(tail[:cut])
    with pytest.raises(DataError):
        read_metadata(tail + b"\0")


@given(st.binary(max_size=60))
def test_arbitrary_metadata_is_a_data_error(tail: bytes) -> None:
    with pytest.raises(DataError):
        read_metadata(tail)


@pytest.mark.parametrize("damaged", [False, True])
def test_written_episode_reads_back_bit_exact(tmp_path: Path, damaged: bool) -> None:
    episode = make_episode(6)
    write_episodes(tmp_path, episode, damaged=damaged)
    frames, problems, notes = _read(tmp_path)
    assert problems == [] and notes == {"repaired": 6 if damaged else 0}
    assert episode.state is not None and episode.actions is not None
    for t, frame in enumerate(frames):
        assert frame.number == t + 1 and frame.action == episode.actions[t]
        assert np.array_equal(frame.pixels, episode.frames[t])
        assert np.array_equal(frame.state, episode.state[t])
        assert np.array_equal(frame.palette, PALETTE)


def test_frames_come_in_numeric_order_with_gaps(tmp_path: Path) -> None:
    write_episodes(tmp_path, make_episode(numbers=[2, 9, 10, 11, 100, 101, 1000]))
    frames, problems, _ = _read(tmp_path)
    assert [frame.number for frame in frames] == [2, 9, 10, 11, 100, 101, 1000] and not problems


def _break(folder: Path, path: Path, kind: str) -> None:
    data = path.read_bytes()
    end = data.index(b"IEND") + 8
    if kind == "picture cut":
        path.write_bytes(data[: end - 20])
    elif kind == "tail cut":
        path.write_bytes(data[:-3])
    elif kind == "no tail":
        path.write_bytes(data[:end])
    elif kind == "picture bit":
        path.write_bytes(data[:900] + bytes([data[900] ^ 1]) + data[901:])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "huge":
        path.write_bytes(data + bytes(5 << 20))
    elif kind == "action":
        path.rename(path.with_name(re.sub(r"_a\d+_", f"_a{(data[-21] + 1) % 256}_", path.name)))
    elif kind == "outcome":
        path.rename(path.with_name(path.name.replace(".win.", ".fail.")))
    elif kind == "no outcome":
        path.rename(path.with_name(path.name.replace(".win.", ".")))
    elif kind == "time":
        path.rename(path.with_name(re.sub(r"\d{4}-\d\d-\d\d_", "2026-13-01_", path.name)))
    elif kind == "name":
        path.rename(path.with_name("picture.png"))
    elif kind == "number":
        path.rename(path.with_name(path.name.replace("_f3_", "_f9999999999_")))
    elif kind == "size":
        path.write_bytes(make_png(bytes(240 * 255), width=254) + data[end:])
    elif kind == "indices":
        path.write_bytes(make_png((b"\0" + b"\x50" * 256) * 240, palette=bytes(range(256)) * 3) + data[end:])
    elif kind == "palette":
        path.write_bytes(make_png((b"\0" + b"\x80" * 256) * 240, palette=bytes(range(256)) * 3) + data[end:])
    elif kind == "duplicate":
        time = re.search(r"\d{4}-", path.name)
        assert time is not None
        path.with_name(path.name.replace(time[0], "2027-")).write_bytes(data)
    else:
        raise AssertionError(kind)


BROKEN = {
    "picture cut": "cut off inside the picture",
    "tail cut": "metadata",
    "no tail": "no metadata",
    "picture bit": "CRC",
    "empty": "not a PNG",
    "huge": "larger than",
    "action": "its name says action",
    "outcome": "its name says outcome fail, its metadata win",
    "no outcome": "its name says outcome cut",
    "time": "impossible time",
    "name": "file's name",
    "number": "too large",
    "size": "254x240",
    "indices": "palette indices",
    "palette": "palette differs",
    "duplicate": "a second file of its frame",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_is_left_out_and_reported_by_name(tmp_path: Path, kind: str) -> None:
    (folder,) = write_episodes(tmp_path, make_episode(5))
    before = {path.name for path in folder.iterdir()}
    path = frame_file(folder, 3)
    _break(folder, path, kind)
    added = {path.name for path in folder.iterdir()} - before
    frames, problems, _ = _read(tmp_path)
    assert [frame.number for frame in frames] == ([1, 2, 3, 4, 5] if kind == "duplicate" else [1, 2, 4, 5])
    (problem,) = problems
    assert problem.left_out and BROKEN[kind] in problem.reason
    assert problem.file in {path.name} | added


def test_a_changed_level_within_an_episode_is_no_contradiction(tmp_path: Path) -> None:
    (folder,) = write_episodes(tmp_path, make_episode(4))
    path = frame_file(folder, 4)
    path.rename(path.with_name(path.name.replace("_1-1_", "_1-2_")))
    frames, problems, _ = _read(tmp_path)
    assert len(frames) == 4 and not problems


def test_renamed_folder_takes_its_facts_from_the_files_and_strays_are_mentioned(tmp_path: Path) -> None:
    (folder,) = write_episodes(tmp_path, make_episode(4, level="4-2", outcome="fail"))
    renamed = folder.rename(tmp_path / "my session")
    (renamed / "notes.txt").write_text("x")
    (episode,) = list_episodes(renamed)  # an episode folder given directly
    assert (episode.name, episode.level, episode.outcome, episode.size) == ("my session", "4-2", "fail", 4)
    frames, problems, _ = _read(renamed)
    assert len(frames) == 4
    assert [(p.file, p.left_out) for p in problems] == [("notes.txt", False), ("", False)]


def test_links_to_folders_are_followed_once_and_dead_links_are_reported(tmp_path: Path) -> None:
    (folder,) = write_episodes(tmp_path / "elsewhere", make_episode(3))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / folder.name).symlink_to(folder, target_is_directory=True)
    (folder / "loop").symlink_to(tmp_path / "in", target_is_directory=True)
    path = frame_file(folder, 2)
    path.unlink()
    path.symlink_to(tmp_path / "gone.png")
    frames, problems, _ = _read(tmp_path / "in")
    assert [frame.number for frame in frames] == [1, 3]
    assert [(p.file, p.reason.split(":")[0]) for p in problems] == [(path.name, "cannot be read")]


def test_missing_or_empty_input_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        list_episodes(tmp_path / "nothing")
    assert list_episodes(tmp_path) == []
    with pytest.raises(DataError, match="is an empty folder"):
        find_sources(tmp_path, get_game("smb"), VideoOptions())


def test_plain_colour_indices_are_accepted() -> None:
    table = np.zeros((64, 3), np.uint8)
    image = PngImage(np.full((2, 2), 63, np.uint8), table, 0)
    colours, palette = nes_colours(image)
    assert (colours == 63).all() and palette.shape == (64, 3)
    with pytest.raises(DataError, match="64"):
        nes_colours(PngImage(np.full((2, 2), 63, np.uint8), table[:60], 0))
    with pytest.raises(DataError, match="palette of 128"):
        nes_colours(PngImage(np.full((2, 2), 0x90, np.uint8), np.zeros((128, 3), np.uint8), 0))


def test_writer_refuses_what_the_layout_cannot_hold(tmp_path: Path) -> None:
    episode = make_episode(2)
    write_smbdataset(episode, tmp_path)
    with pytest.raises(UsageError, match="not empty"):
        write_smbdataset(episode, tmp_path)
    with pytest.raises(DataError, match="256x240"):
        write_smbdataset(replace(episode, name="small", frames=episode.frames[:, :16]), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [episode.name]


def test_signature_follows_names_sizes_and_times(tmp_path: Path) -> None:
    (folder,) = write_episodes(tmp_path, make_episode(3))
    (episode,) = list_episodes(tmp_path)
    (same,) = list_episodes(tmp_path)
    assert isinstance(episode, SmbEpisode) and episode.signature() == same.signature()
    path = frame_file(folder, 2)
    path.write_bytes(path.read_bytes() + b"x")
    (other,) = list_episodes(tmp_path)
    assert other.signature() != episode.signature()
