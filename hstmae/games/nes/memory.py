"""What is written down of a frame of the NES: the memory of its picture unit, and how the picture is put together.

Sources: NESdev Wiki, "PPU memory map", "PPU nametables", "PPU OAM", "PPU registers", "PPU scrolling".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SOURCE = "NESdev Wiki, PPU"
LINES, COLUMNS = 240, 256
PAGE = 1024  # bytes of a name table: 32 x 30 tiles, then the palettes of 16 x 16 places of four tiles each

WORK = slice(0, 2048)  # work memory, from which the game made what follows
TABLES = slice(2048, 2048 + 4 * PAGE)  # four name tables; one that shows the same memory as an earlier one is zeros ...
MIRRORS = slice(TABLES.stop, TABLES.stop + 4)  # ... and which one it is: its number, or that of the earlier one
SPRITES = slice(MIRRORS.stop, MIRRORS.stop + 256)
COLOURS = slice(SPRITES.stop, SPRITES.stop + 32)
PATTERNS = slice(COLOURS.stop, COLOURS.stop + 8192)
MOST_RUNS, RUN = 64, 5
RUNS = slice(PATTERNS.stop, PATTERNS.stop + MOST_RUNS * RUN)
SIZE = RUNS.stop
UNUSED = 255  # instead of the first line of a run

# Bits of a run's flags.
_FAR, _LOW, _BACKGROUND, _SPRITES, _LARGE, _TOLD = 1, 2, 4, 8, 16, 128
GREY, BACKGROUND_LEFT, SPRITES_LEFT, BACKGROUND, SPRITES_SHOWN = 1, 2, 4, 8, 16  # bits of a mask


@dataclass(frozen=True)
class Run:
    """Lines of the picture, from `line` to the next run, between which the picture unit was not told anything new.

    Attributes:
        line: the first one, 0 to 239.
        x: 0 to 511, column of the name tables at the picture's left edge.
        y: 0 to 511, row of the name tables at `line`: 256 for each table, of which rows 0 to 239 are tiles.
        background, sprites: which of the two sets of 256 patterns they are made of, 0 or 1.
        large: whether sprites are 16 lines high.
        mask: as written to the register of that name: what is shown.
        told: False: these lines show what does not follow from the memory at the picture's end.
    """

    line: int
    x: int = 0
    y: int = 0
    background: int = 0
    sprites: int = 0
    large: bool = False
    mask: int = 0
    told: bool = True

    def packed(self) -> list[int]:
        """The bytes of RUN."""
        flags = (self.x >> 8) * _FAR + (self.y >> 8) * _LOW + self.background * _BACKGROUND + self.sprites * _SPRITES
        return [self.line, self.x & 255, flags + self.large * _LARGE + self.told * _TOLD, self.y & 255, self.mask]

    def rows(self, count: int) -> np.ndarray:
        """Rows of the name tables of its first `count` lines, int64 [count]. The lowest 16 rows of a table are no
        tiles; a picture that begins in them goes on at the top of the same table, any other in the next one."""
        table, row = self.y >> 8, self.y & 255
        at = np.arange(count) + row
        if row >= LINES:
            beyond = at >= 256
            at = np.where(beyond, at - 256, at)
            return 256 * ((table + np.where(beyond, at // LINES, 0)) % 2) + np.where(beyond, at % LINES, at)
        return 256 * ((table + at // LINES) % 2) + at % LINES


def pack_runs(runs: list[Run]) -> np.ndarray:
    """uint8 [MOST_RUNS * RUN]. What comes after too many is not told."""
    if len(runs) > MOST_RUNS:
        runs = [*runs[: MOST_RUNS - 1], Run(runs[MOST_RUNS - 1].line, told=False)]
    out = np.zeros((MOST_RUNS, RUN), np.uint8)
    out[len(runs) :, 0] = UNUSED
    for k, run in enumerate(runs):
        out[k] = run.packed()
    return out.reshape(-1)


def runs_of(memory: np.ndarray) -> list[Run]:
    """The runs of memory uint8 [SIZE], as far as they make sense: first lines that ascend from 0."""
    found: list[Run] = []
    for line, x, flags, y, mask in memory[RUNS].reshape(MOST_RUNS, RUN).tolist():
        if line >= LINES or (found and line <= found[-1].line):
            break
        found.append(
            Run(
                line, x + 256 * (flags & _FAR), y + 128 * (flags & _LOW), (flags & _BACKGROUND) // _BACKGROUND,
                (flags & _SPRITES) // _SPRITES, flags & _LARGE > 0, mask, flags & _TOLD > 0,
            )
        )  # fmt: skip
    return found if found and found[0].line == 0 else [Run(0, told=False), *(run for run in found if run.line)]
