"""A binary range coder in plain Python: 32-bit range, probabilities of 16 bits. Slow, for streams of few decisions."""

from ...errors import CodecError

ENCODE, DECODE, PART = 0, 1, 2  # PART: decode, and stop before the end of the stream
MASK = 0xFFFFFFFF


class Coder:
    """Writes decisions, or reads them from `data`, behind which zeros are read."""

    def __init__(self, mode: int, data: bytes) -> None:
        self.decoding, self._part, self._data = mode != ENCODE, mode == PART, data
        # The low end of the range as one large number, which makes carries simple; how far into the range, in reading.
        self._value, self._mask = int.from_bytes(data[:4].ljust(4, b"\0"), "big"), MASK if self.decoding else -1
        self._range, self._bytes = MASK, 4

    def bit(self, bit: int, p1: int) -> int:
        """Code a bit whose probability of being 1 is p1 / 65536; in reading the one that is given does not count."""
        bound = (self._range >> 16) * p1
        if self.decoding:
            bit = int(self._value < bound)
        if bit:
            self._range = bound
        else:
            self._range -= bound
            self._value += -bound if self.decoding else bound
        while self._range < 1 << 24:
            self._range <<= 8
            byte = self._data[self._bytes] if self._bytes < len(self._data) else 0
            self._value = (self._value << 8 | byte) & self._mask
            self._bytes += 1
        return bit

    def spent(self) -> int:
        """What was written so far, in 1/16 bit, but for a constant."""
        down = 32 - self._range.bit_length()
        return 128 * self._bytes + 16 * down - (self._range << down >> 27 & 15)

    def finish(self, zeros: int = 32) -> bytes:
        """The bytes written: of the last interval the number that ends in `zeros` zero bits, or else in 24.

        Raises:
            CodecError: bytes were left over in reading all of a stream.
        """
        if self.decoding:
            if self._bytes < len(self._data) and not self._part:
                raise CodecError(f"damaged stream: {len(self._data) - self._bytes} bytes more than it says")
            return b""
        end = -(-self._value >> zeros) << zeros
        if end >= self._value + self._range:
            end = -(-self._value >> 24) << 24
        return end.to_bytes(self._bytes, "big").rstrip(b"\0")
