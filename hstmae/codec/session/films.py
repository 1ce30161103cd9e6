"""Films that a .hst file holds as they are: their frames, and what stands beside them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...errors import CodecError
from ..container.chunks import read_payload
from ..container.contents import Entry
from ..container.description import Description
from ..container.group_chunks import GopParts
from ..film.head import FilmHead, unpack_head
from ..film.playing import FilmGroup, FilmPlayer, film_group
from ..film.rebuilding import rebuilt
from ..film.side import unpack_rows

_KEPT = 4  # groups whose packets are at hand


def film_head(data: memoryview, entry: Entry) -> FilmHead:
    """What film an episode is: the first of its descriptions that is whole. Raises CodecError where none is."""
    why = "there is none"
    for place in entry.film:
        payload = read_payload(data, *place)
        try:
            if payload is not None:
                return unpack_head(payload)
            why = "it is damaged"
        except CodecError as error:
            why = str(error)
    raise CodecError(f"the description of the film cannot be used: {why}")


@dataclass(frozen=True)
class _Group:
    film: FilmGroup
    numbers: np.ndarray
    state: np.ndarray | None
    actions: np.ndarray | None


class Film:
    """One film of a file. Thread-safe.

    Args:
        data: the file.
        parts: gives group `k`, not decoded; raises CodecError where it is damaged.
        cache: bytes of frames that are kept.
    Raises:
        CodecError: its description is damaged, or does not go with that of the episode.
    """

    def __init__(
        self, data: memoryview, entry: Entry, description: Description, parts: Callable[[int], GopParts], cache: int
    ) -> None:
        self.head = film_head(data, entry)
        if self.head.facts.upright_size != (description.height, description.width) or description.channels != 3:
            raise CodecError(f"{description.name}: the film has another size than its description says")
        self._parts, self._gops, self._description = parts, entry.gops, description
        self._data, self._rest = data, entry.rest
        self._groups: OrderedDict[int, _Group] = OrderedDict()
        self._lock = threading.RLock()
        self._player = FilmPlayer(self.head, lambda k: self._group(k).film, self._follows, cache)

    def group(self, k: int) -> FilmGroup:
        """Group `k`, not decoded. Raises CodecError where it is damaged."""
        with self._lock:
            return self._group(k).film

    def file(self, advance: Callable[[int], object] = lambda count: None) -> Iterator[bytes]:
        """The bytes of the film's file, in pieces.

        Args:
            advance: called with the frames whose packets were given since the last call.
        Raises:
            CodecError: parts are missing or damaged; told at the end.
        """

        def group(k: int) -> FilmGroup:
            advance(self._gops[k][1].frames)
            return self.group(k)

        groups = (partial(group, k) for k in range(len(self._gops)))
        yield from rebuilt(self._data, self.head, self._rest, groups)

    def rows(self, k: int, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
        """(frames uint8 [N, H, W, 3], numbers [N], state [N, S], buttons [N]) of places `at` in group `k`.

        Raises:
            CodecError: it is damaged, or cannot be decoded here.
        """
        with self._lock:
            group = self._group(k)
            frames = np.stack([self._player.frame(k, place) for place in at.tolist()])
            state, actions = (None if rows is None else rows[at] for rows in (group.state, group.actions))
            return frames, group.numbers[at], state, actions

    def _group(self, k: int) -> _Group:
        if k not in self._groups:
            d, count, parts = self._description, self._gops[k][1].frames, self._parts(k)
            state = unpack_rows(parts.streams.get("STAT", b""), count, d.state) if d.state else None
            actions = unpack_rows(parts.streams.get("ACTN", b""), count, 1)[:, 0] if d.actions else None
            self._groups[k] = _Group(film_group(parts.streams, count), parts.numbers, state, actions)
            while len(self._groups) > _KEPT:
                self._groups.popitem(last=False)
        self._groups.move_to_end(k)
        return self._groups[k]

    def _follows(self, k: int) -> bool:
        if k + 1 >= len(self._gops):
            return False
        header, after = self._gops[k][1], self._gops[k + 1][1]
        return header.first + header.frames == after.first
