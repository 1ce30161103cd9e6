"""The index at the end of a closed file: the table of all chunk headers before it.

Columns of small numbers, each as differences and byte by byte, are packed by zlib to about five bytes for each group
of pictures. The index saves a scan and nothing else depends on it: a file without one is read by scanning. Small files,
which are read as a whole anyway, have none: their end says no more than that they are complete.
"""

import struct
import zlib
from collections.abc import Callable

import numpy as np

from . import chunks
from .chunks import Header, Place, chunk, parse_header, read_payload

_END = struct.Struct("<Q")
END_BYTES = chunks.OVERHEAD + _END.size
SMALL = 32 << 10  # bytes of chunks up to which a file is closed without an index
_COLUMNS = ("kind", "length", "episode", "first", "frames", "flags")


def pack_index(table: list[Place]) -> bytes:
    """Payload of an chunks.INDEX chunk over the chunks at the given offsets, in ascending order of offset."""
    count = len(table)
    columns = [np.array([offset for offset, _ in table], np.uint64)]
    columns += [np.array([_number(getattr(h, name)) for _, h in table], np.uint64) for name in _COLUMNS]
    deltas = np.stack([np.diff(column, prepend=np.uint64(0)) for column in columns])  # modulo 2**64
    planes = np.ascontiguousarray(deltas.astype("<u8").view(np.uint8).reshape(len(columns), count, 8).swapaxes(1, 2))
    return struct.pack("<I", count) + zlib.compress(planes.tobytes(), 9)


def _number(value: int | bytes) -> int:
    return int.from_bytes(value, "little") if isinstance(value, bytes) else value


def unpack_index(payload: bytes, file_bytes: int) -> list[Place] | None:
    """What `pack_index` packed; None where it is senseless. Offsets ascend and chunks lie inside of the file."""
    if len(payload) < 4:
        return None
    count = int.from_bytes(payload[:4], "little")
    if not 0 < count <= min(chunks.MAX_CHUNKS, file_bytes // chunks.OVERHEAD):
        return None
    rows, expected = len(_COLUMNS) + 1, count * (len(_COLUMNS) + 1) * 8
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(payload[4:], expected + 1)
    except zlib.error:
        return None
    if len(raw) != expected or not inflater.eof or inflater.unused_data:
        return None
    planes = np.frombuffer(raw, np.uint8).reshape(rows, 8, count)
    deltas = np.ascontiguousarray(planes.swapaxes(1, 2)).view("<u8").reshape(rows, count)
    offsets, *fields = (np.cumsum(row, dtype=np.uint64).tolist() for row in deltas)
    table: list[Place] = []
    end = chunks.PREAMBLE_BYTES
    for offset, kind, length, episode, first, frames, flags in zip(offsets, *fields, strict=True):
        if kind >= 1 << 32 or max(episode, first) >= 1 << 32 or max(frames, flags) >= 1 << 16:
            return None
        header = Header(kind.to_bytes(4, "little"), length, episode, first, frames, flags)
        if offset < end or length > chunks.MAX_PAYLOAD or offset + header.size > file_bytes:
            return None
        end = offset + header.size
        table.append((offset, header))
    return table


def pack_end(index_offset: int) -> bytes:
    """The last chunk of a closed file: where its index is."""
    return chunk(chunks.END, _END.pack(index_offset))


def pack_closing(table: list[Place], at: int) -> bytes:
    """What closes a file whose chunks are those of `table` and end at byte `at`."""
    return chunk(chunks.END, b"") if at <= SMALL else chunk(chunks.INDEX, pack_index(table)) + pack_end(at)


def find_index(data: memoryview, need: Callable[[int, int], None] | None = None) -> list[Place] | None:
    """The table of chunks that a closed file states at its end, or of a small one its headers; None where there is
    none that can be trusted. `need` is called with what is looked at, but for the end itself."""
    at = len(data) - chunks.OVERHEAD
    header = parse_header(data, at) if at <= SMALL else None
    if header is not None and header.kind == chunks.END and read_payload(data, at, header) == b"":
        if need is not None:
            need(0, at)
        return _walk(data[:at])
    at = len(data) - END_BYTES
    header = parse_header(data, at)
    if header is None or header.kind != chunks.END or header.length != _END.size:
        return None
    payload = read_payload(data, at, header)
    if payload is None:
        return None
    (offset,) = _END.unpack(payload)
    if need is not None and offset < at:
        need(offset, at)
    index = parse_header(data, offset) if offset < len(data) else None
    if index is None or index.kind != chunks.INDEX or offset + index.size != at:
        return None
    packed = read_payload(data, offset, index)
    return None if packed is None else unpack_index(packed, offset)


def _walk(data: memoryview) -> list[Place] | None:
    """All chunks by their headers, one behind the other; None where one cannot be read."""
    table, at = list[Place](), chunks.PREAMBLE_BYTES
    while at < len(data):
        header = parse_header(data, at)
        if header is None:
            return None
        table.append((at, header))
        at += header.size
    return table
