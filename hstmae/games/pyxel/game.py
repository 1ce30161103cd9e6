"""Any program written with Pyxel, described by what it draws with: no console, and the state tells pictures as well.

The state of a frame is what it used of the image banks and the calls that drew it (see `memory`), as the recorder logs
them; of tile maps the tiles that are shown. Of what other calls drew (text, circles) the pixels are.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import ClassVar

import numpy as np

from ..hints import CoderHints
from ..spec import GameSpec, StateField, TileLayer
from ..state import NOWHERE, GameState
from .memory import BANKS, BLIT, CALLS, COLOURS, MAP, SIDE, SIZE, SOURCE, TILES, TOLD, WHICH, Call, calls_of
from .picture import UNTOLD, Painter

_BOXES = 64  # sprites that are listed
_UNKNOWN = COLOURS + 1
_NAME = re.compile(r"pyxel-(\d{1,3})x(\d{1,3})")
_COLOURS = "000000 2b335f 7e2072 19959c 8b4852 395c98 a9c1ff eeeeee d4186c d38441 "
_COLOURS += "e9c35b 70c6a9 7696de a3a3a3 ff9798 edc7b0"
PALETTE = np.frombuffer(bytes.fromhex(_COLOURS), np.uint8).reshape(COLOURS, 3)


def _field(name: str, place: slice, unit: str) -> StateField:
    return StateField(name, place.start, unit, place.stop - place.start, SOURCE)


class Pyxel(GameSpec):
    """Of a program with pictures of `native_size`; see `sized`."""

    fps = 30.0
    stride = 1
    palette = PALETTE
    state_size = SIZE
    buttons = ("space", "up", "left", "z", "return", "right", "down", "x")
    fields: ClassVar[tuple[StateField, ...]] = (
        _field("banks", BANKS, "strips of 256 x 8 pixels of image banks, two pixels a byte"),
        _field("strips", WHICH, "of each strip: 32 * bank + row / 8"),
        _field("calls", CALLS, "kind, bank, key, 0, and x, y, u, v, w, h of two bytes each"),
        _field("tiles", TILES, "u, v of each tile of the maps that are drawn"),
        _field("told", TOLD, "bit: a cell of 8 x 8 pixels is as the calls say"),
    )
    regions = ("unknown", "background", "sprite")
    tile_regions = np.array([0, *[1] * COLOURS, 0], np.uint8)
    coding = CoderHints(looks_back=True, one_before=True)

    def decode(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        """The picture as a layer of pixels, sprites as boxes; the camera is the place of the last map."""
        self.check_state(state)
        t, (height, width) = len(state), self.native_size
        painter = Painter(height, width)
        told = np.stack([painter.draw(memory) for memory in state]) if t else np.zeros((0, height, width), np.int16)
        calls = [calls_of(memory) for memory in state]
        maps = [next((c for c in reversed(some) if c.kind == MAP), Call(MAP)) for some in calls]
        boxes = np.zeros((t, _BOXES, 5), np.int16)
        for k, some in enumerate(calls):
            for slot, c in enumerate([c for c in some if c.kind == BLIT][:_BOXES]):
                boxes[k, slot] = self.regions.index("sprite"), c.x, c.y, c.x + abs(c.w), c.y + abs(c.h)
        return GameState(
            tiles=(np.where(told == UNTOLD, _UNKNOWN, told + 1).astype(np.int16),),
            tile_xy=(np.zeros((t, 2), np.int16),),
            sprites=np.zeros((t, 0, 4), np.int16),
            globals=np.zeros((t, 0), np.uint8),
            camera=np.array([c.u - c.x for c in maps], np.int32),
            area=np.full(t, NOWHERE, np.int32),
            tokens=np.zeros((t, 0, 0), np.float32),
            token_xy=np.zeros((t, 0, 2), np.float32),
            token_valid=np.zeros((t, 0), bool),
            boxes=boxes,
            camera_y=np.array([c.v - c.y for c in maps], np.int32),
        )


def sized(name: str) -> type[Pyxel] | None:
    """The description of programs with pictures of one size, by its name "pyxel-WIDTHxHEIGHT"; None for other names."""
    found = _NAME.fullmatch(name)
    if found is None or not all(CELL_LEAST <= int(n) <= SIDE for n in found.groups()):
        return None
    return _made(int(found[1]), int(found[2]))


CELL_LEAST = 16  # pixels of a side


@lru_cache(maxsize=64)
def _made(width: int, height: int) -> type[Pyxel]:
    name = f"pyxel-{width}x{height}"
    layer = TileLayer("picture", height, width, 1, ids=_UNKNOWN + 1, entries=(-1, *range(COLOURS), -1))
    return type("Pyxel", (Pyxel,), {"name": name, "native_size": (height, width), "tile_layers": (layer,)})
