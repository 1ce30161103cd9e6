"""How the parts of a replay stream are put together: numbers of variable length, and sections that may be left out."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import CodecError

VERSION = 1  # of the stream
LOSSLESS = 2  # version of the lossless streams in it
_NAMES = ("back", "script", "memory", "screen", "rest", "colours", "marks", "rows", "pictures", "checks")


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; a set eighth bit says that more follow."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


class Reader:
    """Numbers from the front of some bytes. Raises CodecError where there are none left."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def done(self) -> bool:
        return self._at >= len(self._data)

    @property
    def place(self) -> int:
        """Bytes that were read."""
        return self._at

    def byte(self) -> int:
        return self.take(1)[0]

    def take(self, count: int) -> bytes:
        found = self._data[self._at : self._at + count]
        if len(found) != count:
            raise CodecError("damaged stream: it is cut off")
        self._at += count
        return found

    def end(self) -> None:
        """Raises CodecError where there are bytes left."""
        if not self.done:
            raise CodecError("damaged stream: bytes left over")

    def varint(self) -> int:
        """0 to 2**35 - 1."""
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise CodecError("damaged stream: a number without an end")


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
