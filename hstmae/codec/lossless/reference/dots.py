"""What is said of a pixel of true colour, in plain Python: the twin of hst_dot_look in _colours_dot.c."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .mixer import hash2, sure

if TYPE_CHECKING:
    from .colours import Colours

LEFT, ABOVE, NEAR, FAR, OLD, OLDER, STILL, UP, WEST, USUAL, SECOND, PAIR, NEXT = range(13)
_LEAST, _SURE, _MOST = 4, 16, 24
_NONE = -1
_CELLS = ((NEAR, False), (FAR, False), (OLD, True), (OLDER, True), (PAIR, False), (NEXT, True))


@dataclass
class Dot:
    """Colours by source (-1 = none), how much each counts and where that is learned, and what was looked up."""

    colour: list[int] = field(default_factory=lambda: [_NONE] * 13)
    score: list[int] = field(default_factory=lambda: [0] * 13)
    at: list[int] = field(default_factory=lambda: [0] * 13)
    vote: list[int] = field(default_factory=lambda: [0] * 13)
    top: int = _NONE
    key: list[int] = field(default_factory=list)
    cell: list[int | None] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    back: list[int] = field(default_factory=list)
    run: list[int] = field(default_factory=list)


def look(p: Colours, i: int) -> Dot:
    """All that is said of the pixel at `i` of this picture."""
    x, s, ring, c, q = Dot(), p.stride, p.ring, p.cur + i, p.prev + i
    left, above, corner, right = ring[c - 1], ring[c - s], ring[c - s - 1], ring[c - s + 1]
    pair = hash2(left, above)
    near = hash2(pair, hash2(corner, right))
    far = hash2(near, hash2(hash2(ring[c - 2], ring[c - 2 * s]), hash2(ring[c - s + 2], ring[c - s - 2])))
    old = hash2(ring[q], ring[q + 1])
    x.key = [hash2(near, 4), hash2(far, 5), hash2(hash2(pair, old), 6)]
    x.key += [hash2(hash2(pair, hash2(old, hash2(ring[q + s], ring[q - 1]))), 7), hash2(pair, 8), hash2(ring[q], 9)]
    down = 32 - p.bits
    x.place = [hash2(hash2(left, ring[c - 2]), hash2(ring[c - 3], ring[c - 4])) >> down]
    x.place.append(hash2(far, hash2(ring[c - 3], 1)) >> down)
    x.back = [p.back[i - 1], p.back[i - s]]
    x.run = [p.run[at] if back else 0 for at, back in zip((i - 1, i - s), x.back, strict=True)]
    if x.run[0] < _SURE:
        _look_up(p, x, i, 0)
    if x.back[1] == x.back[0]:
        x.back[1] = x.run[1] = 0
    if x.run[1] < _SURE:
        _look_up(p, x, i, 1)
    for n in range(2):
        _say(p, x, LEFT + n, ring[p.behind(i, x.back[n])] if x.back[n] else _NONE, sure(x.run[n]), i)
    for n, (source, before) in enumerate(_CELLS):
        place = None if before and p.first else _cell(p, x.key[n])
        colour, _, trust = (0, 0, 0) if place is None else p.cells[place]
        x.cell.append(place)
        _say(p, x, source, colour if trust else _NONE, sure(trust), i)
    still = (ring[q - 1] == left) | (ring[q - s] == above) << 1 | (ring[q - s + 1] == right) << 2
    _say(p, x, STILL, _NONE if p.first else ring[q], still, i)
    _say(p, x, UP, above, (corner == left) | (right == above) << 1 | (ring[c - 2 * s] == above) << 2, i)
    _say(p, x, WEST, left, (corner == above) | (ring[c - 2] == left) << 1 | (right == above) << 2, i)
    for n, back in enumerate(p.usual):
        at = p.behind(i, back) if back else 0
        alike = 0
        if at > s:
            alike = (ring[at - 1] == left) | (ring[at - s] == above) << 1 | (ring[at - s + 1] == right) << 2
        _say(p, x, USUAL + n, ring[at] if back else _NONE, alike, i)
    for a, colour in enumerate(x.colour):
        if colour >= 0:
            x.vote[a] = sum(score for score, other in zip(x.score, x.colour, strict=True) if other == colour)
    said = [a for a, colour in enumerate(x.colour) if colour >= 0]
    x.top = x.colour[max(said, key=lambda a: (x.vote[a], -a))]
    return x


def _say(p: Colours, x: Dot, source: int, colour: int, level: int, i: int) -> None:
    near = sum((p.wrong[at] >> source & 1) << n for n, at in enumerate((i - 1, i - p.stride, i - p.stride + 1, i)))
    x.colour[source] = colour
    x.at[source] = (source * 8 + level) << 4 | near
    x.score[source] = p.scores[x.at[source]] if colour >= 0 else 0


def _cell(p: Colours, h: int) -> int:
    place, check = h >> 32 - p.bits, h & 0xFFFF
    if p.cells[place][1] != check:
        p.cells[place] = 0, check, 0
    return place


def _look_up(p: Colours, x: Dot, i: int, n: int) -> None:
    found = p.places[x.place[n]]
    if not found:
        return
    at, here, run, ring = found - 1, p.cur + i, 0, p.ring
    while run < _MOST and at - run > 0 and ring[at - 1 - run] == ring[here - 1 - run]:
        run += 1
    if run < _LEAST or at == here or run <= x.run[n]:
        return
    x.back[n], x.run[n] = (here - at) % len(ring), run
