"""Steps as they come, in a file beside the recording: quick to write, and whole up to the last record whatever happens.

A record is its kind, length and CRC-32, then its payload. What codes the recording reads it while it grows.
"""

from __future__ import annotations

import contextlib
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..codec.container.steps import check_columns
from ..errors import CodecError, DataError

MAGIC = b"hst-steps-1\n"
ABOUT, BEGIN, FRAME, END, CLOSED = range(1, 6)
_RECORD, _FRAME, _MOST = struct.Struct("<BII"), struct.Struct("<IIIII"), 256 << 20
_WHOLE = 0xFFFFFFFF  # instead of a number: all of the picture; no memory
_LEVEL = 1  # of zlib: differences of pictures are mostly zeros, and the environment waits


@dataclass(frozen=True)
class Step:
    """Attributes: picture: uint8 [H, W] or [H, W, 3]; state: uint8 [S], memory; columns: what else is said of it, by
    name, each an array of numbers."""

    picture: np.ndarray
    state: np.ndarray | None
    columns: dict[str, np.ndarray]


class SpoolWriter:
    """Args: path: of a new file; about: JSON values for whoever reads it."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self._file = path.open("xb", buffering=0)
        self._broken: OSError | None = None
        self._write(MAGIC)
        self._last: dict[int, np.ndarray] = {}
        self._heads: dict[Any, bytes] = {}
        self._record(ABOUT, json.dumps(about).encode())

    def begin(self, lane: int, name: str) -> None:
        """An episode of environment `lane` begins."""
        self._last.pop(lane, None)
        self._record(BEGIN, json.dumps({"lane": lane, "name": name}).encode())

    def frame(self, lane: int, step: Step) -> None:
        """Raises DataError for what no recording holds, OSError where it cannot be written; then no more can be."""
        picture, columns = np.ascontiguousarray(step.picture), step.columns
        last = self._last.get(lane)
        kinds = (picture.shape, *((name, a.dtype.str, a.shape) for name, a in columns.items()))
        if kinds not in self._heads:
            try:
                check_columns(columns)
            except ValueError as error:
                raise DataError(f"a step that cannot be kept: {error}") from None
            self._heads[kinds] = json.dumps({"p": picture.shape, "c": kinds[1:]}, separators=(",", ":")).encode()
        text = self._heads[kinds]
        if last is None or last.shape != picture.shape:
            top, end, rows = 0, _WHOLE, picture
            self._last[lane] = picture.copy()
        else:  # the rows between the first and the last that are other than before
            rows = picture ^ last
            other = np.flatnonzero(rows.reshape(len(rows), -1).any(1))
            top, end = (int(other[0]), int(other[-1]) + 1) if len(other) else (0, 0)
            rows = rows[top:end]
            last[top:end] = picture[top:end]
        state = b"" if step.state is None else step.state.tobytes()
        sizes = _FRAME.pack(lane, len(text), _WHOLE if step.state is None else len(state), top, end)
        said = b"".join(a.tobytes() for a in columns.values())
        self._record(FRAME, b"".join((sizes, text, state, said, zlib.compress(rows.tobytes(), _LEVEL))))

    def end(self, lane: int, outcome: str) -> None:
        self._record(END, json.dumps({"lane": lane, "outcome": outcome}).encode())

    def close(self) -> None:
        if not self._file.closed:
            with contextlib.suppress(OSError):  # whoever reads it sees that no more comes
                self._record(CLOSED, b"")
            self._file.close()

    def _record(self, kind: int, payload: bytes) -> None:
        self._write(_RECORD.pack(kind, len(payload), zlib.crc32(payload)) + payload)

    def _write(self, data: bytes) -> None:
        """To the system at once: a killed process loses nothing. What is written in part is taken back: behind it
        nothing could be read."""
        if self._broken is not None:
            raise self._broken
        start, view = self._file.tell(), memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            self._broken = error
            with contextlib.suppress(OSError):
                self._file.truncate(start)
            raise


def holds_steps(path: Path) -> bool:
    """Whether a file is one of steps."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


@dataclass(frozen=True)
class Record:
    """Attributes: kind; lane; values: of ABOUT, BEGIN, END and CLOSED; step: of FRAME."""

    kind: int
    lane: int
    values: dict[str, Any]
    step: Step | None = None


def read_spool(path: Path, wait: Callable[[], bool]) -> Iterator[Record]:
    """The records of a file that may still grow.

    Args:
        wait: called where it ends for now; False = no more comes.
    Raises:
        CodecError: no such file. Damage ends it: records behind cannot be understood without those before. The last
            record is CLOSED, with the bytes that are `left`.
    """
    last: dict[int, np.ndarray] = {}
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise CodecError(f"{path}: holds no steps of an environment")
        while (found := _next(file, wait)) is not None:
            kind, payload = found
            if kind == CLOSED:
                yield Record(CLOSED, 0, {"left": 0})
                return
            if kind == FRAME:
                record = _frame(payload, last)
            else:
                values = json.loads(payload)
                record = Record(kind, int(values.get("lane", 0)), values)
                if kind == BEGIN:
                    last.pop(record.lane, None)
            yield record
        yield Record(CLOSED, 0, {"left": path.stat().st_size - file.tell()})


def _next(file: BinaryIO, wait: Callable[[], bool]) -> tuple[int, bytes] | None:
    at, more = file.tell(), True
    while True:
        head = file.read(_RECORD.size)
        if len(head) == _RECORD.size:
            kind, length, crc = _RECORD.unpack(head)
            if length > _MOST:
                file.seek(at)
                return None
            payload = file.read(length)
            if len(payload) == length:
                if zlib.crc32(payload) == crc:
                    return kind, payload
                file.seek(at)
                return None
        file.seek(at)
        if not more:
            return None
        more = wait()


def _frame(payload: bytes, last: dict[int, np.ndarray]) -> Record:
    lane, text, size, top, end = _FRAME.unpack_from(payload)
    at = _FRAME.size + text
    head = json.loads(payload[_FRAME.size : at])
    state = None
    if size != _WHOLE:
        state = np.frombuffer(payload, np.uint8, size, at)
        at += size
    columns = {}
    for name, kind, shape in head["c"]:
        column = np.frombuffer(payload, kind, int(np.prod(shape, dtype=np.int64)), at).reshape(shape)
        columns[name] = column
        at += column.nbytes
    raw = np.frombuffer(zlib.decompress(payload[at:]), np.uint8)
    if end == _WHOLE:
        picture = raw.reshape(head["p"])
    else:
        picture = last[lane].copy()  # the one before may still be in use
        picture[top:end] ^= raw.reshape(picture[top:end].shape)
    last[lane] = picture
    return Record(FRAME, lane, {}, Step(picture, state, columns))
