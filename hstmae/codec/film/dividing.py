"""A film read once to see what its packets show, and cut into groups that can be decoded by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ...film.reading import opened
from ..container.chunks import MAX_GOP
from .begun import Differs, FilmLogs, Seen
from .decoding import digest, numbered
from .table import HIDDEN, MAX_PACKETS, NO_TIME

MAX_BYTES = 64 << 20  # of a group, where the film lets itself be cut


@dataclass
class Walk:
    """What a film's packets show, in the order in which they are decoded.

    Attributes:
        sizes, pts, dts, durations, keys: of each packet, as in PacketTable.
        shown: numbers of the packets that show a frame, in the order of showing.
        digests: of those frames.
        pixel_format: of the frames.
        damage: why the pictures end before the film does; "" where they do not.
    """

    sizes: list[int] = field(default_factory=list)
    pts: list[int] = field(default_factory=list)
    dts: list[int] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    keys: list[bool] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    digests: list[int] = field(default_factory=list)
    pixel_format: str = ""
    damage: str = ""

    def places(self) -> np.ndarray:
        """int64 [packets]: position among all frames of the one that a packet shows, HIDDEN where it shows none."""
        places = np.full(len(self.sizes), HIDDEN, np.int64)
        places[self.shown] = np.arange(len(self.shown))
        return places


def walk(path: Path, advance: Callable[[int], object], logs: FilmLogs | None = None) -> Walk:
    """Decode a whole film as any player does.

    Args:
        logs: where is noted how far it has come: the next walk begins at a key frame before that.
    Raises:
        DataError: it cannot be read, or shows packets in a way that its frames cannot be told apart by.
    """
    logs = logs or FilmLogs()
    found = _resumed(path, advance, "AUTO", logs)
    if found.damage:  # threads tell late which packet it was
        found = _resumed(path, lambda count: None, "NONE", logs)
    if len(set(found.shown)) != len(found.shown):
        raise DataError(f"{path.name}: several frames come from one packet: give --profile lossless")
    return found


def _resumed(path: Path, advance: Callable[[int], object], threads: str, logs: FilmLogs) -> Walk:
    seen = Seen(logs.log(f"walk-{threads}"))
    try:
        return _walk(path, advance, threads, seen)
    except Differs:  # e.g. key frames that others are needed for all the same
        seen.forget()
        return _walk(path, advance, threads, seen)


def _walk(path: Path, advance: Callable[[int], object], threads: str, seen: Seen) -> Walk:
    """Raises Differs where it does not go on as what was `seen`."""
    import av

    found, begun = Walk(), not seen.start
    found.shown, found.digests = seen.frames()
    found.pixel_format = seen.form[2] if seen.form and seen.before else ""
    advance(seen.before)
    with opened(path) as (container, stream):
        context = stream.codec_context
        context.thread_type = threads
        first: Any = seen.form if seen.before else None
        try:
            for packet in container.demux(stream):
                if packet.size:
                    note(found, packet)
                    if len(found.sizes) <= seen.start:
                        continue
                for number, frame in numbered(context, packet if packet.size else None):
                    begun = begun or number == seen.start
                    if not begun:  # shown before it
                        continue
                    form = (frame.width, frame.height, frame.format.name)
                    first = first or form
                    found.pixel_format = first[2]
                    if frame.is_corrupt:
                        raise ValueError("a frame is incomplete")
                    if form != first:
                        names = ["{}x{} {}".format(*form) for form in (first, form)]
                        raise ValueError(f"it goes on as {names[1]} instead of {names[0]}")
                    found.shown.append(number)
                    found.digests.append(digest(frame))
                    seen.check(found.shown, found.digests)
                    seen.note(form, found.shown, found.digests, found.keys)
                    advance(1)
        except (av.FFmpegError, ValueError) as error:
            found.damage = str(error)
        seen.check_end(len(found.shown))
    if found.damage:
        _cut(found)
    return found


def note(found: Walk, packet: Any) -> None:
    """One more packet; its time stamps become its number."""
    number = len(found.sizes)
    found.sizes.append(packet.size)
    for row, time in ((found.pts, packet.pts), (found.dts, packet.dts), (found.durations, packet.duration)):
        row.append(NO_TIME if time is None else int(time))
    found.keys.append(bool(packet.is_keyframe))
    packet.pts = packet.dts = number


def _cut(found: Walk) -> None:
    """Only the packets that what was shown up to the damage comes from, none between them left out."""
    places = found.places()
    whole = (np.maximum.accumulate(places) + 1 == np.cumsum(places >= 0)).nonzero()[0]
    last = max((int(k) for k in whole if places[k] >= 0), default=-1)
    for row in (found.sizes, found.pts, found.dts, found.durations, found.keys):
        del row[last + 1 :]
    frames = sum(number <= last for number in found.shown)
    del found.shown[frames:], found.digests[frames:]


@dataclass(frozen=True)
class Cut:
    """A group: its packets from `start` to `stop`, the first of its frames, and how many there are.

    Attributes:
        before, alone: as in PacketTable.
    """

    start: int
    stop: int
    first: int
    frames: int
    before: int
    alone: bool


def divide(found: Walk, gop: int) -> list[Cut]:
    """Groups of at least `gop` frames where key frames allow.

    Frames are shown in the order of groups: a group ends where everything so far is shown before everything to come.
    Where key frames lie too far apart a group ends between them, and the next one needs those before it.

    Raises:
        DataError: the film cannot be cut at all.
    """
    places, count = found.places(), len(found.sizes)
    frames = np.concatenate([[0], np.cumsum(places >= 0)])
    latest = np.concatenate([[0], np.maximum.accumulate(places) + 1])
    sizes = np.concatenate([[0], np.cumsum(found.sizes)])
    clean = np.flatnonzero((frames == latest) & (frames > 0) & (frames < frames[-1]))
    cuts: list[Cut] = []
    start = 0
    while start < count:
        allowed = clean[(clean > start) & (frames[clean] > frames[start])]

        def within(stops: np.ndarray, start: int = start) -> np.ndarray:
            return (
                (frames[stops] - frames[start] <= MAX_GOP)
                & (sizes[stops] - sizes[start] <= MAX_BYTES)
                & (stops - start <= MAX_PACKETS)
            )

        small = allowed[within(allowed)]
        keyed = small[[found.keys[k] for k in small.tolist()]] if len(small) else small
        enough = keyed[frames[keyed] - frames[start] >= gop]
        if len(enough):
            stop = int(enough[0])
        elif within(np.array([count]))[0]:
            stop = count
        elif len(small):
            stop = int((keyed if len(keyed) else small)[-1])
        else:  # larger than wanted; the writer checks the format's own limits
            stop = int(allowed[0]) if len(allowed) else count
        alone = not cuts or found.keys[start]
        cuts.append(Cut(start, stop, int(frames[start]), int(frames[stop] - frames[start]), 0, alone))
        if cuts[-1].frames > MAX_GOP or stop - start > MAX_PACKETS:
            raise DataError("the film cannot be cut into groups: give --profile lossless")
        start = stop
    return cuts


def leads(found: Walk, cut: Cut, places: np.ndarray) -> bool:
    """Whether frames of the group are shown before its key frame: they may need the group before."""
    inside = places[cut.start : cut.stop]
    return bool(((inside >= 0) & (inside < inside[0])).any())
