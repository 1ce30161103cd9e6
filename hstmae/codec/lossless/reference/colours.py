"""Pictures of true colour, pixel by pixel, in plain Python: the twin of _colours.c and _colours_dot.c."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..coding_models import Hashed
from ..range_coder import MASK, Coder
from .dots import Dot, look
from .mixer import Mixer, hash2

PAD, BLOCK, SOURCES, RANKS, KNOWN = 4, 8, 13, 5, 12
FAR, OLDER, STILL, USUAL = 3, 5, 6, 9  # sources by whose agreement the weights of a guess are chosen
_AGREE, _TRAILS, _INPUTS, _WIDE = 64, 32, 24, 8
_MISSED = 1 << 15
_WAYS = 6
_NONE = -1


def _weights(rows: int, wide: int, given: int, slots: int, first: int, then: int) -> list[list[int]]:
    row = [first] * given + [then] * slots + [0] * (wide - given - slots)
    return [list(row) for _ in range(rows)]


@dataclass
class Colours:
    """The state of a group's pictures.

    Attributes:
        ring: pictures with a border, one behind the other; cur, prev: where this one and the one before begin.
        back, run: how far behind a pixel that was found lies, and for how many pixels it has been right.
    """

    coder: Coder
    height: int
    width: int
    count: int
    bits: int
    limit: int
    speed: int
    t: int = 0
    cur: int = 0
    prev: int = 0
    usual: list[int] = field(default_factory=lambda: [0, 0])

    def __post_init__(self) -> None:
        self.mixer = Mixer(self.coder, Hashed.empty(self.bits + 1), self.limit, self.speed)
        self.stride = self.width + 2 * PAD
        self.area = self.stride * (self.height + 2 * PAD)
        self.across = -(-self.width // BLOCK)
        self.ring = [0] * (self.count * self.area)
        self.places, self.cells = [0] * (1 << self.bits), [(0, 0, 0)] * (1 << self.bits)  # colour, check, trust
        self.back, self.run, self.wrong = [0] * self.area, [0] * self.area, [0] * self.area
        self.errors = [0] * (3 * _WAYS * self.area)
        self.flags = [0] * ((-(-self.height // BLOCK) + 2) * (self.across + 2))
        self.sources = [1 << 31] * (SOURCES * 8 * 16)
        self.scores = [self.mixer.stretch[1 << 15]] * len(self.sources)
        self.known = [0] * (1 << KNOWN)
        self.cost, self.choices = [0, 0], 0
        self.usual_back, self.usual_count = [0] * 256, [0] * 256
        self.w_pixel = _weights(RANKS * (_AGREE + _TRAILS), _INPUTS, SOURCES, 6, 10000, 8000)
        self.w_quiet = _weights(2 * 17, _WIDE, 0, 5, 0, 10000)
        self.w_known = _weights(2 + KNOWN, _WIDE, 0, 6, 0, 10000)
        self.w_rest = _weights(3 * 26, _WIDE, 0, 5, 0, 10000)

    @property
    def first(self) -> bool:
        return self.t == 1

    def code(self, frame: np.ndarray) -> None:
        """The next picture uint8 [H, W, 3], in place."""
        if self.t:
            self.prev, self.cur = self.cur, (self.cur + self.area) % len(self.ring)
            self.usual_count = [n // 2 for n in self.usual_count]
        else:
            self.prev = self.area
        self.t += 1
        truth = None
        if not self.coder.decoding:
            truth = (frame.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])).tolist()
        for by in range(-(-self.height // BLOCK)):
            for bx in range(self.across):
                self._block(by, bx, truth)
        found = np.array(self.ring[self.cur : self.cur + self.area]).reshape(-1, self.stride)
        found = found[PAD : PAD + self.height, PAD : PAD + self.width]
        frame[:] = np.stack([found >> 16, found >> 8 & 255, found & 255], -1)

    def behind(self, i: int, back: int) -> int:
        return (self.cur + i - back) % len(self.ring)

    def _block(self, by: int, bx: int, truth: list[list[int]] | None) -> None:
        ys = range(by * BLOCK, min((by + 1) * BLOCK, self.height))
        xs = range(bx * BLOCK, min((bx + 1) * BLOCK, self.width))
        places = {(y + PAD) * self.stride + x + PAD: truth[y][x] if truth else 0 for y in ys for x in xs}
        if not self.first and self._quiet(by, bx, places):
            return
        missed = 0
        for i, colour in places.items():
            dot = look(self, i)
            colour = self._pixel(dot, i, missed, colour)
            missed += colour != dot.top
            self._learn(dot, i, colour)
            self.ring[self.cur + i] = colour

    def _quiet(self, by: int, bx: int, places: dict[int, int]) -> bool:
        f1 = self.across + 2
        f, flags, i = (by + 1) * f1 + bx + 1, self.flags, next(iter(places))
        near = (f - 1, f - f1, f - f1 - 1, f - f1 + 1, f, f + 1, f + f1)
        around = sum(flags[at] << 2 * n for n, at in enumerate(near))
        before, last = (self.cur - self.prev) % len(self.ring), flags[f]
        for n in range(2):
            back = self.usual[self.usual[0] == before] if n else before
            if back < 2 * BLOCK * self.stride:
                break
            same = all(self.ring[self.behind(k, back)] == colour for k, colour in places.items())
            at = self.behind(i, back)
            what = hash2(self.ring[at], self.ring[(at + 3 * self.stride + 3) % len(self.ring)])
            found = [around, (by * self.across + bx) << 2 | last, what, around & 255, 0]
            hashes = [hash2(hash2(h, n), k + 80) for k, h in enumerate(found)]
            beside = self.w_quiet[17 * n + 1 + (flags[f - 1] | flags[f - f1] << 2)]
            if not self.mixer.bit16([], hashes, self.w_quiet[17 * n], beside, int(same)):
                continue
            flags[f] = n
            for k in places:
                self.ring[self.cur + k] = self.ring[self.behind(k, back)]
                self.wrong[k], self.back[k], self.run[k] = 0, back, 16
            k = hash2(back, 77) >> 24
            if n and self.usual_back[k] == back:
                self.usual_count[k] += BLOCK * BLOCK
            return True
        flags[f] = 2
        return False

    def _pixel(self, x: Dot, i: int, missed: int, colour: int) -> int:
        c, s, e = self.cur + i, self.stride, self.wrong
        left, above = self.ring[c - 1], self.ring[c - s]
        pair, many = hash2(left, above), min(missed, 3)
        trail = sum((e[at] >> 15) << n for n, at in enumerate((i - 1, i - s, i - s - 1, i - s + 1, i)))
        before: list[int] = []
        for rank in range(RANKS):
            left_over = [a for a in range(SOURCES) if x.colour[a] >= 0 and x.colour[a] not in before]
            if not left_over:
                break
            chosen = max(left_over, key=lambda a: (x.vote[a], -a))
            guess, best = x.colour[chosen], x.vote[chosen]
            given = [0] * SOURCES
            for a in left_over:
                given[a] = x.score[a] if x.colour[a] == guess else -x.score[a]
            agree = sum((x.colour[a] == guess) << a for a in range(SOURCES))
            g, bucket = hash2(guess, rank), min(max(best, 0) // 256, 31)
            found = [hash2(x.key[1], g), hash2(agree << 2 | many, rank), hash2(pair, g), hash2(x.key[3], g)]
            found += [(bucket << 5 | trail) << 3 | rank, g]
            row = agree & 3 | sum((agree >> a & 1) << n + 2 for n, a in enumerate((FAR, OLDER, STILL, USUAL)))
            at = rank * (_AGREE + _TRAILS)
            hashes = [hash2(h, n + 16) for n, h in enumerate(found)]
            weights = self.w_pixel[at + row], self.w_pixel[at + _AGREE + trail]
            if self.mixer.bit16(given, hashes, *weights, int(guess == colour)):
                return guess
            before.append(guess)
        top, last, place = x.top & MASK, 0 if self.first else self.ring[self.prev + i], hash2(colour, 11) >> 32 - KNOWN
        found = [trail << 3 | len(before), top, pair, last, min(missed, 7), 0]
        hashes = [hash2(h, n + 220) for n, h in enumerate(found)]
        seen = not self.coder.decoding and self.known[place] == colour
        by_place = seen
        if seen:
            by_place = self.cost[1] <= self.cost[0]
            if self.cost[by_place] > 16 * 16 * 8:
                self.choices += 1
                by_place = by_place != (self.choices & 63 == 0)
        start = self.coder.spent()
        by_place = bool(self.mixer.bit16([], hashes, self.w_known[0], self.w_known[1], int(by_place)))
        by = [0, top, left, above, last, pair]
        colour = self._place(by, place) if by_place else self._rest(x, i, colour)
        if seen:
            self.cost[by_place] += self.coder.spent() - start - self.cost[by_place] // 16
        return colour

    def _place(self, by: list[int], place: int) -> int:
        node = 1
        for bit in range(KNOWN - 1, -1, -1):
            hashes = [hash2(hash2(h, node), n + 230) for n, h in enumerate(by)]
            node = node << 1 | self.mixer.bit16([], hashes, self.w_known[1], self.w_known[2 + bit], place >> bit & 1)
        return self.known[node & (1 << KNOWN) - 1]

    def _rest(self, x: Dot, i: int, colour: int) -> int:
        c, q, s, ring = self.cur + i, self.prev + i, self.stride, self.ring
        out = seen = green = 0
        for n, k in enumerate((1, 2, 0)):

            def part(at: int, k: int = k) -> int:
                return ring[at] >> 8 * k & 255

            w, a, d = part(c - 1), part(c - s), part(c - s - 1)
            step = w - part(q - 1) + a - part(q - s)
            moved = w + _half(part(c - s + 1) - d) if self.first else part(q) + _half(step)
            guess = [sorted((w, a, w + a - d))[1], min(max(moved, 0), 255), (x.top & MASK) >> 8 * k & 255]
            if n:  # as far from green as there
                like = (c - 1, c - s, c - s - 1 if self.first else q)
                guess += [min(max(green + part(at) - part(at, 1), 0), 255) for at in like]
            e, at, one = self.errors, (i * 3 + k) * _WAYS, 3 * _WAYS
            sums = [
                2 * (e[at + b - one] + e[at + b - one * s])
                + e[at + b - one * s + one]
                + e[at + b - one * s - one]
                + e[at + b]
                for b in range(len(guess))
            ]
            best = sums.index(min(sums))
            base = guess[best]
            difference = (colour >> 8 * k & 255) - base & 255
            energy, spread = sums[best].bit_length(), abs(guess[0] - guess[1]).bit_length()
            top = x.top & MASK
            count_by = [energy << 4 | spread, seen << 4 | energy, best, base << 4 | spread, top]
            z = 2 * difference if difference < 128 else 2 * (256 - difference) - 1
            z = self._difference(
                self.w_rest[26 * n : 26 * n + 26], count_by, [energy, seen, base >> 3, best, top], n, z
            )
            v = base + (-(z + 1) // 2 if z & 1 else z // 2) & 255
            green = green if n else v
            e[at : at + len(guess)] = [abs(v - one) for one in guess]
            seen, out = seen << 4 | z.bit_length(), out | v << 8 * k
        return out

    def _difference(self, weights: list[list[int]], count_by: list[int], bits_by: list[int], n: int, z: int) -> int:
        got = 0
        while got < 8:
            hashes = [hash2(hash2(h, got << 2 | n), m + 200) for m, h in enumerate(count_by)]
            if not self.mixer.bit16([], hashes, weights[9], weights[got], int(z.bit_length() > got)):
                break
            got += 1
        value = int(got > 0)
        for b in range(got - 2, -1, -1):
            hashes = [hash2(hash2(h, (got << 2 | n) << 8 | value), m + 210) for m, h in enumerate(bits_by)]
            value = value << 1 | self.mixer.bit16([], hashes, weights[10 + b], weights[17 + got], z >> b & 1)
        return value

    def _learn(self, x: Dot, i: int, colour: int) -> None:
        wrong = _MISSED if colour != x.top else 0
        for s in range(SOURCES):
            if x.colour[s] < 0:
                continue
            right, at = x.colour[s] == colour, x.at[s]
            wrong |= (not right) << s
            self.sources[at] = self.mixer.updated(self.sources[at], int(right), 15)
            self.scores[at] = self.mixer.stretch[self.sources[at] >> 16]
        self.wrong[i] = wrong
        self.known[hash2(colour, 11) >> 32 - KNOWN] = colour
        for place in x.cell:
            if place is not None:
                self._learn_cell(place, colour)
        right_of = [bool(x.back[n]) and x.colour[n] == colour for n in range(2)]
        best = int(x.run[1] > x.run[0]) if all(right_of) else int(right_of[1])
        back, run = x.back[best], x.run[best]
        if not back:
            run = 0
        elif right_of[best]:
            run = min(run + 1, 63)
        else:
            run //= 4
            back = back if run else 0
        if back and right_of[best] and run >= 8:
            self._count_usual(back)
        self.back[i], self.run[i] = back, run
        self.places[x.place[0]] = self.places[x.place[1]] = self.cur + i + 1

    def _learn_cell(self, place: int, colour: int) -> None:
        known, check, trust = self.cells[place]
        if trust and known == colour:
            self.cells[place] = known, check, min(trust + 1, 63)
        elif trust > 1:
            self.cells[place] = known, check, trust // 2
        else:
            self.cells[place] = colour, check, 1

    def _count_usual(self, back: int) -> None:
        k = hash2(back, 77) >> 24
        if self.usual_back[k] != back:
            if self.usual_count[k]:
                self.usual_count[k] -= 1
            else:
                self.usual_back[k], self.usual_count[k] = back, 1
            return
        self.usual_count[k] += 1
        now, (one, two) = self.usual_count[k], self.usual
        count = [self.usual_count[hash2(which, 77) >> 24] for which in self.usual]
        if back == one:
            return
        if not one or now > count[0]:
            self.usual = [back, one]
        elif back != two and (not two or now > count[1]):
            self.usual[1] = back


def _half(value: int) -> int:
    """As C does: towards 0."""
    return int(value / 2)
