"""Blocks that are as expected, in plain Python: the twin of _quiet.c."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..range_coder import MASK
from .mixer import hash2
from .scrolling import blinks

if TYPE_CHECKING:
    from .pictures import Pictures, Pixel

# The previous picture where the scroll comes from, or here; tiles and sprites; those where there is no picture before.
SCROLLED, STILL, DRAWN, FIRST = range(4)
FROM_HERE, FROM_BEFORE, ONCE_BEFORE, ASK_BEFORE = 1, 2, 4, 8  # bits of what is known of a block from pictures before
HIGH = 8191  # above all scores
_TRANSPARENT = 256


@dataclass
class Expected:
    """What a block should look like: its colours, and of those that were drawn the opinions, by place in the block."""

    kind: int = SCROLLED
    colours: list[int] = field(default_factory=list)
    drawn: dict[int, Pixel] = field(default_factory=dict)
    low: int = HIGH
    sprites: int = 0


def expect(p: Pictures, cells: list[int], still: int) -> Expected:
    """Of the pixels at `cells`; `still`: what is known of a block of unknown meaning."""
    e = Expected()
    if p.rendered:
        if p.first or p.look_changed or any(not same_key(p, i, i + p.shift) for i in cells):
            if p.first or p.look_changed or not p.shift or any(not same_key(p, i, i) for i in cells):
                draw(p, e, cells)
                return e
            e.kind = STILL
    elif blinks(p):
        if still & FROM_BEFORE:
            assert p.places is not None
            old = p.places.before_last()
            e.kind, e.colours = STILL, [old[i] for i in cells]
            return e
    elif p.shift and still & FROM_HERE:
        e.kind = STILL
    shift = 0 if e.kind == STILL else p.shift
    e.colours = [p.prev[i + shift] for i in cells]
    return e


def ask_before(p: Pictures, f: int, cells: list[int]) -> None:
    """Of a block that was not as expected: whether it was as in the picture before the last one. Twice in a row, and it
    is expected to be so again."""
    if not p.come[f] & ASK_BEFORE:
        return
    assert p.places is not None
    old = p.places.before_last()
    same = all(p.cur[i] == old[i] for i in cells)
    found = (FROM_BEFORE if p.come[f] & ONCE_BEFORE else ONCE_BEFORE) if same else 0
    p.come[f] = p.come[f] & FROM_HERE | found


def same_key(p: Pictures, i: int, j: int) -> bool:
    return (p.tile[i], p.front[i], p.second[i]) == (p.old[0][j], p.old[1][j], p.old[2][j])


def draw(p: Pictures, e: Expected, cells: list[int]) -> None:
    e.kind, fresh = FIRST if p.first else DRAWN, p.look_changed or p.first
    for n, i in enumerate(cells):
        e.sprites += p.front[i] != 0
        if not fresh and same_key(p, i, i + p.shift):
            e.colours.append(p.prev[i + p.shift])
        elif not fresh and same_key(p, i, i):
            e.colours.append(p.prev[i])
        else:
            x = e.drawn[n] = p.look_at_state(i)
            said = [x.said.get(s, (-1, 0, 0))[:2] for s in (0, 1)]
            colour, score = said[said[1][0] >= 0 and (said[0][0] < 0 or said[1][1] > said[0][1])]
            if colour < 0 or colour >= _TRANSPARENT:
                colour, score = p.prev[i + p.shift], 0
            e.colours.append(colour)
            e.low = min(e.low, score)


def quiet_block(p: Pictures, by: int, bx: int, cells: list[int], middle: int, truth: list[int]) -> bool:
    """Code whether a block is as expected; if so it is done. `middle`: the place of its middle; `truth` is of no
    account in decoding."""
    f1 = p.across + 2
    f = (by + 1) * f1 + bx + 1
    e = expect(p, cells, p.come[f])
    around = p.flags_around(f)
    low, kind = (31 if e.low > HIGH - 1 else max(e.low, 0) // 256), e.kind
    many = sum(len(e.drawn) > limit for limit in (0, 5, 15, 31))
    sprites = sum(e.sprites > limit for limit in (0, 7, 31))
    if p.rendered:
        what = hash2(p.tile[middle], p.front[middle])
    else:
        what = 0
        for colour in e.colours:
            what = (what ^ colour) * 0x01000193 & MASK
    moved = int(p.shift != 0) << 1 | int(p.look_changed)
    found = [kind << 8 | low << 3 | many, around << 2 | kind]
    found += [(by * p.across + bx) << 3 | kind << 1 | around >> 4 & 1, low << 7 | around]
    found += [hash2(what, kind << 2 | moved), (kind << 2 | moved) << 5 | sprites << 3 | many]
    hashes = [hash2(h, n + 80) for n, h in enumerate(found)]
    assert p.w_quiet is not None
    own, shared = p.w_quiet[kind], p.w_quiet[4 + low]
    quiet = p.bit([min(max(e.low, -2839), 2839)], hashes, own, shared, int(truth == e.colours))
    p.flags[f] = 1 - quiet
    if not quiet:
        if not p.rendered:
            if not blinks(p):
                p.come[f] ^= FROM_HERE
            else:
                p.come[f] = p.come[f] & FROM_HERE if p.come[f] & FROM_BEFORE else p.come[f] | ASK_BEFORE
        return False
    p.come[f] &= ~ONCE_BEFORE
    for i, colour in zip(cells, e.colours, strict=True):
        p.cur[i], p.wrong[i] = colour, 0
    for n, x in e.drawn.items():
        p.learn_state(x, e.colours[n])
    return True


def pass_block(p: Pictures, by: int, bx: int, cells: list[int]) -> None:
    """Take what is expected of a block that is not coded for what it is. Nothing is learned from it."""
    f = (by + 1) * (p.across + 2) + bx + 1
    p.flags[f] = 0
    for i, colour in zip(cells, expect(p, cells, p.come[f]).colours, strict=True):
        p.cur[i], p.wrong[i] = colour, 0
