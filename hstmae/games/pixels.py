"""What can be said of each pixel of a clip from its position and the game's state: tile, moving, fixed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from .spec import GameSpec
from .state import GameState

WIDEST = 1 << 15  # pixels; a camera that travels further within one map is looked at in parts


@dataclass(frozen=True)
class View:
    """Frames of a game in order of time, what of them is masked, and the state as far as it is given.

    Attributes:
        frames: uint8 [T, H, W] palette entries; masked pixels are not read.
        mask: bool [T, H, W], True = masked.
        game: whose frames.
        state: decoded, numpy arrays with leading axis T; None at level "none".
        level: how much of the state counts: "full" tells every sprite and tile, "compact" the boxes of player and
            enemies, "none" nothing.
        origin: y and x of the frames' corner in the native picture.
    """

    frames: np.ndarray
    mask: np.ndarray
    game: GameSpec
    state: GameState | None = None
    level: str = "none"
    origin: tuple[int, int] = (0, 0)
    _tile_ids: dict[int, np.ndarray] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def whole(cls, frames: np.ndarray, game: GameSpec, state: GameState | None, level: str = "full") -> View:
        """Native pictures of which nothing is masked."""
        return cls(frames, np.zeros(frames.shape, bool), game, state, level if state is not None else "none")

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.frames.shape[0], self.frames.shape[1], self.frames.shape[2]

    def at_level(self, level: str) -> View:
        """The same frames with less, or more, of the state counting."""
        return replace(self, level=level, state=None if level == "none" else self.state)

    def take(self, frames: np.ndarray) -> View:
        """Some frames, integer [t], in order of time."""
        state = None if self.state is None else self.state.map(lambda array: array[frames])
        return View(self.frames[frames], self.mask[frames], self.game, state, self.level, self.origin)

    @property
    def inside(self) -> tuple[slice, slice]:
        """Rows and columns of the frames that lie in the native picture."""
        height, width = self.game.native_size
        rows, columns = height - self.origin[0], width - self.origin[1]
        return slice(0, max(0, min(self.shape[1], rows))), slice(0, max(0, min(self.shape[2], columns)))

    @cached_property
    def fixed(self) -> np.ndarray:
        """Where the picture never scrolls (status bar): bool [T, H, W]."""
        native = np.zeros(self.game.native_size, bool)
        for _, x0, y0, x1, y1 in self.game.fixed_regions:
            native[y0:y1, x0:x1] = True
        whole = np.zeros(self.shape[1:], bool)
        whole[self.inside] = native[self.origin[0] :, self.origin[1] :][self.inside]
        return np.broadcast_to(whole, self.shape)

    @cached_property
    def summary_text(self) -> np.ndarray:
        """Where the status bar's characters stand that state of level "compact" tells: bool [T, H, W]."""
        cell = self.game.tile_layers[1].cell
        y, x = self.from_corner(1)
        among = np.zeros(self.shape, bool)
        for row, column in self.game.looks.compact_text:
            among |= (y // cell == row)[:, :, None] & (x // cell == column)[:, None]
        return among

    @cached_property
    def moving(self) -> np.ndarray:
        """Where something moves or may move, and what lies beyond the native picture: bool [T, H, W]."""
        return self._covered(*self._boxes())

    @cached_property
    def in_front(self) -> np.ndarray:
        """As `moving`, without hardware sprites behind the background: they show only where it lets them."""
        boxes, used = self._boxes()
        if self.level == "full" and self.game.sprite_slots:
            used = used & (
                np.asarray(self.needed_state().sprites)[..., 3].astype(int) & self.game.looks.behind_bits == 0
            )
        return self._covered(boxes, used)

    def _covered(self, boxes: np.ndarray, used: np.ndarray) -> np.ndarray:
        """What lies in boxes int [T, N, 4], as far as they are `used` bool [T, N], or beyond the native picture."""
        height, width = self.game.native_size
        covered = np.zeros((self.shape[0], height, width), bool)
        for t, n in zip(*np.nonzero(used), strict=True):
            x0, y0, x1, y1 = np.maximum(boxes[t, n], 0)
            covered[t, y0:y1, x0:x1] = True
        whole = np.ones(self.shape, bool)
        rows, columns = self.inside
        whole[:, rows, columns] = covered[:, self.origin[0] :, self.origin[1] :][:, rows, columns]
        return whole

    def _boxes(self) -> tuple[np.ndarray, np.ndarray]:
        """x0, y0, x1, y1 of what moves, int [T, N, 4], and which of them are in use, bool [T, N]."""
        state = self.needed_state()
        if self.level == "full":
            corner = np.asarray(state.sprites)[..., :2].astype(int)
            height, width = self.game.native_size
            used = (corner[..., 1] < height) & (corner[..., 0] < width)
            return np.concatenate([corner, corner + self.game.sprite_size], -1), used
        drawn = self.game.drawn_objects(state)
        if drawn is not None:
            return drawn.boxes, drawn.used
        boxes = np.asarray(state.boxes).astype(int)
        return boxes[..., 1:], boxes[..., 0] > 0

    @cached_property
    def regions(self) -> np.ndarray:
        """Region id of each pixel, uint8 [T, H, W], see `GameSpec.region_map`."""
        if len(self.game.regions) == 1:  # there is one region alone, whatever the size of the pictures
            return np.zeros(self.shape, np.uint8)
        y, x = self.origin
        return self.game.region_map(self.state, self.shape[0])[:, y : y + self.shape[1], x : x + self.shape[2]]

    @cached_property
    def sprites(self) -> np.ndarray | None:
        """Boxes of the hardware sprites, bool [T, H, W]; None where nothing tells of them."""
        if self.state is None or not self.game.sprite_slots:
            return None
        return replace(self, level="full").moving

    def tile_ids(self, number: int) -> np.ndarray:
        """Id of a layer's tile under each pixel, int16 [T, H, W]; -1 where it is a guess or there is none."""
        if number not in self._tile_ids:
            self._tile_ids[number] = self._ids(number, np.asarray(self.needed_state().tiles[number]))
        return self._tile_ids[number]

    def shown_text(self) -> np.ndarray:
        """Ids of tile_layers[1] as they are shown (see `GameSpec.shown_text`) under each pixel, as `tile_ids`."""
        return self._ids(1, self.game.shown_text(self.needed_state(), self.level))

    def _ids(self, number: int, ids: np.ndarray) -> np.ndarray:
        layer = self.game.tile_layers[number]
        guesses = layer.ids - 1 if number else min(self.game.looks.first_guess, layer.ids - 1)
        told = np.pad(np.where(ids < guesses, ids, -1).astype(np.int16), ((0, 0), (0, 1), (0, 1)), constant_values=-1)
        made = np.empty(self.shape, np.int16)
        for t, (y, x) in enumerate(zip(*self.from_corner(number), strict=True)):
            row, col = y // layer.cell, x // layer.cell
            row = np.where(
                (row >= 0) & (row < layer.rows), row, layer.rows
            )  # beside the grid stands the spare last one
            col = np.where((col >= 0) & (col < layer.cols), col, layer.cols)
            made[t] = told[t].take(row, 0).take(col, 1)
        return made if number else self.game.hung_tiles(made, self.needed_state(), self.origin)

    def from_corner(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Pixel rows [T, H] and columns [T, W] counted from the corner of a layer's grid."""
        corner = np.asarray(self.needed_state().tile_xy[number]).astype(np.int64)
        rows = np.arange(self.shape[1]) + self.origin[0] - corner[:, 1:]
        return rows, np.arange(self.shape[2]) + self.origin[1] - corner[:, :1]

    def needed_state(self) -> GameState:
        if self.state is None:
            raise ValueError("a view without a state cannot tell tiles and objects")
        return self.state


def on_native(frames: np.ndarray, corner: tuple[int, int], game: GameSpec) -> tuple[np.ndarray, np.ndarray]:
    """Frames [T, h, w] that show a part of the native picture, y and x of which is `corner`.

    Returns:
        Native pictures uint8 [T, H, W], 0 where nothing is known, and bool [H, W], where something is.
    """
    (height, width), (y, x) = game.native_size, corner
    whole, known = np.zeros((len(frames), height, width), np.uint8), np.zeros((height, width), bool)
    rows, columns = slice(y, y + frames.shape[1]), slice(x, x + frames.shape[2])
    whole[:, rows, columns], known[rows, columns] = frames, True
    return whole, known


def led_back(camera: np.ndarray, game: GameSpec) -> np.ndarray:
    """The first frames after a map led back (see `hstmae.atlas.mazes`): bool [T].

    The camera goes on meanwhile, so it is set back by not quite a number of pages.
    """
    back = np.zeros(len(camera), bool)
    if game.looks.maze_step and len(camera) > 1:
        moved = np.diff(camera)
        back[1:] = (moved <= -game.native_size[1]) & (moved % game.looks.maze_step <= game.looks.maze_step // 8)
    return back


def parts(camera: np.ndarray, scene: np.ndarray, back: np.ndarray | None = None) -> list[np.ndarray]:
    """Runs of frames that show one map, int [n] each; `back` bool [T] begins another."""
    changed = np.diff(scene) != 0
    breaks = np.flatnonzero(changed if back is None else changed | back[1:]) + 1
    parts = []
    for run in np.split(np.arange(len(camera)), breaks):
        start = 0
        for i in range(1, len(run) + 1):
            if i == len(run) or np.ptp(camera[run[start : i + 1]]) > WIDEST:
                parts.append(run[start:i])
                start = i
    return parts
