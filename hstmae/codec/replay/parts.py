"""How the parts of a replay stream are put together: numbers of variable length, and sections that may be left out."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import CodecError
from ..container.numbers import Reader, varint

VERSION = 1  # of the stream
LOSSLESS = 2  # version of the lossless streams in it
_NAMES = ("back", "script", "memory", "screen", "rest", "colours", "marks", "rows", "pictures", "checks")


def pack_parts(parts: Mapping[str, bytes]) -> bytes:
    """Version, which sections there are (two bytes), their lengths, and they themselves. Empty ones are left out."""
    there = [name for name in _NAMES if parts.get(name)]
    assert not set(parts) - set(_NAMES)
    bits = sum(1 << _NAMES.index(name) for name in there)
    lengths = [varint(len(parts[name])) for name in there[:-1]]  # the last one ends where the stream does
    return bytes([VERSION]) + bits.to_bytes(2, "little") + b"".join([*lengths, *(parts[name] for name in there)])


def unpack_parts(data: bytes) -> dict[str, bytes]:
    """All sections, b"" where one is left out. Raises CodecError for other versions, and bytes that make no sense."""
    reader = Reader(data)
    if (version := reader.byte()) != VERSION:
        raise CodecError(f"replay stream of version {version}; this program reads {VERSION}: update it")
    bits = int.from_bytes(reader.take(2), "little")
    if bits >> len(_NAMES):
        raise CodecError("damaged stream: sections that no encoder writes")
    there = [name for k, name in enumerate(_NAMES) if bits >> k & 1]
    lengths = [reader.varint() for _ in there[:-1]]
    parts = {name: reader.take(length) for name, length in zip(there, lengths, strict=False)}
    if there:
        parts[there[-1]] = data[reader.place :]
    else:
        reader.end()
    return {name: parts.get(name, b"") for name in _NAMES}
