"""Palette pictures in plain Python: the twin of hst_pictures in _picture.c, and of the files that it includes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ....errors import CodecError
from ..coding_models import LEVELS, NEAR, SOURCES, PictureModel
from ..range_coder import MASK
from ..scene import Scene
from .mixer import Cells, Mixer, hash2, sure
from .places import Places, levels
from .quiet import ask_before, pass_block, quiet_block
from .scrolling import CENTRE, PAD, find_shift, in_time, render

BLOCK, RANKS, TRANSPARENT, TOP_MISSED = 8, 4, 256, 128


@dataclass
class Pixel:
    """The opinions on one pixel.

    Attributes:
        said: colour, score and place of each source that has an opinion; votes: sum of the scores of each colour.
        cell, key: place and hash of the cells that sources look at; 0 and 1 are those of the state.
        places: what Places.find gave.
        sprite, under: place of the second and of the foremost sprite, -1 = none, and the colour under them.
    """

    said: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    votes: dict[int, int] = field(default_factory=dict)
    cell: dict[int, int] = field(default_factory=dict)
    key: list[int] = field(default_factory=lambda: [0] * SOURCES)
    sprite: list[int] = field(default_factory=lambda: [-1, -1])
    under: list[int] = field(default_factory=lambda: [-1, -1])
    top: int = -1
    places: tuple[list[int], list[int], list[int], list[int]] = field(default_factory=lambda: ([], [], [], []))


class Pictures:
    """Codes the pictures of one group; the names are those of the kernel."""

    def __init__(self, mixer: Mixer, size: tuple[int, ...], scene: Scene, model: PictureModel) -> None:
        self.mixer, self.scene = mixer, scene
        self.height, self.width = size
        self.stride = s = self.width + 2 * PAD
        self.around = (-1, -s, -s - 1, -s + 1)
        self.version = model.version
        self.bit = mixer.bit if model.version < 3 else mixer.bit16
        self.cells = Cells(model.cells, split=model.version > 2)
        self.sources = model.sources.ravel().tolist()
        self.w_flag, self.w_pixel, self.w_escape = model.flag.tolist(), model.pixel.tolist(), model.escape.tolist()
        self.cur, self.prev, self.wrong = ([0] * (s * (self.height + 2 * PAD)) for _ in range(3))
        self.across, self.rows = -(-self.width // BLOCK), -(-self.height // BLOCK)
        self.nothing_wrong = [0] * len(self.cur)
        self.flags = [0] * ((self.rows + 2) * (self.across + 2))
        self.rendered = len(scene.layout) + scene.sprites.shape[1] > 0
        self.w_quiet = None if model.quiet is None else model.quiet.tolist()
        self.come = list(self.flags)  # of each block, whether it was where it is now: see quiet.py
        self.tile, self.front, self.second = self.old = (list[int](), list[int](), list[int]())
        self.shift, self.first, self.look, self.look_changed = 0, 1, [0, 0], False
        self.scrolled = CENTRE
        self.places: Places | None = None
        self.asked: np.ndarray | None = None  # which blocks of this picture are coded; None = all
        self.spent: np.ndarray | None = None  # receives what each takes, in 1/16 bit

    def look_back(self, count: int, bits: int) -> None:
        """From now on look for what is drawn in up to `count` pictures of before."""
        self.places = Places(count, len(self.cur), bits)

    def code(self, frame: np.ndarray, t: int) -> None:
        """Encode picture `t`, uint8 [H, W], or fill it."""
        if self.rendered:
            self.old = self.tile, self.front, self.second
            self.tile, self.front, self.second = render(self.scene, t, self.height, self.width, self.version)
            look = self.scene.look[t].tolist()
            self.look, self.look_changed = look, look != self.look
        if t:
            self.prev, self.cur, self.first = self.cur, list(self.cur), 0
        if self.places is not None:
            self.places.begin(t, self.cur)
        if t:
            shift = find_shift(frame, self.prev, self.stride, 4 if self.w_quiet else 2)
            last, hint = self.scrolled, int(self.scene.hints[t])
            self.scrolled = self.tree([last, hint, last << 8 ^ hint, 0], 9, 64, 9, shift)
            dy, dx = self.scrolled // 17 - 8, self.scrolled % 17 - 8
            if dy > 8:
                raise CodecError("damaged stream: values that no encoder writes")
            self.shift = dy * self.stride + dx
        for by in range(self.rows):
            for bx in range(self.across):
                start = self.mixer.coder.spent()
                self.code_block(by, bx, frame)
                if self.spent is not None:
                    self.spent[by, bx] = self.mixer.coder.spent() - start
        if self.mixer.coder.decoding:
            padded = np.array(self.cur, np.uint8).reshape(-1, self.stride)
            frame[:] = padded[PAD : PAD + self.height, PAD : PAD + self.width]

    # -- opinions --

    def opinion(self, x: Pixel, i: int, s: int, colour: int, level: int) -> None:
        if colour >= 0:
            ring = (i - 1, i - self.stride, i - self.stride + 1, i, i + 1, i + self.stride)
            near = sum((self.wrong[j] >> s & 1) << n for n, j in enumerate(ring))
            place = (s * LEVELS + level) * NEAR + near
            x.said[s] = colour, self.mixer.stretch[self.sources[place] >> 16], place
            x.votes[colour] = x.votes.get(colour, 0) + x.said[s][1]

    def opinion_of_cell(self, x: Pixel, i: int, s: int, h: int) -> None:
        x.key[s], x.cell[s] = h, self.cells.at(h)
        trust, colour = self.cells[x.cell[s]]
        self.opinion(x, i, s, colour if trust else -1, sure(trust))

    def read_state(self, x: Pixel, i: int) -> None:
        tile, keys = self.tile[i], (self.second[i], self.front[i])
        x.key[0], x.cell[0] = self.known(tile, lambda key: hash2(hash2(key, self.look[0]), 1))
        trust, known = self.cells[x.cell[0]]
        colour = known if trust else -1
        for n, key in enumerate(keys):
            x.under[n] = colour
            if not key:
                continue
            x.key[0], x.sprite[n] = self.known(key, lambda key: hash2(hash2(key, self.look[0]), 2))
            here, known = self.cells[x.sprite[n]]
            if here and known != TRANSPARENT:
                colour, trust = known, here
            elif here < trust:
                trust = here
                if not here:
                    colour = -1
        self.opinion(x, i, 0, colour, sure(trust))
        beside = x.under[1] + 1 if keys[1] else 0
        over = self.known(keys[1] or tile, lambda key: hash2(hash2(hash2(key, beside), self.look[1]), 3))
        x.key[1], x.cell[1] = over
        trust, known = self.cells[x.cell[1]]
        self.opinion(x, i, 1, known if trust else -1, sure(trust))

    def known(self, key: int, hashed: Callable[[int], int]) -> tuple[int, int]:
        """Hash and cell of what the state says of a pixel."""
        if self.version < 3:
            h = hashed(key)
            return h, self.cells.at(h)
        h = hashed(key >> 6)
        return (h + (key & 63)) & MASK, self.cells.at_texel(h, key & 63)

    def look_at(self, i: int) -> Pixel:
        x, s, c, q, j = Pixel(), self.stride, self.cur, self.prev, i + self.shift

        def four(a: list[int], at: int, *offsets: int) -> int:
            return sum(a[at + o] << 8 * n for n, o in enumerate(offsets))

        near = four(c, i, *self.around)
        far = four(c, i, -2, -2 * s, -s + 2, -s - 2)
        farther = four(c, i, -3, -2 * s + 1, -2 * s - 1, -s + 3)
        old, older = four(q, j, 0, 1, s, -1), four(q, j, -s, s + 1, s - 1, 2)
        if self.rendered:
            self.read_state(x, i)
        elif self.places is not None:
            x.places = self.places.find(c, i, s)
            for n in (0, 1):
                self.opinion(x, i, n, x.places[0][n], sure(x.places[2][n]))
        for n, (colour, level) in enumerate(in_time(self, i), 2):
            self.opinion(x, i, n, colour, level)
        self.opinion_of_cell(x, i, 4, hash2(hash2(near, far & 0xFFFF), 4))
        if not self.first:
            self.opinion_of_cell(x, i, 5, hash2(hash2(hash2(near & 0xFFFFFF, old), older & 0xFFFFFF), 5))
        self.opinion_of_cell(x, i, 6, hash2(hash2(hash2(near, far), farther), 6))
        if not self.rendered:
            x.key[0] = x.key[6]
        x.top = max(x.votes, key=x.votes.__getitem__) if x.votes else c[i - 1]  # of equals the one named first
        return x

    # -- learning and coding --

    def learn_pixel(self, x: Pixel, i: int, colour: int, sources: bool) -> None:
        self.wrong[i] = TOP_MISSED * (colour != x.top)
        for s, (opinion, _, place) in x.said.items():
            self.wrong[i] |= (opinion != colour) << s
            if sources:
                self.sources[place] = self.mixer.updated(self.sources[place], int(opinion == colour), 15)
        if self.rendered:
            self.learn_state(x, colour)
        elif self.places is not None:
            self.places.learn(i, colour, *x.places)
        for s, at in x.cell.items():
            if s > 1:
                self.cells.learn(at, colour)

    def look_at_state(self, i: int) -> Pixel:
        """What tiles and sprites say of a pixel of which nothing else is known."""
        x, kept = Pixel(), self.wrong
        self.wrong = self.nothing_wrong
        self.read_state(x, i)
        self.wrong = kept
        return x

    def learn_state(self, x: Pixel, colour: int) -> None:
        covered = False
        for n in (1, 0):
            at = x.sprite[n]
            if covered or at < 0:
                continue
            trust, known = self.cells[at]
            clear = colour == x.under[n] and (not trust or known == TRANSPARENT or known != colour)
            self.cells.learn(at, TRANSPARENT if clear else colour)
            covered = self.cells[at][1] != TRANSPARENT
        for s in (1,) if covered else (0, 1):
            self.cells.learn(x.cell[s], colour)

    def code_pixel(self, x: Pixel, i: int, at: int, missed: int, colour: int) -> int:
        near = [self.cur[i + o] for o in self.around]
        trail = sum(self.wrong[i + o] >> 7 << n for n, o in enumerate((*self.around, 0)))
        tried: list[int] = []
        for rank in range(RANKS):
            left = {c: votes for c, votes in x.votes.items() if c not in tried}
            others = [*sorted(left, key=left.__getitem__, reverse=True), *(c for c in near if c not in tried)]
            if not others:
                break
            guess, given, agree = others[0], [], 0
            for s in range(SOURCES):
                said, score, _ = x.said.get(s, (-1, 0, 0))
                given.append(0 if said in tried else score if said == guess else -score)
                agree |= (said == guess) << s
            g, bucket = guess | rank << 8, min(max(left.get(guess, 0), 0) // 256, 31)
            pairs = [(x.key[0], g), (agree << 2 | min(missed, 3), rank), (near[0] << 8 | near[1], g), (x.key[4], g)]
            pairs += [(self.prev[i + self.shift] << 16 | self.prev[i] << 8 | near[0], g), (bucket << 5 | trail, rank)]
            pairs += [(x.key[5], g), (at, g) if self.places is None else (levels(x.places[2]) << 7 | agree, rank)]
            hashes = [hash2(hash2(*pair), n + 16) for n, pair in enumerate(pairs)]
            own, shared = self.w_pixel[rank * 128 + agree], self.w_pixel[RANKS * 128 + rank * 32 + trail]
            if self.bit(given, hashes, own, shared, int(guess == colour)):
                return guess
            tried.append(guess)
        return self.tree([x.top, near[0] << 8 | near[1], x.key[0], 0], 8, 32, 0, colour)

    def tree(self, known: list[int], bits: int, salt: int, weights: int, value: int) -> int:
        """Code a number bit by bit, from the top."""
        node = 1
        for bit in range(bits - 1, -1, -1):
            hashes = [hash2(hash2(k & MASK, node), n + salt) for n, k in enumerate(known)]
            own, shared = self.w_escape[weights], self.w_escape[weights + 1 + bit]
            node = node * 2 + self.bit([], hashes, own, shared, value >> bit & 1)
        return node & ((1 << bits) - 1)

    def code_block(self, by: int, bx: int, wanted: np.ndarray) -> None:
        """`wanted`: uint8 [H, W], of no account in decoding."""
        part = wanted[by * BLOCK :, bx * BLOCK :][:BLOCK, :BLOCK]
        places = [(by * BLOCK + y, bx * BLOCK + x) for y, x in np.ndindex(part.shape)]
        cells = [(y + PAD) * self.stride + x + PAD for y, x in places]
        truth = part.ravel().tolist()
        if self.asked is not None and not self.asked[by, bx]:
            pass_block(self, by, bx, cells)
            return
        asked = bool(self.w_quiet) and (not self.first or (self.version > 2 and self.rendered))
        if asked:
            rows, columns = part.shape
            middle = cells[0] + rows // 2 * self.stride + columns // 2
            if quiet_block(self, by, bx, cells, middle, truth):
                return
        kept = [(self.cur[i], self.wrong[i]) for i in cells]
        pixels = []
        for i in cells:
            x = self.look_at(i)
            pixels.append(x)
            self.cur[i] = x.top & 255
            self.wrong[i] = sum((said[0] != x.top) << s for s, said in x.said.items())
        scores = [x.votes.get(x.top, 0) for x in pixels]
        same = self.code_flag(by, bx, min(scores), sum(s < 1800 for s in scores), int(truth == [x.top for x in pixels]))
        if asked:
            self.flags[(by + 1) * (self.across + 2) + bx + 1] = 1
        if not same:
            for i, (colour, wrong) in zip(cells, kept, strict=True):
                self.cur[i], self.wrong[i] = colour, wrong
        missed = 0
        for (y, column), i, x, colour in zip(places, cells, pixels, truth, strict=True):
            if not same:
                x = self.look_at(i)
                self.cur[i] = self.code_pixel(x, i, y * self.width + column, missed, colour)
                missed += self.cur[i] != x.top
            self.learn_pixel(x, i, self.cur[i], not same)
        ask_before(self, (by + 1) * (self.across + 2) + bx + 1, cells)

    def code_flag(self, by: int, bx: int, low: int, weak: int, same: int) -> int:
        f1 = self.across + 2
        f = (by + 1) * f1 + bx + 1
        around = self.flags_around(f)
        lowest, many, here = min(max(low, 0) // 256, 31), min(weak, 15), by * self.across + bx
        found = [lowest << 4 | many, around, here << 1 | around >> 4 & 1, lowest << 7 | around]
        found.append(many << 1 | int(self.shift != 0))
        hashes = [hash2(h * 2 + self.first, n + 48) for n, h in enumerate(found)]
        own, shared = self.w_flag[self.first], self.w_flag[2 + lowest]
        same = self.bit([min(max(low, -2839), 2839)], hashes, own, shared, same)
        self.flags[f] = 1 - same
        return same

    def flags_around(self, f: int) -> int:
        """Which blocks around were not as expected; those that are still to come, in the previous picture."""
        f1 = self.across + 2
        return sum(self.flags[f + o] << n for n, o in enumerate((-1, -f1, -f1 - 1, -f1 + 1, 0, 1, f1)))
