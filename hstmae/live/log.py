"""The last groups of a stream, for whoever joins or comes back."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ..errors import CodecError
from .messages import Begun, Coded, Described, Ended, Message, Place

KEPT = 4  # groups


@dataclass
class LoggedGroup:
    """Attributes: number; messages: GROUP, its FRAMEs so far, END where it has ended; frames; ended; bytes."""

    number: int
    messages: list[bytes] = field(default_factory=list)
    frames: int = 0
    ended: bool = False
    bytes: int = 0


class Log:
    """What was said of a session: its description and its last groups, at most `limit` bytes beside the newest one.

    Attributes:
        described: b"" before there is one.
        epoch: 0 before.
        groups: the newest last.
    """

    def __init__(self, limit: int = 16 << 20) -> None:
        self.described, self.epoch = b"", 0
        self.groups: deque[LoggedGroup] = deque()
        self.most = 0  # frames that a group may have
        self._next = 0  # the least number that the next frame may have
        self._limit = limit

    @property
    def place(self) -> Place:
        """How far it goes."""
        if not self.groups:
            return Place(self.epoch, 0, 0)
        last = self.groups[-1]
        return Place(self.epoch, last.number + 1, 0) if last.ended else Place(self.epoch, last.number, last.frames)

    def add(self, message: Message, packed: bytes) -> bool:
        """Take in a message that belongs to the stream; whether it was new: a publisher that comes back says some
        again. Raises CodecError where it does not go with those before it."""
        if isinstance(message, Described):
            if message.epoch == self.epoch:
                return False
            self.described, self.epoch, self.most = packed, message.epoch, message.description().gop
            self.groups.clear()
            self._next = 0
            return True
        if not self.epoch:
            raise CodecError("a stream begins with a description")
        if isinstance(message, Begun):
            return self._begin(message, packed)
        if not self.groups:
            raise CodecError("a frame outside of a group")
        group = self.groups[-1]
        if isinstance(message, Coded):
            if message.place < group.frames:
                return False
            if message.place > group.frames or group.ended or group.frames == self.most:
                raise CodecError(f"frame {message.place} of a group that has {group.frames} of at most {self.most}")
            group.frames += 1
            self._next += 1
        elif isinstance(message, Ended):
            if group.ended:
                return False
            if not group.frames:
                raise CodecError("a group without frames has ended")
            group.ended = True
        else:
            raise CodecError("no part of a stream")
        group.messages.append(packed)
        group.bytes += len(packed)
        self._forget()
        return True

    def _begin(self, message: Begun, packed: bytes) -> bool:
        if self.groups:
            last = self.groups[-1]
            if message.group == last.number and not last.ended:
                return False
            if message.group <= last.number:
                raise CodecError(f"group {message.group} after group {last.number}")
        if not self._next <= message.first < (1 << 31) - self.most:
            raise CodecError(f"frame number {message.first} after {self._next - 1}; they ascend")
        self._next = message.first
        self.groups.append(LoggedGroup(message.group, [packed], bytes=len(packed)))
        self._forget()
        return True

    def _forget(self) -> None:
        while len(self.groups) > 1 and (len(self.groups) > KEPT or sum(g.bytes for g in self.groups) > self._limit):
            self.groups.popleft()

    def since(self, place: Place) -> list[bytes]:
        """What somebody needs who has come so far: the rest, where it is still here; else the description, where that
        is another, and the newest group."""
        if not self.epoch:
            return []
        known = place.epoch == self.epoch
        out = [] if known else [self.described]
        if not self.groups:
            return out
        held = [group for group in self.groups if group.number >= place.group] if known else []
        if not held or held[0].number > place.group or place.frames > held[0].frames:
            behind = known and self.place.group <= place.group  # nothing is missing
            return out if behind else [*out, *self.groups[-1].messages]
        skipped = 1 + place.frames if place.frames else 0
        return [*out, *held[0].messages[skipped:], *(message for group in held[1:] for message in group.messages)]
