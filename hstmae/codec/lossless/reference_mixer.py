"""The arithmetic of the kernel's twin: hashes, and a mixer that predicts, codes and learns bits."""

from .coding_models import Hashed
from .probability import RATE, TRUST, squash_table, stretch_table
from .range_coder import MASK, Coder


def mix32(h: int) -> int:
    h ^= h >> 16
    h = h * 0x7FEB352D & MASK
    h ^= h >> 15
    h = h * 0x846CA68B & MASK
    return h ^ h >> 16


def hash2(a: int, b: int) -> int:
    return mix32((a * 0x9E3779B1 + b) & MASK)


class Mixer:
    """Predicts, codes and learns one bit at a time from slots and from given inputs."""

    def __init__(self, coder: Coder, slots: Hashed, limit: int, speed: int) -> None:
        self.coder, self.slots, self.down = coder, slots.table().tolist(), 32 - slots.bits
        self.limit, self.speed = limit, speed
        self.stretch, self.squash = stretch_table().tolist(), squash_table().tolist()
        self.rate, self.trust = RATE.tolist(), TRUST.tolist()

    def updated(self, slot: int, bit: int, limit: int) -> int:
        p, n = slot >> 10, slot >> 6 & 15
        p += ((4194303 if bit else 0) - p) * self.rate[n] >> 16
        return p << 10 | (n + 1 if n < limit else n) << 6 | slot & 63

    def bit(self, given: list[int], hashes: list[int], a: list[int], b: list[int], bit: int) -> int:
        """`given` inputs come first, then one for each hash, then a constant; a and b are changed in place."""
        inputs, places = list(given), [h >> self.down for h in hashes]
        for h, at in zip(hashes, places, strict=True):
            if self.slots[at] & 63 != h & 63:
                self.slots[at] = 1 << 31 | h & 63
            inputs.append(self.stretch[self.slots[at] >> 16] * self.trust[self.slots[at] >> 6 & 15] >> 8)
        inputs.append(256)
        dot = sum(x * (u + v) for x, u, v in zip(inputs, a, b, strict=True)) >> 16
        p = self.squash[min(max(dot, -3072), 3071) + 3072]
        bit = self.coder.bit(bit, p)
        for at in places:  # contexts may share a place: each goes on from what the one before it has left there
            self.slots[at] = self.updated(self.slots[at], bit, self.limit)
        error = ((bit << 16) - bit - p) * self.speed
        for weights in (a, b):
            for i, x in enumerate(inputs):
                weights[i] = min(max(weights[i] + ((x * error + (1 << 17)) >> 18), -(1 << 20)), 1 << 20)
        return bit
