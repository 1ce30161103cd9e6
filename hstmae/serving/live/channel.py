"""One stream at the server: what its publisher says goes to all who watch, as the same bytes, and into a file."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...codec.container.description import Description
from ...errors import CodecError, HstError
from ...live.log import Log
from ...live.messages import (
    BEAT_EVERY,
    GONE_AFTER,
    Beat,
    Begun,
    Coded,
    Described,
    Ended,
    Finished,
    Message,
    Place,
    Statistics,
    unpack,
)
from .recording import Recording
from .viewer import ROOM, Viewer, framed

_RATE_OVER = 2.0  # seconds over which rates are taken
_FLOOD = 32 << 20  # bytes a second that a publisher may send


@dataclass
class Counts:
    """Attributes: since the server began: frames, bytes, groups, sessions, jumps of viewers, viewers who came."""

    frames: int = 0
    bytes: int = 0
    groups: int = 0
    sessions: int = 0
    jumps: int = 0
    viewers: int = 0


@dataclass
class Channel:
    """Attributes: name; records: folder that sessions are written into, None = none."""

    name: str
    records: Path | None = None
    log: Log = field(default_factory=Log)
    viewers: set[Viewer] = field(default_factory=set)
    counts: Counts = field(default_factory=Counts)
    statistics: dict[str, float | str] = field(default_factory=dict)
    description: Description | None = None
    recording: Recording | None = None
    outcome: str | None = None  # of a session that is over
    heard: float = 0.0  # when the publisher said something, by time.monotonic
    publishing: asyncio.Transport | None = None  # the connection that publishes
    delay: float = 0.0  # seconds between the capture of the last frame and its arrival here, by both clocks
    _recent: deque[tuple[float, int]] = field(default_factory=deque)
    _capture: int = 0

    @property
    def there(self) -> bool:
        """Whether somebody publishes."""
        return self.publishing is not None

    def publish(self, data: bytes) -> None:
        """Take in what the publisher says. Raises CodecError where that is no stream, or more than may be sent."""
        now = time.monotonic()
        self.heard = now
        message = unpack(data)
        if isinstance(message, Beat):
            return
        self._count(len(data), now)
        if isinstance(message, Statistics):
            self.statistics = message.values
            return
        if isinstance(message, Described) and message.epoch != self.log.epoch:
            self.end_recording("cut")
        if isinstance(message, Finished):
            self._finish(message)
        elif self.log.add(message, data):
            self._spread(message, data, now)
            self._record(message, data)
            if isinstance(message, Described):
                self.tell()  # where its recording is

    def _spread(self, message: Message, data: bytes, now: float) -> None:
        frame = framed(data)
        if isinstance(message, Coded):
            self.counts.frames += 1
            self.delay = time.time() - (self._capture + message.ticks * 64) / 1e6
            place, room = self.log.place, max(ROOM, int(self.rate() / 4))
            for viewer in self.viewers:
                viewer.offer(frame, place, now, room)
        elif isinstance(message, Begun):
            self.counts.groups += 1
            self._capture = message.time
            for viewer in self.viewers:
                viewer.begin(frame)
        else:
            if isinstance(message, Described):
                self.counts.sessions += 1
                self.description, self.outcome = message.description(), None
            for viewer in self.viewers:
                if not viewer.behind or isinstance(message, Described):
                    viewer.send(frame)

    def _finish(self, message: Finished) -> None:
        self.outcome = message.outcome
        for viewer in self.viewers:
            viewer.send(framed(message.pack()))
        self.end_recording(message.outcome)

    def _record(self, message: Message, data: bytes) -> None:
        """A file that cannot be written does not end the stream: it is said in the statistics."""
        try:
            if isinstance(message, Described) and self.records is not None:
                assert self.description is not None
                if self.description.profile != "live":
                    self.statistics["recording"] = "video is not kept"
                    return
                self.recording = Recording(self.records, self.name, self.description)
            if isinstance(message, Ended) and self.recording is not None:
                self.recording.add(self.log.groups[-1])
        except (OSError, HstError) as error:
            self.recording = None
            self.statistics["recording"] = f"stopped: {error}"[:200]

    def end_recording(self, outcome: str = "cut") -> None:
        if self.recording is None:
            return
        recording, self.recording = self.recording, None
        try:
            if self.log.groups:  # what its last group has so far
                recording.add(self.log.groups[-1])
            recording.close(outcome)
        except (OSError, HstError) as error:
            self.statistics["recording"] = f"stopped: {error}"[:200]

    def join(self, viewer: Viewer, place: Place) -> None:
        """Somebody begins to watch who has come as far as `place`."""
        for message in self.log.since(place):
            viewer.send(framed(message))
        if self.outcome is not None:
            viewer.send(framed(Finished(self.outcome).pack()))
        self.viewers.add(viewer)
        self.counts.viewers += 1

    def leave(self, viewer: Viewer) -> None:
        self.viewers.discard(viewer)
        self.counts.jumps += viewer.jumps

    def _count(self, size: int, now: float) -> None:
        self.counts.bytes += size
        self._recent.append((now, size))
        while now - self._recent[0][0] > _RATE_OVER:
            self._recent.popleft()
        if sum(size for _, size in self._recent) > _FLOOD * _RATE_OVER:
            raise CodecError(f"more than {_FLOOD:,} bytes a second")

    def rate(self) -> float:
        """Bytes a second, over the last seconds."""
        now = time.monotonic()
        return sum(size for when, size in self._recent if now - when <= _RATE_OVER) / _RATE_OVER

    def look(self, now: float) -> None:
        """To be called every BEAT_EVERY seconds: who says nothing is gone, who takes nothing is sent away, and where
        nothing else is said, that somebody is here."""
        if self.publishing is not None and now - self.heard > GONE_AFTER:
            self.publishing.abort()  # it connects again if it is there after all
            self.publishing = None
        for viewer in [viewer for viewer in self.viewers if viewer.given_up(now)]:
            viewer.drop()
        quiet = not self._recent or now - self._recent[-1][0] > BEAT_EVERY
        for viewer in self.viewers:
            if quiet and viewer.behind and viewer.idle:  # no group begins with which it could go on
                viewer.go_on(self.log.since(viewer.place))
        self.beat(all_of_them=quiet)

    def beat(self, all_of_them: bool = True) -> None:
        """Tell those who watch, or those of them who are sent nothing else, that somebody is here, and whether that is
        the publisher."""
        message = framed(Beat(time.time_ns() // 1000, self.there).pack())
        for viewer in self.viewers:
            if (all_of_them or viewer.behind) and not viewer.waiting:
                viewer.send(message)

    def tell(self) -> None:
        """Tell all who watch how it goes."""
        known: dict[str, float | str] = {**self.statistics, "viewers": len(self.viewers)}
        if self.recording is not None and self.recording.url:
            known["recording_url"] = self.recording.url
        message = framed(Statistics(known).pack())
        for viewer in self.viewers:
            if not viewer.behind:
                viewer.send(message)

    def to_json(self) -> dict[str, Any]:
        found = self.description
        shown: dict[str, Any] = {"name": self.name, "live": self.there, "viewers": len(self.viewers)}
        shown |= {"kbit_per_second": round(self.rate() * 8 / 1000, 1), "outcome": self.outcome}
        if found is not None:
            shown |= {"session": found.name, "game": found.game, "width": found.width, "height": found.height}
            shown |= {"fps": found.fps}
        if self.recording is not None:
            shown["recording"] = self.recording.url
        return shown
