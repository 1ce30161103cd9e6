"""What a .hst file holds: its chunks sorted into episodes, from its index or, where that fails, by scanning it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ...errors import CodecError
from .chunks import (
    EPISODE,
    FILES,
    FINAL,
    GOP,
    HEAD,
    KNOWN,
    NO_EPISODE,
    PREAMBLE_BYTES,
    Gap,
    Header,
    read_payload,
    scan,
)
from .description import MAX_TEXT, Description, unpack_description
from .index import find_index

Place = tuple[int, Header]  # a chunk: its offset and its header


@dataclass
class Entry:
    """One episode of a file.

    Attributes:
        number: of the episode in its file.
        description: its description; None where every copy of it is damaged.
        gops: its groups in order, none overlapping another.
        final: whether it was written to its end.
        files: chunk that tells how its source files looked, if there is one.
    """

    number: int
    description: Description | None = None
    gops: list[Place] = field(default_factory=list)
    final: bool = False
    files: Place | None = None

    @property
    def frames(self) -> int:
        """Frames that are there."""
        return sum(header.frames for _, header in self.gops)

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
        table: every chunk in the file's order.
        gaps: parts of the file that are no whole chunk; known only where the file was scanned.
        indexed: whether the file's own index was used.
        unusable: lines about whole chunks that nothing can be done with.
    """

    episodes: list[Entry]
    about: dict[str, Any]
    table: list[Place]
    gaps: list[Gap]
    indexed: bool
    unusable: list[str]


def read_contents(data: memoryview, *, use_index: bool = True, start: int = PREAMBLE_BYTES) -> Contents:
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
        try:
            contents = _sorted(data, table, [], True)
        except CodecError:
            contents = None
        if contents is not None and not contents.unusable:
            return contents
    chunks: list[Place] = []
    gaps: list[Gap] = []
    for found in scan(data, start):
        if isinstance(found, Gap):
            gaps.append(found)
        else:
            chunks.append(found)
    return _sorted(data, chunks, gaps, False)


def _sorted(data: memoryview, table: Iterable[Place], gaps: list[Gap], indexed: bool) -> Contents:
    episodes: dict[int, Entry] = {}
    about: dict[str, Any] = {}
    unusable: list[str] = []
    chunks = list(table)
    for offset, header in chunks:
        if header.kind not in KNOWN:
            if header.critical:
                raise CodecError(f"chunk {header.kind[1:].decode()} at byte {offset} needs a later version to be read")
            continue
        if header.episode == NO_EPISODE:
            if header.kind == HEAD:
                about = _about(_payload(data, offset, header, unusable)) or about
            continue
        entry = episodes.setdefault(header.episode, Entry(header.episode))
        if header.kind == GOP:
            entry.gops.append((offset, header))
        elif header.kind == FILES:
            entry.files = (offset, header)
        elif header.kind == EPISODE:
            _describe(entry, _payload(data, offset, header, unusable), bool(header.flags & FINAL), offset, unusable)
    for entry in episodes.values():
        entry.gops = _in_order(entry.gops, unusable)
    ordered = [episodes[number] for number in sorted(episodes)]
    return Contents(ordered, about, chunks, gaps, indexed, unusable)


def _payload(data: memoryview, offset: int, header: Header, unusable: list[str]) -> bytes | None:
    payload = read_payload(data, offset, header)
    if payload is None:
        unusable.append(f"chunk {header.kind[1:].decode()} at byte {offset} is damaged")
    return payload


def _about(payload: bytes | None) -> dict[str, Any]:
    inflater = zlib.decompressobj()
    try:
        value = json.loads(inflater.decompress(payload or b"", MAX_TEXT))
    except (ValueError, RecursionError, zlib.error):  # it only says where the file came from
        return {}
    return value if isinstance(value, dict) else {}


def _describe(entry: Entry, payload: bytes | None, final: bool, offset: int, unusable: list[str]) -> None:
    if payload is None:
        return
    try:
        description = unpack_description(payload)
    except CodecError as error:
        unusable.append(f"{error} at byte {offset}")
        return
    if entry.description is None or (final and not entry.final):
        entry.description, entry.final = description, final


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
