"""One column of an episode on disk: rows packed into zstd groups, with an offset index.

A group is an independent zstd frame (checksum on), so reading one row costs one group. Pictures are packed as they are;
memory is packed transposed (all values of one address side by side), which halves its size because most addresses
change rarely.
"""

from __future__ import annotations

import struct
import threading
import zlib
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import numpy as np
import zstandard

from ..errors import StoreError

MAGIC = b"HSTDATA1"  # first bytes of every data file
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
        transposed: groups are stored [values, rows] instead of [rows, values].
        index_at: byte position of the index: uint64 little endian [groups + 1], absolute offsets of the groups.
        index_crc: CRC-32 of the index.
    """

    name: str
    shape: tuple[int, ...]
    rows: int
    group: int
    transposed: bool
    index_at: int
    index_crc: int

    @property
    def row_bytes(self) -> int:
        size = 1
        for n in self.shape:
            size *= n
        return size

    @property
    def groups(self) -> int:
        return -(-self.rows // self.group)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "shape": list(self.shape)}

    @staticmethod
    def from_json(value: dict[str, Any]) -> Column:
        """Raises KeyError, TypeError or ValueError for anything that is not a sane column."""
        numbers = {key: value[key] for key in ("rows", "group", "index_at", "index_crc")}
        shape = tuple(value["shape"])
        if not all(type(n) is int and n >= 0 for n in (*numbers.values(), *shape)):
            raise ValueError("column sizes must be whole numbers of 0 or more")
        column = Column(name=str(value["name"]), shape=shape, transposed=bool(value["transposed"]), **numbers)
        if not 0 < column.row_bytes * min(column.group, column.rows) <= MAX_GROUP_BYTES:
            raise ValueError(f"column {column.name}: group of {column.group} rows of shape {list(shape)}")
        return column


class ColumnWriter:
    """Packs rows of one column into an open data file, group by group.

    Args:
        file: binary file positioned where the groups shall start; nobody else writes to it until `finish`.
        name, shape, group, transposed: see Column.
        level: zstd level.
    """

    def __init__(
        self, file: BinaryIO, name: str, shape: Sequence[int], group: int, transposed: bool, level: int
    ) -> None:
        self._file = file
        self._name = name
        self._shape = tuple(int(n) for n in shape)
        self._transposed = transposed
        self._compressor = zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True)
        self._buffer = np.empty((group, *self._shape), np.uint8)
        self._filled = 0
        self._rows = 0
        self._offsets = [file.tell()]

    def add(self, row: np.ndarray) -> None:
        """Append one row, uint8 of the column's shape."""
        self._buffer[self._filled] = row
        self._filled += 1
        self._rows += 1
        if self._filled == len(self._buffer):
            self._flush()

    def _flush(self) -> None:
        block = self._buffer[: self._filled]
        if self._transposed:
            block = np.ascontiguousarray(block.reshape(self._filled, -1).T)
        self._file.write(self._compressor.compress(block.data))
        self._offsets.append(self._file.tell())
        self._filled = 0

    def finish(self) -> Column:
        """Write the last group and the index."""
        if self._filled:
            self._flush()
        index = np.array(self._offsets, "<u8").tobytes()
        self._file.write(index)
        return Column(
            name=self._name,
            shape=self._shape,
            rows=self._rows,
            group=len(self._buffer),
            transposed=self._transposed,
            index_at=self._offsets[-1],
            index_crc=zlib.crc32(index),
        )


def read_index(data: memoryview, column: Column, where: str) -> np.ndarray:
    """Offsets of the groups, uint64 [groups + 1].

    Raises:
        StoreError: the index is cut off, damaged or points outside of the file.
    """
    count = column.groups + 1
    raw = data[column.index_at : column.index_at + 8 * count]
    if len(raw) != 8 * count or zlib.crc32(raw) != column.index_crc:
        raise StoreError(f"{where}: the index of column '{column.name}' is damaged; run preprocess with --rebuild")
    index = np.frombuffer(raw, "<u8")
    if index[-1] > column.index_at or (np.diff(index.astype(np.int64)) <= 0).any():
        raise StoreError(f"{where}: the index of column '{column.name}' is inconsistent; run preprocess with --rebuild")
    return index


def read_rows(
    data: memoryview, column: Column, index: np.ndarray, rows: np.ndarray, where: str, sums: np.ndarray
) -> np.ndarray:
    """Unpack chosen rows; only the groups they lie in are touched.

    Args:
        data: the whole data file.
        index: from `read_index`.
        rows: int64 [N], each in 0 .. column.rows - 1, any order, repeats allowed.
        where: the file's name for messages.
        sums: from `no_sums`, kept by the caller: what is known of groups that were unpacked before.
    Returns:
        uint8 [N, *shape].
    Raises:
        StoreError: a group is damaged.
    """
    out = np.empty((len(rows), *column.shape), np.uint8)
    flat = out.reshape(len(rows), column.row_bytes)
    wanted = rows.tolist()
    order = None if wanted == sorted(wanted) else np.argsort(rows, kind="stable")
    if order is not None:
        wanted = rows[order].tolist()
    begin = 0
    while begin < len(wanted):
        group = wanted[begin] // column.group
        first_row = group * column.group
        end = bisect_left(wanted, first_row + column.group, begin)
        count = min(column.group, column.rows - first_row)
        packed = data[int(index[group]) : int(index[group + 1])]
        block = _unpack(packed, count * column.row_bytes, column, where, sums, group)
        inside = _picked([row - first_row for row in wanted[begin:end]])
        to = slice(begin, end) if order is None else order[begin:end]
        flat[to] = block.reshape(-1, count)[:, inside].T if column.transposed else block.reshape(count, -1)[inside]
        begin = end
    return out


def _picked(rows: list[int]) -> slice | list[int]:
    """Ascending rows as a slice where they are evenly spaced: a slice is copied once, a list of rows twice."""
    step = rows[1] - rows[0] if len(rows) > 1 else 1
    if step > 0 and rows == list(range(rows[0], rows[-1] + 1, step)):
        return slice(rows[0], rows[-1] + 1, step)
    return rows


def no_sums(column: Column) -> np.ndarray:
    """int64 [groups], all -1: no group of this column was unpacked yet. `read_rows` fills it in."""
    return np.full(column.groups, -1, np.int64)


def _unpack(packed: memoryview, size: int, column: Column, where: str, sums: np.ndarray, group: int) -> np.ndarray:
    """Content of a group, uint8 [size], in a buffer of this thread that the next call overwrites.

    Unpacking into memory that is already there doubles the speed of reading clips. So does leaving out the checksum
    over the content, which is checked when a group is unpacked for the first time; from then on the CRC-32 of the
    packed bytes, a hundredth as many, tells whether they are still the same.
    """
    try:
        # the size is checked before memory is taken for it
        claimed = zstandard.frame_content_size(packed)
        if claimed != size:
            raise StoreError(
                f"{where}: a group of column '{column.name}' claims {claimed} bytes instead of {size}; "
                "run preprocess with --rebuild"
            )
        if not hasattr(_LOCAL, "decompressor"):
            _LOCAL.decompressor, _LOCAL.buffer = zstandard.ZstdDecompressor(), bytearray()
        if len(_LOCAL.buffer) < size:
            _LOCAL.buffer = bytearray(size)
        block = memoryview(_LOCAL.buffer)[:size]
        crc = zlib.crc32(packed)
        known = crc == sums[group]
        source = _without_checksum(packed) if known else packed
        with _LOCAL.decompressor.stream_reader(source) as reader:
            if reader.readinto(block) != size or reader.read(1):  # the last read also checks the checksum
                raise StoreError(
                    f"{where}: a group of column '{column.name}' is cut off; run preprocess with --rebuild"
                )
        sums[group] = crc
        return np.frombuffer(block, np.uint8)
    except zstandard.ZstdError as error:
        raise StoreError(
            f"{where}: a group of column '{column.name}' is damaged ({error}); run preprocess with --rebuild"
        ) from None


def _without_checksum(packed: memoryview) -> memoryview | bytearray:
    """The same zstd frame without its checksum (RFC 8878: bit 2 of the byte after the magic, last four bytes)."""
    if not packed[4] & 4:
        return packed
    frame = bytearray(packed[:-4])
    frame[4] &= ~4
    return frame


def pack_header() -> bytes:
    """The first 16 bytes of a data file: magic, format version, zeros."""
    return MAGIC + struct.pack("<II", 1, 0)


def check_header(data: memoryview, where: str) -> None:
    if bytes(data[:16]) != pack_header():
        raise StoreError(f"{where}: not a data file of this format version; run preprocess with --rebuild")
