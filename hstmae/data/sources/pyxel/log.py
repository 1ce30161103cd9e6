"""What a Pyxel program draws in a frame: its calls, written down as they go on to Pyxel.

Of calls that are not known in detail (text, circles, turned blits) the pixels that they changed are written down.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from ....games.pyxel import memory as m
from ....games.pyxel.memory import Call
from ....games.pyxel.picture import Painter

_LOGGED = ("cls", "blt", "bltm", "rect", "camera", "clip", "pal")
_OTHERS = ("text", "pset", "line", "rectb", "circ", "circb", "elli", "ellib", "tri", "trib", "fill")


class Log:
    """What is drawn in a frame: the program's calls, which go on to Pyxel."""

    def __init__(self, pyxel: Any) -> None:
        self.pyxel, self.calls, self.tiles = pyxel, list[Call](), list[tuple[int, int]]()
        self.strips = list[int]()  # of image banks that the program has used so far, in this order
        self._origin = 0, 0
        for name in (*_LOGGED, *_OTHERS):
            if hasattr(pyxel, name):
                setattr(pyxel, name, self._wrapped(name, getattr(pyxel, name)))

    def _wrapped(self, name: str, own: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            logged = False
            if name in _LOGGED:
                with suppress(TypeError, ValueError, OverflowError):
                    logged = getattr(self, f"on_{name}")(*args, **named) is not False
            if logged:
                return own(*args, **named)
            before = self._shown().copy()
            done = own(*args, **named)
            self._changed(before, self._shown())
            return done

        return call

    def _shown(self) -> np.ndarray:
        """What is drawn so far, uint8 [H, W]: it changes with the next call."""
        pyxel = self.pyxel
        return np.frombuffer(pyxel.screen.data_ptr(), np.uint8).reshape(pyxel.height, pyxel.width)

    def _changed(self, before: np.ndarray, after: np.ndarray) -> None:
        """Pixels that some call changed, as runs; too many are left out, and then not told."""
        different = np.pad(after != before, ((0, 0), (1, 1)))
        edge = np.pad(after[:, 1:] != after[:, :-1], ((0, 0), (1, 1)), constant_values=True)  # another colour begins
        begins = different[:, 1:-1] & (~different[:, :-2] | edge[:, :-1])
        ends = different[:, 1:-1] & (~different[:, 2:] | edge[:, 1:])
        if int(begins.sum()) + len(self.calls) > m.MOST_CALLS:
            return
        for (y, x), (_, last) in zip(np.argwhere(begins).tolist(), np.argwhere(ends).tolist(), strict=True):
            self.calls.append(Call(m.RUN, int(after[y, x]), x=x, y=y, w=last - x + 1, h=1))

    def begin(self) -> None:
        self.calls, self.tiles = [], []

    def _use(self, bank: int, first: int, last: int) -> None:
        """Rows of strips of a bank are drawn from."""
        for strip in range(max(first, 0), min(last, m.SIDE // m.CELL - 1) + 1):
            number = bank * m.SIDE // m.CELL + strip
            if number not in self.strips and len(self.strips) < m.STRIPS:
                self.strips.append(number)

    def on_cls(self, col: int) -> None:
        self.calls.append(Call(m.FILL, int(col)))

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return _whole(x) - self._origin[0], _whole(y) - self._origin[1]

    def on_camera(self, x: float = 0, y: float = 0) -> None:
        self._origin = _whole(x), _whole(y)

    def on_clip(self, x: float = 0, y: float = 0, w: float = -1, h: float = -1) -> None:
        whole = w < 0
        size = (self.pyxel.width, self.pyxel.height) if whole else (_whole(w), _whole(h))
        self.calls.append(Call(m.CLIP, x=0 if whole else _whole(x), y=0 if whole else _whole(y), w=size[0], h=size[1]))

    def on_pal(self, col1: int = m.NO_KEY, col2: int = m.NO_KEY) -> None:
        self.calls.append(Call(m.SWAP, int(col1), int(col2)))

    def on_rect(self, x: float, y: float, w: float, h: float, col: int) -> None:
        x, y = self._at(x, y)
        self.calls.append(Call(m.RECT, int(col), x=x, y=y, w=_whole(w), h=_whole(h)))

    def on_blt(self, x: float, y: float, img: Any, u: float, v: float, w: float, h: float, colkey: int | None = None,
             rotate: float = 0, scale: float = 1) -> bool:  # fmt: skip
        if rotate or scale != 1 or not isinstance(img, int) or not 0 <= img < m.BANK_COUNT:
            return False
        x, y = self._at(x, y)
        key = m.NO_KEY if colkey is None else int(colkey)
        call = Call(m.BLIT, img, key, x, y, _whole(u), _whole(v), _whole(w), _whole(h))
        self._use(img, call.v // m.CELL, (call.v + abs(call.h) - 1) // m.CELL)
        self.calls.append(call)
        return True

    def on_bltm(self, x: float, y: float, tm: Any, u: float, v: float, w: float, h: float, colkey: int | None = None,
              rotate: float = 0, scale: float = 1) -> bool:  # fmt: skip
        tilemap = self.pyxel.tilemaps[tm] if isinstance(tm, int) else tm
        if rotate or scale != 1 or w <= 0 or h <= 0 or u < 0 or v < 0 or not isinstance(tilemap.imgsrc, int):
            return False
        x, y = self._at(x, y)
        key = m.NO_KEY if colkey is None else int(colkey)
        call = Call(m.MAP, tilemap.imgsrc, key, x, y, _whole(u), _whole(v), _whole(w), _whole(h))
        rows, columns = call.grid
        if len(self.tiles) + rows * columns > m.MOST_TILES:
            return False
        left, top = call.u // m.CELL, call.v // m.CELL
        self.tiles += [tuple(tilemap.pget(left + k, top + j)) for j in range(rows) for k in range(columns)]
        for row in sorted({v for _, v in self.tiles[-rows * columns :]}):
            self._use(call.bank, row, row)
        self.calls.append(call)
        return True


def _whole(value: float) -> int:
    return int(np.floor(float(value) + 0.5))


def state_of(log: Log, banks: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """uint8 [SIZE] of a frame, with what of its picture uint8 [H, W] it tells."""
    out = np.zeros(m.SIZE, np.uint8)
    out[m.BANKS], out[m.WHICH] = m.pack_banks(banks, log.strips)
    out[m.CALLS] = m.pack_calls(log.calls)
    if log.tiles:
        flat = np.array(log.tiles, np.uint8).reshape(-1)
        out[m.TILES.start : m.TILES.start + len(flat)] = flat
    height, width = shown.shape
    right = np.ones((m.SIDE, m.SIDE), bool)
    right[:height, :width] = Painter(height, width).paint(out) == shown
    count = m.SIDE // m.CELL
    out[m.TOLD] = np.packbits(right.reshape(count, m.CELL, count, m.CELL).all((1, 3)))
    return out
