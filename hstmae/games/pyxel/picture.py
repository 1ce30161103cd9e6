"""The picture that Pyxel makes of a program's calls."""

from __future__ import annotations

import numpy as np

from .memory import (
    BANKS,
    BLIT,
    CELL,
    CLIP,
    COLOURS,
    FILL,
    MAP,
    MOST_TILES,
    NO_KEY,
    RECT,
    RUN,
    SIDE,
    SWAP,
    TILES,
    TOLD,
    WHICH,
    Call,
    banks_of,
    calls_of,
)  # fmt: skip

UNTOLD = -1


class Painter:
    """Draws one frame after the other; image banks that did not change are not unpacked again."""

    def __init__(self, height: int, width: int) -> None:
        self._size = height, width
        self._key, self._banks = b"", np.zeros((0, SIDE, SIDE), np.uint8)

    def draw(self, memory: np.ndarray) -> np.ndarray:
        """Memory uint8 [SIZE] -> colours int16 [H, W], UNTOLD where the calls do not tell the picture."""
        out = self.paint(memory)
        height, width = self._size
        cells = np.unpackbits(memory[TOLD]).reshape(SIDE // CELL, SIDE // CELL) > 0
        known = cells.repeat(CELL, 0).repeat(CELL, 1)[:height, :width]
        return np.where(known, out, UNTOLD).astype(np.int16)

    def paint(self, memory: np.ndarray) -> np.ndarray:
        """What the calls alone make: int16 [H, W]."""
        packed = memory[BANKS.start : WHICH.stop].tobytes()
        if packed != self._key:
            self._key, self._banks = packed, banks_of(memory)
        height, width = self._size
        out = np.full(self._size, UNTOLD, np.int16)
        colours = np.arange(256, dtype=np.int16)
        inside, tile = (0, 0, width, height), 0
        tiles = memory[TILES].reshape(MOST_TILES, 2)
        for call in calls_of(memory):
            if call.kind == FILL:
                out[:] = colours[call.bank]
            elif call.kind == CLIP:
                inside = max(call.x, 0), max(call.y, 0), min(call.x + call.w, width), min(call.y + call.h, height)
            elif call.kind == RECT:
                _paste(out, np.full((max(call.h, 0), max(call.w, 0)), call.bank, np.uint8), call, inside, colours)
            elif call.kind == RUN:
                if 0 <= call.y < height:
                    out[call.y, max(call.x, 0) : max(call.x + call.w, 0)] = call.bank
            elif call.kind in (BLIT, MAP) and call.bank < len(self._banks):
                if call.kind == MAP:
                    rows, columns = call.grid
                    some = tiles[tile : tile + rows * columns]
                    tile += rows * columns
                    picture = self._map(call, some) if len(some) == rows * columns and len(some) else None
                else:
                    picture = self._blit(call)
                if picture is not None:
                    _paste(out, picture, call, inside, colours)
            elif call.kind == SWAP and call.bank == NO_KEY:
                colours = np.arange(256, dtype=np.int16)
            elif call.kind == SWAP and call.bank < COLOURS:
                colours[call.bank] = call.key
        return out

    def _blit(self, call: Call) -> np.ndarray | None:
        if not (call.u >= 0 and call.v >= 0 and call.u + abs(call.w) <= SIDE and call.v + abs(call.h) <= SIDE):
            return None
        part = self._banks[call.bank, call.v : call.v + abs(call.h), call.u : call.u + abs(call.w)]
        return part[:: -1 if call.h < 0 else 1, :: -1 if call.w < 0 else 1]

    def _map(self, call: Call, tiles: np.ndarray) -> np.ndarray:
        rows, columns = call.grid
        cut = self._banks[call.bank].reshape(SIDE // CELL, CELL, SIDE // CELL, CELL).transpose(0, 2, 1, 3)
        u, v = (tiles % (SIDE // CELL)).T
        whole = cut[v, u].reshape(rows, columns, CELL, CELL).transpose(0, 2, 1, 3).reshape(rows * CELL, columns * CELL)
        top, left = call.v % CELL, call.u % CELL
        return np.asarray(whole[top : top + call.h, left : left + call.w])


def _paste(
    out: np.ndarray, picture: np.ndarray, call: Call, inside: tuple[int, int, int, int], colours: np.ndarray
) -> None:
    left, top, right, bottom = inside
    x0, y0 = max(call.x, left), max(call.y, top)
    x1, y1 = min(call.x + picture.shape[1], right), min(call.y + picture.shape[0], bottom)
    if x0 >= x1 or y0 >= y1:
        return
    part = picture[y0 - call.y : y1 - call.y, x0 - call.x : x1 - call.x]
    here = out[y0:y1, x0:x1]
    here[...] = np.where(part != call.key, colours[part], here)
