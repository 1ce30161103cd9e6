"""Where a film's packets lie in its file: what is left of the file is kept beside them, and both give it back."""

from __future__ import annotations

import mmap
from dataclasses import dataclass

import numpy as np

# Bytes that a piece is looked for by, and how far behind the last one: a container that breaks packets up may do so
# just behind their beginning.
_PROBES = ((24, 1 << 16), (8, 1 << 10), (4, 1 << 9), (2, 1 << 8), (1, 1 << 8))
_SMALLEST = 64  # bytes of pieces, on average: packets in smaller ones stay apart
_CHUNK_HEAD = 8  # bytes before a packet in an AVI file
_LOST = 8  # bytes at the start of a packet that its container may leave out


@dataclass(frozen=True)
class Piece:
    """See PacketTable."""

    gap: int
    skip: int
    take: int


class Placer:
    """Finds packets in a file, in the order in which they are decoded.

    A packet whose bytes are not found stays apart: the file then holds them a second time, which costs bytes and
    nothing else. Whatever is found gives the file back, since equal bytes are equal wherever they lie.

    Args:
        file: the film's file.
        reach: how far from where a packet is said to lie its bytes are looked for.
    Attributes:
        end: of the last piece.
        rest: bytes of all gaps so far.
    """

    def __init__(self, file: mmap.mmap, reach: int = 1 << 20) -> None:
        self._file, self._reach = file, reach
        self.end = self.rest = 0

    def place(self, data: bytes, position: int | None) -> list[Piece]:
        """The pieces of one more packet, said to lie at `position`."""
        start = max(self.end, position or 0)
        for at in (start, start + _CHUNK_HEAD):  # nearly always there, and looking for long packets takes its time
            if self._file[at : at + len(data)] == data:
                return [self._piece(at, 0, len(data))]
        at = self._file.find(data, start, start + self._reach + len(data))
        if at < 0 and start > self.end:  # the packet before lies behind where this one is said to be, or nearly
            at = self._file.find(data, self.end, self.end + self._reach + len(data))
        if at >= 0:
            return [self._piece(at, 0, len(data))]
        return self._broken_up(data, start)

    def _piece(self, at: int, skip: int, take: int) -> Piece:
        piece = Piece(at - self.end, skip, take)
        self.end, self.rest = at + take, self.rest + piece.gap
        return piece

    def _broken_up(self, data: bytes, start: int) -> list[Piece]:
        """The pieces of a packet that other bytes lie between, or whose first bytes the file leaves out."""
        end, rest, pieces, done = self.end, self.rest, list[Piece](), 0
        while done < len(data):
            found = self._next(data, done, start if not done else self.end)
            if found is None or len(pieces) > 16 + done // _SMALLEST:
                self.end, self.rest = end, rest
                return []
            at, skip, take = found
            pieces.append(self._piece(at, skip, take))
            done += skip + take
        return pieces

    def _next(self, data: bytes, done: int, start: int) -> tuple[int, int, int] | None:
        """(position in the file, bytes passed over, length) of what goes on with `data` from `done` on."""
        for length, reach in _PROBES:
            for skip in range(_LOST + 1 if not done else 1):
                probe = data[done + skip : done + skip + length]
                at = (
                    self._file.find(probe, start, start + (reach if done else max(reach, self._reach)) + length)
                    if probe
                    else -1
                )
                if at >= 0:
                    return at, skip, _common(memoryview(data)[done + skip :], self._file, at)
        return None


def _common(data: memoryview, file: mmap.mmap, at: int) -> int:
    """How many bytes of `data` the file has from `at` on."""
    length = 0
    while length < len(data):
        step = min(4096, len(data) - length)
        there = np.frombuffer(file[at + length : at + length + step], np.uint8)
        differ = np.flatnonzero(np.frombuffer(data[length : length + len(there)], np.uint8) != there)
        if len(differ) or len(there) < step:
            return length + (int(differ[0]) if len(differ) else len(there))
        length += step
    return length
