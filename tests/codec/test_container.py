"""Chunks, the index, and scanning what is damaged."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstmae.codec.container.chunks import (
    EPISODE,
    GOP,
    HEADER_BYTES,
    MAX_CHUNKS,
    NO_EPISODE,
    OVERHEAD,
    PREAMBLE_BYTES,
    Gap,
    Header,
    check_preamble,
    chunk,
    pack_chunk,
    pack_preamble,
    parse_header,
    read_payload,
    scan,
)
from hstmae.codec.container.index import find_index, pack_end, pack_index, unpack_index
from hstmae.errors import CodecError

HEADERS = st.builds(
    Header,
    st.sampled_from([GOP, EPISODE, b"\xd5new"]),
    st.just(0),
    st.integers(0, 1000) | st.just(NO_EPISODE),
    st.integers(0, 1 << 29),
    st.integers(0, 1024),
    st.integers(0, 65535),
)


@given(HEADERS, st.binary(max_size=200), st.binary(max_size=20))
def test_a_chunk_comes_back(header: Header, payload: bytes, before: bytes) -> None:
    header = replace(header, length=len(payload))
    data = memoryview(before + pack_chunk(header, payload))
    assert parse_header(data, len(before)) == header
    assert read_payload(data, len(before), header) == payload
    assert header.size == len(payload) + OVERHEAD == len(data) - len(before)


@given(st.binary(min_size=0, max_size=60), st.integers(0, 1 << 30))
def test_every_flipped_bit_of_a_chunk_is_noticed(payload: bytes, where: int) -> None:
    data = bytearray(chunk(GOP, payload, episode=1, first=3, frames=2))
    data[where // 8 % len(data)] ^= 1 << where % 8
    header = parse_header(memoryview(data), 0)
    assert header is None or read_payload(memoryview(data), 0, header) is None


@given(st.binary(max_size=300))
def test_noise_is_no_chunk_and_scanning_it_ends(noise: bytes) -> None:
    found = list(scan(memoryview(noise)))
    assert found == ([Gap(0, len(noise))] if noise else [])


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=8), st.data())
def test_chunks_between_damage_are_all_found(payloads: list[bytes], data: st.DataObject) -> None:
    """Noise of any length, in front, between and behind: it is what is told as gaps, and nothing else is."""
    noise = st.binary(max_size=50).map(lambda b: b.replace(b"\xd5", b"\xd4"))
    parts, places, gaps, at = [], [], [], 0
    for k, payload in enumerate(payloads):
        rubbish = data.draw(noise)
        if rubbish:
            gaps.append(Gap(at, at + len(rubbish)))
        at += len(rubbish)
        places.append((at, Header(GOP, len(payload), 0, k, 1)))
        whole = pack_chunk(places[-1][1], payload)
        at += len(whole)
        parts += [rubbish, whole]
    found = list(scan(memoryview(b"".join(parts))))
    assert [f for f in found if not isinstance(f, Gap)] == places
    assert [f for f in found if isinstance(f, Gap)] == gaps


def test_bytes_put_in_or_taken_out_cost_one_chunk() -> None:
    whole = [chunk(GOP, bytes([k]) * 50, episode=0, first=k, frames=1) for k in range(3)]
    for middle in (whole[1][:40] + b"xyz" + whole[1][40:], whole[1][:40] + whole[1][45:], whole[1][:10]):
        found = list(scan(memoryview(whole[0] + middle + whole[2])))
        kept = [f[1].first for f in found if not isinstance(f, Gap)]
        (gap,) = [f for f in found if isinstance(f, Gap)]
        assert kept == [0, 2] and (gap.start, gap.end) == (len(whole[0]), len(whole[0] + middle))


def test_many_lying_headers_do_not_make_a_scan_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers with a right checksum that claim all of the rest each: the work stays in proportion to the file."""
    count, work = 3000, 0
    size = count * HEADER_BYTES
    lies = b""
    for k in range(count):
        length = max(size - k * HEADER_BYTES - OVERHEAD, 0)
        start = GOP + length.to_bytes(4, "little") + bytes(12)
        lies += start + zlib.crc32(start).to_bytes(4, "little")
    real = zlib.crc32

    def counted(data: bytes, *rest: int) -> int:
        nonlocal work
        work += len(data)
        return real(data, *rest)

    monkeypatch.setattr("hstmae.codec.container.chunks.zlib.crc32", counted)
    assert all(isinstance(found, Gap) for found in scan(memoryview(lies)))
    assert size < work < 20 * size + (2 << 20)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda b: b"GIF89a" + b[6:], "not a .hst file"),
        (lambda b: b[:4] + b"\n" + b[5:], "text"),
        (lambda b: b[:9] + b"\7" + b[10:], "damaged"),
        (lambda b: b[:5], "not a .hst file"),
    ],
)
def test_a_wrong_start_is_told(change, text: str) -> None:
    start = pack_preamble()
    check_preamble(start, "x")
    with pytest.raises(CodecError, match=text):
        check_preamble(change(start), "x")


def test_a_later_major_version_is_refused_a_later_minor_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hstmae.codec.container.chunks.VERSION", (1, 9))
    minor = pack_preamble()
    monkeypatch.setattr("hstmae.codec.container.chunks.VERSION", (2, 0))
    major = pack_preamble()
    monkeypatch.undo()
    check_preamble(minor, "x")
    with pytest.raises(CodecError, match=r"version 2\.0"):
        check_preamble(major, "x")


@pytest.mark.parametrize("field", [{"length": 1 << 31}, {"frames": 2000}, {"episode": 1 << 24}, {"first": 1 << 31}])
def test_headers_beyond_a_limit_are_none(field: dict[str, int]) -> None:
    header = Header(GOP, **{"length": 5, **field})
    data = bytearray(pack_chunk(Header(GOP, 5), b"12345"))
    packed = bytearray(
        b"".join([header.kind, *(v.to_bytes(4, "little") for v in (header.length, header.episode, header.first))])
    )
    packed += header.frames.to_bytes(2, "little") + header.flags.to_bytes(2, "little")
    data[:HEADER_BYTES] = packed + zlib.crc32(bytes(packed)).to_bytes(4, "little")
    assert parse_header(memoryview(data), 0) is None


TABLES = st.lists(st.tuples(st.integers(0, 50), HEADERS, st.integers(0, 5000)), min_size=1, max_size=30)


@given(TABLES)
def test_an_index_comes_back(rows: list[tuple[int, Header, int]]) -> None:
    table, at = [], PREAMBLE_BYTES
    for skip, header, length in rows:
        table.append((at + skip, replace(header, length=length)))
        at += skip + length + OVERHEAD
    packed = pack_index(table)
    assert unpack_index(packed, at) == table
    assert unpack_index(packed, at - 1) is None  # a chunk would lie outside of the file
    closed = bytes(at) + chunk(b"\xd5idx", packed) + pack_end(at)
    assert find_index(memoryview(closed)) == table
    assert find_index(memoryview(closed[:-1])) is None


@given(st.binary(max_size=80), st.integers(0, 1 << 40))
def test_a_senseless_index_is_none(noise: bytes, size: int) -> None:
    assert unpack_index(noise, size) is None
    count = (MAX_CHUNKS + 1).to_bytes(4, "little")
    assert unpack_index(count + zlib.compress(noise), 1 << 60) is None
    assert unpack_index((3).to_bytes(4, "little") + zlib.compress(bytes(1 << 20)), size) is None  # unpacks to too much
