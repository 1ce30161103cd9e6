"""Input movies: which buttons were held in each frame since power-on, as FCEUX `.fm2` text or as `hst-movie` JSON.

    {"format": "hst-movie", "version": 1, "game": "smb",
     "actions": "00*40 08*4 00*120 14*300",    controller bytes in hexadecimal, `*n` repeats one for n frames
     "pokes": [[40, 1887, 3]],                 frame, address, value: written before that frame runs
     "resets": [[900, "soft"]]}                frame, "soft" (reset button) or "hard" (power) before that frame

For a Gymnasium environment `game` is its name and each byte is the number of a discrete action.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic import write_bytes
from ...errors import DataError

MAX_FILE_BYTES = 64 << 20
MAX_FRAMES = 4_000_000  # 18 hours at 60 frames per second
MAX_EVENTS = 100_000  # pokes, and resets
RESETS = ("soft", "hard")

FM2_BITS = (0x04, 0x20, 0x02, 0x40, 0x08, 0x01, 0x10, 0x80)  # of R L D U T S B A in our controller byte
_RUN = re.compile(r"([0-9a-fA-F]{2})(?:\*([1-9][0-9]{0,8}))?")


@dataclass(frozen=True)
class Movie:
    """Input from power-on.

    Attributes:
        game: registered game, or name of a Gymnasium environment.
        actions: uint8 [T] controller byte per frame (MSB to LSB: A, up, left, B, start, right, down, select), or
            action number.
        pokes: (frame, address, value), by ascending frame: memory written before that frame.
        resets: (frame, one of RESETS), by ascending frame: done before that frame.
    """

    game: str
    actions: np.ndarray
    pokes: tuple[tuple[int, int, int], ...] = ()
    resets: tuple[tuple[int, str], ...] = ()

    def __len__(self) -> int:
        return len(self.actions)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Movie):
            return NotImplemented
        same = (self.game, self.pokes, self.resets) == (other.game, other.pokes, other.resets)
        return same and np.array_equal(self.actions, other.actions)

    __hash__ = None  # type: ignore[assignment]


def read_movie(path: str | Path, game: str) -> Movie:
    """Read a movie file; its content says which kind.

    Args:
        game: what a `.fm2` file is for, since it does not say.
    Raises:
        DataError: it cannot be read, is no movie, is damaged, or uses what cannot be replayed (save states, PAL,
            a second controller, other devices).
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise DataError(f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB: no movie is")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return parse_json(data) if data.lstrip()[:1] == b"{" else parse_fm2(data, game)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def write_movie(movie: Movie, path: str | Path) -> None:
    """Write a JSON movie, whole or not at all."""
    write_bytes(path, format_json(movie))


def parse_fm2(data: bytes, game: str) -> Movie:
    """The bytes of a FCEUX text movie. Raises DataError as `read_movie` does."""
    header: dict[bytes, bytes] = {}
    actions = bytearray()
    resets: list[tuple[int, str]] = []
    for number, raw in enumerate(data.split(b"\n"), 1):
        line = raw.rstrip(b"\r")
        if line.startswith(b"|"):
            if not actions:
                _check_fm2_header(header)
            command, action = _fm2_record(line, number)
            if command:
                resets.append((len(actions), "hard" if command & 2 else "soft"))
            actions.append(action)
            if len(actions) > MAX_FRAMES:
                raise DataError(f"more than {MAX_FRAMES} frames")
            continue
        if not line.strip():
            continue
        if actions:
            raise DataError(f"line {number}: neither input nor empty")
        key, _, value = line.partition(b" ")
        if key in (b"comment", b"subtitle"):
            continue
        if b"version" not in header and key != b"version":
            raise DataError("neither a .fm2 text movie (its first line is 'version 3') nor a JSON movie")
        header[key] = value.strip()
    if not actions:
        raise DataError("holds no input")
    _check_events(len(actions), (), resets)
    return Movie(game, np.frombuffer(bytes(actions), np.uint8), (), tuple(resets))


def _check_fm2_header(header: dict[bytes, bytes]) -> None:
    if header.get(b"version") != b"3":
        raise DataError("a .fm2 movie must begin with 'version 3'")
    for key, usual, what in (
        (b"binary", b"0", "binary input; save it as text in FCEUX"),
        (b"palFlag", b"0", "PAL timing"),
        (b"fourscore", b"0", "a four-player adapter"),
        (b"FDS", b"0", "the disk system"),
        (b"port0", b"1", "something else than a controller in port 1"),
    ):
        if header.get(key, usual) != usual:
            raise DataError(f"uses {what} ({key.decode()} is not {usual.decode()}): cannot be replayed")
    if b"savestate" in header:
        raise DataError("starts from a save state: only movies from power-on can be replayed")


def _fm2_record(line: bytes, number: int) -> tuple[int, int]:
    """(command, controller byte) of `|c|RLDUTSBA|...|`."""
    fields = line.split(b"|")
    if len(fields) < 4 or fields[-1].strip() or not 1 <= len(fields[1]) <= 3 or not fields[1].isdigit():
        raise DataError(f"line {number}: expected |command|RLDUTSBA|...|")
    command, pad = int(fields[1]), fields[2]
    if command & ~3:
        raise DataError(f"line {number}: command {command}: only resets (1, 2) can be replayed")
    if len(pad) != len(FM2_BITS):
        raise DataError(f"line {number}: {len(pad)} buttons instead of {len(FM2_BITS)}")
    if fields[3].strip(b" ."):
        raise DataError(f"line {number}: a second controller is used: cannot be replayed")
    return command, sum(bit for bit, mark in zip(FM2_BITS, pad, strict=True) if mark not in b" .")


def parse_json(data: bytes) -> Movie:
    """The bytes of a JSON movie. Raises DataError as `read_movie` does."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"damaged JSON: {error}") from None
    if not isinstance(value, dict) or value.get("format") != "hst-movie":
        raise DataError('not a movie: "format" must be "hst-movie"')
    if value.get("version") != 1:
        raise DataError(f"movie version {value.get('version')!r}: this program reads version 1")
    unknown = set(value) - {"format", "version", "game", "actions", "pokes", "resets"}
    if unknown:
        raise DataError(f"unknown entry {min(unknown)!r} in the movie")
    game, text = value.get("game"), value.get("actions")
    if not isinstance(game, str) or not game or not isinstance(text, str):
        raise DataError('a movie needs "game" and "actions", both texts')
    actions = _expand(text)
    pokes, resets = _events(value, "pokes", 3), _events(value, "resets", 2)
    _check_events(len(actions), pokes, resets)
    return Movie(game, actions, pokes, resets)


def format_json(movie: Movie) -> bytes:
    """JSON text of a movie, with runs of equal actions shortened."""
    runs = [(action, sum(1 for _ in run)) for action, run in groupby(movie.actions.tolist())]
    value: dict[str, Any] = {"format": "hst-movie", "version": 1, "game": movie.game}
    value["actions"] = " ".join(f"{action:02x}" + (f"*{count}" if count > 1 else "") for action, count in runs)
    if movie.pokes:
        value["pokes"] = [list(poke) for poke in movie.pokes]
    if movie.resets:
        value["resets"] = [list(reset) for reset in movie.resets]
    return (json.dumps(value) + "\n").encode("utf-8")


def _expand(text: str) -> np.ndarray:
    values, counts, total = bytearray(), [], 0
    for word in text.split():
        match = _RUN.fullmatch(word)
        if match is None:
            raise DataError(f"actions: {word[:20]!r} is not a hexadecimal byte such as 14 or 14*30")
        count = int(match[2] or 1)
        total += count
        if total > MAX_FRAMES:  # before anything of that size is made
            raise DataError(f"more than {MAX_FRAMES} frames")
        values.append(int(match[1], 16))
        counts.append(count)
    if not total:
        raise DataError("holds no input")
    return np.repeat(np.frombuffer(bytes(values), np.uint8), counts)


def _events(value: dict[str, Any], key: str, size: int) -> tuple[Any, ...]:
    entries = value.get(key, [])
    if not isinstance(entries, list) or len(entries) > MAX_EVENTS:
        raise DataError(f'"{key}" must be a list of at most {MAX_EVENTS} entries')
    for entry in entries:
        if not isinstance(entry, list) or len(entry) != size:
            raise DataError(f"{str(entry)[:40]}: expected a list of {size} entries")
    return tuple(map(tuple, entries))


def _check_events(length: int, pokes: Iterable[tuple[Any, ...]], resets: Iterable[tuple[Any, ...]]) -> None:
    last = 0
    for frame, address, value in pokes:
        limits = ((frame, length - 1), (address, 0x7FF), (value, 0xFF))
        if any(type(number) is not int or not 0 <= number <= limit for number, limit in limits) or frame < last:
            raise DataError("a poke needs a frame of the movie (ascending), an address up to 2047, a value up to 255")
        last = frame
    last = -1
    for frame, kind in resets:
        if type(frame) is not int or not last < frame < length or kind not in RESETS:
            raise DataError('a reset needs a frame of the movie (ascending) and "soft" or "hard"')
        last = frame
