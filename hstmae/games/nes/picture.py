"""The picture that the NES makes of what its picture unit holds: name tables and patterns, and sprites over them."""

from __future__ import annotations

import numpy as np

from .memory import (
    BACKGROUND,
    BACKGROUND_LEFT,
    COLOURS,
    COLUMNS,
    GREY,
    LINES,
    MIRRORS,
    PAGE,
    PATTERNS,
    SPRITES,
    SPRITES_LEFT,
    SPRITES_SHOWN,
    TABLES,
    Run,
    runs_of,
)  # fmt: skip

PER_LINE = 8  # sprites; more are left out
UNTOLD = -1
_WIDE = COLUMNS + 8  # sprites may reach beyond the right edge


class PictureUnit:
    """Draws one frame after the other; what did not change since the one before is not worked out again."""

    def __init__(self) -> None:
        self._planes: dict[int, tuple[bytes, np.ndarray]] = {}
        self._over: dict[tuple[int, bool], tuple[bytes, tuple[np.ndarray, np.ndarray]]] = {}

    def draw(self, memory: np.ndarray) -> np.ndarray:
        """Memory uint8 [SIZE] -> NES colours 0 to 63 int16 [240, 256], UNTOLD where a line is not told."""
        out = np.full((LINES, COLUMNS), UNTOLD, np.int16)
        runs = runs_of(memory)
        for run, end in zip(runs, [*(run.line for run in runs[1:]), LINES], strict=True):
            if run.told:
                out[run.line : end] = self.lines(memory, run, end)
        return out

    def lines(self, memory: np.ndarray, run: Run, end: int) -> np.ndarray:
        """What lines `run.line` to `end` show with the settings of `run`: NES colours uint8 [lines, 256]."""
        chosen = slice(run.line, end)
        entries = np.zeros((end - run.line, COLUMNS), np.uint8)
        if run.mask & BACKGROUND:
            columns = (run.x + np.arange(COLUMNS)) % 512
            entries = self.plane(memory, run.background)[run.rows(end - run.line)[:, None], columns]
            if not run.mask & BACKGROUND_LEFT:
                entries[:, :8] = 0
        if run.mask & SPRITES_SHOWN:
            sprites, front = self.sprites(memory, run.sprites, run.large)
            sprites, front = sprites[chosen], front[chosen]
            if not run.mask & SPRITES_LEFT:
                sprites = np.where(np.arange(COLUMNS) < 8, np.uint8(0), sprites)
            entries = np.where((sprites > 0) & (front | (entries == 0)), sprites, entries)
        colours = (memory[COLOURS] & 63)[entries]
        return colours & 0x30 if run.mask & GREY else colours

    def plane(self, memory: np.ndarray, patterns: int) -> np.ndarray:
        """What the four name tables show: palette entries 0 to 15 uint8 [512, 512], 256 rows each."""
        key = memory[TABLES.start : MIRRORS.stop].tobytes() + memory[PATTERNS].tobytes()
        if patterns not in self._planes or self._planes[patterns][0] != key:
            self._planes[patterns] = key, _plane(memory, patterns)
        return self._planes[patterns][1]

    def sprites(self, memory: np.ndarray, patterns: int, large: bool) -> tuple[np.ndarray, np.ndarray]:
        """Palette entries of sprites uint8 [240, 256], 0 where there is none, and bool, where they are in front."""
        key, kind = memory[SPRITES].tobytes() + memory[PATTERNS].tobytes(), (patterns, large)
        if kind not in self._over or self._over[kind][0] != key:
            self._over[kind] = key, _sprites(memory, patterns, large)
        return self._over[kind][1]


def _sprites(memory: np.ndarray, patterns: int, large: bool) -> tuple[np.ndarray, np.ndarray]:
    y, tile, attribute, x = (column.astype(np.int64) for column in memory[SPRITES].reshape(64, 4).T)
    height = 16 if large else 8
    down = np.arange(LINES) - 1 - y[:, None]  # a sprite begins one line below what it says
    there = (down >= 0) & (down < height)
    number, line = np.nonzero(there & (np.cumsum(there, 0) <= PER_LINE))
    row = down[number, line]
    row = np.where(attribute[number] & 128, height - 1 - row, row)
    of_set, first = (tile & 1, tile & 254) if large else (np.full(64, patterns), tile)
    pixels = patterns_of(memory)[of_set[number], first[number] + row // 8, row % 8]
    pixels = np.where((attribute[number] & 64)[:, None] > 0, pixels[:, ::-1], pixels)
    at = line[:, None] * _WIDE + x[number][:, None] + np.arange(8)
    entry = 16 + 4 * (attribute[number] & 3)[:, None] + pixels
    entry = (entry | ((attribute[number] & 32) << 1)[:, None]).astype(np.uint8)  # bit 6: behind the background
    over = pixels > 0
    out = np.zeros(LINES * _WIDE, np.uint8)
    # The first sprite of the list wins: it is written last.
    out[at[::-1][over[::-1]]] = entry[::-1][over[::-1]]
    out = out.reshape(LINES, _WIDE)[:, :COLUMNS]
    return out & 63, out & 64 == 0


def patterns_of(memory: np.ndarray) -> np.ndarray:
    """The two sets of tiles, uint8 [2, 256, 8, 8], values 0 to 3."""
    bits = np.unpackbits(memory[PATTERNS].reshape(2, 256, 2, 8, 1), axis=-1)
    return np.asarray(bits[:, :, 0] | bits[:, :, 1] << 1)


def _plane(memory: np.ndarray, patterns: int) -> np.ndarray:
    own = memory[TABLES].reshape(4, PAGE)
    tables = own[memory[MIRRORS] & 3]
    pixels = patterns_of(memory)[patterns][tables.reshape(4, 32, 32)]  # [4, rows, columns, 8, 8]
    packed = tables[:, 960:].reshape(4, 8, 8)
    palettes = np.stack([packed >> shift & 3 for shift in (0, 2, 4, 6)], -1).reshape(4, 8, 8, 2, 2)
    palettes = palettes.transpose(0, 1, 3, 2, 4).reshape(4, 16, 16).repeat(2, 1).repeat(2, 2)  # of each tile
    entries = np.where(pixels > 0, pixels + 4 * palettes[..., None, None], 0).astype(np.uint8)
    tables_of_pixels = entries.transpose(0, 1, 3, 2, 4).reshape(2, 2, 256, 256)  # down, right, row, column
    return np.ascontiguousarray(tables_of_pixels.transpose(0, 2, 1, 3).reshape(512, 512))
