"""Decoded groups of pictures of one file: made when they are asked for, the last ones kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from ...errors import CodecError, RomError
from ..container.chunks import HASHED, HEADER_BYTES, Header, parse_header, read_payload
from ..container.contents import Entry
from ..container.description import FILM_PROFILE, REPLAY_PROFILE, Description
from ..container.gop import Gop, PartlyDecoding, Profile
from ..container.group_chunks import GopParts, content_hash, unpack_gop, unpack_head
from .described import about_game
from .films import Film
from .kept import KeptGroups
from .profiles import profile_of

if TYPE_CHECKING:
    from ..replay.player import ReplayPlayer
    from ..replay.profile import ReplayProfile

T = TypeVar("T")

_BESIDE = 16  # frames that are decoded together: those beside the wanted one are wanted next


@dataclass(frozen=True)
class DecodedGroup:
    """A decoded group or its first frames, int32 [T] the frame numbers of all, and the bytes it takes."""

    gop: Gop
    numbers: np.ndarray
    bytes: int


class Groups:
    """The groups of a file, named by the position of their episode in `entries` and their own in it. Thread-safe.

    Args:
        data: the file.
        where: its name, for errors.
        entries: the chunks of each episode.
        need: called with the ends of what is going to be looked at in `data`.
        cache: bytes of decoded groups that are kept; the last one always is.
        options: for the profile that decodes.
        keep: where decoded groups are kept on the disk; None = nowhere.
        threads: groups that are decoded at the same time, where one after the other is asked for. To be closed.
    """

    def __init__(
        self, data: memoryview, where: str, entries: Sequence[Entry], cache: int, options: dict[str, Any],
        keep: Path | None = None, threads: int = 1, need: Callable[[int, int], None] = lambda start, end: None,
    ) -> None:  # fmt: skip
        self.keep = None if keep is None else KeptGroups(keep)
        self._data, self._where, self._files, self._limit, self._options = data, where, entries, cache, options
        self._need = need
        self._lock = threading.Lock()
        self._groups: OrderedDict[tuple[int, int], DecodedGroup] = OrderedDict()
        self._kept = 0
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._ahead, self._coming = threads, dict[tuple[int, int], Future[tuple[Gop, GopParts]]]()
        self._profiles: dict[tuple[str, ...], Profile] = {}
        self._films: dict[int, Film] = {}
        self._replays: dict[int, ReplayPlayer] = {}
        self._playing = threading.RLock()

    def _described(self, position: int) -> Description:
        found = self._files[position].description
        if found is None:
            raise CodecError(f"{self._where}: what it says of episode {position} is damaged")
        return found

    def profile(self, position: int) -> Profile:
        """What decodes an episode. Raises CodecError where that is not here."""
        description = self._described(position)
        key = (description.profile, description.tables, description.tables_sha256, description.game)
        with self._lock:
            if key not in self._profiles:
                self._profiles[key] = self._named(position, partial(profile_of, description, **self._options))
            return self._profiles[key]

    def film(self, position: int) -> Film | None:
        """The film that an episode is, None for others. Raises CodecError where its description is damaged."""
        entry, description = self._files[position], self._described(position)
        if description.profile != FILM_PROFILE:
            return None
        with self._lock:
            if position not in self._films:
                self._need(0, len(self._data))
                parts = partial(self.parts, position)
                try:
                    self._films[position] = Film(self._data, entry, description, parts, self._limit)
                except CodecError as error:
                    raise CodecError(f"{self._where}: {description.name}: {error}") from None
            return self._films[position]

    def _replay(self, position: int, k: int) -> ReplayPlayer | None:
        """What runs the console for group `k` of an episode, None for groups that need none."""
        entry, description = self._files[position], self._described(position)
        if description.profile != REPLAY_PROFILE:
            return None
        from ..replay.player import ReplayPlayer

        profile = cast("ReplayProfile", self.profile(position))
        with self._playing:
            if position not in self._replays:
                parts = partial(self.parts, position)
                self._replays[position] = ReplayPlayer(profile, description, parts, entry.follows, self._limit)
            return self._replays[position] if self._replays[position].runs(k) else None

    def rows(
        self, position: int, k: int, at: np.ndarray, onward: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
        """(frames, numbers, state, buttons) at places `at` int64 [N] of group `k` of an episode.

        Args:
            onward: the rest of the group will be wanted as well.
        Raises:
            CodecError: as `decode`.
        """
        film = self.film(position)
        if film is not None:
            try:
                return film.rows(k, at)
            except CodecError as error:
                name, first = self._described(position).name, self._files[position].gops[k][1].first
                raise CodecError(f"{self._where}: {name}: frames from {first} on: {error}") from None
        replay = self._replay(position, k)
        if replay is not None:
            with self._playing:
                return self._named(position, partial(replay.rows, k, at))
        group = self.get(position, k, None if onward else int(at.max()) + 1)
        gop = group.gop
        state, actions = (None if rows is None else rows[at] for rows in (gop.state, gop.actions))
        return gop.frames[at], group.numbers[at], state, actions

    def parts(self, position: int, k: int) -> GopParts:
        """Group `k` of an episode, not decoded. Raises CodecError where it is damaged."""
        entry, description = self._files[position], self._described(position)
        offset, stated = entry.gops[k]
        self._need(offset, offset + stated.size)
        header = parse_header(self._data, offset)
        payload = None if header != stated else read_payload(self._data, offset, stated)
        if payload is None:
            raise CodecError(
                f"{self._where}: {description.name}: frames {stated.first} to "
                f"{stated.first + stated.frames - 1} are damaged; `hstmae recover` makes a file of the rest"
            )
        return unpack_gop(description, stated, payload)

    def head(self, position: int, k: int) -> tuple[bytes, np.ndarray]:
        """Content hash and int32 [T] frame numbers of group `k`, of which nothing else is looked at. Raises CodecError
        where they make no sense."""
        entry, description = self._files[position], self._described(position)
        offset, stated = entry.gops[k]
        self._need(offset, offset + stated.size)
        payload = self._data[offset + HEADER_BYTES :][: stated.length]
        return unpack_head(description, stated, payload)[:2]

    def decode(self, position: int, k: int) -> tuple[Gop, GopParts, Header]:
        """Group `k` of an episode, decoded anew. Raises CodecError where it is damaged or cannot be decoded here."""
        entry, description = self._files[position], self._described(position)
        header, parts = entry.gops[k][1], self.parts(position, k)
        shape = description.shape(header.frames)
        replay = self._replay(position, k)
        if replay is None:
            try:
                gop = self.profile(position).decode(parts.streams, shape)
            except CodecError as error:
                raise type(error)(f"{error}{about_game(self._described(position))}") from None
        else:
            with self._playing:
                gop = self._named(position, partial(replay.group, k))
        if gop.shape != shape:
            raise CodecError(f"{self._where}: {description.name}: a group decoded to {gop.shape} instead of {shape}")
        return gop, parts, header

    def _named(self, position: int, make: Callable[[], T]) -> T:
        """What `make` gives. An error says which file and episode it is about."""
        try:
            return make()
        except CodecError as error:
            kind = type(error)
            name = f"{self._described(position).name}: "
            said = str(error).removeprefix(f"{self._where}: ").removeprefix(name)
            raise kind(f"{self._where}: {name}{said}") from None

    def check(self, position: int, k: int) -> str:
        """Decode group `k` of an episode and compare its hash: "" when it is right, else what is wrong. Raises
        RomError where it cannot be decoded here."""
        try:
            if self.film(position) is not None:
                for place in range(self._files[position].gops[k][1].frames):
                    self.rows(position, k, np.array([place]))
                return ""
            gop, parts, header = self.decode(position, k)
        except RomError:  # nothing can be said of the group
            raise
        except CodecError as error:
            return str(error)
        if header.flags & HASHED and content_hash(gop, parts.numbers) != parts.digest:
            end = header.first + header.frames - 1
            name = self._described(position).name
            hint = about_game(self._described(position))
            return f"{self._where}: {name}: frames {header.first} to {end} have other content{hint}"
        return ""

    def _decoded(self, position: int, k: int, count: int) -> tuple[Gop, GopParts]:
        """As `decode`, or as it was decoded before and kept; or only the first `count` frames, where that is less."""
        entry, description = self._files[position], self._described(position)
        if self.keep is None:
            profile, shape = self.profile(position), description.shape(entry.gops[k][1].frames)
            if count < shape.frames and isinstance(profile, PartlyDecoding):
                parts = self.parts(position, k)
                try:
                    return profile.decode_first(parts.streams, shape, count), parts
                except CodecError as error:
                    raise type(error)(f"{error}{about_game(self._described(position))}") from None
            return self.decode(position, k)[:2]
        offset, header = entry.gops[k]
        self._need(offset, offset + header.size)
        how = (description, sorted(self._options.items()))
        name = self.keep.name(position, self._data[offset : offset + header.size], how)
        parts = self.parts(position, k)
        gop = self.keep.load(name, description.colours, description.shape(header.frames))
        if gop is None:
            gop = self.decode(position, k)[0]
            self.keep.save(name, gop)
        return gop, parts

    def _soon(self, position: int, k: int) -> tuple[Gop, GopParts]:
        """Group `k`, decoded whole; those behind it are begun with."""
        gops = self._files[position].gops
        if self._pool is None or not getattr(self.profile(position), "side_by_side", False):
            return self._decoded(position, k, gops[k][1].frames)
        with self._lock:
            for n in range(k, min(k + self._ahead, len(gops))):
                if (position, n) not in self._coming and (n == k or (position, n) not in self._groups):
                    job = self._pool.submit(self._decoded, position, n, gops[n][1].frames)
                    self._coming[position, n] = job
            for key in [key for key in self._coming if not (key[0] == position and k <= key[1] < k + self._ahead)]:
                self._coming.pop(key).cancel()  # what was begun with for nothing
            mine = self._coming.pop((position, k))
        return mine.result()

    def close(self) -> None:
        """Wait for what is being decoded."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def check_film(self, position: int) -> str:
        """Whether the file of a film comes back byte for byte: "" when it does, else what is wrong."""
        try:
            film = self.film(position)
            if film is not None:
                for _ in film.file():
                    pass
        except CodecError as error:
            return f"{self._where}: {self._described(position).name}: {error}"
        return ""

    def get(self, position: int, k: int, count: int | None = None) -> DecodedGroup:
        """Group `k` of an episode, decoded: its first `count` frames at least; None = all. A group that is asked for
        again, since that was too little, is decoded whole. Raises CodecError as `decode` does."""
        frames = self._files[position].gops[k][1].frames
        count = frames if count is None else count
        with self._lock:
            found = self._groups.get((position, k))
            if found is not None and len(found.gop.frames) >= count:
                self._groups.move_to_end((position, k))
                return found
        count = frames if found is not None else min(frames, -(-count // _BESIDE) * _BESIDE)
        gop, parts = self._soon(position, k) if count == frames else self._decoded(position, k, count)
        size = sum(a.nbytes for a in (gop.frames, gop.state, gop.actions) if a is not None)
        group = DecodedGroup(gop, parts.numbers, size)
        with self._lock:
            known = self._groups.get((position, k))
            if known is None or len(known.gop.frames) < len(gop.frames):
                self._kept += size - (0 if known is None else known.bytes)
                self._groups[position, k] = group
                self._groups.move_to_end((position, k))
            while self._kept > self._limit and len(self._groups) > 1:
                self._kept -= self._groups.popitem(last=False)[1].bytes
        return group
