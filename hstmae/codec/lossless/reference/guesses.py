"""What a byte that changes becomes, in plain Python: the twin of the guesses in _guesses.c."""

from __future__ import annotations

from typing import Protocol

from ..coding_models import RowModel
from .mixer import Cells, Mixer, hash2, sure

RANKS = 4  # guesses that are tried before the byte is spelled


class Around(Protocol):
    """What is known of a row that is being coded, as in rows.Rows."""

    cur: list[int]
    last: list[int]
    older: list[int]
    row: list[int]
    past: list[int]
    since: list[int]
    first: int


class Guesser:
    """Names likely values and codes whether they are right.

    Attributes:
        values: of each source, -1 = none; scores: what it is worth; sources: where that is learned; cells: places.
    """

    def __init__(self, mixer: Mixer, model: RowModel) -> None:
        assert model.cells is not None and model.guess_own is not None and model.guess_shared is not None
        self.mixer, self.cells = mixer, Cells(model.cells)
        self.own, self.shared = model.guess_own.tolist(), model.guess_shared.tolist()

    def code(self, r: Around, a: int, p: list[int]) -> int:
        """The value of byte `a`, whose partners are at `p`; -1: it is none of the guesses."""
        self._look(r, a, p)
        tried: list[int] = []
        for rank in range(RANKS):
            sums: dict[int, int] = {}
            for value, score in zip(self.values, self.scores, strict=True):
                if value >= 0 and value not in tried:
                    sums[value] = sums.get(value, 0) + score
            if not sums:
                break
            top = max(sums, key=sums.__getitem__)  # of equals the one named first
            if self._is(r, a, p, top, sums[top], rank):
                return top
            tried.append(top)
        return -1

    def learn(self, before: int, value: int) -> None:
        for guess, at in zip(self.values, self.sources, strict=True):
            if guess >= 0:
                self.mixer.learn(at, int(guess == value))
        for n, at in enumerate(self.places):
            self.cells.learn(at, value if n < 4 else (value - before) & 255)

    def _look(self, r: Around, a: int, p: list[int]) -> None:
        cur, last, v = r.cur, r.last, r.last[a]
        q, d = [cur[at] for at in p[:4]], [(cur[at] - last[at]) & 255 for at in p[:3]]
        here, own = a * 2 + r.first, (v - r.older[a]) & 255
        h = hash2(here, v)
        found = [hash2(h, q[0] << 8 | q[1]), hash2(h, r.older[a] << 8 | d[0])]
        found += [hash2(here, q[0] << 16 | q[1] << 8 | q[2]), hash2(h, (cur[a - 1] if a else 0) << 8 | q[3])]
        found += [hash2(here, d[0] << 16 | d[1] << 8 | d[2]), hash2(here, own << 8 | r.since[a])]
        said = [v + d[0], v + d[1], v + own, v >> 1 | (last[a - 1] if a else 0) << 7, q[0], q[1]]
        self.places, values, sureness = [], [], [0] * (len(found) + len(said))
        for n, key in enumerate(found):
            at = self.cells.at(hash2(key, n + 96))
            trust, value = self.cells[at]
            self.places.append(at)
            sureness[n] = sure(trust)
            values.append(-1 if not trust else value & 255 if n < 4 else (value + v) & 255)
        values += [value & 255 for value in said]
        self.values = [-1 if value == v else value for value in values]
        self.scores, self.sources = [0] * len(values), [0] * len(values)
        for n, value in enumerate(self.values):
            if value >= 0:
                self.scores[n], self.sources[n] = self.mixer.opinion(hash2(here, n * 8 + sureness[n] + 1024))

    def _is(self, r: Around, a: int, p: list[int], top: int, best: int, rank: int) -> int:
        v, q = r.last[a], r.cur[p[0]]
        given = [score if value == top else -score for value, score in zip(self.values, self.scores, strict=True)]
        agree = sum((value == top) << n for n, value in enumerate(self.values))
        here, bucket = (a * 2 + r.first) * RANKS + rank, min(max(best, 0) // 512, 15)
        pairs = [(here, agree), (here, top), (here, v << 8 | top), (here, q << 8 | top)]
        pairs += [(here, bucket << 6 | agree & 63), (here, r.past[a]), (agree, bucket << 2 | rank)]
        pairs += [(here, (top - v & 255) << 8 | (q - r.last[p[0]]) & 255)]
        hashes = [hash2(hash2(*pair), n + 128) for n, pair in enumerate(pairs)]
        return self.mixer.bit16(given, hashes, self.own[a], self.shared[bucket + 16 * rank], int(r.row[a] == top))
