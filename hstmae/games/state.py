"""The decoded state of a clip: what a game's own memory says about its pictures, in a form every game shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

NOWHERE = -(1 << 31)  # `area` of a state that does not tell which map is shown
Array = Any  # numpy.ndarray from a GameSpec, torch.Tensor once batched: the container does not care


@dataclass
class GameState:
    """State of T frames (numpy, leading axis T) or of a batch (torch, leading axes [B, T]).

    All positions are pixels of the game's native picture, x to the right, y down; they may lie outside of it.

    Attributes:
        tiles: per tile layer, ids int16 [T, rows, cols]; id 0 = blank, the layer's last id = unknown.
        tile_xy: per tile layer, int16 [T, 2]: x, y of the grid's top left corner.
        sprites: int16 [T, N, 4]: x, y, tile, attribute id; lower index in front; hidden ones have y >= native height.
        globals: uint8 [T, G]: bytes that change how everything looks (area type, colour cycle ...).
        camera: int32 [T]: world x of the picture's left edge.
        area: int32 [T]: a number that tells maps apart, though not all of them and not all the time; what models with
            `places: area` remember places by. NOWHERE where that is not told.
        tokens: float32 [T, K, F]: the `compact` state: K tokens of F normalised numbers (unused ones are 0).
        token_xy: float32 [T, K, 2]: where each token sits.
        token_valid: bool [T, K]: False for, say, an enemy slot that is not in use.
        boxes: int16 [T, M, 5]: region id, x0, y0, x1, y1 (exclusive); unused ones have region 0. Later ones win.
        scene: int32 [T]: which map of the game is shown, the same number whenever it is; with `camera` it names a
            place. NOWHERE where that is not told. Left out, `area` is as good.
        clock: int32 [T]: the game's own count of frames, by which pictures of objects take turns. Left out, 0.
        glow: int32 [T]: which colours tiles show that glow (`GameSpec.cycling_tiles`), by number. Left out, 0.
        undrawn: int32 [T]: bits, one for each character of tile_layers[1] that may change: it has done so in the
            memory, and the picture shows it later. Which is which is the game's affair. Left out, 0.
    """

    tiles: tuple[Array, ...]
    tile_xy: tuple[Array, ...]
    sprites: Array
    globals: Array
    camera: Array
    area: Array
    tokens: Array
    token_xy: Array
    token_valid: Array
    boxes: Array
    scene: Array = None
    clock: Array = None
    glow: Array = None
    undrawn: Array = None

    def __post_init__(self) -> None:
        if self.scene is None:
            self.scene = self.area
        for name in ("clock", "glow", "undrawn"):
            if getattr(self, name) is None and self.camera is not None:
                setattr(self, name, 0 * self.camera)

    def map(self, fn: Callable[[Array], Array]) -> GameState:
        """Apply `fn` to every array (a slice, a device move, a conversion)."""
        return GameState(
            tiles=tuple(fn(a) for a in self.tiles),
            tile_xy=tuple(fn(a) for a in self.tile_xy),
            sprites=fn(self.sprites),
            globals=fn(self.globals),
            camera=fn(self.camera),
            area=fn(self.area),
            tokens=fn(self.tokens),
            token_xy=fn(self.token_xy),
            token_valid=fn(self.token_valid),
            boxes=fn(self.boxes),
            scene=fn(self.scene),
            clock=fn(self.clock),
            glow=fn(self.glow),
            undrawn=fn(self.undrawn),
        )

    @staticmethod
    def stack(states: Sequence[GameState], fn: Callable[[list[Array]], Array]) -> GameState:
        """Combine equal-shaped states with `fn`, e.g. `lambda xs: torch.from_numpy(numpy.stack(xs))`."""
        first = states[0]
        return GameState(
            tiles=tuple(fn([s.tiles[i] for s in states]) for i in range(len(first.tiles))),
            tile_xy=tuple(fn([s.tile_xy[i] for s in states]) for i in range(len(first.tile_xy))),
            sprites=fn([s.sprites for s in states]),
            globals=fn([s.globals for s in states]),
            camera=fn([s.camera for s in states]),
            area=fn([s.area for s in states]),
            tokens=fn([s.tokens for s in states]),
            token_xy=fn([s.token_xy for s in states]),
            token_valid=fn([s.token_valid for s in states]),
            boxes=fn([s.boxes for s in states]),
            scene=fn([s.scene for s in states]),
            clock=fn([s.clock for s in states]),
            glow=fn([s.glow for s in states]),
            undrawn=fn([s.undrawn for s in states]),
        )


@dataclass(frozen=True)
class ObjectBoxes:
    """Objects that the `compact` part of a state tells of, as they are drawn: numpy arrays, M places for them.

    Attributes:
        keys: int32 [T, M, F], the numbers that decide what the object looks like.
        boxes: int32 [T, M, 4], x0, y0, x1, y1 (exclusive) in the native picture; later ones are drawn over others.
        used: bool [T, M].
        behind: bool [T, M], drawn only where the background shows the backdrop; None = none is.
        lines: bool [T, M, height], lines of the box that are drawn at all; None = all are.
    """

    keys: Array
    boxes: Array
    used: Array
    behind: Array | None = None
    lines: Array | None = None
