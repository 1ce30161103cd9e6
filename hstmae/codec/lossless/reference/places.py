"""What stood in earlier pictures where the same was around, in plain Python: the twin of _places.c."""

from __future__ import annotations

from .mixer import hash2, sure

_LEAST, _SURE, _MOST = 5, 16, 24  # pixels in a row that are alike: at least, enough to look no further, at most


class Places:
    """Where pixels come from: up to `count` pictures of `area` pixels with borders, and a table of 2**bits places.

    Attributes:
        pictures: the last ones, the newest among them; a place counts through all of them.
        back, run: of each pixel of a picture how far back its like is (0 = unknown), and of how many in a row that was
            right.
    """

    def __init__(self, count: int, area: int, bits: int) -> None:
        self.pictures = [[0] * area] * count
        self.area, self.down = area, 32 - bits
        self.places = [0] * (1 << bits)
        self.back, self.run = [0] * area, [0] * area
        self.begun = 0

    def begin(self, t: int, picture: list[int]) -> None:
        """Picture `t` is drawn into `picture` from now on."""
        slot = t % len(self.pictures)
        self.pictures[slot] = picture
        self.begun = slot * self.area

    def before_last(self) -> list[int]:
        """The picture before the previous one, the one before the first being empty."""
        return self.pictures[(self.begun // self.area - 2) % len(self.pictures)]

    def _colour(self, place: int) -> int:
        return self.pictures[place // self.area][place % self.area]

    def find(self, picture: list[int], i: int, stride: int) -> tuple[list[int], list[int], list[int], list[int]]:
        """Of the pixel on the left and of the one above: colour (-1 = none), how far back, of how many in a row that
        was right; and the places in the table."""

        def four(at: int) -> int:
            return sum(picture[at + n] << 8 * n for n in range(4))

        left, farther, above, a = four(i - 4), four(i - 8), four(i - stride - 3), i - stride
        around = hash2(left, above)
        keys = [hash2(left, farther), hash2(around, hash2(picture[a + 1] | picture[a + 2] << 8, farther & 0xFFFF0000))]
        keys = [key >> self.down for key in keys]
        back = [self.back[i - 1], self.back[a]]
        run = [self.run[i - 1] if back[0] else 0, self.run[a] if back[1] else 0]
        for n in (0, 1):
            if n and back[1] == back[0]:
                back[1] = run[1] = 0
            if run[n] < _SURE:
                self._look_up(picture, i, keys[n], n, back, run)
        size = len(self.pictures) * self.area
        colours = [self._colour((self.begun + i - b) % size) if b else -1 for b in back]
        first = 0 if back[0] else 1
        self.back[i], self.run[i] = back[first], run[first]
        return colours, back, run, keys

    def _look_up(self, picture: list[int], i: int, key: int, n: int, back: list[int], run: list[int]) -> None:
        at, here, found = self.places[key] - 1, self.begun + i, 0
        if at < 0:
            return
        while found < _MOST and at - found > 0 and self._colour(at - 1 - found) == picture[i - 1 - found]:
            found += 1
        if found >= _LEAST and at != here and found > run[n]:
            back[n], run[n] = (here - at) % (len(self.pictures) * self.area), found

    def learn(self, i: int, colour: int, said: list[int], back: list[int], run: list[int], keys: list[int]) -> None:
        """What pixel `i` was; the rest as `find` gave it."""
        right = [s == colour for s in said]
        best = int(run[1] > run[0]) if all(right) else int(right[1])
        far, row = back[best], run[best]
        if not far:
            row = 0
        elif right[best]:
            row = min(row + 1, 63)
        else:
            row //= 4
            far = far if row else 0
        self.back[i], self.run[i] = far, row
        for key in keys:
            self.places[key] = self.begun + i + 1


def levels(run: list[int]) -> int:
    """Both numbers of pixels in a row, as a context."""
    return sure(run[0]) << 3 | sure(run[1])
