"""What is written down of a frame of a Pyxel program: the pictures that it draws from, and what it drew, in order.

Source: the documentation of Pyxel 2.9, "API reference": image banks, tilemaps, `blt`, `bltm`, `cls`, `rect`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SOURCE = "Pyxel 2.9, API reference"
SIDE, CELL = 256, 8  # pixels of a bank's side, and of a tile's; no picture is larger than a bank
BANK_COUNT, COLOURS = 3, 16
CALL, MOST_CALLS = 16, 512  # bytes of a call, calls
MOST_TILES = 4 * 33 * 33

STRIPS, STRIP = (
    40,
    CELL * SIDE // 2,
)  # strips of eight rows of a bank that are held: two pixels a byte, the left one first
BANKS = slice(0, STRIPS * STRIP)
WHICH = slice(BANKS.stop, BANKS.stop + STRIPS)  # 32 * bank + row / 8 of each strip, UNUSED where there is none
UNUSED = 255
CALLS = slice(WHICH.stop, WHICH.stop + MOST_CALLS * CALL)
TILES = slice(CALLS.stop, CALLS.stop + 2 * MOST_TILES)  # u, v of the tiles of each map that was drawn, row by row
TOLD = slice(
    TILES.stop, TILES.stop + (SIDE // CELL) ** 2 // 8
)  # of each 8x8 cell of the picture: is it as the calls say
SIZE = TOLD.stop

END, FILL, BLIT, MAP, RECT, CLIP, SWAP, RUN = range(8)  # kinds of calls; of END there is none any more
_LAYOUT = np.dtype([("kind", "u1"), ("bank", "u1"), ("key", "u1"), ("_", "u1"), ("place", "<i2", (6,))])
NO_KEY = 255


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        kind: FILL the picture with colour `bank`; BLIT from an image bank, MAP of tiles of a bank, RECT of colour
            `bank`; CLIP to a rectangle, SWAP colour `bank` for `key` in what follows (both NO_KEY: no more); RUN of
            pixels that have colour `bank` whatever was said before.
        key: colour that is not drawn, NO_KEY = all are.
        x, y: on the picture; u, v: in the bank, or in the map's pixels; w, h: pixels, below 0 = mirrored.
    """

    kind: int
    bank: int = 0
    key: int = NO_KEY
    x: int = 0
    y: int = 0
    u: int = 0
    v: int = 0
    w: int = 0
    h: int = 0

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the tiles that a MAP shows."""
        return tuple((at % CELL + abs(size) + CELL - 1) // CELL for at, size in ((self.v, self.h), (self.u, self.w)))  # type: ignore[return-value]


def pack_calls(calls: list[Call]) -> np.ndarray:
    """uint8 [MOST_CALLS * CALL]; those beyond MOST_CALLS are left out."""
    out = np.zeros(MOST_CALLS, _LAYOUT)
    for k, c in enumerate(calls[:MOST_CALLS]):
        out[k] = c.kind, c.bank, c.key, 0, (c.x, c.y, c.u, c.v, c.w, c.h)
    return out.view(np.uint8)


def calls_of(memory: np.ndarray) -> list[Call]:
    """The calls of memory uint8 [SIZE], in their order."""
    found = []
    for kind, bank, key, _, place in np.ascontiguousarray(memory[CALLS]).view(_LAYOUT).tolist():
        if not FILL <= kind <= RUN:
            break
        found.append(Call(kind, bank, key, *place))
    return found


def pack_banks(banks: np.ndarray, which: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Colours uint8 [BANK_COUNT, 256, 256] and at most STRIPS strips that are held -> the bytes of BANKS and WHICH."""
    cut = banks.reshape(-1, CELL * SIDE)[which] & 15
    pixels, held = np.zeros((STRIPS, STRIP), np.uint8), np.full(STRIPS, UNUSED, np.uint8)
    pixels[: len(which)], held[: len(which)] = cut[:, ::2] << 4 | cut[:, 1::2], which
    return pixels.reshape(-1), held


def banks_of(memory: np.ndarray) -> np.ndarray:
    """Colours uint8 [BANK_COUNT, 256, 256], 0 where a strip is not held."""
    pixels, which = memory[BANKS].reshape(STRIPS, STRIP), memory[WHICH]
    out = np.zeros((BANK_COUNT * SIDE // CELL, CELL * SIDE), np.uint8)
    used = np.flatnonzero(which < len(out))
    out[which[used], ::2], out[which[used], 1::2] = pixels[used] >> 4, pixels[used] & 15
    return out.reshape(BANK_COUNT, SIDE, SIDE)
