"""One column of an episode on disk: rows packed into zstd groups, with an index of offsets and checksums.

A group is an independent zstd frame, so reading one row costs one group. What tells damage is the CRC-32 of its packed
bytes, checked at every reading: they are a hundredth of the unpacked ones, over which zstd's own checksum would take
longer than unpacking. Stores of format 1 have that checksum instead, and are read more slowly for it.
"""

from __future__ import annotations

import math
import os
import struct
import threading
import zlib
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np
import zstandard

from ...errors import StoreError
from .layouts import LAYOUTS, PLAIN, TRANSPOSED, lay_out, size_limits, take

FORMATS = (1, 2)  # that are read; the last one is written
HEADS = [b"HSTDATA1" + struct.pack("<II", form, 0) for form in FORMATS]  # the first 16 bytes of a data file
MAX_GROUP_BYTES = 1 << 30  # a group that claims to be larger is damage, not data
_LOCAL = threading.local()  # zstd contexts are not thread-safe: one per thread


@dataclass(frozen=True)
class Column:
    """Where one column lies in a data file and how it is packed.

    Attributes:
        name: "frames", "state", "context" or "actions".
        shape: shape of one row; the dtype is always uint8.
        rows: number of rows.
        group: rows per group (the last one may hold fewer).
        layout: how rows lie inside a group, see `groups`.
        index_at: byte position of the index: uint64 little endian [groups + 1], absolute offsets of the groups, then
            uint32 little endian [groups], the CRC-32 of each packed group.
        index_crc: CRC-32 of the index.
        format: of the store that the column was written for. In format 1 the index holds no CRC-32, and groups carry
            zstd's checksum of their content.
    """

    name: str
    shape: tuple[int, ...]
    rows: int
    group: int
    layout: str
    index_at: int
    index_crc: int
    format: int = FORMATS[-1]

    @cached_property
    def row_bytes(self) -> int:
        return math.prod(self.shape)

    @cached_property
    def groups(self) -> int:
        return -(-self.rows // self.group)

    @property
    def index_bytes(self) -> int:
        return 8 * (self.groups + 1) + (0 if self.format == 1 else 4 * self.groups)

    def to_json(self) -> dict[str, Any]:
        value = {**asdict(self), "shape": list(self.shape)}
        del value["format"]
        if self.format == 1:
            value["transposed"] = value.pop("layout") == TRANSPOSED
        return value

    @staticmethod
    def from_json(value: dict[str, Any]) -> Column:
        """Raises KeyError, TypeError or ValueError for anything that is not a sane column."""
        numbers = {key: value[key] for key in ("rows", "group", "index_at", "index_crc")}
        shape = tuple(value["shape"])
        if not all(type(n) is int and n >= 0 for n in (*numbers.values(), *shape)):
            raise ValueError("column sizes must be whole numbers of 0 or more")
        if "layout" in value:
            layout, form = value["layout"], FORMATS[-1]
            if layout not in LAYOUTS:
                raise ValueError(f"layout {layout!r}")
        else:
            layout, form = TRANSPOSED if value["transposed"] else PLAIN, 1
        column = Column(name=str(value["name"]), shape=shape, layout=layout, format=form, **numbers)
        if not 0 < column.row_bytes * min(column.group, column.rows) <= MAX_GROUP_BYTES:
            raise ValueError(f"column {column.name}: group of {column.group} rows of shape {list(shape)}")
        return column


class ColumnWriter:
    """Packs rows of one column into an open data file, group by group.

    Args:
        file: binary file positioned where the groups shall start; nobody else writes to it until `finish`.
        name, shape, group, layout: see Column.
        level: zstd level.
        offsets, sums: as of `Index`, of whole groups that the file holds already.
    """

    def __init__(
        self, file: BinaryIO, name: str, shape: Sequence[int], group: int, layout: str, level: int,
        offsets: Sequence[int] = (), sums: Sequence[int] = (),
    ) -> None:  # fmt: skip
        self._file, self._name, self._layout = file, name, layout
        self._shape = tuple(int(n) for n in shape)
        self._compressor = zstandard.ZstdCompressor(level=level, write_checksum=False, write_content_size=True)
        self._buffer = np.empty((group, *self._shape), np.uint8)
        self._filled, self._rows = 0, group * len(sums)
        self._offsets = list(offsets) or [file.tell()]
        self._sums = list(sums)

    @property
    def last_group(self) -> tuple[int, int]:
        """Where the last whole group ends in the file, and its CRC-32."""
        return self._offsets[-1], self._sums[-1]

    def add(self, row: np.ndarray) -> bool:
        """Append one row, uint8 of the column's shape; True where that makes a group whole."""
        self._buffer[self._filled] = row
        self._filled += 1
        self._rows += 1
        whole = self._filled == len(self._buffer)
        if whole:
            self._pack()
        return whole

    def flush(self, sync: bool) -> None:
        """Hand what is packed to the system, and where `sync` wait until it is on the disk."""
        self._file.flush()
        if sync:
            os.fsync(self._file.fileno())

    def _pack(self) -> None:
        block = lay_out(self._buffer[: self._filled].reshape(self._filled, -1), self._layout)
        packed = self._compressor.compress(block.data)
        self._file.write(packed)
        self._sums.append(zlib.crc32(packed))
        self._offsets.append(self._file.tell())
        self._filled = 0

    def finish(self) -> Column:
        """Write the last group and the index."""
        if self._filled:
            self._pack()
        index = np.array(self._offsets, "<u8").tobytes() + np.array(self._sums, "<u4").tobytes()
        self._file.write(index)
        return Column(
            name=self._name,
            shape=self._shape,
            rows=self._rows,
            group=len(self._buffer),
            layout=self._layout,
            index_at=self._offsets[-1],
            index_crc=zlib.crc32(index),
        )


@dataclass(frozen=True)
class Index:
    """Where the groups of a column lie in its data file.

    Attributes:
        offsets: of each group and of the end of the last one.
        sums: CRC-32 of each packed group; None for a column of format 1.
    """

    offsets: list[int]
    sums: list[int] | None


def read_index(data: memoryview, column: Column, where: str) -> Index:
    """Read and check the index of a column. Raises StoreError: cut off, damaged or pointing beyond the file."""
    raw = data[column.index_at : column.index_at + column.index_bytes]
    if len(raw) != column.index_bytes or zlib.crc32(raw) != column.index_crc:
        raise StoreError(f"{where}: the index of column '{column.name}' is damaged; run preprocess with --rebuild")
    offsets = np.frombuffer(raw, "<u8", column.groups + 1)
    if offsets[-1] > column.index_at or (np.diff(offsets.astype(np.int64)) <= 0).any():
        raise StoreError(f"{where}: the index of column '{column.name}' is inconsistent; run preprocess with --rebuild")
    sums = None if column.format == 1 else np.frombuffer(raw, "<u4", column.groups, offsets.nbytes).tolist()
    return Index(offsets.tolist(), sums)


def read_rows(
    data: memoryview,
    column: Column,
    index: Index,
    rows: np.ndarray,
    where: str,
    window: tuple[slice, ...] = (),
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Unpack chosen rows; only the groups they lie in are touched.

    Args:
        data: the whole data file.
        index: from `read_index`.
        rows: int64 [N], each in 0 .. column.rows - 1, any order, repeats allowed.
        where: the file's name for messages.
        window: which part of each row is wanted, one slice for each of the first axes of its shape.
        out: where to write; None = a new array.
    Returns:
        uint8 [N, *shape], or what `window` leaves of that.
    Raises:
        StoreError: a group is damaged.
    """
    if out is None:
        part = np.broadcast_to(np.uint8(0), column.shape)[window].shape if window else column.shape
        out = np.empty((len(rows), *part), np.uint8)
    window = (slice(None), *window)
    wanted, order = rows.tolist(), None
    ascending = sorted(wanted)
    if wanted != ascending:
        wanted, order = ascending, np.argsort(rows, kind="stable")
    begin = 0
    while begin < len(wanted):
        group = wanted[begin] // column.group
        first_row = group * column.group
        end = bisect_left(wanted, first_row + column.group, begin)
        count = min(column.group, column.rows - first_row)
        block = _unpack(data, column, index, group, count, where)
        found = take(block, column.layout, count, _picked(wanted[begin:end], first_row), column.row_bytes)
        if found is None:
            raise _damage(where, column, "does not hold what it should")
        to = slice(begin, end) if order is None else order[begin:end]
        out[to] = found.reshape(-1, *column.shape)[window]
        begin = end
    return out


def _picked(rows: list[int], first: int) -> slice | list[int]:
    """Ascending rows as a slice where they are evenly spaced: a slice is copied once, a list of rows twice."""
    step = rows[1] - rows[0] if len(rows) > 1 else 1
    if step > 0 and (len(rows) < 3 or rows == list(range(rows[0], rows[-1] + 1, step))):
        return slice(rows[0] - first, rows[-1] + 1 - first, step)
    return [row - first for row in rows]


def _unpack(data: memoryview, column: Column, index: Index, group: int, count: int, where: str) -> np.ndarray:
    """Content of a group, uint8 [size], in a buffer of this thread that the next call overwrites.

    Unpacking into memory that is already there doubles the speed of reading clips.
    """
    packed = data[index.offsets[group] : index.offsets[group + 1]]
    if index.sums is not None and zlib.crc32(packed) != index.sums[group]:
        raise _damage(where, column, "is damaged (its CRC-32 does not match)")
    try:
        # the size is checked before memory is taken for it
        size = zstandard.frame_content_size(packed)
        least, most = size_limits(column.layout, count, column.row_bytes)
        if not least <= size <= most:
            raise _damage(where, column, f"claims {size} bytes instead of {most}")
        if not hasattr(_LOCAL, "decompressor"):
            _LOCAL.decompressor, _LOCAL.buffer = zstandard.ZstdDecompressor(), bytearray()
        if len(_LOCAL.buffer) < size:
            _LOCAL.buffer = bytearray(size)
        block = memoryview(_LOCAL.buffer)[:size]
        with _LOCAL.decompressor.stream_reader(packed) as reader:
            if reader.readinto(block) != size or reader.read(1):  # the last read also checks the end of the frame
                raise _damage(where, column, "is cut off")
        return np.frombuffer(block, np.uint8)
    except zstandard.ZstdError as error:
        raise _damage(where, column, f"is damaged ({error})") from None


def _damage(where: str, column: Column, what: str) -> StoreError:
    return StoreError(f"{where}: a group of column '{column.name}' {what}; run preprocess with --rebuild")
