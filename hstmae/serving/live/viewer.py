"""Somebody who watches: how far they are behind, and what they are not sent because of it."""

from __future__ import annotations

import asyncio
import struct
from collections import deque

from ...live.messages import Missed, Place

ROOM = 16 << 10  # bytes that may wait for a viewer, if 250 ms of the stream are not more
LATE = 1.0  # seconds after which a viewer should have told that a frame has arrived ...
FIRST = 4.0  # ... the first time, when it loads what decodes
PATIENCE = 10.0  # seconds after which one who takes nothing is sent away
_APART = 0.1  # seconds between frames whose arrival is waited for


def framed(message: bytes) -> bytes:
    """A message as a server's WebSocket sends it: the same bytes for every viewer."""
    size = len(message)
    if size < 126:
        return struct.pack("!BB", 0x82, size) + message
    return struct.pack("!BBH" if size < 1 << 16 else "!BBQ", 0x82, 126 if size < 1 << 16 else 127, size) + message


class Viewer:
    """Takes framed messages and never lets the stream wait: who is too slow misses the rest of a group.

    Args:
        transport: of the connection.
    Attributes:
        sent: bytes so far.
        jumps: how often it fell behind.
        lag: seconds between a frame's sending and the viewer's word that it is shown.
        place: how far it has come, by its own word.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._under_way: deque[tuple[Place, float]] = deque()  # what has not arrived yet, and when it was sent
        self._behind: float | None = None  # since when
        self._missed = 0  # frames since then
        self.place = Place(0, 0, 0)  # that it has told of
        self.sent = self.jumps = 0
        self.lag = 0.0

    @property
    def behind(self) -> bool:
        return self._behind is not None

    @property
    def waiting(self) -> int:
        """Bytes that the connection has not taken yet."""
        return self._transport.get_write_buffer_size()

    @property
    def idle(self) -> bool:
        """Whether all that was sent has arrived."""
        return not self._under_way and not self.waiting

    def drop(self) -> None:
        """End the connection, whatever waits in it."""
        self._transport.abort()

    def send(self, frame: bytes) -> None:
        self._transport.write(frame)
        self.sent += len(frame)

    def begin(self, frame: bytes) -> None:
        """A group begins: who had fallen behind goes on here, once all that was sent has arrived."""
        if self._behind is not None:
            if not self.idle:
                return
            self._behind = None
            self.send(framed(Missed(self._missed).pack()))
            self._missed = 0
        self.send(frame)

    def go_on(self, rest: list[bytes]) -> None:
        """Who had fallen behind gets what it has not: nothing else is to be sent, and all that was sent has arrived."""
        self._behind, self._missed = None, 0
        for message in rest:
            self.send(framed(message))

    def offer(self, frame: bytes, place: Place, now: float, room: int) -> None:
        """A frame. Args: place: what the viewer has with it; now: seconds; room: bytes that may wait."""
        if self._behind is None:
            allowed = LATE if self.place.epoch else FIRST
            late = bool(self._under_way) and now - self._under_way[0][1] > allowed
            if late or self.waiting > room:
                self._behind = now
                self.jumps += 1
        if self._behind is not None:
            self._missed += 1
            return
        if not self._under_way or now - self._under_way[-1][1] > _APART:
            self._under_way.append((place, now))
        self.send(frame)

    def acknowledge(self, place: Place, now: float) -> None:
        """The viewer has everything up to `place`."""
        self.place = place
        while self._under_way:
            sent, when = self._under_way[0]
            if sent.epoch == place.epoch and (sent.group, sent.frames) > (place.group, place.frames):
                break
            self.lag = now - when
            self._under_way.popleft()

    def given_up(self, now: float) -> bool:
        """Whether it has taken nothing for so long that it is to be sent away."""
        return self._behind is not None and now - self._behind > PATIENCE and not self.idle
