"""What a film's file holds besides the packets of its pictures."""

from __future__ import annotations

import zlib
from collections.abc import Generator

from ..container.chunks import PACKED, REST, chunk

REST_BYTES = 4 << 20  # of a REST chunk


class Rest:
    """What the film's file holds besides the packets of its pictures, in chunks."""

    def __init__(self, number: int) -> None:
        self._number, self._waiting, self._written = number, bytearray(), 0

    def add(self, data: bytes) -> None:
        self._waiting += data

    def full(self) -> Generator[bytes, None, None]:
        """Chunks that are complete."""
        while len(self._waiting) >= REST_BYTES:
            yield self._chunk(REST_BYTES)

    def all(self) -> Generator[bytes, None, None]:
        yield from self.full()
        if self._waiting:
            yield self._chunk(len(self._waiting))

    def _chunk(self, size: int) -> bytes:
        plain = bytes(self._waiting[:size])
        del self._waiting[:size]
        packed = zlib.compress(plain, 6)
        smaller = len(packed) < len(plain)
        self._written += 1
        return chunk(
            REST, packed if smaller else plain, episode=self._number, first=self._written - 1,
            flags=PACKED if smaller else 0,
        )  # fmt: skip
