"""Headers, the first bytes, what is found between damage, and the index, rule by rule."""

from __future__ import annotations

import struct
import zlib

import pytest
from chunks_by_hand import description_chunk, group_chunk

from hstmae.codec.container import chunks as chunks_module
from hstmae.codec.container import group_chunks
from hstmae.codec.container.chunks import (
    END,
    EPISODE,
    FILES,
    GOP,
    HEAD,
    HEADER_BYTES,
    INDEX,
    MAX_FRAMES,
    MAX_GOP,
    MAX_PAYLOAD,
    NO_EPISODE,
    OVERHEAD,
    PREAMBLE_BYTES,
    Gap,
    Header,
    check_preamble,
    chunk,
    pack_preamble,
    parse_header,
    scan,
)
from hstmae.codec.container.index import END_BYTES, SMALL, find_index, pack_closing, pack_end, pack_index, unpack_index
from hstmae.errors import CodecError


def raw(kind: bytes, length: int, payload: bytes = b"", **fields: int) -> memoryview:
    """A chunk whose header states what it is told, with right checksums."""
    numbers = [fields.get(name, 0) for name in ("episode", "first", "frames", "flags")]
    start = struct.pack("<4sIIIHH", kind, length, *numbers)
    data = start + zlib.crc32(start).to_bytes(4, "little") + payload + zlib.crc32(payload).to_bytes(4, "little")
    return memoryview(data)


def test_headers_are_read_where_there_are_any() -> None:
    data = raw(GOP, 5, b"12345", episode=2, first=7, frames=4, flags=1)
    assert parse_header(data, 0) == Header(GOP, 5, 2, 7, 4, 1)
    shifted = memoryview(b"ab" + bytes(data))
    assert parse_header(shifted, 2) == parse_header(data, 0)
    for at in (-1, 1, 3, len(shifted), len(shifted) - OVERHEAD + 1):
        assert parse_header(shifted, at) is None
    assert parse_header(data[:-1], 0) is None and parse_header(data[: OVERHEAD - 1], 0) is None
    assert parse_header(raw(b"AGOP", 0), 0) is None  # not the first byte
    assert parse_header(raw(b"\xd5G P", 0), 0) is None and parse_header(raw(b"\xd5G0P", 0), 0) is None
    assert parse_header(raw(GOP, 0, episode=chunks_module.MAX_EPISODES), 0) is None
    assert parse_header(raw(GOP, 0, episode=chunks_module.MAX_EPISODES - 1), 0) is not None
    assert parse_header(raw(GOP, 0, episode=NO_EPISODE), 0) is not None
    assert parse_header(raw(GOP, 0, first=MAX_FRAMES - 3, frames=4), 0) is None
    assert parse_header(raw(GOP, 0, first=MAX_FRAMES - 4, frames=4), 0) is not None
    assert parse_header(raw(GOP, 0, frames=MAX_GOP + 1), 0) is None
    assert parse_header(raw(GOP, 0, frames=MAX_GOP), 0) is not None
    wrong = bytearray(data)
    wrong[20] ^= 1
    assert parse_header(memoryview(wrong), 0) is None


def test_a_payload_beyond_the_limit_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks_module, "MAX_PAYLOAD", 4)
    assert parse_header(raw(GOP, 5, b"12345"), 0) is None
    assert parse_header(raw(GOP, 4, b"1234"), 0) is not None


def test_kinds_and_sizes() -> None:
    assert Header(GOP, 5).size == 5 + OVERHEAD == 5 + 28
    assert Header(GOP, 0).critical and not Header(FILES, 0).critical
    assert chunk(HEAD, b"x")[8:12] == b"\xff" * 4
    assert bytes(raw(GOP, 3, b"abc", episode=1, first=2, frames=3, flags=4)) == chunk(
        GOP, b"abc", episode=1, first=2, frames=3, flags=4
    )
    with pytest.raises(AssertionError):
        chunks_module.pack_chunk(Header(GOP, 4), b"abc")


def test_the_first_bytes() -> None:
    start = pack_preamble()
    assert start[:8] == b"\x89HST\r\n\x1a\n" and start[8:12] == b"\1\0\0\0" and len(start) == PREAMBLE_BYTES
    assert int.from_bytes(start[12:], "little") == zlib.crc32(start[:12])
    check_preamble(start + b"more", "x")
    for data, text in (
        (b"", "not a .hst file"),
        (start[:-1], "not a .hst file"),
        (b"RIFF" + start[4:], "not a .hst file"),
        (start.replace(b"\r\n", b"\n"), "text|not a"),
        (start[:4] + b"\n\n\x1a\n" + start[8:], "as if it were text"),
        (start[:10] + b"\1" + start[11:], "damaged"),
        (start[:15] + bytes([start[15] ^ 1]), "damaged"),
    ):
        with pytest.raises(CodecError, match=text):
            check_preamble(data, "x")


def test_a_lost_chunk_is_named_where_its_header_can_be_read() -> None:
    """One gap for each damaged chunk whose header is whole; what follows is found."""
    one, two, three = (bytearray(chunk(GOP, bytes([k]) * 30, episode=0, first=k, frames=1)) for k in range(3))
    one[-1] ^= 1
    two[-1] ^= 1
    found = list(scan(memoryview(bytes(one + two + three))))
    size = len(one)
    assert [(f.start, f.end, f.lost and f.lost.first) for f in found if isinstance(f, Gap)] == [
        (0, size, 0),
        (size, 2 * size, 1),
    ]
    assert [f[0] for f in found if not isinstance(f, Gap)] == [2 * size]
    last = list(scan(memoryview(bytes(three + one))))
    assert last == [(0, Header(GOP, 30, 0, 2, 1)), Gap(size, 2 * size, Header(GOP, 30, 0, 0, 1))]
    assert list(scan(memoryview(bytes(three + one)), size)) == [Gap(size, 2 * size, Header(GOP, 30, 0, 0, 1))]
    # Noise first, then a chunk that is lost: one gap, and the header is known.
    assert list(scan(memoryview(b"noise" + bytes(one)))) == [Gap(0, 5 + size, Header(GOP, 30, 0, 0, 1))]
    # After a gap the next one starts anew.
    mixed = list(scan(memoryview(bytes(one + three) + b"noise" + bytes(three))))
    assert [f for f in mixed if isinstance(f, Gap)] == [
        Gap(0, size, Header(GOP, 30, 0, 0, 1)),
        Gap(2 * size, 2 * size + 5),
    ]


def test_beyond_the_budget_damaged_chunks_are_passed_over_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk inside of a damaged one is found while there is budget, and not looked for afterwards."""
    inner = chunk(GOP, b"inner", episode=0, first=1, frames=1)
    outer = bytearray(chunk(GOP, b"ab" + inner + b"cd", episode=0, first=0, frames=1))
    outer[-1] ^= 1
    data = memoryview(bytes(outer) + chunk(GOP, b"next", episode=0, first=2, frames=1))
    assert [f[1].first for f in scan(data) if not isinstance(f, Gap)] == [1, 2]
    monkeypatch.setattr(chunks_module, "_SCAN_WORK", -(1 << 20))
    assert [f[1].first for f in scan(data) if not isinstance(f, Gap)] == [2]


TABLE = [(PREAMBLE_BYTES, Header(EPISODE, 40, 0, 0, 0, 1)), (200, Header(GOP, 70_000, 3, 9, 64, 3))]
FILE_BYTES = 200 + 70_000 + OVERHEAD


def planes(
    table: list[tuple[int, Header]], *, count: int | None = None, more: bytes = b"", behind: bytes = b""
) -> bytes:
    packed_ = zlib.decompress(pack_index(table)[4:])
    return struct.pack("<I", len(table) if count is None else count) + zlib.compress(packed_ + more) + behind


def test_an_index_is_taken_only_where_it_can_be_true(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unpack_index(pack_index(TABLE), FILE_BYTES) == TABLE
    assert unpack_index(planes(TABLE), FILE_BYTES) == TABLE
    assert unpack_index(b"", FILE_BYTES) is None and unpack_index(b"\1\0\0", FILE_BYTES) is None
    assert unpack_index(planes(TABLE, count=0), FILE_BYTES) is None
    assert unpack_index(planes(TABLE, count=1), FILE_BYTES) is None  # more than it says
    assert unpack_index(planes(TABLE, count=3), FILE_BYTES) is None  # less
    assert unpack_index(planes(TABLE, more=b"x"), FILE_BYTES) is None
    assert unpack_index(planes(TABLE, behind=b"x"), FILE_BYTES) is None
    assert unpack_index(planes(TABLE)[:-1], FILE_BYTES) is None
    assert unpack_index(planes(TABLE)[:4] + b"noise", FILE_BYTES) is None
    assert unpack_index(planes(TABLE), FILE_BYTES - 1) is None  # a chunk outside of the file
    for wrong in (
        [(PREAMBLE_BYTES - 1, TABLE[0][1])],
        [TABLE[0], (PREAMBLE_BYTES + 40 + OVERHEAD - 1, TABLE[1][1])],  # overlaps
        [TABLE[1], TABLE[0]],
        [(PREAMBLE_BYTES, Header(GOP, 0, 1 << 32))],
        [(PREAMBLE_BYTES, Header(GOP, 0, 0, 1 << 32))],
        [(PREAMBLE_BYTES, Header(GOP, 0, 0, 0, 1 << 16))],
        [(PREAMBLE_BYTES, Header(GOP, 0, 0, 0, 0, 1 << 16))],
        [(PREAMBLE_BYTES, Header(b"\xd5GOPS", 0))],
        [(PREAMBLE_BYTES, Header(GOP, MAX_PAYLOAD + 1))],
    ):
        assert unpack_index(planes(wrong), 1 << 40) is None, wrong
    assert unpack_index(planes([(PREAMBLE_BYTES, Header(GOP, MAX_PAYLOAD))]), 1 << 40) is not None
    assert unpack_index(planes(TABLE), 2 * OVERHEAD - 1) is None
    monkeypatch.setattr("hstmae.codec.container.chunks.MAX_CHUNKS", 1)
    assert unpack_index(planes(TABLE), FILE_BYTES) is None


def test_the_index_is_found_by_the_last_chunk() -> None:
    body = pack_preamble() + description_chunk(0) + group_chunk(0, 0)
    table = [f for f in scan(memoryview(body), PREAMBLE_BYTES) if not isinstance(f, Gap)]
    index, at = chunk(INDEX, pack_index(table)), len(body)
    closed = body + index + pack_end(at)
    assert len(pack_end(at)) == END_BYTES == OVERHEAD + 8
    assert find_index(memoryview(closed)) == table
    damaged_index = bytearray(closed)
    damaged_index[at + HEADER_BYTES] ^= 1
    damaged_end = bytearray(closed)
    damaged_end[-1] ^= 1
    for data in (
        b"",
        closed[:-1],
        closed + b"x",
        bytes(damaged_index),
        bytes(damaged_end),
        body + index,
        body + index + chunk(FILES, at.to_bytes(8, "little")),
        body + index + chunk(END, at.to_bytes(9, "little")),
        body + index + pack_end(at + 1),
        body + index + pack_end(1 << 40),
        body + index + pack_end(PREAMBLE_BYTES),  # a chunk, but no index
        body + index + chunk(FILES, b"") + pack_end(at),  # something between
        body + chunk(FILES, pack_index(table)) + pack_end(at),
        body + chunk(INDEX, b"noise") + pack_end(at),
    ):
        assert find_index(memoryview(data)) is None


def test_small_files_are_closed_without_an_index() -> None:
    body = pack_preamble() + description_chunk(0) + group_chunk(0, 0)
    table = [f for f in scan(memoryview(body), PREAMBLE_BYTES) if not isinstance(f, Gap)]
    closed = body + pack_closing(table, len(body))
    assert len(closed) == len(body) + OVERHEAD
    looked = []
    assert find_index(memoryview(closed), lambda a, b: looked.append((a, b))) == table
    assert looked == [(0, len(body))]  # of a file that is far away
    damaged = bytearray(closed)
    damaged[PREAMBLE_BYTES + HEADER_BYTES + 2] ^= 1  # told when it is read, as with an index
    assert find_index(memoryview(damaged)) == table
    damaged[PREAMBLE_BYTES + 8] ^= 1
    for data in (bytes(damaged), closed[:-1], closed + b"x", body, body + b"x" + closed[len(body) :]):
        assert find_index(memoryview(data)) is None
    filled = body + chunk(FILES, bytes(SMALL - len(body) - OVERHEAD), episode=0)
    for more, index in ((filled, False), (filled + chunk(FILES, b""), True)):
        table = [f for f in scan(memoryview(more), PREAMBLE_BYTES) if not isinstance(f, Gap)]
        closing = pack_closing(table, len(more))
        assert (closing[:4] == INDEX) == index and find_index(memoryview(more + closing)) == table
    assert find_index(memoryview(filled + chunk(FILES, b"") + chunk(END, b""))) is None  # too large for that


def test_large_numbers_go_through_the_index() -> None:
    table = [
        (
            PREAMBLE_BYTES + (1 << 35),
            Header(INDEX, MAX_PAYLOAD, NO_EPISODE, (1 << 32) - 1, (1 << 16) - 1, (1 << 16) - 1),
        )
    ]
    assert unpack_index(pack_index(table), 1 << 40) == table
    assert (group_chunks.NUMBERED, group_chunks.STEPPED, group_chunks.PARTIAL) == (2, 4, 8)
