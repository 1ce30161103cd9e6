"""Memory and buttons that were recorded beside a film: rows of bytes, one for each frame."""

from __future__ import annotations

import zlib

import numpy as np

from ...errors import CodecError


def pack_rows(rows: np.ndarray) -> bytes:
    """uint8 [T, S] as changes from row to row, byte by byte."""
    changes = np.diff(rows, axis=0, prepend=np.zeros((1, rows.shape[1]), np.uint8))  # modulo 256
    return zlib.compress(np.ascontiguousarray(changes.T).tobytes(), 9)


def unpack_rows(packed: bytes, count: int, width: int) -> np.ndarray:
    """What `pack_rows` packed, uint8 [T, S]. Raises CodecError where it is something else."""
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(packed, count * width + 1)
    except zlib.error as error:
        raise CodecError(f"memory or buttons of a film are damaged ({error})") from None
    if len(raw) != count * width or not inflater.eof:
        raise CodecError("memory or buttons of a film are damaged")
    return np.cumsum(np.frombuffer(raw, np.uint8).reshape(width, count).T, axis=0, dtype=np.uint8)
