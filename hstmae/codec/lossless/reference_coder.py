"""The arithmetic of the kernel's twin: hashes, a range coder, and a mixer that predicts, codes and learns bits."""

from __future__ import annotations

import numpy as np

from ...errors import CodecError
from .probability import RATE, TRUST, squash_table, stretch_table

DECODE = 1
MASK = 0xFFFFFFFF


def mix32(h: int) -> int:
    h ^= h >> 16
    h = h * 0x7FEB352D & MASK
    h ^= h >> 15
    h = h * 0x846CA68B & MASK
    return h ^ h >> 16


def hash2(a: int, b: int) -> int:
    return mix32((a * 0x9E3779B1 + b) & MASK)


class Coder:
    """Binary range coder: 32-bit range, carries, probabilities of 16 bits."""

    def __init__(self, mode: int, data: bytes) -> None:
        self.decoding, self.data = mode == DECODE, data
        self.low, self.range = 0, MASK
        self.out = bytearray()
        self.held, self.cache, self.first = 1, 0, True
        self.pos, self.code = 0, 0
        if self.decoding:
            for _ in range(4):
                self._read()

    def _read(self) -> None:
        byte = self.data[self.pos] if self.pos < len(self.data) else 0
        self.code = (self.code << 8 | byte) & MASK
        self.pos += 1

    def bit(self, bit: int, p1: int) -> int:
        """Code a bit whose probability of being 1 is p1 / 65536."""
        bound = (self.range >> 16) * p1
        if self.decoding:
            bit = int(self.code < bound)
        if bit:
            self.range = bound
        else:
            self.range -= bound
            if self.decoding:
                self.code -= bound
            else:
                self.low += bound
        while self.range < 1 << 24:
            self.range = self.range << 8 & MASK
            if self.decoding:
                self._read()
            else:
                self._shift()
        return bit

    def _shift(self) -> None:
        top = self.low >> 24
        if top != 0xFF:
            carry = top >> 8
            self.out.append((self.cache + carry) & 255)
            self.out += bytes([(255 + carry) & 255]) * (self.held - 1)
            self.held, self.cache = 1, top & 255
        else:
            self.held += 1
        self.low = (self.low & 0xFFFFFF) << 8

    def finish(self) -> bytes:
        """The bytes written. Raises CodecError: bytes were left over in decoding."""
        if self.decoding:
            if self.pos < len(self.data):
                raise CodecError("damaged stream: bytes left over")
            return b""
        for zeros in (32, 24, 16, 8):
            mask = (1 << zeros) - 1
            end = (self.low + mask) & ~mask
            if end < self.low + self.range:
                self.low = end
                break
        for _ in range(5):
            self._shift()
        return bytes(self.out[1:]).rstrip(b"\0")


class Mixer:
    """Predicts, codes and learns one bit at a time from slots and from given inputs."""

    def __init__(self, coder: Coder, slots: np.ndarray, bits: int, limit: int, speed: int) -> None:
        self.coder, self.slots, self.down = coder, slots.tolist(), 32 - bits
        self.limit, self.speed = limit, speed
        self.stretch, self.squash = stretch_table().tolist(), squash_table().tolist()
        self.rate, self.trust = RATE.tolist(), TRUST.tolist()

    def updated(self, slot: int, bit: int, limit: int) -> int:
        p, n = slot >> 10, slot >> 6 & 15
        p += ((4194303 if bit else 0) - p) * self.rate[n] >> 16
        return p << 10 | (n + 1 if n < limit else n) << 6 | slot & 63

    def bit(self, given: list[int], hashes: list[int], a: list[int], b: list[int], bit: int) -> int:
        """`given` inputs come first, then one for each hash, then a constant; a and b are changed in place."""
        inputs, places = list(given), []
        for h in hashes:
            at = h >> self.down
            slot = self.slots[at]
            if slot & 63 != h & 63:
                slot = self.slots[at] = 1 << 31 | h & 63
            places.append(at)
            inputs.append(self.stretch[slot >> 16] * self.trust[slot >> 6 & 15] >> 8)
        inputs.append(256)
        dot = sum(x * (u + v) for x, u, v in zip(inputs, a, b, strict=True)) >> 16
        p = self.squash[min(max(dot, -3072), 3071) + 3072]
        bit = self.coder.bit(bit, p)
        for at in places:  # contexts may share a place: each goes on from what the one before it has left there
            self.slots[at] = self.updated(self.slots[at], bit, self.limit)
        error = ((bit << 16) - bit - p) * self.speed
        for i, x in enumerate(inputs):
            step = (x * error + (1 << 17)) >> 18
            a[i] = min(max(a[i] + step, -(1 << 20)), 1 << 20)
            b[i] = min(max(b[i] + step, -(1 << 20)), 1 << 20)
        return bit
