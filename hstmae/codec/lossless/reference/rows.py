"""Rows of bytes in plain Python: the twin of _rows.c, all versions."""

import numpy as np

from ..coding_models import LINE, LINE_PARTNERS, RowModel
from ..range_coder import MASK
from .guesses import Guesser
from .mixer import Mixer, hash2, mix32


class Rows:
    """Codes the rows of one group, knowing `side` uint8 [T, K]; the names are those of the kernel."""

    def __init__(self, mixer: Mixer, side: np.ndarray, model: RowModel) -> None:
        self.mixer, self.side = mixer, side
        self.order, self.start = model.order.tolist(), model.start.tolist()
        self.size, self.sides = len(self.start), side.shape[1]
        self.partners, self.own, self.shared = model.partners.tolist(), model.own.tolist(), model.shared.tolist()
        self.history = [self.start + [0] * self.sides] * 6
        self.past, self.since = [0] * self.size, [0] * self.size
        self.lines, self.version = model.line_partners is not None, model.version
        if model.line_partners is not None and model.first_partners is not None:
            assert model.line_own is not None and model.line_shared is not None
            self.first_partners, self.line_partners = model.first_partners.tolist(), model.line_partners.tolist()
            self.line_own, self.line_shared = model.line_own.tolist(), model.line_shared.tolist()
            self.line_past, self.line_since = ([0] * len(self.line_partners) for _ in range(2))
            self.guesser = Guesser(mixer, model)

    def code(self, row: np.ndarray, t: int) -> None:
        """Encode row `t`, uint8 [S], or fill it."""
        self.first, self.recent, self.busy = int(t == 0), 0, 0
        self.row = row.tolist()
        self.last, self.older, self.third, self.sixth = (self.history[-n] for n in (1, 2, 3, 6))
        self.cur = self.last[: self.size] + self.side[t].tolist()
        self.held = hash2(self.cur[self.size], self.last[self.size]) if self.sides else 0
        if self.lines:
            self.code_lines()
        else:
            for a in self.order:
                self.code_byte(a)
        self.history.append(self.cur)
        if self.mixer.coder.decoding:
            row[:] = self.cur[: self.size]

    def contexts(self, a: int, partners: list[int]) -> list[int]:
        cur, last = self.cur, self.last
        v, v2, v3 = last[a], self.older[a], self.third[a]
        w1, w2, w4, w16 = (cur[a - n] if a >= n else 0 for n in (1, 2, 4, 16))
        before, before4 = (last[a - n] if a >= n else 0 for n in (1, 4))
        d1, dw, dw4 = (v - v2) & 255, (w1 - before) & 255, (w4 - before4) & 255
        q = [cur[p] for p in partners]
        d = [(cur[p] - last[p]) & 255 for p in partners]
        here, h = a * 2 + self.first, hash2(a * 2 + self.first, v)
        pairs = [(h, v2), (here, d1), (hash2(h, v2), v3), (here, self.past[a]), (h, self.since[a]), (h, w1)]
        pairs += [(here, dw << 8 | d1), (h, q[0]), (here, q[0] << 8 | q[1]), (h, q[1]), (h, q[2])]
        pairs += [(h, q[0] << 16 | q[1] << 8 | q[2]), (h, q[3] << 8 | q[4]), (h, d[0]), (h, d[1])]
        pairs += [(h, d[2] << 8 | d[3]), (h, self.held), (here, self.recent), (w2 << 8 | w1, v)]
        pairs += [(here, w16 << 8 | w1), (w4 << 8 | dw4, (a & 3) << 8 | v), (here, v3 << 8 | self.sixth[a])]
        pairs += [(here, d[0] << 24 | d[1] << 16 | d[2] << 8 | d1), (hash2(h, q[4]), q[5])]
        pairs += [(here, q[0] << 24 | q[1] << 16 | q[2] << 8 | q[3]), (h, dw4 << 8 | dw), (h, q[5])]
        pairs += [(here, w4 << 16 | w2 << 8 | w1)]
        pairs += [(here, (v >> 1 | before << 7 | 0x100) & 0x1FF)]  # shift registers
        pairs += [(here, ((v + d[0]) & 255) << 8 | ((v + d[1]) & 255))]
        found = [here, h, *(hash2(x, y) for x, y in pairs)]
        return [hash2(c, n + 1) for n, c in enumerate(found)]

    def learn_byte(self, a: int, value: int) -> int:
        changed = int(value != self.last[a])
        self.cur[a] = value
        self.past[a] = (self.past[a] << 1 | changed) & 255
        self.since[a] = 0 if changed else min(self.since[a] + 1, 255)
        return changed

    # -- first version --

    def code_byte(self, a: int) -> None:
        contexts, value = self.contexts(a, self.partners[a]), self.last[a]
        own, shared = self.own[a], self.shared
        if self.bit(contexts, 0, int(self.row[a] != value), own[0], shared[min(self.busy, 15)]):
            node = 1
            for i in range(7, -1, -1):
                weights = shared[16 + i + 8 * self.first]
                node = node * 2 + self.bit(contexts, node, self.row[a] >> i & 1, own[1], weights)
            value = node & 255
        changed = self.learn_byte(a, value)
        self.recent = (self.recent << 1 | changed) & 15
        self.busy = self.busy * 15 // 16 + changed * 4

    def bit(self, contexts: list[int], node: int, bit: int, a: list[int], b: list[int]) -> int:
        return self.mixer.bit([], _at_node(contexts, node), a, b, bit)

    # -- from the second version on --

    def code_lines(self) -> None:
        lines = 0
        partners = self.first_partners if self.first else self.partners
        for number, k in enumerate(range(0, self.size, LINE)):
            line = self.order[k : k + LINE]
            touched = 1 if self.first and self.version < 3 else self.code_line(number, line, lines)
            lines, self.recent = (lines << 1 | touched) & 15, 0
            if touched:
                for n, a in enumerate(line):
                    self.code_byte16(a, n, n + 1 == len(line), partners[a])
                continue
            self.busy = self.busy * 5 // 8
            for a in line:
                self.learn_byte(a, self.last[a])

    def code_line(self, number: int, line: list[int], lines: int) -> int:
        cur, last = self.cur, self.last
        was = steps = 0
        moved, moved2, just, before = [0] * 4
        for n, a in enumerate(line):
            p = self.partners[a]
            was = (was ^ last[a]) * 0x01000193 & MASK
            steps = (steps ^ (last[a] - self.older[a]) & 255) * 0x01000193 & MASK
            moved |= (cur[p[0]] != last[p[0]]) << n
            moved2 |= (cur[p[1]] != last[p[1]]) << n
            just |= (self.past[a] & 1) << n
            before |= (self.past[a] >> 1 & 1) << n
        q = [cur[p] for p in self.line_partners[number]]
        d = [(cur[p] - last[p]) & 255 for p in self.line_partners[number][: LINE_PARTNERS - 1]]
        here = number * 2 + self.first if self.version > 2 else number
        past, since, full = self.line_past[number], self.line_since[number], hash2(here, was)
        pairs = [(here, past), (here, since), (here, was), (here, steps), (here, moved)]
        pairs += [(here, moved << 8 | moved2), (here, d[0] << 8 | d[1]), (here, just << 8 | before)]
        pairs += [(here, q[0] << 8 | q[1]), (full, q[0] << 16 | q[1] << 8 | q[2]), (here, lines)]
        pairs += [(past << 8 | since, just), (here, self.held), (full, q[0])]
        contexts = [hash2(c, n + 64) for n, c in enumerate([here, *(hash2(x, y) for x, y in pairs)])]
        touched = int(any(self.row[a] != last[a] for a in line))
        shared = self.line_shared[8 if self.first else since if since <= 6 else 7 if since > 31 else 6]
        touched = self.bit16(contexts, 0, touched, self.line_own[number], shared)
        self.line_past[number] = (past << 1 | touched) & 255
        self.line_since[number] = 0 if touched else min(since + 1, 255)
        return touched

    def code_byte16(self, a: int, place: int, last: bool, partners: list[int]) -> None:
        """`place`: of the byte in its line; `last`: it is the last one there."""
        contexts, value = self.contexts(a, partners), self.last[a]
        own, shared = self.own[a], self.shared
        quiet = (self.version > 2 or not self.first) and not self.recent
        changed = int(quiet and last)  # one of them did
        if not changed:
            weights = shared[place if quiet else 8 + min(self.busy // 4, 7)]
            changed = self.bit16(contexts, 0, int(self.row[a] != value), own[0], weights)
        if changed:
            value = self.guesser.code(self, a, partners)
            if value < 0:
                node = 1
                for i in range(7, -1, -1):
                    weights = shared[16 + i + 8 * self.first]
                    node = node * 2 + self.bit16(contexts, node, self.row[a] >> i & 1, own[1], weights)
                value = node & 255
            self.guesser.learn(self.last[a], value)
        changed = self.learn_byte(a, value)
        self.recent = (self.recent << 1 | changed) & 127
        self.busy = self.busy * 15 // 16 + changed * 4

    def bit16(self, contexts: list[int], node: int, bit: int, a: list[int], b: list[int]) -> int:
        return self.mixer.bit16([], _at_node(contexts, node), a, b, bit)


def _at_node(contexts: list[int], node: int) -> list[int]:
    return [mix32((c + node * 0x9E3779B1) & MASK) for c in contexts]
