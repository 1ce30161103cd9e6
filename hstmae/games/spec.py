"""What the product needs to know about a game. Adding a game means writing one file with one GameSpec in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ..errors import GameError
from .editing import Editing
from .hints import CoderHints, ConsoleLooks
from .state import GameState, ObjectBoxes


@dataclass(frozen=True)
class StateField:
    """One documented number of the game's memory.

    `count` consecutive bytes from `address`; `unit` says what one step means; `source` cites where the meaning is from.
    """

    name: str
    address: int
    unit: str
    count: int = 1
    source: str = ""


@dataclass(frozen=True)
class TileLayer:
    """A grid of ids drawn as `cell` x `cell` pixel textures. Ids run from 0 (blank) to `ids - 1` (unknown).

    `text` holds the characters that ids 1, 2, ... show, as far as they are characters. Where the state itself tells the
    picture, not only which textures it is made of, the cells are single pixels and `entries` holds the palette entry of
    each id, -1 for none: nothing of it has to be learned.
    """

    name: str
    rows: int
    cols: int
    cell: int
    ids: int
    text: str = ""
    entries: tuple[int, ...] = ()


class GameSpec(ABC):
    """A game as class attributes, and functions that read its memory. What has a default may be left out.

    `regions` names the kinds of places on the screen; index 0 is "nothing known".
    """

    name: ClassVar[str]
    native_size: ClassVar[tuple[int, int]]  # height, width in pixels
    fps: ClassVar[float]
    stride: ClassVar[int]  # default frames between two frames of a clip
    palette: ClassVar[np.ndarray]  # uint8 [K, 3], RGB
    other_palettes: ClassVar[tuple[np.ndarray, ...]] = ()  # the same entries as other emulators show them
    shown_entries: ClassVar[tuple[int, ...]] = ()  # the entries that pictures of the game can hold; () = all
    preferred_entries: ClassVar[tuple[int, ...]] = ()  # of entries that share a colour, those that software uses
    emulator_entry: ClassVar[int] = 0  # entry of emulators' picture files from which on they hold the palette
    state_size: ClassVar[int]  # bytes of memory per frame
    context_size: ClassVar[int] = 0  # bytes of carried context per frame, 0 = none
    buttons: ClassVar[tuple[str, ...]] = ()  # names of the bits of an action, the highest first; () = it has no bits
    fields: ClassVar[tuple[StateField, ...]] = ()
    tile_layers: ClassVar[tuple[TileLayer, ...]] = ()
    sprite_slots: ClassVar[int] = 0
    sprite_tiles: ClassVar[int] = 0  # tile ids are 0 .. sprite_tiles - 1
    sprite_attributes: ClassVar[int] = 0  # attribute ids are 0 .. sprite_attributes - 1, before flips
    sprite_size: ClassVar[int] = 0  # pixels, square
    globals_count: ClassVar[int] = 0
    token_names: ClassVar[tuple[str, ...]] = ()  # the `compact` tokens of one frame
    token_features: ClassVar[int] = 0
    cut_sizes: ClassVar[tuple[tuple[int, int], ...]] = ()  # smaller (height, width) that emulators write pictures in
    regions: ClassVar[tuple[str, ...]] = ("unknown",)  # later ones win where a cube holds several
    tile_regions: ClassVar[np.ndarray] = np.zeros(0, np.uint8)  # uint8 [ids of tile_layers[0]]: region of each tile id
    fixed_regions: ClassVar[tuple[tuple[int, int, int, int, int], ...]] = ()  # region, x0, y0, x1, y1; win over others
    looks: ClassVar[ConsoleLooks] = ConsoleLooks()
    coding: ClassVar[CoderHints] = CoderHints()
    editing: ClassVar[Editing] = Editing()

    @property
    def indexed(self) -> bool:
        """Whether frames are palette entries; without a palette they are RGB."""
        return len(self.palette) > 0

    def corner_of(self, pixels: np.ndarray) -> tuple[int, int] | None:
        """y and x in the native picture of a picture [h, w] of palette entries (-1 = unknown) that may show a part of
        it, as emulators write it that leave out the edge; None where nothing tells."""
        return (0, 0) if pixels.shape == self.native_size else None

    def context(self, state: np.ndarray, frame_numbers: np.ndarray) -> np.ndarray:
        """What earlier memory tells about later pictures, carried forward frame by frame.

        Args:
            state: uint8 [T, state_size], a whole episode in order.
            frame_numbers: int [T]; a jump is a gap in the recording.
        Returns:
            uint8 [T, context_size].
        Raises:
            GameError: the game has context and does not say how it is found.
        """
        self._need_no_context()
        return np.zeros((len(state), 0), np.uint8)

    def carry(self, context: np.ndarray, state: np.ndarray) -> np.ndarray:
        """The same one frame at a time: context uint8 [context_size] and state uint8 [2, state_size] of a frame and of
        the next -> context of the next, uint8 [context_size]. Raises as `context` does."""
        self.check_state(state)
        self._need_no_context()
        return context

    def moved(self, state: np.ndarray) -> int:
        """Pixels that the camera moves to the right between two frames in a row, state uint8 [2, S]."""
        return 0

    def before(self, state: np.ndarray, shift: int) -> np.ndarray:
        """A guess at the memory one frame before one or two in a row, uint8 [1 or 2, S] -> uint8 [S], where the camera
        stood `shift` pixels further left: here, that nothing moved."""
        return state[0]

    def _need_no_context(self) -> None:
        if self.context_size:
            raise GameError(f"{self.name}: does not say how its context is carried from frame to frame")

    @abstractmethod
    def decode(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        """Memory (and carried context) of T frames -> GameState with numpy arrays.

        Raises:
            GameError: `state` has the wrong shape or type.
        """

    def decode_for_coding(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        """The same as coders see it, whose files are read by it: what `decode` guesses may become better, this stays as
        it was when the first files were written."""
        return self.decode(state, context)

    def region_map(self, state: GameState | None, frames: int) -> np.ndarray:
        """Region id of every pixel, uint8 [T, H, W] at native size; from position alone when `state` is None."""
        h, w = self.native_size
        out = np.zeros((frames, h, w), np.uint8)
        if state is not None and self.tile_layers:
            layer, ids, xy = self.tile_layers[0], state.tiles[0], state.tile_xy[0].astype(np.int32)
            for t in range(frames):
                col, row = (np.arange(w) - xy[t, 0]) // layer.cell, (np.arange(h) - xy[t, 1]) // layer.cell
                cols, rows = (col >= 0) & (col < layer.cols), (row >= 0) & (row < layer.rows)
                out[t][np.ix_(rows, cols)] = self.tile_regions[ids[t]][np.ix_(row[rows], col[cols])]
        if state is not None:
            for t in range(frames):
                for region, x0, y0, x1, y1 in state.boxes[t].tolist():
                    if region:
                        out[t, max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = region
        for region, x0, y0, x1, y1 in self.fixed_regions:
            out[:, y0:y1, x0:x1] = region
        return out

    def flip(self, state: GameState) -> GameState:
        """The state of the same pictures mirrored left to right (numpy arrays); twice gives the state back.

        Tile ids stay what they are, in mirrored order: whoever draws them must mirror their textures as well, as the
        flip bit says for sprites. The mirrored world runs the other way, from its own place on the left of 0, and its
        maps get numbers of their own (below 0), since nothing of the game is found in them.

        Raises:
            GameError: the game's tokens or fixed regions have no mirror image.
        """
        width = self.native_size[1]
        fixed = {(region, y0, y1, x0, x1) for region, x0, y0, x1, y1 in self.fixed_regions}
        if fixed != {(region, y0, y1, width - x1, width - x0) for region, y0, y1, x0, x1 in fixed}:
            raise GameError(f"{self.name}: pictures cannot be flipped, its fixed regions are not symmetric")
        tile_xy = []
        for layer, xy in zip(self.tile_layers, state.tile_xy, strict=True):
            mirrored = xy.copy()
            mirrored[..., 0] = width - layer.cols * layer.cell - xy[..., 0]
            tile_xy.append(mirrored)
        sprites, boxes = state.sprites.copy(), state.boxes.copy()
        sprites[..., 0] = width - self.sprite_size - sprites[..., 0]
        sprites[..., 3] ^= self.looks.flip_x_bit
        used = state.boxes[..., 0] > 0
        boxes[..., 1] = np.where(used, width - state.boxes[..., 3], 0)
        boxes[..., 3] = np.where(used, width - state.boxes[..., 1], 0)
        return self.flip_tokens(
            replace(
                state,
                tiles=tuple(ids[..., ::-1].copy() for ids in state.tiles),
                tile_xy=tuple(tile_xy),
                sprites=sprites,
                boxes=boxes,
                camera=-width - state.camera,
                area=-1 - state.area,
                scene=-1 - state.scene,
            )
        )

    def flip_tokens(self, flipped: GameState) -> GameState:
        """Mirror `tokens` and `token_xy` of a state of which all the rest is mirrored; a game with tokens says how, or
        else a GameError is raised."""
        if self.token_names:
            raise GameError(f"{self.name}: pictures with state cannot be flipped, its tokens have no mirror image")
        return flipped

    def screen_columns(self, memory: np.ndarray) -> tuple[int, np.ndarray] | None:
        """What memory uint8 [S] says of the columns of the console's picture memory, None for nothing: which one is at
        the picture's left edge, and of each uint8 [columns, K]. Replay streams are read by it."""
        return None

    def drawn_objects(self, state: GameState) -> ObjectBoxes | None:
        """The objects that the tokens tell of (numpy arrays, leading axis T), for `compact`; None where none are."""
        return None

    def pieces(self, state: np.ndarray) -> np.ndarray | None:
        """Where memory uint8 [T, S] says that pieces of objects are drawn, for coders of games without tiles: int16
        [T, N, 4] x, y, number and 0 of PIECE x PIECE pixels each, the foremost first, y = UNSEEN for those that are not
        shown; None where it says nothing. Files are read by it."""
        return None

    def shown_text(self, state: GameState, level: str) -> np.ndarray:
        """Ids of tile_layers[1], int [T, rows, cols], as T frames in a row show them, which may be later than the
        memory. `level`: how much of the state is used, "full" or "compact"."""
        return np.asarray(state.tiles[1])

    def shown_glow(self, state: GameState, level: str) -> np.ndarray:
        """Which colours tiles that glow show, int [T], see `GameState.glow`, as far as `level` of the state tells."""
        return np.asarray(state.glow)

    def shown_globals(self, state: GameState) -> np.ndarray:
        """`GameState.globals`, uint8 [T, G], of T frames in a row as the colours of their sprites follow from them,
        which may be later than the memory."""
        return np.asarray(state.globals)

    def hung_tiles(self, ids: np.ndarray, state: GameState, origin: tuple[int, int]) -> np.ndarray:
        """`View.tile_ids(0)`, int16 [T, H, W], of the grid alone -> corrected where something else hangs before it."""
        return ids

    def check_state(self, state: np.ndarray) -> None:
        if state.dtype != np.uint8 or state.ndim != 2 or state.shape[1] != self.state_size:
            given = f"{state.dtype} {list(state.shape)}"
            raise GameError(f"{self.name}: state must be uint8 [frames, {self.state_size}], got {given}")
