"""How the chunks of a file are sorted into episodes, rule by rule."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import Any

import pytest
from chunks_by_hand import SOUND, description_chunk, group_chunk, packed

from hstmae.codec.container.chunks import (
    EPISODE,
    FILES,
    FINAL,
    GOP,
    HEAD,
    HEADER_BYTES,
    INDEX,
    PREAMBLE_BYTES,
    Gap,
    Header,
    chunk,
    pack_preamble,
    scan,
)
from hstmae.codec.container.contents import Contents, Entry, read_contents
from hstmae.codec.container.index import pack_end, pack_index
from hstmae.codec.container.text import MAX_TEXT
from hstmae.errors import CodecError


def contents(*parts: bytes, index: bool = False, **options: Any) -> Contents:
    data = pack_preamble() + b"".join(parts)
    if index:
        table = [f for f in scan(memoryview(data), PREAMBLE_BYTES) if not isinstance(f, Gap)]
        data += chunk(INDEX, pack_index(table)) + pack_end(len(data))
    return read_contents(memoryview(data), **options)


def about(value: object) -> bytes:
    return chunk(HEAD, zlib.compress(value if isinstance(value, bytes) else json.dumps(value).encode()))


@pytest.mark.parametrize("index", [False, True])
def test_chunks_are_sorted_into_episodes(index: bool) -> None:
    parts = [
        about({"kind": "store"}),
        group_chunk(5, 4),
        description_chunk(5, name="five", frames=-1),
        chunk(FILES, b"looks", episode=5),
        group_chunk(2, 0),
        group_chunk(5, 0),
        description_chunk(2, name="two"),
        description_chunk(5, name="five", frames=9),
        chunk(b"\xd5new", b"of later", episode=2),
    ]
    got = contents(*parts, index=index)
    assert [entry.number for entry in got.episodes] == [2, 5] and got.about == {"kind": "store"}
    two, five = got.episodes
    assert [header.first for _, header in five.gops] == [0, 4] and five.frames == 8 and five.final
    assert five.description == replace(SOUND, name="five", frames=9)
    assert five.files is not None and five.files[1].kind == FILES and two.files is None
    assert two.frames == 4 and two.missing() == [(4, 5)] and five.missing() == [(8, 1)]
    assert got.indexed == index and got.gaps == [] and got.unusable == []
    assert len(got.table) == len(parts) and got.table[0][0] == PREAMBLE_BYTES


def test_the_index_is_used_unless_it_is_not_wanted_or_does_not_fit() -> None:
    parts = [description_chunk(0), group_chunk(0, 0)]
    assert contents(*parts, index=True).indexed and not contents(*parts, index=True, use_index=False).indexed
    data = bytearray(pack_preamble() + b"".join(parts))
    table = [f for f in scan(memoryview(bytes(data)), PREAMBLE_BYTES) if not isinstance(f, Gap)]
    data += chunk(INDEX, pack_index(table)) + pack_end(len(data))
    data[PREAMBLE_BYTES + HEADER_BYTES + 2] ^= 1  # the description: the index leads there, and it is damaged
    got = read_contents(memoryview(bytes(data)))
    assert not got.indexed and len(got.gaps) == 1 and got.episodes[0].description is None
    lies = pack_preamble() + b"".join(parts)
    claimed = [*table, (len(lies), Header(b"\xd5NEW", 0))]
    lies += chunk(b"\xd5idx", pack_index(claimed)) + pack_end(len(lies))
    assert not read_contents(memoryview(lies)).indexed


def test_the_final_description_wins_and_else_the_first() -> None:
    first, final, later = (
        description_chunk(0, frames=-1, level="1"),
        description_chunk(0, frames=4, level="2"),
        description_chunk(0, frames=4, level="3"),
    )
    for parts, level, done in (
        ((first,), "1", False),
        ((first, final), "2", True),
        ((final, first), "2", True),
        ((final, later), "2", True),
        ((first, first), "1", False),
    ):
        (entry,) = contents(*parts, group_chunk(0, 0)).episodes
        assert entry.description is not None and (entry.description.level, entry.final) == (level, done)


def test_damaged_and_senseless_descriptions() -> None:
    senseless = chunk(EPISODE, packed({"name": 5}), episode=0, flags=FINAL)
    got = contents(senseless, group_chunk(0, 0))
    (entry,) = got.episodes
    assert entry.description is None and not entry.final and entry.frames == 4 and entry.missing() == []
    assert len(got.unusable) == 1 and f"at byte {PREAMBLE_BYTES}" in got.unusable[0]
    both = contents(senseless, description_chunk(0, frames=4), group_chunk(0, 0))
    assert both.episodes[0].description is not None and len(both.unusable) == 1


def test_kinds_of_later_versions() -> None:
    sound = (description_chunk(0), group_chunk(0, 0))
    assert len(contents(*sound, chunk(b"\xd5aBC", b"")).episodes) == 1
    with pytest.raises(CodecError, match="chunk ABC at byte 16 needs a later version"):
        contents(chunk(b"\xd5ABC", b""), *sound)


def test_what_a_file_says_about_itself_is_never_in_the_way() -> None:
    sound = (description_chunk(0), group_chunk(0, 0))
    deep = b"[" * 100_000 + b"]" * 100_000
    for head in (about([1]), about(b"\xff"), about(deep), chunk(HEAD, b"noise"), chunk(HEAD, b""), about("text"), b""):
        got = contents(head, *sound)
        assert got.about == {} and len(got.episodes) == 1
    assert contents(about({"a": 1}), chunk(HEAD, b"noise"), *sound).about == {"a": 1}
    assert contents(about({"a": 1}), about({"b": 2}), *sound).about == {"b": 2}
    assert contents(about({"a": "x" * MAX_TEXT}), *sound).about == {}
    assert contents(chunk(HEAD, zlib.compress(b'{"a":1}'), episode=3), *sound).about == {}  # of an episode: no head
    for kind in (GOP, EPISODE, FILES, HEAD):  # of no episode: passed over
        (entry,) = contents(chunk(kind, b"", frames=1), *sound).episodes
        assert (entry.number, entry.frames) == (0, 4)
    assert len(contents(chunk(b"\xd5new", b"", episode=9), *sound).episodes) == 1


def test_groups_that_overlap() -> None:
    """The one found first stays; empty ones go."""
    sound = description_chunk(0, frames=12)
    got = contents(sound, group_chunk(0, 4), group_chunk(0, 2), group_chunk(0, 0), group_chunk(0, 4, fill=b"later"))
    (entry,) = got.episodes
    places = [offset for offset, _ in entry.gops]
    assert [header.first for _, header in entry.gops] == [0, 4] and len(got.unusable) == 2
    assert all("repeats frames" in line for line in got.unusable)
    assert places[1] == PREAMBLE_BYTES + len(sound)
    empty = contents(sound, chunk(GOP, b"", episode=0, first=0), group_chunk(0, 0))
    assert empty.episodes[0].frames == 4 and len(empty.unusable) == 1


def test_missing_stretches() -> None:
    def entry(frames: int, final: bool, *firsts: int) -> Entry:
        gops = [(0, Header(GOP, 0, 0, first, 4)) for first in firsts]
        return Entry(0, gops, final, described=[replace(SOUND, frames=frames)])

    assert entry(12, True, 0, 4, 8).missing() == []
    assert entry(14, True, 0, 8).missing() == [(4, 4), (12, 2)]
    assert entry(14, False, 4).missing() == [(0, 4)]
    assert entry(-1, True, 0).missing() == [] and entry(4, True).missing() == [(0, 4)]
    assert replace(entry(12, True, 0), described=[]).missing() == []


def test_scanning_starts_where_it_is_told() -> None:
    data = pack_preamble() + b"noise" + description_chunk(0) + group_chunk(0, 0)
    assert read_contents(memoryview(data)).gaps == [Gap(PREAMBLE_BYTES, PREAMBLE_BYTES + 5)]
    assert read_contents(memoryview(data), start=0).gaps == [Gap(0, PREAMBLE_BYTES + 5)]
