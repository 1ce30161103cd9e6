"""Any game of the NES, described by what the console's picture unit holds: nobody has to know the game.

The state of a frame is what the picture unit drew it from (see `memory`), as recorders take it from an emulator. The
whole picture follows from it, so that restoring needs no training, and storing costs what changes. Beside it lies the
game's work memory, of which nothing is known here.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..hints import CoderHints
from ..smb.palettes import FCEUX, OTHERS
from ..spec import GameSpec, StateField, TileLayer
from ..state import NOWHERE, GameState
from .editing import NesEditing
from .memory import COLOURS, COLUMNS, LINES, MIRRORS, PATTERNS, RUNS, SIZE, SOURCE, SPRITES, TABLES, WORK, Run, runs_of
from .picture import PictureUnit

_UNTOLD = len(FCEUX) + 1
_AROUND = 512  # pixels after which the name tables repeat, to the right ...
_DOWN = 480  # ... and down


def _field(name: str, place: slice, unit: str) -> StateField:
    return StateField(name, place.start, unit, place.stop - place.start, SOURCE)


class Nes(GameSpec):
    """See the module. The console's own picture has 240 lines; there is one palette for all of its games."""

    name = "nes"
    native_size = (LINES, COLUMNS)
    fps = 60.0988
    stride = 4
    palette = FCEUX
    other_palettes = OTHERS
    preferred_entries = (0x0F, 0x30)
    emulator_entry = 128
    state_size = SIZE
    buttons = ("A", "up", "left", "B", "select", "right", "down", "start")
    fields: ClassVar[tuple[StateField, ...]] = (
        _field("work memory", WORK, "byte, its meaning depends on the game"),
        _field("name tables", TABLES, "four of 960 tile numbers and 64 bytes of palettes"),
        _field("mirroring", MIRRORS, "number of the name table that is shown in its place"),
        _field("sprites", SPRITES, "y - 1, tile, attribute, x of 64 sprites"),
        _field("palettes", COLOURS, "NES colour"),
        _field("patterns", PATTERNS, "two sets of 256 tiles, 16 bytes each"),
        _field("scrolling", RUNS, "runs of lines: first line, x, flags, y, mask"),
    )
    # The picture that the state tells: a cell is a pixel, an id the NES colour behind it.
    tile_layers: ClassVar[tuple[TileLayer, ...]] = (
        TileLayer("picture", LINES, COLUMNS, 1, ids=_UNTOLD + 1, entries=(-1, *range(len(FCEUX)), -1)),
    )
    token_names: ClassVar[tuple[str, ...]] = tuple(f"sprite {k}" for k in range(64))
    token_features = 4
    regions = ("unknown", "background", "sprite")
    tile_regions = np.array([0, *[1] * len(FCEUX), 0], np.uint8)
    coding = CoderHints(looks_back=True, one_before=True)
    editing = NesEditing()

    def decode(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        """The picture as a layer of pixels; tokens float32 [T, 64, 4] of the sprites: x / 256, y / 240, tile / 255,
        attribute / 255; the camera counted from the first frame, as far as it shows by the name tables."""
        self.check_state(state)
        t, unit = len(state), PictureUnit()
        told = np.stack([unit.draw(memory) for memory in state]) if t else np.zeros((0, LINES, COLUMNS), np.int16)
        sprites = state[:, SPRITES].reshape(t, 64, 4).astype(np.int16)
        x, y = sprites[..., 3], sprites[..., 0] + 1
        shown = y < LINES
        xy = np.stack([x, y], -1)
        tokens = np.stack([x / COLUMNS, y / LINES, sprites[..., 1] / 255, sprites[..., 2] / 255], -1)
        boxes = np.zeros((t, 64, 5), np.int16)
        boxes[..., 0] = self.regions.index("sprite")
        height = np.array([16 if run.large else 8 for run in map(_main, state)], np.int16).reshape(t, 1)
        boxes[..., 1], boxes[..., 2], boxes[..., 3], boxes[..., 4] = x, y, x + 8, y + height
        boxes[~shown] = 0
        camera, camera_y = _camera(state)
        nowhere = np.full(t, NOWHERE, np.int32)
        return GameState(
            tiles=(np.where(told < 0, _UNTOLD, told + 1).astype(np.int16),),
            tile_xy=(np.zeros((t, 2), np.int16),),
            sprites=np.zeros((t, 0, 4), np.int16),
            globals=np.zeros((t, 0), np.uint8),
            camera=camera,
            area=nowhere,
            tokens=np.where(shown[..., None], tokens, 0).astype(np.float32),
            token_xy=xy.astype(np.float32) + 4,
            token_valid=shown,
            boxes=boxes,
            camera_y=camera_y,
        )

    def flip_tokens(self, flipped: GameState) -> GameState:
        """Sprites keep their places in the list; the bit for mirrored ones changes."""
        valid = np.asarray(flipped.token_valid)
        tokens, xy = flipped.tokens.copy(), flipped.token_xy.copy()
        attribute = np.rint(tokens[..., 3] * 255).astype(np.int64) ^ 64
        tokens[..., 0] = np.where(valid, (COLUMNS - 8) / COLUMNS - tokens[..., 0], tokens[..., 0])
        tokens[..., 3] = np.where(valid, attribute / 255, tokens[..., 3])
        xy[..., 0] = COLUMNS - xy[..., 0]
        flipped.tokens, flipped.token_xy = tokens, xy
        return flipped


def _main(memory: np.ndarray) -> Run:
    """The run with the most lines: what scrolls."""
    runs = runs_of(memory)
    ends = [*(run.line for run in runs[1:]), LINES]
    return max(zip(runs, ends, strict=True), key=lambda pair: pair[1] - pair[0].line)[0]


def _camera(state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World x and y of the pictures' corners, int32 [T] each, 0 at the first: the name tables repeat, so that it is
    followed from frame to frame, which finds no jump of half of them or more."""
    main = [_main(memory) for memory in state]
    across = np.array([run.x for run in main], np.int64)
    down = np.array([run.y - 16 * (run.y >> 8) - run.line for run in main], np.int64)
    return _followed(across, _AROUND), _followed(down, _DOWN)


def _followed(place: np.ndarray, around: int) -> np.ndarray:
    moved = (np.diff(place, prepend=place[:1]) + around // 2) % around - around // 2
    return np.cumsum(moved).astype(np.int32)
