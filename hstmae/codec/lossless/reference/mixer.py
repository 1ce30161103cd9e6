"""The arithmetic of the kernel's twin: hashes, and a mixer that predicts, codes and learns bits."""

from bisect import bisect_right
from functools import lru_cache

from ..coding_models import Hashed
from ..probability import RATE, TRUST, squash_table, stretch_table
from ..range_coder import MASK, Coder

_SURE = (1, 2, 3, 5, 9, 24, 63)  # times in a row (0 .. 63) that a cell was right, from which it is surer, 0 .. 7


def mix32(h: int) -> int:
    h ^= h >> 16
    h = h * 0x7FEB352D & MASK
    h ^= h >> 15
    h = h * 0x846CA68B & MASK
    return h ^ h >> 16


def hash2(a: int, b: int) -> int:
    return mix32((a * 0x9E3779B1 + b) & MASK)


@lru_cache(maxsize=1)
def _logits() -> tuple[list[int], list[int]]:
    return stretch_table().tolist(), squash_table().tolist()


class Cells:
    """Values by hashed context, and how sure they are."""

    def __init__(self, cells: Hashed, *, split: bool = False) -> None:
        """split: the upper half is that of `at_texel`."""
        self.cells, self.down = cells.table().tolist(), 32 - cells.bits + split

    def at(self, h: int) -> int:
        """The place of a context."""
        return self._taken(h >> self.down, h)

    def at_texel(self, h: int, texel: int) -> int:
        """The place of one of 64 pixels of the same context, which lie side by side."""
        return self._taken(len(self.cells) // 2 + (h >> self.down & ~63 | texel), h)

    def _taken(self, at: int, h: int) -> int:
        if self.cells[at] >> 16 != h & 0xFF:
            self.cells[at] = (h & 0xFF) << 16
        return at

    def __getitem__(self, at: int) -> tuple[int, int]:
        """Trust and value."""
        return self.cells[at] >> 9 & 63, self.cells[at] & 511

    def learn(self, at: int, value: int) -> None:
        trust, known = self[at]
        if trust and known == value:
            trust = min(trust + 1, 63)
        elif trust > 1:
            trust //= 2
        else:
            trust, known = 1, value
        self.cells[at] = self.cells[at] & 0xFF0000 | trust << 9 | known


def sure(trust: int) -> int:
    """How sure a cell is, 0 to 7, by its trust, 0 to 63."""
    return bisect_right(_SURE, trust)


class Mixer:
    """Predicts, codes and learns one bit at a time from slots and from given inputs."""

    def __init__(self, coder: Coder, slots: Hashed, limit: int, speed: int) -> None:
        self.coder, self.slots, self.down = coder, slots.table().tolist(), 32 - slots.bits
        self.limit, self.speed = limit, speed
        self.stretch, self.squash = _logits()
        self.rate, self.trust = RATE.tolist(), TRUST.tolist()

    def updated(self, slot: int, bit: int, limit: int) -> int:
        p, n = slot >> 10, slot >> 6 & 15
        p += ((4194303 if bit else 0) - p) * self.rate[n] >> 16
        return p << 10 | (n + 1 if n < limit else n) << 6 | slot & 63

    def bit(self, given: list[int], hashes: list[int], a: list[int], b: list[int], bit: int) -> int:
        """`given` inputs come first, then one for each hash, then a constant; a and b are changed in place."""
        inputs, places = list(given), [h >> self.down for h in hashes]
        self._look(hashes, inputs)
        dot = sum(x * (u + v) for x, u, v in zip(inputs, a, b, strict=True)) >> 16
        bit, p = self._code(bit, dot, places)
        error = ((bit << 16) - bit - p) * self.speed
        _learn(inputs, a, b, error, 18)
        return bit

    def bit16(self, given: list[int], hashes: list[int], a: list[int], b: list[int], bit: int) -> int:
        """The same with products of 16 bits, of the second version; a and b may be longer than the inputs."""
        inputs = list(given)
        places = [h >> self.down for h in hashes]
        self._look(hashes, inputs)
        dot = sum(x * ((u + v) >> 7) for x, u, v in zip(inputs, a, b, strict=False)) >> 9
        bit, p = self._code(bit, dot, places)
        error = ((bit << 16) - bit - p) * self.speed >> 4
        _learn(inputs, a, b, error, 14)
        return bit

    def opinion(self, h: int) -> tuple[int, int]:
        """What a slot says, and its place."""
        at = h >> self.down
        if self.slots[at] & 63 != h & 63:
            self.slots[at] = 1 << 31 | h & 63
        return self.stretch[self.slots[at] >> 16] * self.trust[self.slots[at] >> 6 & 15] >> 8, at

    def learn(self, at: int, bit: int) -> None:
        self.slots[at] = self.updated(self.slots[at], bit, self.limit)

    def _look(self, hashes: list[int], inputs: list[int]) -> None:
        inputs += [self.opinion(h)[0] for h in hashes]
        inputs.append(256)

    def _code(self, bit: int, dot: int, places: list[int]) -> tuple[int, int]:
        """The bit, and how probable a 1 was."""
        p = self.squash[min(max(dot, -3072), 3071) + 3072]
        bit = self.coder.bit(bit, p)
        for at in places:  # contexts may share a place: each goes on from what the one before it has left there
            self.learn(at, bit)
        return bit, p


def _learn(inputs: list[int], a: list[int], b: list[int], error: int, shift: int) -> None:
    for i, x in enumerate(inputs):
        step = (x * error + (1 << (shift - 1))) >> shift
        for weights in (a, b):
            weights[i] = min(max(weights[i] + step, -(1 << 20)), 1 << 20)
