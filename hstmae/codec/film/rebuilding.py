"""A film's file, byte for byte, from its groups and what stood beside them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator

from ...errors import CodecError
from ..container.chunks import MAX_PAYLOAD, PACKED, Place, read_payload
from .head import FilmHead
from .playing import FilmGroup


def rebuilt(
    data: memoryview, head: FilmHead, rest: Iterable[Place], groups: Iterable[Callable[[], FilmGroup]]
) -> Iterator[bytes]:
    """The file in pieces, front to back.

    Args:
        data: the .hst file.
        rest: its REST chunks of this film, in order; groups: give its groups, in order.
    Raises:
        CodecError: a part is missing or damaged, or what came out is not the file that was packed: told at the end.
    """
    sha256, size = hashlib.sha256(), 0
    for piece in _pieces(_Rest(data, rest), groups):
        sha256.update(piece)
        size += len(piece)
        if size > head.size:
            break
        yield piece
    if (size, sha256.hexdigest()) != (head.size, head.sha256):
        raise CodecError("parts of the film's file are missing: it cannot be given back byte for byte")


def _pieces(rest: _Rest, groups: Iterable[Callable[[], FilmGroup]]) -> Iterator[bytes]:
    for group in groups:
        found = group()
        table, packets = found.table, found.packets
        starts, piece = table.starts().tolist(), 0
        places = list(zip(table.gaps.tolist(), table.skips.tolist(), table.takes.tolist(), strict=True))
        for at, count in zip(starts, table.counts.tolist(), strict=False):
            for gap, skip, take in places[piece : piece + count]:
                yield rest.read(gap)
                at += skip
                yield packets[at : at + take]
                at += take
            piece += count
    yield from rest.remaining()


class _Rest:
    """The bytes of REST chunks, one after the other."""

    def __init__(self, data: memoryview, places: Iterable[Place]) -> None:
        self._data, self._places = data, iter(places)
        self._open, self._next = bytearray(), 0

    def read(self, count: int) -> bytes:
        while len(self._open) < count:
            self._more()
        taken = bytes(self._open[:count])
        del self._open[:count]
        return taken

    def remaining(self) -> Iterator[bytes]:
        yield bytes(self._open)
        for place in self._places:
            self._open.clear()
            self._take(place)
            yield bytes(self._open)

    def _more(self) -> None:
        place = next(self._places, None)
        if place is None:
            raise CodecError("parts of the film's file are missing: it cannot be given back byte for byte")
        self._take(place)

    def _take(self, place: Place) -> None:
        payload = read_payload(self._data, *place) if place[1].first == self._next else None
        self._next += 1
        if payload is None:
            raise CodecError("a part of the film's file is damaged or missing: it cannot be given back byte for byte")
        if place[1].flags & PACKED:
            inflater = zlib.decompressobj()
            try:
                payload = inflater.decompress(payload, MAX_PAYLOAD)
            except zlib.error as error:
                raise CodecError(f"a part of the film's file is damaged ({error})") from None
            if not inflater.eof:
                raise CodecError("a part of the film's file is beyond the limits")
        self._open += payload
