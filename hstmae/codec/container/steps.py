"""What an environment said at each step of an episode: rewards, actions as they were, numbers of its info.

Payload of a STEPS chunk, which tells of the frames from the chunk's `first` on, in a group or more.
"""

from __future__ import annotations

import json
import math
import re
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import CodecError
from .chunks import read_payload
from .contents import Entry

MAX_COLUMNS, MAX_ROW, MAX_STEPS = 64, 1 << 20, 1 << 16  # columns, bytes of one step, steps of a chunk
MAX_UNPACKED = 256 << 20
_LENGTH = struct.Struct("<I")
_NAME = re.compile(r"[^\x00-\x1f]{1,100}")
_KINDS = {f"{order}{kind}{size}" for order, kind, size in (
    *(("|", kind, 1) for kind in "biu"), *(("<", kind, size) for kind in "iuf" for size in (2, 4, 8)),
)}  # fmt: skip
_ERRORS = (ValueError, TypeError, KeyError, AttributeError, RecursionError, struct.error, zlib.error)


def pack_steps(columns: Mapping[str, np.ndarray]) -> bytes:
    """Columns [T, ...] of numbers or truth values, each of the same length.

    Raises:
        ValueError: they are of other types or lengths, or more than a chunk may hold.
    """
    arrays = {name: np.ascontiguousarray(a, a.dtype.newbyteorder("<")) for name, a in columns.items()}
    said: list[Any] = [[name, array.dtype.str, list(array.shape[1:])] for name, array in arrays.items()]
    rows = {len(array) for array in arrays.values()}
    if len(rows) != 1:
        raise ValueError(f"columns of {sorted(rows)} steps")
    (count,) = rows
    _sizes(count, said)
    text = zlib.compress(json.dumps({"steps": count, "columns": said}, separators=(",", ":")).encode(), 9)
    packed = [zlib.compress(_by_byte(array), 9) for array in arrays.values()]
    return _LENGTH.pack(len(text)) + text + b"".join(_LENGTH.pack(len(part)) + part for part in packed)


def check_columns(columns: Mapping[str, np.ndarray]) -> None:
    """Raises ValueError where the values of one step are more, or of other types, than `pack_steps` takes."""
    _sizes(1, [[name, a.dtype.newbyteorder("<").str, list(a.shape)] for name, a in columns.items()])


def unpack_steps(payload: bytes | memoryview) -> dict[str, np.ndarray]:
    """Raises CodecError for what makes no sense."""
    try:
        data = memoryview(payload)
        text, at = _part(data, 0)
        said = json.loads(_inflated(text, 1 << 16))
        count, columns = said["steps"], said["columns"]
        found = {}
        for (name, kind, shape), size in zip(columns, _sizes(count, columns), strict=True):
            part, at = _part(data, at)
            raw = _inflated(part, size)
            if len(raw) != size:
                raise ValueError(f"column {name!r} has {len(raw)} bytes instead of {size}")
            width = np.dtype(kind).itemsize
            planes = np.frombuffer(raw, np.uint8).reshape(width, -1).T
            found[name] = np.ascontiguousarray(planes).view(kind).reshape(count, *shape)
        if at != len(data):
            raise ValueError("bytes left over")
        return found
    except _ERRORS as error:
        raise CodecError(f"senseless steps of an environment ({error})") from None


def steps_of(data: memoryview, entry: Entry, where: str) -> dict[str, np.ndarray]:
    """What an environment said of the frames of an episode that are there, see `HstReader.steps`. Raises CodecError."""
    out: dict[str, np.ndarray] = {}
    count = max((header.first + header.frames for _, header in entry.gops), default=0)
    for place in entry.steps:
        payload, first = read_payload(data, *place), place[1].first
        for name, rows in unpack_steps(payload).items() if payload is not None else ():
            column = out.setdefault(name, np.zeros((count, *rows.shape[1:]), rows.dtype))
            if first + len(rows) > count or column.shape[1:] != rows.shape[1:]:
                raise CodecError(f"{where}: steps at {first} that do not go with the frames, or with others")
            if column.dtype != rows.dtype:  # whole numbers that became fractions
                column = out[name] = column.astype(np.result_type(column, rows))
            column[first : first + len(rows)] = rows
    lost = np.concatenate([np.arange(a, a + n) for a, n in entry.missing()] or [np.zeros(0, np.int64)])
    return {name: np.delete(column, lost[lost < count], 0) for name, column in out.items()}


def _by_byte(array: np.ndarray) -> bytes:
    """All first bytes of the numbers, then all second ones: what is alike stands together."""
    return array.reshape(-1).view(np.uint8).reshape(-1, array.dtype.itemsize).T.tobytes()


def _part(data: memoryview, at: int) -> tuple[memoryview, int]:
    (length,) = _LENGTH.unpack_from(data, at)
    end = at + _LENGTH.size + length
    if end > len(data):
        raise ValueError("cut off")
    return data[at + _LENGTH.size : end], end


def _inflated(part: memoryview, most: int) -> bytes:
    unpack = zlib.decompressobj()
    raw = unpack.decompress(part, most + 1)
    if not unpack.eof or unpack.unused_data:
        raise ValueError("more or less than it states")
    return raw


def _sizes(count: int, columns: list[Any]) -> list[int]:
    """Bytes of each column. Raises ValueError beyond a limit."""
    if type(count) is not int or not 0 <= count <= MAX_STEPS or not 0 < len(columns) <= MAX_COLUMNS:
        raise ValueError(f"{count} steps of {len(columns)} columns; at most {MAX_STEPS:,} of 1 to {MAX_COLUMNS}")
    sizes = []
    for name, kind, shape in columns:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or kind not in _KINDS:
            raise ValueError(f"column {name!r} of type {kind}: numbers and truth values are kept")
        if len(shape) > 8 or not all(type(n) is int and 0 <= n <= MAX_ROW for n in shape):
            raise ValueError(f"column {name!r} has an impossible shape")
        row = math.prod(shape) * np.dtype(kind).itemsize
        if row > MAX_ROW or row * count > MAX_UNPACKED:
            raise ValueError(f"column {name!r} has {row:,} bytes a step, at most {MAX_ROW:,} are kept")
        sizes.append(row * count)
    if len({name for name, _, _ in columns}) != len(columns):
        raise ValueError("a column twice")
    return sizes
