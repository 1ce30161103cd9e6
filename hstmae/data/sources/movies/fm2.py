"""Movies of FCEUX: `.fm2`, and `.fm3` of its TAS editor, which is the same with data of the editor behind the input.

A header of `key value` lines, then the input: lines `|command|RLDUTSBA|...|`, or behind a first `|` one binary record a
frame. The input ends with the file, or after as many frames as the header's `length` says.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ....errors import DataError
from .movie import BUTTONS, MAX_FRAMES, Movie, check_events

FM2_BITS = tuple(BUTTONS[name] for name in "RLDUTSBA")  # in the order of a text field; of a binary byte, bit 7 first
NOTHING, GAMEPAD, ZAPPER = 0, 1, 2  # what a port holds
_RECORD = {NOTHING: 0, GAMEPAD: 1, ZAPPER: 12}  # bytes in a binary record
_DEVICES = {NOTHING: "nothing", GAMEPAD: "a controller", ZAPPER: "a light gun"}
_COMMANDS = 3  # soft and hard reset; others are of the disk system and of arcade machines


@dataclass
class _Header:
    """What the header says; keys that have no bearing on a replay are passed over."""

    keys: dict[bytes, bytes] = field(default_factory=dict)

    def number(self, key: bytes, default: int) -> int:
        text = self.keys.get(key, b"")
        if not text:
            return default
        try:
            return int(text)
        except ValueError:
            raise DataError(f"header: {key.decode()} must be a whole number, got {text[:20]!r}") from None

    def check(self) -> None:
        """Refuse what cannot be replayed."""
        if self.number(b"version", 0) != 3:
            raise DataError("a .fm2 movie must begin with 'version 3'")
        for key, what in ((b"palFlag", "PAL timing"), (b"FDS", "the disk system")):
            if self.number(key, 0):
                raise DataError(f"uses {what} ({key.decode()} is not 0): cannot be replayed")
        if b"savestate" in self.keys:
            raise DataError("starts from a save state: only movies from power-on can be replayed")
        if not self.fourscore and self.ports[0] != GAMEPAD:
            found = _DEVICES.get(self.ports[0], "an unknown device")
            raise DataError(f"has {found} in port 1 instead of a controller: cannot be replayed")
        if not self.fourscore and self.ports[1] not in _RECORD:
            raise DataError("has an unknown device in port 2: cannot be replayed")

    @property
    def fourscore(self) -> bool:
        return bool(self.number(b"fourscore", 0))

    @property
    def ports(self) -> tuple[int, int]:
        return self.number(b"port0", GAMEPAD), self.number(b"port1", NOTHING)

    @property
    def limit(self) -> int:
        """Frames at which FCEUX stops; MAX_FRAMES + 1 where it goes on to the end of the file."""
        length = self.number(b"length", -1)
        return MAX_FRAMES + 1 if length < 0 else length

    @property
    def rom(self) -> str:
        """The ROM's hash as in `Movie`; "" where it is not given, or not in a form that FCEUX reads."""
        kind, _, text = self.keys.get(b"romChecksum", b"").partition(b":")
        try:
            digest = base64.b64decode(text, validate=True) if kind == b"base64" else bytes.fromhex(kind[2:].decode())
        except (binascii.Error, ValueError):
            return ""
        return f"md5:{digest.hex()}" if len(digest) == 16 else ""


def parse_fm2(data: bytes, game: str) -> Movie:
    """The bytes of a FCEUX movie.

    Raises:
        DataError: it is none, is damaged, or uses what cannot be replayed: save states, PAL timing, the disk system, or
            a second controller or a light gun that is not idle.
    """
    header, start, line = _read_header(data)
    header.check()
    actions, resets = bytearray(), list[tuple[int, str]]()
    binary = header.number(b"binary", 0)
    for command, action in (_binary if binary else _text)(header, data, start, line):
        if command:
            resets.append((len(actions), "hard" if command & 2 else "soft"))
        actions.append(action)
        if len(actions) > MAX_FRAMES:
            raise DataError(f"more than {MAX_FRAMES} frames")
    if not actions:
        raise DataError("holds no input")
    check_events(len(actions), (), resets)
    length, remarks = header.number(b"length", -1), []
    if len(actions) < length:
        remarks.append(f"the header says {length} frames, and the file holds {len(actions)}: it was cut off")
    return Movie(game, np.frombuffer(bytes(actions), np.uint8), (), tuple(resets), header.rom, tuple(remarks))


def _read_header(data: bytes) -> tuple[_Header, int, int]:
    """The header, where the input begins, and the number of that line."""
    header, start = _Header(), 0
    for number, raw in enumerate(data.split(b"\n"), 1):
        if raw.startswith(b"|"):
            return header, start, number
        start += len(raw) + 1
        key, _, value = raw.strip().partition(b" ")
        if not key or key in (b"comment", b"subtitle"):
            continue
        if not header.keys and key != b"version":
            raise DataError(
                "no movie that can be read: neither of FCEUX (.fm2, .fm3: the first line is 'version 3'), nor of "
                "BizHawk (.bk2), nor JSON"
            )
        header.keys[key] = value.strip()
    raise DataError("holds no input")


def _text(header: _Header, data: bytes, start: int, first: int) -> Iterator[tuple[int, int]]:
    """(command, controller byte) of each line."""
    lines = data[start:].split(b"\n")
    left = header.limit
    for number, raw in enumerate(lines, first):
        line = raw.rstrip(b"\r")
        if not left:
            return
        if not line.strip():
            continue
        if not line.startswith(b"|"):
            raise DataError(f"line {number}: neither input nor empty")
        yield _record(header, line, number)
        left -= 1


def _record(header: _Header, line: bytes, number: int) -> tuple[int, int]:
    fields = line.split(b"|")
    if len(fields) < 4 or fields[-1].strip() or not 1 <= len(fields[1]) <= 3 or not fields[1].isdigit():
        raise DataError(f"line {number}: expected |command|RLDUTSBA|...|")
    command, pad, others = int(fields[1]), fields[2], fields[3:-1]
    if command & ~_COMMANDS:
        raise DataError(f"line {number}: command {command}: only resets (1, 2) can be replayed")
    if len(pad) != len(FM2_BITS):
        raise DataError(f"line {number}: {len(pad)} buttons instead of {len(FM2_BITS)}")
    if not header.fourscore and header.ports[1] == ZAPPER and others:
        gun, others = others[0].split(), others[1:]  # x, y, trigger, two numbers that FCEUX keeps for itself
        if len(gun) < 3 or not gun[2].isdigit():
            raise DataError(f"line {number}: expected x, y and trigger of a light gun in port 2")
        if int(gun[2]):
            raise DataError(f"line {number}: the light gun is used: cannot be replayed")
    if any(text.strip(b" .") for text in others):
        raise DataError(f"line {number}: a second controller is used: cannot be replayed")
    return command, sum(bit for bit, mark in zip(FM2_BITS, pad, strict=True) if mark not in b" .")


def _binary(header: _Header, data: bytes, start: int, first: int) -> Iterator[tuple[int, int]]:
    """(command, controller byte) of each record; FCEUX passes over what is left when the last is not whole."""
    sizes = [1] * 4 if header.fourscore else [_RECORD[port] for port in header.ports]
    size = 1 + sum(sizes)
    records = np.frombuffer(data, np.uint8, offset=start + 1)
    count = min(len(records) // size, header.limit)
    if not count:
        return
    records = records[: count * size].reshape(count, size)
    commands, pads, others = records[:, 0], records[:, 1], records[:, 2:]
    if not header.fourscore and header.ports[1] == ZAPPER:
        others = others[:, 2:3]  # behind x and y: the trigger
    for values, allowed, what in (
        (commands, _COMMANDS, "only resets (1, 2) can be replayed"),
        (others, 0, "a second controller or a light gun is used: cannot be replayed"),
    ):
        wrong = np.flatnonzero((values.reshape(count, -1) & (0xFF ^ allowed)).any(1))
        if len(wrong):
            raise DataError(f"frame {wrong[0]}: {what}")
    table = np.array([sum(bit for k, bit in enumerate(FM2_BITS) if byte & (0x80 >> k)) for byte in range(256)])
    yield from zip(commands.tolist(), table[pads].tolist(), strict=True)
