"""How a group of pictures is laid out in its chunk, rule by rule."""

from __future__ import annotations

import inspect
import struct
from dataclasses import replace
from typing import Any, get_type_hints

import numpy as np
import pytest
from chunks_by_hand import SOUND

from hstmae.codec.container.chunks import (
    CRC_BYTES,
    GOP,
    HASHED,
    HEADER_BYTES,
    OVERHEAD,
    Header,
    parse_header,
    read_payload,
)
from hstmae.codec.container.description import (
    MAX_PIXELS,
    MAX_SIDE,
    NUMBERED,
    STEPPED,
    content_hash,
    pack_gop,
    unpack_gop,
)
from hstmae.codec.container.gop import Gop, GopShape, Profile
from hstmae.data.episode import Episode
from hstmae.errors import CodecError


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


@pytest.mark.parametrize("digest", [b"", b"8 bytes."])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_group_comes_back(name: str, digest: bytes) -> None:
    listed, flags = NUMBERS[name]
    numbers = np.array(listed, np.int32)
    data = memoryview(pack_gop(SOUND, 3, 40, numbers, STREAMS, digest))
    header = parse_header(data, 0)
    size = len(data) - OVERHEAD
    assert header == Header(GOP, size, 3, 40, len(listed), flags | (HASHED if digest else 0))
    payload = read_payload(data, 0, header)
    assert payload is not None
    parts = unpack_gop(SOUND, header, payload)
    assert parts.numbers.dtype == np.int32 and parts.numbers.tolist() == listed
    assert parts.streams == STREAMS and parts.digest == digest
    if name in ("in a row", "stepped"):
        assert size == len(digest) + 4 + (2 if name == "stepped" else 0) + 12 + 8


def test_streams_may_be_absent_but_not_new() -> None:
    data = pack_gop(SOUND, 0, 0, np.arange(4, dtype=np.int32), {"PICT": b"x"}, b"")
    header = parse_header(memoryview(data), 0)
    assert header is not None
    assert unpack_gop(SOUND, header, data[HEADER_BYTES:-CRC_BYTES]).streams == {"PICT": b"x"}
    with pytest.raises(CodecError, match="XTRA"):
        pack_gop(SOUND, 0, 0, np.arange(4, dtype=np.int32), {"PICT": b"x", "XTRA": b""}, b"")


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


@pytest.mark.parametrize(("text", "flags", "frames", "head", "rest"), HEADS)
def test_a_group_that_makes_no_sense_is_refused(text: str, flags: int, frames: int, head: bytes, rest: int) -> None:
    payload = head + bytes(rest)
    with pytest.raises(CodecError, match=text):
        unpack_gop(SOUND, Header(GOP, len(payload), 0, 0, frames, flags), payload)


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
