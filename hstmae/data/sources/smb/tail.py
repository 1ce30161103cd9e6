"""What smbdataset recorders append to a picture: memory, buttons and outcome."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ....errors import DataError
from ...episode import OUTCOMES

RAM_BYTES = 2048


@dataclass(frozen=True)
class Metadata:
    """What is appended to a picture; `repaired` when line-end damage had to be undone."""

    ram: bytes
    action: int
    outcome: int
    repaired: bool


def tail_of(data: bytes) -> bytes:
    """What lies behind the picture in the bytes of a PNG file; all of it where no picture ends."""
    return data[data.find(b"IEND") + 8 :] if b"IEND" in data else data


class NoMetadata(DataError):
    """Nothing is appended to the picture, or not all: what a recorder leaves that was stopped, or told to collect less.

    What the name states as well is wanted nevertheless: it ends the bytes, and so tells whether line ends are damaged.
    """


def read_metadata(tail: bytes) -> Metadata:
    """Parse the bytes behind IEND.

    The recorder appended in text mode on Windows, which turned every byte 0A into 0D 0A. Since each 0A got exactly one
    0D, the reverse replacement is exact. It is tried only where the bytes do not parse as they are, because undamaged
    memory may hold 0D 0A of its own. Raises DataError where they parse neither way.
    """
    try:
        return _parse(tail, False)
    except DataError as error:
        if b"\r\n" not in tail:
            raise
        first = error
    try:
        return _parse(tail.replace(b"\r\n", b"\n"), True)
    except DataError as error:
        raise DataError(f"{first}; with line ends undone: {error}") from None


def _parse(tail: bytes, repaired: bool) -> Metadata:
    if not tail:
        raise NoMetadata("no metadata behind the picture, as a recording leaves it that was stopped")
    chunks: dict[bytes, bytes] = {}
    position = 0
    while position < len(tail):
        if position + 8 > len(tail):
            raise DataError("metadata cut off")
        length, kind = struct.unpack_from(">I4s", tail, position)
        end = position + 12 + length
        if kind != b"tEXt" or end > len(tail):
            raise DataError("metadata cut off" if kind == b"tEXt" else "metadata damaged")
        key, mark, value = tail[position + 8 : end - 4].partition(b"\0")
        if not mark or key in chunks:
            raise DataError("metadata damaged")
        chunks[key] = value
        position = end
    for key, size in ((b"RAM", RAM_BYTES), (b"BP1", 1), (b"OUTCOME", 1)):
        if key not in chunks:
            raise NoMetadata(f"metadata has no {key.decode()}")
        if len(chunks[key]) != size:
            raise DataError(f"{key.decode()} has {len(chunks[key])} bytes instead of {size}")
    outcome = chunks[b"OUTCOME"][0]
    if outcome >= len(OUTCOMES):
        raise DataError(f"OUTCOME is {outcome}, expected 0, 1 or 2")
    return Metadata(chunks[b"RAM"], chunks[b"BP1"][0], outcome, repaired)
