"""Any frame of a film in a .hst file, decoding only from the key frame before it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...errors import CodecError
from ...film.layout import layout_of, planes_of
from ...film.reading import colours_of
from .decoding import Coded, decoded, decoder
from .head import FilmHead
from .table import PacketTable, unpack_table


@dataclass(frozen=True)
class FilmGroup:
    """A group that has been taken apart.

    Attributes:
        table, packets: what it holds.
        frames: how many it shows.
    """

    table: PacketTable
    packets: bytes
    frames: int

    def coded(self, base: int) -> Iterator[Coded]:
        """Its packets, numbered from `base` on."""
        starts = self.table.starts().tolist()
        for k, key in enumerate(self.table.keys.tolist()):
            yield base + k, self.packets[starts[k] : starts[k + 1]], bool(key)

    def shown(self) -> list[int]:
        """Position of the frame that each packet shows, HIDDEN where it shows none."""
        return self.table.places.tolist()


def film_group(streams: dict[str, bytes], frames: int) -> FilmGroup:
    """From the streams of a GOP chunk. Raises CodecError where they make no sense."""
    packets = streams.get("PICT", b"")
    return FilmGroup(unpack_table(streams.get("PKTS", b""), len(packets), frames), packets, frames)


class FilmPlayer:
    """The frames of one film. Not thread-safe.

    Frames are decoded one after the other, so that neither long groups nor large pictures take much memory; going on
    from the frame asked for last costs one step, any other goes back to a key frame.

    Args:
        head: which film.
        group: gives group `k`; raises CodecError where it is damaged.
        follows: whether no frames are missing between group `k` and the one after it.
        cache: bytes of frames that are kept.
    """

    def __init__(
        self, head: FilmHead, group: Callable[[int], FilmGroup], follows: Callable[[int], bool], cache: int
    ) -> None:
        self._head, self._group, self._follows, self._limit = head, group, follows, cache
        self._size = head.facts.upright_size
        self._frames: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._kept = 0
        self._run: Iterator[tuple[tuple[int, int], np.ndarray | None]] = iter(())
        self._wanted = self._at = (-1, -1)

    def frame(self, k: int, place: int) -> np.ndarray:
        """uint8 [H, W, 3]: frame `place` of group `k`.

        Raises:
            CodecError: it is damaged, or cannot be decoded.
        """
        key = (k, place)
        if key not in self._frames:
            self._wanted = key
            if not (self._on_the_way(k, place) and self._advance(key)):
                self._run = self._decode(k)
                if not self._advance(key):
                    lost = " without the group before, which is lost or damaged" if k else ""
                    raise CodecError(f"frame {place} of group {k} cannot be decoded{lost}")
        self._frames.move_to_end(key)
        return self._frames[key]

    def _on_the_way(self, k: int, place: int) -> bool:
        """Whether going on from the last frame is the shortest way."""
        group, last = self._at
        if group == k or group < 0:
            return group == k and last < place
        behind = group + 1 == k and last + 1 == self._group(group).frames
        return behind or (group < k and group >= k - self._group(k).table.before)

    def _advance(self, key: tuple[int, int]) -> bool:
        """Go on decoding until the frame is there; False where the run ends or passes it."""
        for at, pixels in self._run:
            self._at = at
            if pixels is not None:
                self._keep(at, pixels)
            if at >= key:
                break
        if key in self._frames:
            return True
        self._at = (-1, -1)
        return False

    def _keep(self, at: tuple[int, int], pixels: np.ndarray) -> None:
        if at in self._frames:
            return
        self._frames[at] = pixels
        self._kept += pixels.nbytes
        while self._kept > self._limit and len(self._frames) > 1:
            self._kept -= self._frames.popitem(last=False)[1].nbytes

    def _decode(self, k: int) -> Iterator[tuple[tuple[int, int], np.ndarray | None]]:
        """((group, place), pixels) from group `k` on; None for frames before the one that is wanted."""
        places: dict[int, tuple[int, int]] = {}
        head = self._head
        # Decoded without its container a film may lack alpha, which colours do not need.
        layout = layout_of(head.pixel_format)
        colours = colours_of(replace(head.facts, pixel_format=head.pixel_format), layout)
        turned = head.facts.orientation
        for number, frame in decoded(decoder(head), self._packets(k, places)):
            at = places.pop(number, None)
            if at is None or at[0] < k:
                continue
            if at < self._wanted:
                yield at, None
                continue
            if (frame.width, frame.height) != (head.facts.width, head.facts.height):
                raise CodecError(f"a packet shows {frame.width}x{frame.height} pixels, which the film has not")
            if frame.format.name != head.pixel_format:
                raise CodecError(f"a packet shows {frame.format.name} pixels, which the film has not")
            yield at, np.ascontiguousarray(turned.upright(colours.rgb(planes_of(frame, layout))))

    def _packets(self, k: int, places: dict[int, tuple[int, int]]) -> Iterator[Coded]:
        """Those of group `k` and what has to be decoded before it, then of the groups behind it."""
        first = self._group(k)
        base, begin = 0, k - min(first.table.before, k)
        if any(not self._follows(j) for j in range(begin, k)):
            begin = k
        groups = {k: first}
        try:
            for j in range(begin, k):
                groups[j] = self._group(j)
        except CodecError:
            begin = k
        if begin == k and first.table.before and not first.table.alone:
            raise CodecError("it goes on from the group before, which is lost or damaged")
        at = begin
        while True:
            try:
                group = groups.pop(at, None) or self._group(at)
            except CodecError:  # what came before it is whole
                return
            for number, place in enumerate(group.shown(), base):
                if place >= 0:
                    places[number] = (at, place)
            yield from group.coded(base)
            base += len(group.table)
            if at >= k and not self._follows(at):
                return
            at += 1
