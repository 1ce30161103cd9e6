"""What a .hst file holds: its chunks sorted into episodes, from its index or, where that fails, by scanning it."""

import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...errors import CodecError
from . import chunks
from .chunks import Gap, Header, Place, read_payload, scan_all
from .description import Description, unpack_description
from .index import find_index
from .text import MAX_TEXT

_TAIL = 8 << 10  # bytes at a file's end that are fetched at first: its index, mostly


@dataclass
class Entry:
    """One episode of a file.

    Attributes:
        number: of the episode in its file.
        described: chunks that describe it, the best first; `read` gives the payload of one.
        gops: its groups in order, none overlapping another.
        final: whether it was written to its end.
        files: chunk that tells how its source files looked, if there is one.
        facts: chunk of the facts of the film it was made from, likewise.
        film: chunks that say which film it is, the last one written first; none but for profile video.
        rest: chunks of what that film's file holds besides the packets of its pictures, in order.
        steps: chunks of what an environment said at its steps, in order.
    """

    number: int
    gops: list[Place] = field(default_factory=list)
    final: bool = False
    files: Place | None = None
    facts: Place | None = None
    film: list[Place] = field(default_factory=list)
    rest: list[Place] = field(default_factory=list)
    steps: list[Place] = field(default_factory=list)
    described: list[Description | Place] = field(default_factory=list)
    read: Callable[[Place], bytes | None] | None = None

    @property
    def description(self) -> Description | None:
        """Its description; None where every copy of it is damaged."""
        while self.described:
            best = self.described[0]
            if isinstance(best, Description):
                return best
            payload = None if self.read is None else self.read(best)
            with suppress(CodecError):
                if payload is not None:
                    self.described[0] = unpack_description(payload)
                    continue
            self.described.pop(0)
        return None

    @property
    def beside(self) -> list[Place]:
        """All chunks of the episode besides its descriptions and its groups, in the order of the file."""
        return sorted(
            [*self.film, *self.rest, *self.steps, *(place for place in (self.files, self.facts) if place is not None)]
        )

    @property
    def frames(self) -> int:
        """Frames that are there."""
        return sum(header.frames for _, header in self.gops)

    def follows(self, k: int) -> bool:
        """Whether group `k` begins where the one before it ends."""
        before = self.gops[k - 1][1] if k else None
        return before is not None and before.first + before.frames == self.gops[k][1].first

    def missing(self) -> list[tuple[int, int]]:
        """(first, count) of each stretch of frames that the episode had and the file has no longer."""
        found, at = [], 0
        for _, header in self.gops:
            if header.first > at:
                found.append((at, header.first - at))
            at = header.first + header.frames
        if self.final and self.description is not None and self.description.frames > at:
            found.append((at, self.description.frames - at))
        return found


@dataclass
class Contents:
    """All episodes of a file in the order of their numbers, what it says about itself, and what was damaged.

    Attributes:
        told: what the file says about itself, or what finds that out when it is wanted.
        table: every chunk in the file's order.
        gaps: parts of the file that are no whole chunk; known only where the file was scanned.
        indexed: whether the file's own index was used.
        unusable: lines about whole chunks that nothing can be done with.
    """

    episodes: list[Entry]
    told: dict[str, Any] | Callable[[], dict[str, Any]]
    table: list[Place]
    gaps: list[Gap]
    indexed: bool
    unusable: list[str]

    @property
    def about(self) -> dict[str, Any]:
        """What the file says of itself."""
        if not isinstance(self.told, dict):
            self.told = self.told()
        return self.told


def read_far(data: memoryview, need: Callable[[int, int], None]) -> Contents | None:
    """The chunks of a file of which bytes are there when `need(start, end)` was called: from its index, without
    looking at any description before it is wanted. None where it has no index that can be used.

    Raises CodecError as `read_contents` does.
    """
    need(len(data) - _TAIL, len(data))
    table = find_index(data, need)
    if table is None:
        return None

    def read(place: Place) -> bytes | None:
        need(place[0], place[0] + place[1].size)
        return read_payload(data, *place)

    return _sorted(data, table, [], True, read)


def read_contents(data: memoryview, *, use_index: bool = True, start: int = chunks.PREAMBLE_BYTES) -> Contents:
    """Sort the chunks of a file.

    Args:
        data: the file.
        use_index: look for the index at the end first. What it states is checked whenever a chunk is read.
        start: where scanning begins.
    Raises:
        CodecError: a whole chunk of a kind that this program must not pass over.
    """
    table = find_index(data) if use_index else None
    if table is not None:
        with suppress(CodecError):
            contents = _sorted(data, table, [], True)
            if not contents.unusable:
                return contents
    return _sorted(data, *scan_all(data, start), False)


def _sorted(
    data: memoryview, table: list[Place], gaps: list[Gap], indexed: bool,
    far: Callable[[Place], bytes | None] | None = None,
) -> Contents:  # fmt: skip
    """`far` reads what is only looked at when it is wanted; None = all of it is looked at now."""
    episodes: dict[int, Entry] = {}
    about: dict[str, Any] | Callable[[], dict[str, Any]] = {}
    unusable: list[str] = []

    def payload(offset: int, header: Header) -> bytes | None:
        found = read_payload(data, offset, header)
        if found is None:
            unusable.append(f"chunk {header.kind[1:].decode()} at byte {offset} is damaged")
        return found

    for offset, header in table:
        if header.kind not in chunks.KNOWN:
            if header.critical:
                raise CodecError(f"chunk {header.kind[1:].decode()} at byte {offset} needs a later version to be read")
            continue
        if header.episode == chunks.NO_EPISODE:
            if header.kind == chunks.HEAD and far is not None:
                about = partial(_far_about, far, (offset, header))
            elif header.kind == chunks.HEAD:
                about = _about(payload(offset, header)) or about
            continue
        entry = episodes.setdefault(header.episode, Entry(header.episode))
        if header.kind in chunks.GROUPS:
            entry.gops.append((offset, header))
        elif header.kind == chunks.FILES:
            entry.files = (offset, header)
        elif header.kind == chunks.FACTS:
            entry.facts = (offset, header)
        elif header.kind == chunks.FILM:
            entry.film.insert(0, (offset, header))
        elif header.kind == chunks.REST:
            entry.rest.append((offset, header))
        elif header.kind == chunks.STEPS:
            entry.steps.append((offset, header))
        elif header.kind == chunks.EPISODE and far is not None:
            final = bool(header.flags & chunks.FINAL)
            entry.read, entry.final = far, entry.final or final
            entry.described.insert(0 if final else len(entry.described), (offset, header))
        elif header.kind == chunks.EPISODE and (packed := payload(offset, header)) is not None:
            final = bool(header.flags & chunks.FINAL)
            try:
                description = unpack_description(packed)
            except CodecError as error:
                unusable.append(f"{error} at byte {offset}")
                continue
            if entry.description is None or (final and not entry.final):
                entry.described, entry.final = [description], final
    for entry in episodes.values():
        entry.gops = _in_order(entry.gops, unusable)
    ordered = [episodes[number] for number in sorted(episodes)]
    return Contents(ordered, about, table, gaps, indexed, unusable)


def _far_about(far: Callable[[Place], bytes | None], place: Place) -> dict[str, Any]:
    return _about(far(place))


def _about(payload: bytes | None) -> dict[str, Any]:
    inflater = zlib.decompressobj()
    try:
        value = json.loads(inflater.decompress(payload or b"", MAX_TEXT))
    except (ValueError, RecursionError, zlib.error):  # it only says where the file came from
        return {}
    return value if isinstance(value, dict) else {}


def _in_order(gops: list[Place], unusable: list[str]) -> list[Place]:
    """Sorted by first frame. Where two groups overlap, which only damage explains, the one found first stays."""
    kept: list[Place] = []
    end = 0
    for offset, header in sorted(gops, key=lambda place: (place[1].first, place[0])):
        if not header.frames or header.first < end:
            unusable.append(f"the group at byte {offset} repeats frames of another")
            continue
        kept.append((offset, header))
        end = header.first + header.frames
    return kept
