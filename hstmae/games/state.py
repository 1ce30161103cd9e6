"""The decoded state of a clip: what a game's own memory says about its pictures, in a form every game shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

NOWHERE = -(1 << 31)  # `area` of a state that does not say which map is shown
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
            `places: area` remember places by. NOWHERE where the state does not say.
        tokens: float32 [T, K, F]: the `compact` state: K tokens of F normalised numbers (unused ones are 0).
        token_xy: float32 [T, K, 2]: where each token sits.
        token_valid: bool [T, K]: False for, say, an enemy slot that is not in use.
        boxes: int16 [T, M, 5]: region id, x0, y0, x1, y1 (exclusive); unused ones have region 0. Later ones win.
        scene: int32 [T]: which map of the game is shown, the same number whenever it is; with `camera` it names a
            place. NOWHERE where the state does not say. Left out, `area` is as good.
        clock: int32 [T]: the game's own count of frames, by which pictures of objects take turns. Left out, 0.
        glow: int32 [T]: which colours tiles show that glow (`ConsoleLooks.cycling_tiles`), by number. Left out, 0.
        camera_y: int32 [T]: world y of the picture's top edge. Left out, 0.
        undrawn: int32 [T]: bits, one for each character of tile_layers[1] that may change: it has done so in the
            memory, and the picture shows it later. Which is which, and what bits above them say, is the game's affair.
            Left out, 0.
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
    camera_y: Array = None

    def __post_init__(self) -> None:
        if self.scene is None:
            self.scene = self.area
        for name in ("clock", "glow", "undrawn", "camera_y"):
            if getattr(self, name) is None and self.camera is not None:
                setattr(self, name, 0 * self.camera)

    def map(self, fn: Callable[[Array], Array]) -> GameState:
        """Apply `fn` to every array (a slice, a device move, a conversion)."""
        return GameState.stack([self], lambda arrays: fn(arrays[0]))

    def arrays(self) -> list[Array]:
        """Every array, in the order of the attributes."""
        found: list[Array] = []
        self.map(found.append)
        return found

    @staticmethod
    def stack(states: Sequence[GameState], fn: Callable[[list[Array]], Array]) -> GameState:
        """Combine equal-shaped states with `fn`, e.g. `lambda xs: torch.from_numpy(numpy.stack(xs))`."""

        def combined(values: list[Any]) -> Any:
            if isinstance(values[0], tuple):
                return tuple(fn(list(layer)) for layer in zip(*values, strict=True))
            return fn(values)

        first = states[0]
        return type(first)(**{f.name: combined([getattr(s, f.name) for s in states]) for f in fields(first)})


@dataclass(frozen=True)
class ObjectBoxes:
    """Objects that the `compact` part of a state tells of, as they are drawn: numpy arrays, M places for them.

    Attributes:
        keys: int32 [T, M, F], the numbers that decide what the object looks like.
        boxes: int32 [T, M, 4], x0, y0, x1, y1 (exclusive) in the native picture; later ones are drawn over others.
        used: bool [T, M].
        behind: bool [T, M], drawn only where the background shows the backdrop; None = none is.
        lines: bool [T, M, height], lines of the box that are drawn at all; None = all are.
        cut: int32 [T, M], columns of the box, from its left on, that are not drawn; None = all are.
    """

    keys: Array
    boxes: Array
    used: Array
    behind: Array | None = None
    lines: Array | None = None
    cut: Array | None = None
