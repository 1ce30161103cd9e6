"""What the state says is drawn, and how the picture scrolled, in plain Python: the twin of _scene.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..range_coder import MASK
from ..scene import Scene

if TYPE_CHECKING:
    from .pictures import Pictures

PAD = 12  # rows and columns of zeros around a picture
CENTRE = 8 * 17 + 8  # no shift


def render(scene: Scene, t: int, height: int, width: int, version: int) -> tuple[list[int], list[int], list[int]]:
    """Keys of the tile and of the two foremost sprites at each pixel of the padded picture; 0 = none."""
    stride = width + 2 * PAD
    tile, front, second = ([0] * (stride * (height + 2 * PAD)) for _ in range(3))
    layers, at = len(scene.layout), 0
    for layer, (rows, columns, cell) in enumerate(scene.layout.tolist()):
        left, top = scene.corners[t, layer].tolist()
        ids = scene.tiles[t, at : at + rows * columns].tolist()
        at += rows * columns
        for y in range(max(top, 0), min(top + rows * cell, height)):
            for x in range(max(left, 0), min(left + columns * cell, width)):
                row, v = divmod(y - top, cell)
                column, u = divmod(x - left, cell)
                name, place = ids[row * columns + column] & 0xFFFF, (y + PAD) * stride + x + PAD
                if version > 2:
                    piece, texel = in_piece(name, cell, v, u)
                    tile[place] = ((piece * layers + layer + 1) << 6 | texel) & MASK
                else:
                    tile[place] = ((name * cell * cell + v * cell + u) * layers + layer + 1) & MASK
    size = scene.size
    for left, top, name, attribute in reversed(scene.sprites[t].tolist()):
        base = (name & 0xFFFF) * 64 + (attribute & 63)
        for v in range(max(-top, 0), min(size, height - top)):
            for u in range(max(-left, 0), min(size, width - left)):
                tv = size - 1 - v if attribute & 128 else v
                tu = size - 1 - u if attribute & 64 else u
                i = (top + v + PAD) * stride + left + u + PAD
                second[i] = front[i]
                if version > 2:
                    piece, texel = in_piece(base, size, tv, tu)
                    front[i] = 0x80000000 | ((piece << 6 | texel) & MASK)
                else:
                    front[i] = 0x80000000 | ((base * size * size + tv * size + tu) & MASK)
    return tile, front, second


def in_piece(name: int, side: int, v: int, u: int) -> tuple[int, int]:
    """The piece of 8x8 pixels of what is drawn, `side` pixels wide and high, and the place in it of row v, column u."""
    pieces = -(-side // 8)
    return name * pieces * pieces + v // 8 * pieces + u // 8, v % 8 * 8 + u % 8


def find_shift(new: np.ndarray, prev: list[int], stride: int, step: int) -> int:
    """The shift of the previous padded picture that explains most of what changed, (dy + 8) * 17 + dx + 8, in every
    `step`-th line."""
    old, (height, width) = np.array(prev).reshape(-1, stride), new.shape

    def alike(dy: int, dx: int) -> int:
        return int((new == old[PAD + dy :, PAD + dx :][:height, :width])[::step].sum())

    best, most = CENTRE, alike(0, 0)
    shifts = [(dy, 0) for dy in range(-8, 0)] + [(0, dx) for dx in range(-8, 9)] + [(dy, 0) for dy in range(1, 9)]
    for dy, dx in shifts:
        found = alike(dy, dx)
        if found > most:
            most, best = found, (dy + 8) * 17 + dx + 8
    return best


def left_half(cur: list[int], i: int, stride: int, width: int) -> tuple[int, int] | tuple[()]:
    """Colours of the padded picture's left half that mirror, and that repeat, the pixel at `i`; none of its own."""
    column, half = i % stride - PAD, width // 2
    return (cur[i - 2 * column + width - 1], cur[i - half]) if column >= half else ()


def blinks(p: Pictures) -> bool:
    """Whether a picture that did not move is held against the one before the last, too."""
    return p.version > 4 and p.places is not None and not p.shift


def in_time(p: Pictures, i: int) -> list[tuple[int, int]]:
    """What sources 2 and 3 say of a pixel, and how sure: the last picture where the scroll comes from, and here; where
    nothing moved, in place of a second time the same, the picture before it."""
    s, q = p.stride, p.prev
    if p.first:
        said = left_half(p.cur, i, s, p.width) if p.version > 3 else (q[i + p.shift], q[i])
        return [(colour, 0) for colour in said]
    if not blinks(p):
        return [(q[i + p.shift], 7), (q[i], 7)]
    assert p.places is not None
    old = p.places.before_last()
    alike = sum((old[i + o] == p.cur[i + o]) << n for n, o in enumerate((-1, -s, -s + 1)))
    return [(q[i], 7), (old[i], alike)]
