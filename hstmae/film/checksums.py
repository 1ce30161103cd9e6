"""Checksums that FFV1 keeps of every slice of a picture; FFmpeg's decoder hides from its callers that one is wrong."""

from __future__ import annotations

import zlib
from itertools import islice
from typing import Any

_TRAILER = 8  # bytes behind a slice: its length (3), a status, the checksum (4)
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # the checksum takes the highest bit first
_ENDS = (0, int(f"{0x7A8C4079:032b}"[::-1], 2))  # where it begins and has to end, in either form of it
_ALL = 0xFFFFFFFF
_TRIED = 8  # packets that are looked at for checksums


def slices_are_sound(packet: bytes) -> bool:
    """Whether the packet of a picture consists of slices whose checksums are right."""
    end = len(packet)
    while end:
        start = end - _TRAILER - int.from_bytes(packet[end - 8 : end - 5], "big")
        if end < _TRAILER or start < 0:
            return False
        turned = packet[start:end].translate(_REVERSED)
        if not any(zlib.crc32(turned, known ^ _ALL) ^ _ALL == known for known in _ENDS):
            return False
        end = start
    return True


def has_checksums(container: Any, stream: Any) -> bool:
    """Whether a film of FFV1 pictures has checksums: they are right somewhere in its first packets."""
    if stream.codec_context.codec.canonical_name != "ffv1":
        return False
    packets = (packet for packet in container.demux(stream) if packet.size)
    return any(slices_are_sound(bytes(packet)) for packet in islice(packets, _TRIED))
