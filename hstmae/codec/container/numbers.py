"""Numbers of variable length, and the front of some bytes taken apart piece by piece."""

from __future__ import annotations

from ...errors import CodecError


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; a set eighth bit says that more follow."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


class Reader:
    """Numbers from the front of some bytes. Raises CodecError where there are none left."""

    def __init__(self, data: bytes | memoryview, at: int = 0) -> None:
        self._data, self._at = data, at

    @property
    def done(self) -> bool:
        return self._at >= len(self._data)

    @property
    def place(self) -> int:
        """Where the bytes begin that are not read yet."""
        return self._at

    def byte(self) -> int:
        return self.take(1)[0]

    def take(self, count: int) -> bytes:
        found = bytes(self._data[self._at : self._at + count])
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
