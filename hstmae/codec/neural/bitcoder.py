"""A binary adaptive range coder in plain Python, for streams of a few thousand decisions per group of pictures.

Integers only: 32-bit range, probabilities of 16 bits that start from a table and move by 1/32 of the way with every
decision. Carries run through bytes already written, which Python's big integers make simple.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import CodecError

ONE = 1 << 16  # probabilities are parts of this
_LEAST = 64  # so that no decision costs more than ten bits
_SHIFT = 5


class _Adaptive:
    """The probability of a 1 in each context, in parts of ONE; it moves towards what is coded."""

    def __init__(self, table: Sequence[int]):
        self.p = list(table)
        self._range = 0xFFFFFFFF

    def _learn(self, context: int, value: int) -> None:
        p = self.p[context]
        self.p[context] = min(ONE - _LEAST, p + ((ONE - p) >> _SHIFT)) if value else max(_LEAST, p - (p >> _SHIFT))


class BitWriter(_Adaptive):
    """`bit(context, value)` writes one decision; `finish` gives the bytes."""

    def __init__(self, table: Sequence[int]):
        super().__init__(table)
        self._low, self._out = 0, bytearray()

    def bit(self, context: int, value: int) -> int:
        bound = (self._range >> 16) * self.p[context]
        if value:
            self._range = bound
        else:
            self._low += bound
            self._range -= bound
        self._learn(context, value)
        while self._range < 1 << 24:
            self._range <<= 8
            self._shift()
        return int(bool(value))

    def _shift(self) -> None:
        if self._low >> 32:
            self._carry()
        self._out.append((self._low >> 24) & 0xFF)
        self._low = (self._low << 8) & 0xFFFFFFFF

    def _carry(self) -> None:
        at = len(self._out) - 1
        while self._out[at] == 0xFF:
            self._out[at] = 0
            at -= 1
        self._out[at] += 1
        self._low &= 0xFFFFFFFF

    def finish(self) -> bytes:
        """All bytes. Zeros at the end are left out: the reader sees zeros behind the end."""
        for zeros in (24, 16, 8, 0):  # the number in the last interval that ends in most zeros
            mask = (1 << zeros) - 1
            low = (self._low + mask) & ~mask
            if low < self._low + self._range:
                self._low = low
                break
        for _ in range(4):
            self._shift()
        return bytes(self._out).rstrip(b"\0")


class BitReader(_Adaptive):
    """`bit(context)` reads one decision; the same table and the same contexts give back what was written."""

    def __init__(self, table: Sequence[int], data: bytes):
        super().__init__(table)
        self._data, self._at = data, 4
        self._code = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def bit(self, context: int, _: int = 0) -> int:
        bound = (self._range >> 16) * self.p[context]
        value = self._code < bound
        if value:
            self._range = bound
        else:
            self._code -= bound
            self._range -= bound
        self._learn(context, value)
        while self._range < 1 << 24:
            self._range <<= 8
            byte = self._data[self._at] if self._at < len(self._data) else 0
            self._code = (self._code << 8) | byte
            self._at += 1
        return int(value)

    def finish(self) -> None:
        """Raises CodecError when there are bytes that were never read."""
        if self._at < len(self._data):
            raise CodecError(f"stream holds {len(self._data) - self._at} bytes more than it says")
