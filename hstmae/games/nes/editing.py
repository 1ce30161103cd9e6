"""What can be edited of the NES by itself, whatever game it runs: mirror images, sprites, tiles."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ...errors import GameError
from ..editing import Counted, Editing, Joints, Mirrored, Place, crowded
from .memory import (
    BACKGROUND,
    BACKGROUND_LEFT,
    COLOURS,
    COLUMNS,
    LINES,
    MIRRORS,
    MOST_RUNS,
    PAGE,
    PATTERNS,
    RUN,
    RUNS,
    SPRITES,
    SPRITES_LEFT,
    SPRITES_SHOWN,
    TABLES,
    WORK,
    runs_of,
)  # fmt: skip
from .picture import PER_LINE, UNTOLD, PictureUnit

_REVERSED = np.array([int(f"{k:08b}"[::-1], 2) for k in range(256)], np.uint8)
# A byte of palettes holds four places: left and right of the upper ones, and of the lower ones.
_SWAPPED = np.array([k >> 2 & 0x33 | (k & 0x33) << 2 for k in range(256)], np.uint8)
_HIDDEN = 255  # line of a sprite that is not shown
_LEFT, _SHOWN = BACKGROUND_LEFT | SPRITES_LEFT, BACKGROUND | SPRITES_SHOWN
_NEAR = 4  # pixels that sprites may be apart at a seam


class NesEditing(Editing):
    """Objects are sprites by their place in the list, tiles those of the name tables."""

    objects: ClassVar[dict[str, int]] = {"sprite": 64}
    things: ClassVar[dict[str, tuple[str, ...]]] = {"sprite": ()}
    grid: ClassVar[tuple[int, int]] = (32, 30)

    def move(self, state: np.ndarray, kind: str, which: int, by: Place) -> tuple[np.ndarray, tuple[str, ...]]:
        out = state.copy()
        sprite = out[:, SPRITES].reshape(-1, 64, 4)[:, which]
        x, y, shown = sprite[:, 3].astype(np.int64) + by.x, sprite[:, 0].astype(np.int64) + by.y, _shown(sprite)
        inside = (x >= 0) & (x < COLUMNS) & (y >= 0) & (y < LINES - 1)
        sprite[:, 3] = np.where(shown & inside, x & 255, sprite[:, 3])
        sprite[:, 0] = np.where(shown, np.where(inside, y & 255, _HIDDEN), sprite[:, 0])
        beyond = int((shown & ~inside).sum())
        said = (f"sprite {which} is in no frame: nothing was changed",) if not shown.any() else ()
        return out, (*said, f"sprite {which} is beyond the picture's edge in {beyond} frames") if beyond else said

    def remove(self, state: np.ndarray, kind: str, which: int) -> tuple[np.ndarray, tuple[str, ...]]:
        out = state.copy()
        sprite = out[:, SPRITES].reshape(-1, 64, 4)[:, which]
        shown = _shown(sprite)
        sprite[:, 0] = _HIDDEN
        return out, () if shown.any() else (f"sprite {which} is in no frame: nothing was changed",)

    def add(self, state: np.ndarray, kind: str, at: Place) -> tuple[np.ndarray, tuple[str, ...]]:
        out = state.copy()
        sprites = out[:, SPRITES].reshape(-1, 64, 4)
        shown = _shown(sprites)
        models, free = np.flatnonzero(shown[0]), np.flatnonzero(~shown.any(0))
        if not len(models) or not len(free):
            what = "the first picture has no sprite" if not len(models) else "no place of the list is free all the time"
            return state, (f"{what}: none was added",)
        if not (0 <= at.x < COLUMNS and 1 <= at.y < LINES):
            raise GameError(f"has sprites at columns 0 to {COLUMNS - 1} and lines 1 to {LINES - 1}")
        sprites[:, free[-1]] = [at.y - 1, *sprites[0, models[0], 1:3].tolist(), at.x]
        return out, ()

    def tile(self, state: np.ndarray, column: int, row: int, number: int) -> tuple[np.ndarray, tuple[str, ...]]:
        memory, line = state[0], 8 * row + 4
        run = [run for run in runs_of(memory) if run.line <= line][-1]
        if not run.told:
            return state, (f"where line {line} of the first picture is from is not told: no tile was changed",)
        down, across = int(run.rows(line - run.line + 1)[-1]), (run.x + 8 * column + 4) % 512
        table = int(memory[MIRRORS][2 * (down // 256) + across // 256] & 3)
        at = TABLES.start + PAGE * table + 32 * (down % 256 // 8) + across % 256 // 8
        out = state.copy()
        out[:, at] = np.where(state[:, at] == memory[at], number, state[:, at])
        return out, ()

    def mirror(self, state: np.ndarray, frames: np.ndarray) -> Mirrored:
        out = np.stack([_mirrored(memory) for memory in state])
        lost = (state[:, SPRITES][:, ::4] < LINES - 1) & (state[:, SPRITES][:, 3::4] > COLUMNS - 8)
        said = ["work memory is as it was recorded: what its bytes mean depends on the game"]
        if lost.any():
            said.append(
                f"sprites that the right edge cuts would begin left of 0, where no sprite can be: {int(lost.sum())} of "
                f"them in {int(lost.any(1).sum())} frames are hidden"
            )
        unit, pictures = PictureUnit(), frames[:, :, ::-1].copy()
        other = 0
        for t, memory in enumerate(out):
            told = unit.draw(memory)
            known = told != UNTOLD
            other += int((known & (told != pictures[t])).sum())
            pictures[t][known] = told[known]
        if any(run.mask & _SHOWN and run.mask & _LEFT != _LEFT for memory in state for run in runs_of(memory)):
            said.append("the console can hide the eight columns at the left edge, and none at the right one: all show")
        if other:
            said.append(f"{other / frames.size:.3%} of the pixels are not the recorded ones' mirror image for this")
        return Mirrored(out, pictures, tuple(said))

    def joints(self, state: np.ndarray) -> Joints:
        sprites = state[:, SPRITES].reshape(-1, 64, 4).astype(np.int64)
        hidden = sprites[..., 0] >= LINES - 1
        places = np.where(hidden[..., None], -64, sprites[..., [0, 3]]).reshape(len(state), -1)
        kinds = np.where(hidden[..., None], 0, sprites[..., 1:3]).reshape(len(state), -1).astype(np.uint8)
        same = np.concatenate([state[:, TABLES.start : MIRRORS.stop], state[:, COLOURS.start : RUNS.stop], kinds], 1)
        return Joints(same, places, np.full(places.shape[1], _NEAR, np.int64))

    def broken(self, state: np.ndarray, recorded: np.ndarray) -> dict[str, int]:
        found = Counted()
        found.add("mirroring names a name table above 3", (state[:, MIRRORS] > 3).any(1))
        found.add("palettes hold a colour above 63, of which the console takes the lower six bits",
                  (state[:, COLOURS] > 63).any(1))  # fmt: skip
        tops = np.minimum(state[:, SPRITES][:, ::4].astype(np.int64) + 1, LINES)
        large = np.array([any(run.large for run in runs_of(memory)) for memory in state])
        found.add(f"more than {PER_LINE} sprites lie on one line: the hindmost are not shown there",
                  crowded(tops, np.where(large, 16, 8), LINES, PER_LINE))  # fmt: skip
        runs = state[:, RUNS].reshape(len(state), MOST_RUNS, RUN)[..., 0]
        found.add("scrolling has no run that begins in line 0", runs[:, 0] != 0)
        page = int(_same_page(recorded).sum(0).argmax())  # the game's own copy of the sprite list
        if _same_page(recorded)[:, page].any():
            found.add(f"sprites and the game's own list of them, in work memory from {256 * page:#05x} on, differ",
                      ~_same_page(state)[:, page])  # fmt: skip
        return found.found


def _shown(sprites: np.ndarray) -> np.ndarray:
    return np.asarray(sprites[..., 0] < LINES - 1)


def _same_page(state: np.ndarray) -> np.ndarray:
    """Which pages of work memory are the sprite list, bool [T, 8]."""
    return np.asarray((state[:, WORK].reshape(len(state), 8, 256) == state[:, None, SPRITES]).all(-1))


def _mirrored(memory: np.ndarray) -> np.ndarray:
    out = memory.copy()
    tables = memory[TABLES].reshape(4, PAGE)[memory[MIRRORS] & 3][[1, 0, 3, 2]]  # as they are shown
    tiles = tables[:, :960].reshape(4, 30, 32)[:, :, ::-1]
    palettes = _SWAPPED[tables[:, 960:].reshape(4, 8, 8)[:, :, ::-1]]
    tables = np.concatenate([tiles.reshape(4, -1), palettes.reshape(4, -1)], 1)
    shown = memory[MIRRORS] & 3
    for k in range(4):  # those that are the same memory stay so
        first = next(j for j in range(k + 1) if shown[[1, 0, 3, 2][j]] == shown[[1, 0, 3, 2][k]])
        out[MIRRORS.start + k] = first
        out[TABLES].reshape(4, PAGE)[k] = tables[k] if first == k else 0
    out[PATTERNS] = _REVERSED[memory[PATTERNS]]
    sprites = out[SPRITES].reshape(64, 4)
    beyond = (sprites[:, 3] > COLUMNS - 8) & (sprites[:, 0] < LINES - 1)
    sprites[:, 0] = np.where(beyond, _HIDDEN, sprites[:, 0])
    sprites[:, 3] = COLUMNS - 8 - np.minimum(sprites[:, 3], COLUMNS - 8)
    runs = out[RUNS].reshape(MOST_RUNS, RUN)
    for run in runs[: len(runs_of(memory))]:
        x = (COLUMNS - int(run[1]) - 256 * int(run[2] & 1)) % 512
        run[1], run[2] = x & 255, run[2] & 0xFE | x >> 8
        run[4] |= _LEFT
    return out
