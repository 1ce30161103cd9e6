"""Movie files: both formats hold what was played; damaged ones are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fm2 import format_fm2
from hypothesis import given
from hypothesis import strategies as st

from hstmae.data.sources.movies.fm2 import parse_fm2
from hstmae.data.sources.movies.hst_movie import format_json, parse_json, write_movie
from hstmae.data.sources.movies.movie import MAX_FRAMES, Movie
from hstmae.data.sources.movies.reading import read_movie
from hstmae.errors import DataError

FM2 = b"""version 3
emuVersion 20500
palFlag 0
comment author someone
fourscore 0
port0 1
port1 0
port2 0
|0|........|||
|1|R.....BA|||
|0|R......A|........||
|2|..D.T...|||
"""


@st.composite
def movies(draw: st.DrawFn, pokes: bool) -> Movie:
    runs = draw(st.lists(st.tuples(st.integers(0, 255), st.integers(1, 30)), min_size=1, max_size=20))
    actions = np.repeat(np.array([a for a, _ in runs], np.uint8), [n for _, n in runs])
    frames = st.integers(0, len(actions) - 1)
    resets = [(frame, draw(st.sampled_from(("soft", "hard")))) for frame in sorted(draw(st.sets(frames, max_size=3)))]
    entries = st.tuples(frames, st.integers(0, 0x7FF), st.integers(0, 255))
    written = sorted(draw(st.lists(entries, max_size=4)), key=lambda poke: poke[0]) if pokes else []
    return Movie("smb", actions, tuple(written), tuple(resets))


def test_fm2_buttons_have_their_bits() -> None:
    movie = parse_fm2(FM2, "smb")
    assert movie.actions.tolist() == [0, 0x04 | 0x10 | 0x80, 0x84, 0x02 | 0x01]
    assert movie.resets == ((1, "soft"), (3, "hard"))
    assert parse_fm2(FM2.replace(b"\n", b"\r\n"), "smb") == movie


@given(movies(pokes=True))
def test_json_round_trip(movie: Movie) -> None:
    assert parse_json(format_json(movie)) == movie


def test_movies_of_version_1_have_start_and_select_the_other_way_round() -> None:
    value = {"format": "hst-movie", "version": 1, "game": "smb", "actions": "00 08*2 01 9f f6"}
    assert parse_json(json.dumps(value).encode()).actions.tolist() == [0, 1, 1, 8, 0x9F, 0xF6]
    value["game"] = "ALE/Pong-v5"  # numbers of actions
    assert parse_json(json.dumps(value).encode()).actions.tolist() == [0, 8, 8, 1, 0x9F, 0xF6]


@given(movies(pokes=False))
def test_fm2_round_trip(movie: Movie) -> None:
    assert parse_fm2(format_fm2(movie), "smb") == movie


def test_what_a_file_is_its_content_says(tmp_path: Path) -> None:
    movie = Movie("smb", np.array([0, 4, 4], np.uint8), pokes=((1, 0x75F, 3),))
    write_movie(movie, tmp_path / "a")
    assert read_movie(tmp_path / "a", "other") == movie
    plain = Movie("smb", movie.actions)
    (tmp_path / "b").write_bytes(format_fm2(plain))
    assert read_movie(tmp_path / "b", "smb") == plain
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ((b"palFlag 0", b"palFlag 1"), "PAL"),
        ((b"port0 1", b"port0 2"), "port 1"),
        ((b"port2 0", b"savestate abc"), "save state"),
        ((b"version 3", b"version 2"), "version 3"),
        ((b"version 3\n", b""), "first line"),
        ((b"|0|........|||", b"|4|........|||"), "command 4"),
        ((b"|0|........|||", b"|0|.......|||"), "7 buttons"),
        ((b"|0|........|||", b"|0|........"), "expected"),
        ((b"|0|........|||", b"|0|........|A.......||"), "second controller"),
        ((b"|2|..D.T...|||", b"something"), "line 12"),
    ],
)
def test_what_cannot_be_replayed_is_refused(change: tuple[bytes, bytes], what: str) -> None:
    assert change[0] in FM2
    with pytest.raises(DataError, match=what):
        parse_fm2(FM2.replace(*change), "smb")


@pytest.mark.parametrize(
    "entries",
    [
        {"actions": f"00*{MAX_FRAMES} 00"},
        {"actions": "00*999999999"},
        {"actions": "0"},
        {"actions": "00*0"},
        {"actions": ""},
        {"actions": ["00"]},
        {"version": 3},
        {"version": True},
        {"version": 1.5},
        {"format": "other"},
        {"game": ""},
        {"pokes": [[0, 2048, 0]]},
        {"pokes": [[0, 0, 256]]},
        {"pokes": [[5, 0, 0]]},
        {"pokes": [[True, 0, 0]]},
        {"pokes": [[1, 0, 0], [0, 0, 0]]},
        {"pokes": {"0": 1}},
        {"resets": [[0, "off"]]},
        {"resets": [[0, ["soft"]]]},
        {"resets": [[1, "soft"], [1, "soft"]]},
        {"surprise": 1},
    ],
)
def test_impossible_json_is_refused(entries: dict[str, object]) -> None:
    value = {"format": "hst-movie", "version": 1, "game": "smb", "actions": "00*3", **entries}
    with pytest.raises(DataError):
        parse_json(json.dumps(value).encode())


@pytest.mark.parametrize("whole", [FM2, format_json(parse_fm2(FM2, "smb"))])
def test_truncation_and_bit_flips_give_typed_errors_only(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "movie"
    variants = [whole[:end] for end in range(len(whole))]
    variants += [
        whole[:i] + bytes([whole[i] ^ (1 << bit)]) + whole[i + 1 :] for i in range(len(whole)) for bit in (0, 6)
    ]
    refused = 0
    for data in variants:
        path.write_bytes(data)
        try:
            assert 1 <= len(read_movie(path, "smb")) <= MAX_FRAMES
        except DataError:
            refused += 1
    assert refused > len(variants) // 4


def test_deep_nesting_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="damaged JSON"):
        parse_json(b'{"format": ' + b"[" * 200_000)
    with pytest.raises(DataError, match="cannot be read"):
        read_movie(tmp_path / "absent.fm2", "smb")
