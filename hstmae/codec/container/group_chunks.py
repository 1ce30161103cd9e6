"""How a group of pictures is laid out in its chunk: GOP, or GRP, the short form for groups of a few hundred bytes."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...errors import CodecError
from .chunks import GOP, HASHED, SHORT_GOP, Header, chunk
from .description import FILM_PROFILE, MAX_DECODED, SHORT_PROFILES, Description
from .gop import Gop
from .numbers import Reader, varint

NUMBERED = 2  # flag of groups: their frame numbers do not all follow each other, and are listed as runs
STEPPED = 4  # flag of groups: numbers that follow each other differ by more than 1, by a step that is stated
PARTIAL = 8  # flag of GRP: some streams are not there
_ABSENT = 0xFFFF_FFFF
_HASH_BYTES = 8
_RUN = struct.Struct("<iH")


@dataclass(frozen=True)
class GopParts:
    """A group's chunk taken apart: int32 [T] frame numbers, the streams, and the content's hash (b"" = not stated)."""

    numbers: np.ndarray
    streams: dict[str, bytes]
    digest: bytes


def content_hash(gop: Gop, numbers: np.ndarray) -> bytes:
    """What a group's decoded content is recognised by: 8 bytes."""
    running = hashlib.blake2b(digest_size=_HASH_BYTES)
    for array in (gop.frames, gop.state, gop.actions, numbers.astype("<i4")):
        running.update(b"" if array is None else np.ascontiguousarray(array).data)
    return running.digest()


def pack_gop(
    description: Description, episode: int, first: int, numbers: np.ndarray, streams: Mapping[str, bytes], digest: bytes
) -> bytes:
    """A whole chunk of a group, in the short form where the profile has it.

    Args:
        first: position of its first frame in the episode.
        numbers: int32 [T] frame numbers, ascending.
        streams: as the profile made them.
        digest: `content_hash` of what they decode to; b"" where decoding does not give the same bits everywhere.
    Raises:
        CodecError: a stream that `description` does not name.
    """
    if unknown := set(streams) - set(description.streams):
        raise CodecError(
            f"{description.name}: profile '{description.profile}' made streams its first group had not: {unknown}"
        )
    apart = np.diff(numbers.astype(np.int64))
    steps, times = np.unique(apart[apart < 1 << 16], return_counts=True)
    step = int(steps[times.argmax()]) if len(steps) and times.max() > 1 else 1
    starts = np.concatenate([[0], np.flatnonzero(apart != step) + 1])
    counts = np.diff(np.append(starts, len(numbers))).tolist()
    runs = [(int(numbers[a]), n) for a, n in zip(starts.tolist(), counts, strict=True)]
    flags = (HASHED if digest else 0) | (NUMBERED if len(runs) > 1 else 0) | (STEPPED if step > 1 else 0)
    there = [name for name in description.streams if name in streams]
    if description.profile in SHORT_PROFILES:
        kind, head = SHORT_GOP, _short_head(runs, step)
        if len(there) < len(description.streams):
            flags |= PARTIAL
            head += sum(1 << k for k, name in enumerate(description.streams) if name in streams).to_bytes(2, "little")
        head += b"".join(varint(len(streams[name])) for name in there[:-1])  # the last one ends where the chunk does
    else:
        kind, head = GOP, step.to_bytes(2, "little") if step > 1 else b""
        listed = b"".join(_RUN.pack(*run) for run in runs)
        head += len(runs).to_bytes(2, "little") + listed if len(runs) > 1 else listed[:4]
        lengths = [len(streams[name]) if name in streams else _ABSENT for name in description.streams]
        head += struct.pack(f"<{len(lengths)}I", *lengths)
    payload = b"".join((digest, head, *(streams[name] for name in there)))
    return chunk(kind, payload, episode=episode, first=first, frames=len(numbers), flags=flags)


def _short_head(runs: list[tuple[int, int]], step: int) -> bytes:
    head, end = varint(step) if step > 1 else b"", 0
    if len(runs) == 1:
        return head + varint(runs[0][0])
    head += varint(len(runs))
    for first, count in runs:
        head += varint(first - end) + varint(count)
        end = first + (count - 1) * step + 1
    return head


def unpack_gop(description: Description, header: Header, payload: bytes) -> GopParts:
    """Raises CodecError where the payload makes no sense, or would unpack to more than MAX_DECODED bytes."""
    at_once = 1 if description.profile == FILM_PROFILE else header.frames
    if not header.frames or description.raw_bytes(at_once) > MAX_DECODED:
        raise CodecError(f"{description.name}: a group of {header.frames} frames is beyond the limits")
    digest, numbers, at = unpack_head(description, header, payload)
    try:
        if header.kind == SHORT_GOP:
            there, lengths, at = _short_lengths(description, header, payload, at)
        else:
            stated = struct.unpack_from(f"<{len(description.streams)}I", payload, at)
            at += 4 * len(stated)
            there = [name for name, length in zip(description.streams, stated, strict=True) if length != _ABSENT]
            lengths = [length for length in stated if length != _ABSENT]
    except (struct.error, CodecError):
        raise CodecError(f"{description.name}: a group's head is cut off") from None
    streams = {}
    for name, length in zip(there, lengths, strict=True):
        streams[name] = payload[at : at + length]
        at += length
    if at != len(payload):
        raise CodecError(f"{description.name}: a group's streams do not fill it")
    return GopParts(numbers, streams, digest)


def _short_lengths(
    description: Description, header: Header, payload: bytes, at: int
) -> tuple[list[str], list[int], int]:
    """Which streams there are, their lengths, and where the first one begins. Raises CodecError: cut off."""
    reader, there = Reader(payload, at), list(description.streams)
    if header.flags & PARTIAL:
        bits = int.from_bytes(reader.take(2), "little")
        there = [name for k, name in enumerate(there) if bits >> k & 1]
    lengths = [reader.varint() for _ in there[:-1]]
    if there:
        lengths.append(max(0, len(payload) - reader.place - sum(lengths)))
    return there, lengths, reader.place


def unpack_head(description: Description, header: Header, payload: bytes | memoryview) -> tuple[bytes, np.ndarray, int]:
    """What stands before the streams of a group's chunk: the content's hash (b"" = not stated), int32 [T] frame
    numbers, and where they end. Of the payload only this much is looked at. Raises CodecError: it makes no sense."""
    at = _HASH_BYTES if header.flags & HASHED else 0
    digest = bytes(payload[:at])
    try:
        step, runs, at = (_short_runs if header.kind == SHORT_GOP else _long_runs)(header, payload, at)
    except (struct.error, CodecError):
        raise CodecError(f"{description.name}: a group's head is cut off") from None
    ends = [first + (n - 1) * step for first, n in runs]
    if sum(n for _, n in runs) != header.frames or any(
        first < 0 or end >= 1 << 31 for (first, _), end in zip(runs, ends, strict=True)
    ):
        raise CodecError(f"{description.name}: a group's frame numbers make no sense")
    numbers = np.concatenate([first + step * np.arange(n, dtype=np.int64) for first, n in runs])
    if (np.diff(numbers) <= 0).any():
        raise CodecError(f"{description.name}: a group's frame numbers do not ascend")
    return digest, numbers.astype(np.int32), at


def _long_runs(header: Header, payload: bytes | memoryview, at: int) -> tuple[int, list[tuple[int, int]], int]:
    """Step, runs of (first number, count), and where they end. Raises struct.error: cut off."""
    step = 1
    if header.flags & STEPPED:
        step = int(struct.unpack_from("<H", payload, at)[0])
        at += 2
    if not header.flags & NUMBERED:
        return step, [(struct.unpack_from("<i", payload, at)[0], header.frames)], at + 4
    count = int.from_bytes(payload[at : at + 2], "little")
    runs = [_RUN.unpack_from(payload, at + 2 + k * _RUN.size) for k in range(count)]
    return step, [(int(first), int(n)) for first, n in runs], at + 2 + count * _RUN.size


def _short_runs(header: Header, payload: bytes | memoryview, at: int) -> tuple[int, list[tuple[int, int]], int]:
    """The same of the short form. Raises CodecError: cut off."""
    reader = Reader(payload, at)
    step = reader.varint() if header.flags & STEPPED else 1
    if not header.flags & NUMBERED:
        return step, [(reader.varint(), header.frames)], reader.place
    runs, end = [], 0
    for _ in range(min(reader.varint(), header.frames + 1)):  # more than there are frames make no sense
        first, count = end + reader.varint(), reader.varint()
        end = first + (count - 1) * step + 1
        runs.append((first, count))
    return step, runs, reader.place
