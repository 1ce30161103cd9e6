"""Palette pictures in plain Python: the twin of hst_pictures in _picture.c."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np

from ...errors import CodecError
from .coding_models import LEVELS, NEAR, PictureModel
from .reference_coder import MASK, Mixer, hash2
from .reference_render import CENTRE, PAD, find_shift, render
from .scene import Scene

BLOCK, SOURCES, RANKS, PIXEL_SLOTS, TRANSPARENT, TOP_MISSED = 8, 7, 4, 8, 256, 128


_SURE = (1, 2, 3, 5, 9, 24, 63)  # times in a row from which a cell is surer


def level(trust: int) -> int:
    """How sure a cell is, 0 .. 7, by how often in a row (0 .. 63) it was right."""
    return bisect_right(_SURE, trust)


@dataclass
class Pixel:
    """The opinions on one pixel; -1 = none."""

    colour: list[int] = field(default_factory=lambda: [-1] * SOURCES)
    score: list[int] = field(default_factory=lambda: [0] * SOURCES)
    vote: list[int] = field(default_factory=lambda: [0] * SOURCES)
    source: list[int] = field(default_factory=lambda: [-1] * SOURCES)
    cell: list[int] = field(default_factory=lambda: [-1] * SOURCES)
    key: list[int] = field(default_factory=lambda: [0] * SOURCES)
    sprite: list[int] = field(default_factory=lambda: [-1, -1])
    under: list[int] = field(default_factory=lambda: [-1, -1])
    top: int = -1
    top_score: int = 0


class Pictures:
    """Codes the pictures of one group; the names are those of the kernel."""

    def __init__(self, mixer: Mixer, size: tuple[int, ...], scene: Scene, model: PictureModel) -> None:
        self.mixer, self.scene = mixer, scene
        self.height, self.width = size
        self.stride = self.width + 2 * PAD
        self.cells, self.down = model.cells.table().tolist(), 32 - model.cells.bits
        self.sources = model.sources.ravel().tolist()
        self.w_flag, self.w_pixel, self.w_escape = model.flag.tolist(), model.pixel.tolist(), model.escape.tolist()
        area = self.stride * (self.height + 2 * PAD)
        self.cur, self.prev, self.wrong = [0] * area, [0] * area, [0] * area
        self.across, self.rows = -(-self.width // BLOCK), -(-self.height // BLOCK)
        self.flags = [0] * ((self.rows + 2) * (self.across + 2))
        self.rendered = len(scene.layout) + scene.sprites.shape[1] > 0
        self.shift, self.first, self.look = 0, 1, [0, 0]

    def code(self, frames: np.ndarray) -> None:
        last = CENTRE
        for t in range(len(frames)):
            source = None if self.mixer.coder.decoding else frames[t].tolist()
            if self.rendered:
                self.tile, self.front, self.second = render(self.scene, t, self.height, self.width)
                self.look = self.scene.look[t].tolist()
            if t:
                self.prev, self.cur, self.first = self.cur, list(self.cur), 0
                shift, hint = find_shift(source, self.prev, self.stride) if source else 0, int(self.scene.hints[t])
                last = self.tree([last, hint, last << 8 ^ hint, 0], 9, 64, 9, shift)
                dy, dx = last // 17 - 8, last % 17 - 8
                if dy > 8:
                    raise CodecError("damaged stream: values that no encoder writes")
                self.shift = dy * self.stride + dx
            for by in range(self.rows):
                for bx in range(self.across):
                    self.code_block(by, bx, source)
            if source is None:
                padded = np.array(self.cur, np.uint8).reshape(-1, self.stride)
                frames[t] = padded[PAD : PAD + self.height, PAD : PAD + self.width]

    # -- memory of colours --

    def cell_at(self, h: int) -> int:
        at = h >> self.down
        if self.cells[at] >> 16 != h & 0xFF:
            self.cells[at] = (h & 0xFF) << 16
        return at

    def cell(self, at: int) -> tuple[int, int]:
        """Trust and colour."""
        return self.cells[at] >> 9 & 63, self.cells[at] & 511

    def cell_learn(self, at: int, colour: int) -> None:
        trust, known = self.cell(at)
        if trust and known == colour:
            trust = min(trust + 1, 63)
        elif trust > 1:
            trust //= 2
        else:
            trust, known = 1, colour
        self.cells[at] = self.cells[at] & 0xFF0000 | trust << 9 | known

    # -- opinions --

    def opinion(self, x: Pixel, i: int, s: int, colour: int, sure: int) -> None:
        x.colour[s] = colour
        if colour < 0:
            return
        e, near = self.wrong, 0
        for n, j in enumerate((i - 1, i - self.stride, i - self.stride + 1, i, i + 1, i + self.stride)):
            near |= (e[j] >> s & 1) << n
        x.source[s] = (s * LEVELS + sure) * NEAR + near
        x.score[s] = self.mixer.stretch[self.sources[x.source[s]] >> 16]

    def opinion_of_cell(self, x: Pixel, i: int, s: int, h: int) -> None:
        x.key[s], x.cell[s] = h, self.cell_at(h)
        trust, colour = self.cell(x.cell[s])
        self.opinion(x, i, s, colour if trust else -1, level(trust))

    def read_state(self, x: Pixel, i: int) -> None:
        tile, keys = self.tile[i], (self.second[i], self.front[i])
        x.key[0] = hash2(hash2(tile, self.look[0]), 1)
        x.cell[0] = self.cell_at(x.key[0])
        trust, known = self.cell(x.cell[0])
        colour = known if trust else -1
        for n, key in enumerate(keys):
            x.under[n] = colour
            if not key:
                continue
            x.key[0] = hash2(hash2(key, self.look[0]), 2)
            x.sprite[n] = self.cell_at(x.key[0])
            sure, known = self.cell(x.sprite[n])
            if sure and known != TRANSPARENT:
                colour, trust = known, sure
            elif sure < trust:
                trust = sure
                if not sure:
                    colour = -1
        self.opinion(x, i, 0, colour, level(trust))
        over = hash2(keys[1], x.under[1] + 1) if keys[1] else hash2(tile, 0)
        self.opinion_of_cell(x, i, 1, hash2(hash2(over, self.look[1]), 3))

    def look_at(self, i: int) -> Pixel:
        x, s, c, q, j = Pixel(), self.stride, self.cur, self.prev, i + self.shift

        def four(a: list[int], at: int, *offsets: int) -> int:
            return sum(a[at + o] << 8 * n for n, o in enumerate(offsets))

        near = four(c, i, -1, -s, -s - 1, -s + 1)
        far = four(c, i, -2, -2 * s, -s + 2, -s - 2)
        farther = four(c, i, -3, -2 * s + 1, -2 * s - 1, -s + 3)
        old, older = four(q, j, 0, 1, s, -1), four(q, j, -s, s + 1, s - 1, 2)
        if self.rendered:
            self.read_state(x, i)
        self.opinion(x, i, 2, q[j], 0 if self.first else 7)
        self.opinion(x, i, 3, q[i], 0 if self.first else 7)
        self.opinion_of_cell(x, i, 4, hash2(hash2(near, far & 0xFFFF), 4))
        if not self.first:
            self.opinion_of_cell(x, i, 5, hash2(hash2(hash2(near & 0xFFFFFF, old), older & 0xFFFFFF), 5))
        self.opinion_of_cell(x, i, 6, hash2(hash2(hash2(near, far), farther), 6))
        if not self.rendered:
            x.key[0] = x.key[6]
        for a in range(SOURCES):
            if x.colour[a] >= 0:
                x.vote[a] = sum(x.score[b] for b in range(SOURCES) if x.colour[b] == x.colour[a])
                if x.top < 0 or x.vote[a] > x.top_score:
                    x.top, x.top_score = x.colour[a], x.vote[a]
        if x.top < 0:
            x.top = c[i - 1]
        return x

    # -- learning and coding --

    def learn_pixel(self, x: Pixel, i: int, colour: int, sources: bool) -> None:
        wrong = TOP_MISSED if colour != x.top else 0
        for s in range(SOURCES):
            if x.colour[s] < 0:
                continue
            right = int(x.colour[s] == colour)
            wrong |= (1 - right) << s
            if sources:
                self.sources[x.source[s]] = self.mixer.updated(self.sources[x.source[s]], right, 15)
        self.wrong[i] = wrong
        if self.rendered:
            covered = False
            for n in (1, 0):
                at = x.sprite[n]
                if covered or at < 0:
                    continue
                trust, known = self.cell(at)
                clear = colour == x.under[n] and (not trust or known == TRANSPARENT or known != colour)
                self.cell_learn(at, TRANSPARENT if clear else colour)
                covered = self.cell(at)[1] != TRANSPARENT
            if not covered:
                self.cell_learn(x.cell[0], colour)
            self.cell_learn(x.cell[1], colour)
        for s in range(4, SOURCES):
            if x.cell[s] >= 0:
                self.cell_learn(x.cell[s], colour)

    def code_pixel(self, x: Pixel, i: int, at: int, missed: int, colour: int) -> int:
        s, c, e = self.stride, self.cur, self.wrong
        trail = sum(e[i + o] >> 7 << n for n, o in enumerate((-1, -s, -s - 1, -s + 1, 0)))
        tried: list[int] = []
        for rank in range(RANKS):
            guess, best = (x.top, x.top_score) if rank == 0 else (-1, 0)
            for a in range(SOURCES if rank else 0):
                if x.colour[a] >= 0 and x.colour[a] not in tried and (guess < 0 or x.vote[a] > best):
                    guess, best = x.colour[a], x.vote[a]
            for o in (-1, -s, -s - 1, -s + 1):
                if guess < 0 and c[i + o] not in tried:
                    guess = c[i + o]
            if guess < 0:
                break
            given, agree, g = [], 0, guess | rank << 8
            for a in range(SOURCES):
                out = x.colour[a] < 0 or x.colour[a] in tried
                yes = x.colour[a] == guess
                given.append(0 if out else x.score[a] if yes else -x.score[a])
                agree |= int(yes) << a
            bucket = min(max(best, 0) // 256, 31)
            found = [
                hash2(x.key[0], g),
                hash2(agree << 2 | min(missed, 3), rank),
                hash2(c[i - 1] << 8 | c[i - s], g),
                hash2(x.key[4], g),
                hash2(self.prev[i + self.shift] << 16 | self.prev[i] << 8 | c[i - 1], g),
                hash2(bucket << 5 | trail, rank),
                hash2(x.key[5], g),
                hash2(at, g),
            ]
            hashes = [hash2(h, n + 16) for n, h in enumerate(found)]
            own, shared = self.w_pixel[rank * 128 + agree], self.w_pixel[RANKS * 128 + rank * 32 + trail]
            if self.mixer.bit(given, hashes, own, shared, int(guess == colour)):
                return guess
            tried.append(guess)
        return self.tree([x.top, c[i - 1] << 8 | c[i - s], x.key[0], 0], 8, 32, 0, colour)

    def tree(self, known: list[int], bits: int, salt: int, weights: int, value: int) -> int:
        """Code a number bit by bit, from the top."""
        node = 1
        for bit in range(bits - 1, -1, -1):
            hashes = [hash2(hash2(k & MASK, node), n + salt) for n, k in enumerate(known)]
            own, shared = self.w_escape[weights], self.w_escape[weights + 1 + bit]
            node = node * 2 + self.mixer.bit([], hashes, own, shared, value >> bit & 1)
        return node & ((1 << bits) - 1)

    def code_block(self, by: int, bx: int, source: list[list[int]] | None) -> None:
        s, w = self.stride, self.width
        places = [
            (y * w + x, (y + PAD) * s + x + PAD)
            for y in range(by * BLOCK, min((by + 1) * BLOCK, self.height))
            for x in range(bx * BLOCK, min((bx + 1) * BLOCK, w))
        ]
        wanted = [source[at // w][at % w] for at, _ in places] if source else None
        pixels, kept, low, weak = [], [], 1 << 20, 0
        for _, i in places:
            kept.append((self.cur[i], self.wrong[i]))
            x = self.look_at(i)
            pixels.append(x)
            self.cur[i] = x.top & 255
            self.wrong[i] = sum(int(c >= 0 and c != x.top) << a for a, c in enumerate(x.colour))
            low = min(low, x.top_score)
            weak += x.top_score < 1800
        same = self.code_flag(by, bx, low, weak, int(wanted == [x.top for x in pixels]))
        if not same:
            for (_, i), (colour, wrong) in zip(places, kept, strict=True):
                self.cur[i], self.wrong[i] = colour, wrong
        missed = 0
        for n, (at, i) in enumerate(places):
            x = pixels[n]
            if not same:
                x = self.look_at(i)
                self.cur[i] = self.code_pixel(x, i, at, missed, wanted[n] if wanted else 0)
                missed += self.cur[i] != x.top
            self.learn_pixel(x, i, self.cur[i], not same)

    def code_flag(self, by: int, bx: int, low: int, weak: int, same: int) -> int:
        f1 = self.across + 2
        f = (by + 1) * f1 + bx + 1
        around = sum(self.flags[f + o] << n for n, o in enumerate((-1, -f1, -f1 - 1, -f1 + 1, 0, 1, f1)))
        lowest, many = min(max(low, 0) // 256, 31), min(weak, 15)
        found = [
            lowest << 4 | many,
            around,
            (by * self.across + bx) << 1 | around >> 4 & 1,
            lowest << 7 | around,
            many << 1 | int(self.shift != 0),
        ]
        hashes = [hash2(h * 2 + self.first, n + 48) for n, h in enumerate(found)]
        own, shared = self.w_flag[self.first], self.w_flag[2 + lowest]
        same = self.mixer.bit([min(max(low, -2839), 2839)], hashes, own, shared, same)
        self.flags[f] = 1 - same
        return same
