"""One column of an episode on disk: rows packed into zstd groups, with an offset index.

A group is an independent zstd frame (checksum on), so reading one row costs one group. Pictures are packed as they are;
memory is packed transposed (all values of one address side by side), which halves its size because most addresses
change rarely.
"""

from __future__ import annotations

import struct
import threading
import zlib
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
        if column.group < 1 or min(column.group, column.rows) * column.row_bytes > MAX_GROUP_BYTES:
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


def read_rows(data: memoryview, column: Column, index: np.ndarray, rows: np.ndarray, where: str) -> np.ndarray:
    """Unpack chosen rows; only the groups they lie in are touched.

    Args:
        data: the whole data file.
        index: from `read_index`.
        rows: int64 [N], each in 0 .. column.rows - 1, any order, repeats allowed.
        where: the file's name for messages.
    Returns:
        uint8 [N, *shape].
    Raises:
        StoreError: a group is damaged.
    """
    out = np.empty((len(rows), *column.shape), np.uint8)
    flat = out.reshape(len(rows), column.row_bytes)
    groups = rows // column.group
    for group in np.unique(groups).tolist():
        count = min(column.group, column.rows - group * column.group)
        block = _unpack(data[int(index[group]) : int(index[group + 1])], count * column.row_bytes, column, where)
        here = np.flatnonzero(groups == group)
        inside = rows[here] - group * column.group
        if column.transposed:
            flat[here] = block.reshape(-1, count)[:, inside].T
        else:
            pictures = block.reshape(count, -1)
            for to, row in zip(here.tolist(), inside.tolist(), strict=True):
                flat[to] = pictures[row]  # one copy each; an index array would make two
    return out


def _unpack(packed: memoryview, size: int, column: Column, where: str) -> np.ndarray:
    """Content of a group, uint8 [size], in a buffer of this thread that the next call overwrites.

    Unpacking into memory that is already there doubles the speed of reading clips.
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
        with _LOCAL.decompressor.stream_reader(packed) as reader:
            if reader.readinto(block) != size or reader.read(1):  # the last read also checks the checksum
                raise StoreError(
                    f"{where}: a group of column '{column.name}' is cut off; run preprocess with --rebuild"
                )
        return np.frombuffer(block, np.uint8)
    except zstandard.ZstdError as error:
        raise StoreError(
            f"{where}: a group of column '{column.name}' is damaged ({error}); run preprocess with --rebuild"
        ) from None


def pack_header() -> bytes:
    """The first 16 bytes of a data file: magic, format version, zeros."""
    return MAGIC + struct.pack("<II", 1, 0)


def check_header(data: memoryview, where: str) -> None:
    if bytes(data[:16]) != pack_header():
        raise StoreError(f"{where}: not a data file of this format version; run preprocess with --rebuild")
