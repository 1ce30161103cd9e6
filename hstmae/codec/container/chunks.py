"""The bytes of a .hst file: a signature, then chunks, each with a checksum on its header and one on its payload.

docs/file-format.md describes the format byte by byte. This module knows chunks and nothing of what is in them.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import CodecError

SIGNATURE = b"\x89HST\r\n\x1a\n"  # the line ends show a transfer that "repaired" them, as in PNG
VERSION = (1, 0)  # a reader refuses another first number, and reads any second one
_PREAMBLE = struct.Struct("<8sHHI")
PREAMBLE_BYTES = _PREAMBLE.size

SYNC = 0xD5  # first byte of every chunk: no ASCII, so that text is never taken for a chunk
HEAD, EPISODE, GOP = b"\xd5HED", b"\xd5EPI", b"\xd5GOP"
SHORT_GOP = b"\xd5GRP"  # the same with a shorter payload
GROUPS = (GOP, SHORT_GOP)
FILM = b"\xd5FLM"  # only in files that hold films: without it their groups cannot be decoded
FILES, INDEX, END = b"\xd5fil", b"\xd5idx", b"\xd5end"  # a small first letter: a reader may pass over it
FACTS, REST, STEPS = b"\xd5fac", b"\xd5rst", b"\xd5stp"
KNOWN = (HEAD, EPISODE, *GROUPS, FILM, FILES, FACTS, REST, STEPS, INDEX, END)
NO_EPISODE = 0xFFFF_FFFF  # chunks that belong to the whole file

FINAL = 1  # flag of EPISODE: written when the episode was complete
PACKED = 1  # flag of REST: a zlib stream
HASHED = 1  # flag of groups: its payload states the hash of what it decodes to

_HEADER = struct.Struct("<4sIIIHHI")
HEADER_BYTES = _HEADER.size
CRC_BYTES = 4
OVERHEAD = HEADER_BYTES + CRC_BYTES

MAX_PAYLOAD = 256 << 20
MAX_EPISODES = 1 << 20
MAX_CHUNKS = 1 << 24
MAX_FRAMES = 1 << 30  # of an episode
MAX_GOP = 1024
_SCAN_WORK = 16  # bytes that a scan may check for each byte of the file, before it passes over damage in larger steps

_CANDIDATE = re.compile(rb"\xd5[A-Za-z]{3}", re.DOTALL)


@dataclass(frozen=True, slots=True)  # of large archives there are millions
class Header:
    """What stands before a chunk's payload.

    Attributes:
        kind: four bytes: 0xD5 and three letters; a capital first letter means that no reader may pass over it.
        length: bytes of the payload.
        episode: number of the episode it belongs to, NO_EPISODE for the whole file.
        first: position in the episode of the chunk's first frame, of groups and STEPS; of REST, how many of the kind
            come before it.
        frames: how many frames it holds; 0 unless it is a group.
        flags: their meaning depends on the kind.
    """

    kind: bytes
    length: int
    episode: int = NO_EPISODE
    first: int = 0
    frames: int = 0
    flags: int = 0

    @property
    def size(self) -> int:
        """Bytes of the whole chunk."""
        return self.length + OVERHEAD

    @property
    def critical(self) -> bool:
        return not self.kind[1] & 0x20


Place = tuple[int, Header]  # a chunk: its offset and its header


def pack_preamble() -> bytes:
    """The first bytes of every file."""
    start = _PREAMBLE.pack(SIGNATURE, *VERSION, 0)[:-4]
    return start + _crc(start)


def _crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def check_preamble(data: bytes | memoryview, where: str) -> None:
    """Raises CodecError unless `data` starts as a .hst file of a version that this program reads."""
    start = bytes(data[:PREAMBLE_BYTES])
    if len(start) < PREAMBLE_BYTES or start[:4] != SIGNATURE[:4]:
        raise CodecError(f"{where}: not a .hst file, or its first bytes are damaged (then `hstmae recover` helps)")
    if start[:8] != SIGNATURE:
        raise CodecError(f"{where}: changed as if it were text (line ends): copy it again, as a binary file")
    _, major, minor, crc = _PREAMBLE.unpack(start)
    if zlib.crc32(start[:-4]) != crc:
        raise CodecError(f"{where}: its first bytes are damaged: `hstmae recover` saves what can be saved")
    if major != VERSION[0]:
        raise CodecError(f"{where}: format version {major}.{minor}; this program reads {VERSION[0]}: update it")


def pack_chunk(header: Header, payload: bytes) -> bytes:
    """A whole chunk; `header.length` must be that of `payload`."""
    assert header.length == len(payload) <= MAX_PAYLOAD
    start = _HEADER.pack(header.kind, header.length, header.episode, header.first, header.frames, header.flags, 0)[:-4]
    return b"".join((start, _crc(start), payload, _crc(payload)))


def chunk(kind: bytes, payload: bytes, **fields: int) -> bytes:
    """`pack_chunk` with the header made from `fields`."""
    return pack_chunk(Header(kind, len(payload), **fields), payload)


def parse_header(data: memoryview, at: int) -> Header | None:
    """The header at `at`; None where there is none: cut off, damaged, beyond a limit, or the payload is cut off."""
    if not 0 <= at <= len(data) - OVERHEAD or data[at] != SYNC:
        return None
    kind, length, episode, first, frames, flags, crc = _HEADER.unpack_from(data, at)
    if zlib.crc32(data[at : at + HEADER_BYTES - 4]) != crc:
        return None
    header = Header(kind, length, episode, first, frames, flags)
    if length > MAX_PAYLOAD or at + header.size > len(data) or not kind[1:].isalpha():
        return None
    if (episode >= MAX_EPISODES and episode != NO_EPISODE) or first + frames > MAX_FRAMES or frames > MAX_GOP:
        return None
    return header


def split_chunks(packed: bytes) -> list[bytes]:
    """Whole chunks, one behind the other, each by itself. Raises CodecError where the bytes are something else."""
    found, at, view = [], 0, memoryview(packed)
    while at < len(view):
        header = parse_header(view, at)
        if header is None:
            raise CodecError("these bytes are no chunks")
        found.append(packed[at : at + header.size])
        at += header.size
    return found


def read_payload(data: memoryview, at: int, header: Header) -> bytes | None:
    """The payload of the chunk at `at`; None where its checksum is wrong. `header` came from `parse_header`."""
    start = at + HEADER_BYTES
    return bytes(data[start : start + header.length]) if _intact(data, at, header) else None


@dataclass(frozen=True)
class Gap:
    """Bytes `start` to `end` of a file that are no whole chunk; `lost` is the header, where that can be read."""

    start: int
    end: int
    lost: Header | None = None


def scan(data: memoryview, start: int = 0) -> Iterator[Place | Gap]:
    """Every whole chunk from `start` on, and a Gap for whatever lies between them.

    After a damaged chunk the search goes on inside of it, since bytes may have been put in or taken out. The work is
    limited to a fixed number of bytes checked for each byte of the file; from there on damaged chunks whose header can
    be read are passed over as a whole.
    """
    at, budget = start, _SCAN_WORK * len(data) + (1 << 20)
    gap: int | None = None
    lost: Header | None = None
    while at < len(data):
        header = parse_header(data, at)
        if header is not None:
            budget -= header.size
            whole = _intact(data, at, header)
            if gap is not None and (whole or lost is not None):  # the next one, or the next of several lost ones
                yield Gap(gap, at, lost)
                gap = lost = None
            if whole:
                yield at, header
                at += header.size
                continue
        gap = at if gap is None else gap
        lost = header if header is not None else lost
        if header is not None and budget < 0:
            at += header.size
            continue
        found = _CANDIDATE.search(data, at + 1)
        at = len(data) if found is None else found.start()
    if gap is not None:
        yield Gap(gap, len(data), lost)


def scan_all(data: memoryview, start: int = 0) -> tuple[list[Place], list[Gap]]:
    """What `scan` finds: the whole chunks, and the gaps."""
    found = list(scan(data, start))
    return [x for x in found if not isinstance(x, Gap)], [x for x in found if isinstance(x, Gap)]


def _intact(data: memoryview, at: int, header: Header) -> bool:
    end = at + HEADER_BYTES + header.length
    return zlib.crc32(data[at + HEADER_BYTES : end]) == int.from_bytes(data[end : end + CRC_BYTES], "little")
