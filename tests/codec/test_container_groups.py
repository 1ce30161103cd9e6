"""How a group of pictures is laid out in its chunk, rule by rule."""

from __future__ import annotations

import inspect
import struct
from dataclasses import replace
from typing import Any, get_type_hints

import numpy as np
import pytest
from chunks_by_hand import SOUND
from hypothesis import given
from hypothesis import strategies as st

from hstmae.codec.container.chunks import (
    CRC_BYTES,
    GOP,
    HASHED,
    HEADER_BYTES,
    OVERHEAD,
    SHORT_GOP,
    Header,
    parse_header,
    read_payload,
)
from hstmae.codec.container.description import MAX_PIXELS, MAX_SIDE, SHORT_PROFILES, Description
from hstmae.codec.container.gop import Gop, GopShape, Profile
from hstmae.codec.container.group_chunks import NUMBERED, PARTIAL, STEPPED, content_hash, pack_gop, unpack_gop
from hstmae.codec.container.numbers import varint
from hstmae.data.episode import Episode
from hstmae.errors import CodecError

SHORT = replace(SOUND, profile=SHORT_PROFILES[0])


def gop(frames: int = 4) -> Gop:
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 2, (frames, 6, 8), dtype=np.uint8)
    state = rng.integers(0, 256, (frames, 5), dtype=np.uint8)
    return Gop(pictures, SOUND.colours, state, np.arange(frames, dtype=np.uint8))


def test_the_hash_of_content_depends_on_all_of_it() -> None:
    one, numbers = gop(), np.arange(4, dtype=np.int32)
    assert one.state is not None and one.actions is not None
    others = [
        (replace(one, frames=1 - one.frames), numbers),
        (replace(one, state=one.state + np.uint8(1)), numbers),
        (replace(one, actions=one.actions + np.uint8(1)), numbers),
        (replace(one, state=None), numbers),
        (one, numbers + 1),
    ]
    digests = {content_hash(*other) for other in others} | {content_hash(one, numbers)}
    assert len(digests) == 6 and {len(digest) for digest in digests} == {8}
    assert content_hash(replace(one, frames=one.frames[:, ::-1][:, ::-1]), numbers.astype(">i4")) in digests


NUMBERS = {
    "in a row": ([5, 6, 7, 8], 0),
    "one": ([5], 0),
    "gap": ([5, 6, 8, 9], NUMBERED),
    "stepped": ([5, 9, 13, 17], STEPPED),
    "stepped with a gap": ([5, 9, 30, 34], NUMBERED | STEPPED),
    "all apart": ([5, 7, 12, 100_000], NUMBERED),
    "as far as can be": ([0, (1 << 31) - 1], NUMBERED),
}
STREAMS = {"ACTN": b"a", "PICT": b"picture", "STAT": b""}


@pytest.mark.parametrize(("kind", "told"), [(GOP, SOUND), (SHORT_GOP, SHORT)])
@pytest.mark.parametrize("digest", [b"", b"8 bytes."])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_group_comes_back(name: str, digest: bytes, kind: bytes, told: Description) -> None:
    listed, flags = NUMBERS[name]
    numbers = np.array(listed, np.int32)
    data = memoryview(pack_gop(told, 3, 40, numbers, STREAMS, digest))
    header = parse_header(data, 0)
    size = len(data) - OVERHEAD
    assert header == Header(kind, size, 3, 40, len(listed), flags | (HASHED if digest else 0))
    payload = read_payload(data, 0, header)
    assert payload is not None
    parts = unpack_gop(told, header, payload)
    assert parts.numbers.dtype == np.int32 and parts.numbers.tolist() == listed
    assert parts.streams == STREAMS and parts.digest == digest
    if name in ("in a row", "stepped"):
        stepped, short = name == "stepped", kind == SHORT_GOP
        assert size == len(digest) + (1 + stepped + 2 if short else 4 + 2 * stepped + 12) + 8


@pytest.mark.parametrize("told", [SOUND, SHORT])
@pytest.mark.parametrize("streams", [{"PICT": b"x"}, {"ACTN": b"", "STAT": b"yz"}, {}])
def test_streams_may_be_absent_but_not_new(told: Description, streams: dict[str, bytes]) -> None:
    data = pack_gop(told, 0, 0, np.arange(4, dtype=np.int32), streams, b"")
    header = parse_header(memoryview(data), 0)
    assert header is not None
    assert unpack_gop(told, header, data[HEADER_BYTES:-CRC_BYTES]).streams == streams
    with pytest.raises(CodecError, match="XTRA"):
        pack_gop(told, 0, 0, np.arange(4, dtype=np.int32), {**streams, "XTRA": b""}, b"")


def lengths(*sizes: int) -> bytes:
    return struct.pack(f"<{len(sizes)}I", *sizes)


HEADS = [
    ("beyond the limits", 0, 0, lengths(0, 0, 0), 0),
    ("cut off", 0, 4, b"", 0),
    ("cut off", 0, 4, struct.pack("<i", 0) + lengths(0, 0), 0),
    ("cut off", STEPPED, 4, b"\1", 0),
    ("cut off", NUMBERED, 4, b"\2\0" + struct.pack("<iH", 0, 4), 0),
    ("make no sense", 0, 4, struct.pack("<i", -1) + lengths(0, 0, 0), 0),
    ("make no sense", 0, 4, struct.pack("<i", (1 << 31) - 3) + lengths(0, 0, 0), 0),
    ("make no sense", NUMBERED, 4, b"\1\0" + struct.pack("<iH", 0, 3) + lengths(0, 0, 0), 0),
    ("make no sense", NUMBERED, 4, b"\1\0" + struct.pack("<iH", 0, 5) + lengths(0, 0, 0), 0),
    ("make no sense", STEPPED, 4, b"\xff\xff" + struct.pack("<i", (1 << 31) - 65536) + lengths(0, 0, 0), 0),
    ("do not ascend", NUMBERED, 4, b"\2\0" + struct.pack("<iHiH", 5, 2, 6, 2) + lengths(0, 0, 0), 0),
    ("do not ascend", STEPPED, 4, b"\0\0" + struct.pack("<i", 5) + lengths(0, 0, 0), 0),
    ("do not fill", 0, 4, struct.pack("<i", 0) + lengths(1, 0, 0), 0),
    ("do not fill", 0, 4, struct.pack("<i", 0) + lengths(1, 0, 0), 2),
]


SHORT_HEADS = [
    ("beyond the limits", 0, 0, b"\5\0\0"),
    ("cut off", 0, 4, b""),
    ("cut off", 0, 4, b"\x85"),
    ("cut off", 0, 4, b"\xff\xff\xff\xff\xff\1"),
    ("cut off", 0, 4, b"\5\0"),
    ("cut off", STEPPED, 4, b"\4"),
    ("cut off", NUMBERED, 4, b"\2\5\2\1"),
    ("cut off", NUMBERED, 4, varint((1 << 35) - 1) + bytes(4)),
    ("cut off", PARTIAL, 4, b"\5\1"),
    ("make no sense", 0, 4, varint((1 << 31) - 3) + b"\0\0"),
    ("make no sense", NUMBERED, 4, b"\1\5\3\0\0"),
    ("make no sense", NUMBERED, 4, b"\0\0\0"),
    ("make no sense", STEPPED, 4, varint(1 << 30) + b"\5\0\0"),
    ("do not ascend", STEPPED, 4, b"\0\5\0\0"),
    ("do not fill", 0, 4, b"\5\1\0"),
    ("do not fill", PARTIAL, 4, b"\5\0\0rest"),
]


@pytest.mark.parametrize(
    ("kind", "text", "flags", "frames", "payload"),
    [
        *((GOP, text, flags, frames, head + bytes(rest)) for text, flags, frames, head, rest in HEADS),
        *((SHORT_GOP, *case) for case in SHORT_HEADS),
    ],
)
def test_a_group_that_makes_no_sense_is_refused(
    kind: bytes, text: str, flags: int, frames: int, payload: bytes
) -> None:
    with pytest.raises(CodecError, match=text):
        unpack_gop(SOUND, Header(kind, len(payload), 0, 0, frames, flags), payload)


@given(st.binary(max_size=40), st.integers(0, 15), st.integers(0, 40), st.sampled_from([GOP, SHORT_GOP]))
def test_any_payload_is_a_group_or_refused(payload: bytes, flags: int, frames: int, kind: bytes) -> None:
    try:
        parts = unpack_gop(SOUND, Header(kind, len(payload), 0, 0, frames, flags), payload)
    except CodecError:
        return
    assert len(parts.numbers) == frames and (np.diff(parts.numbers) > 0).all()
    assert sum(map(len, parts.streams.values())) <= len(payload)


def test_a_group_that_would_unpack_to_too_much_is_refused_before_it_is_looked_at() -> None:
    large = replace(SOUND, height=MAX_SIDE, width=MAX_PIXELS // MAX_SIDE)
    with pytest.raises(CodecError, match="beyond the limits"):
        unpack_gop(large, Header(GOP, 0, 0, 0, 8), b"")
    with pytest.raises(CodecError, match="cut off"):
        unpack_gop(large, Header(GOP, 0, 0, 0, 7), b"")


def test_groups_check_their_arrays() -> None:
    sound = gop()
    assert sound.shape == GopShape(4, 6, 8, 1, 5, 1)
    assert Gop(np.zeros((2, 3, 4, 3), np.uint8), None, None, np.zeros((2, 7), np.uint8)).shape == GopShape(
        2, 3, 4, 3, 0, 7
    )
    assert Gop(np.zeros((2, 3, 4), np.uint8), None, None, None).shape == GopShape(2, 3, 4, 1, 0, 0)
    wrong: list[dict[str, Any]] = [
        {"frames": sound.frames.astype(np.int16)},
        {"frames": sound.frames[0]},
        {"frames": np.zeros((4, 6, 8, 4), np.uint8)},
        {"frames": np.zeros((4, 6, 8, 3, 1), np.uint8)},
        {"frames": np.zeros((4, 0, 8), np.uint8)},
        {"state": np.zeros((3, 5), np.uint8)},
        {"state": np.zeros(4, np.uint8)},
        {"state": np.zeros((4, 5), np.int8)},
        {"actions": np.zeros(3, np.uint8)},
        {"actions": np.zeros((4, 1, 1), np.uint8)},
        {"actions": np.zeros(4, bool)},
    ]
    for change in wrong:
        with pytest.raises(CodecError, match="must be uint8"):
            replace(sound, **change)
    assert sound.state is not None
    episode = Episode("a", "smb", sound.frames, sound.palette, sound.state, None, sound.actions, np.arange(4))
    assert Gop.of(episode).state is sound.state and Gop.of(episode).frames is sound.frames
    assert sound.of(episode).frames is sound.frames  # of an object, too
    assert Gop.of(episode).actions is sound.actions and Gop.of(episode).palette is sound.palette


def test_what_a_profile_has() -> None:
    assert get_type_hints(Profile) == {"name": str, "tables_id": str, "tables_sha256": str}
    assert {name for name in vars(Profile) if inspect.isfunction(vars(Profile)[name])} >= {"encode", "decode"}
