"""What publishers, servers and viewers say to each other: docs/live.md has the format. Each message is a byte of kind
and what belongs to it, numbers little-endian.

A stream is a description, then groups: GROUP, a FRAME for each picture, END. Whoever has a group's GROUP and its
FRAMEs so far can decode it; nothing before it is needed but the description.
"""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import dataclass
from typing import Any

from ..codec.container.chunks import EPISODE, FINAL, MAX_GOP, parse_header, read_payload
from ..codec.container.description import Description, unpack_description
from ..codec.container.numbers import varint
from ..errors import CodecError

DESCRIPTION, GROUP, FRAME, END, FINISHED, STATISTICS, BEAT, MISSED, HAVE, ACK = range(1, 11)
MAX_MESSAGE = 4 << 20  # bytes
MAX_SAYING = 4 << 10  # of what is no picture: statistics, outcomes
TICK = 64e-6  # seconds: in these a frame's time is counted from its group's
BEAT_EVERY = 0.3  # seconds of silence, then a BEAT tells that somebody is there
GONE_AFTER = 0.9  # seconds of silence, then nobody is
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_GROUP = struct.Struct("<IIQ")
_PLACE = struct.Struct("<IIH")
_DIGEST = 8


@dataclass(frozen=True)
class Described:
    """A session begins. Attributes: epoch: a number that no other session has; chunk: its EPISODE chunk."""

    epoch: int
    chunk: bytes

    def pack(self) -> bytes:
        return struct.pack("<BI", DESCRIPTION, self.epoch) + self.chunk

    def description(self) -> Description:
        """Raises CodecError where the chunk is none, or makes no sense."""
        header = parse_header(memoryview(self.chunk), 0)
        if header is None or header.kind != EPISODE or header.size != len(self.chunk) or header.flags & FINAL:
            raise CodecError("a description that is no chunk of a session that goes on")
        payload = read_payload(memoryview(self.chunk), 0, header)
        if payload is None:
            raise CodecError("a damaged description")
        return unpack_description(payload)


@dataclass(frozen=True)
class Begun:
    """A group begins. Attributes: group: its number; first: number of its first frame, the others follow; time: when
    that was captured, in microseconds since 1970 by the publisher's clock."""

    group: int
    first: int
    time: int

    def pack(self) -> bytes:
        return bytes([GROUP]) + _GROUP.pack(self.group, self.first, self.time)


@dataclass(frozen=True)
class Coded:
    """A frame. Attributes: place: in its group; ticks: time since the group's, in TICK; packet: of the live profile."""

    place: int
    ticks: int
    packet: bytes

    def pack(self) -> bytes:
        return bytes([FRAME]) + varint(self.place) + varint(self.ticks) + self.packet


@dataclass(frozen=True)
class Ended:
    """A group is complete. Attributes: digest: `content_hash` of what it decodes to, 8 bytes."""

    digest: bytes

    def pack(self) -> bytes:
        return bytes([END]) + self.digest


@dataclass(frozen=True)
class Finished:
    """The session is over. Attributes: outcome: as an episode's."""

    outcome: str

    def pack(self) -> bytes:
        return bytes([FINISHED]) + self.outcome.encode()


@dataclass(frozen=True)
class Statistics:
    """How it goes. Attributes: values: numbers and short texts by name."""

    values: dict[str, float | str]

    def pack(self) -> bytes:
        return bytes([STATISTICS]) + json.dumps(self.values, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Beat:
    """Somebody is there. Attributes: time: microseconds since 1970 by the sender's clock; source: whether the
    publisher is, too."""

    time: int
    source: bool = True

    def pack(self) -> bytes:
        return struct.pack("<BQB", BEAT, self.time, self.source)


@dataclass(frozen=True)
class Missed:
    """To a viewer that was too slow: so many frames were left out. Attributes: frames."""

    frames: int

    def pack(self) -> bytes:
        return struct.pack("<BI", MISSED, self.frames)


@dataclass(frozen=True)
class Place:
    """How far somebody has come, `HAVE` from a server to a publisher that connects, `ACK` from a viewer.

    Attributes: epoch: of the session, 0 = nothing; group; frames: of this group.
    """

    epoch: int
    group: int
    frames: int
    kind: int = ACK

    def pack(self) -> bytes:
        return bytes([self.kind]) + _PLACE.pack(self.epoch, self.group, self.frames)


Message = Described | Begun | Coded | Ended | Finished | Statistics | Beat | Missed | Place


def unpack(data: bytes) -> Message:
    """Raises CodecError for what is no message."""
    if not data or len(data) > MAX_MESSAGE:
        raise CodecError(f"a message of {len(data):,} bytes; 1 to {MAX_MESSAGE:,} are allowed")
    kind, rest = data[0], data[1:]
    if kind not in (DESCRIPTION, FRAME) and len(rest) > MAX_SAYING:
        raise CodecError(f"a message of kind {kind} with {len(rest):,} bytes; at most {MAX_SAYING:,} are allowed")
    try:
        return _unpack(kind, rest)
    except (struct.error, IndexError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise CodecError(f"a message of kind {kind} that makes no sense ({error})") from None


def _unpack(kind: int, rest: bytes) -> Message:
    if kind == DESCRIPTION:
        epoch = int(struct.unpack_from("<I", rest)[0])
        if not epoch:
            raise CodecError("a session without a number")
        return Described(epoch, rest[4:])
    if kind == GROUP:
        return Begun(*_GROUP.unpack(rest))
    if kind == FRAME:
        place, at = _unvarint(rest, 0)
        ticks, at = _unvarint(rest, at)
        if place >= MAX_GOP:
            raise CodecError(f"a frame at place {place}; a group has at most {MAX_GOP}")
        return Coded(place, ticks, rest[at:])
    if kind == END:
        if len(rest) != _DIGEST:
            raise CodecError(f"a group's hash of {len(rest)} bytes")
        return Ended(rest)
    if kind == FINISHED:
        return Finished(rest.decode())
    if kind == STATISTICS:
        return Statistics(_values(json.loads(rest)))
    if kind == BEAT:
        time, source = struct.unpack("<QB", rest)
        return Beat(time, bool(source))
    if kind == MISSED:
        return Missed(*struct.unpack("<I", rest))
    if kind in (HAVE, ACK):
        epoch, group, frames = _PLACE.unpack(rest)
        return Place(epoch, group, frames, kind)
    raise CodecError(f"a message of kind {kind}, which is none of ours")


def _values(found: Any) -> dict[str, float | str]:
    if not isinstance(found, dict) or len(found) > 64:
        raise CodecError("statistics that are no table")
    for value in found.values():
        good = isinstance(value, str) and len(value) <= 200
        if not good and (isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)):
            raise CodecError("statistics with a value that is neither a number nor a short text")
    return found


def _unvarint(data: bytes, at: int) -> tuple[int, int]:
    """The number and the place behind it."""
    value = 0
    for shift in range(0, 35, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise CodecError("a number that is too large")
