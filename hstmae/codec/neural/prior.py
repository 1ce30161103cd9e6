"""How the codes of a group's cells become bits: integer contexts, and one walk that writes them or reads them.

Cells are visited slice by slice, row by row. A cell first says whether it goes on as in the slice before (the same cell
of the game's world, so scenery that scrolls goes on at no cost) or is new. New codes are dropped, recalled from codes
that the group has used before (above and to the left first), or spelled out: how many stages, then one index each.
Every decision is a binary one in a context made of integers that both sides know; probabilities start from the model's
tables and adapt. Writing and reading are the same function, so they cannot come apart.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ...errors import CodecError
from ...games import GameSpec, GameState
from .grid import CELL, CellGrid

Code = tuple[int, ...]  # indices of the first n stages; () = what the state says
EXACT: Code = (-1,)  # the lossless coder has the cell's pixels
Bit = Callable[[int, int], int]  # (context, bit to write) -> the bit; a reader ignores the second

RECALLED = 64  # codes of a group that can be recalled
_BUCKETS = 7  # of ranks among them: 0, 1, 2-3, 4-7, ... 32-63
_SHOWN = 3 * 2 * 2 * 3 * 2 * 2  # contexts of "is new"


@dataclass(frozen=True)
class Layout:
    """Where the contexts of each decision begin in a model's table, for `stages` codebooks of 2^`bits` codes."""

    stages: int
    bits: int
    new: int = 0
    dropped: int = _SHOWN
    recalled: int = _SHOWN + 4
    above: int = _SHOWN + 4 + 8
    left: int = _SHOWN + 4 + 8 + 4
    bucket: int = _SHOWN + 4 + 8 + 8
    rank: int = _SHOWN + 4 + 8 + 8 + _BUCKETS
    count: int = _SHOWN + 4 + 8 + 8 + _BUCKETS + 64
    index: int = _SHOWN + 4 + 8 + 8 + _BUCKETS + 64 + 3 * 8

    @property
    def size(self) -> int:
        return self.index + (self.stages << self.bits)


def cell_hints(game: GameSpec, state: GameState | None, grid: CellGrid) -> np.ndarray:
    """What the state says of each cell, uint8 [S, rows, cols]: twice 0 (known), 1 (guessed) or 2 (fixed, or no state),
    plus 1 where a sprite touches it. `state` with numpy arrays and leading axis T."""
    shape = (grid.slices, grid.rows, grid.cols)
    kind = np.full(shape, 2, np.int64)
    touched = np.zeros(shape, bool)
    if state is None:
        return (2 * kind).astype(np.uint8)
    if grid.moving.any():
        layer, ids = game.tile_layers[0], np.asarray(state.tiles[0])[1::2]
        column = grid.base[:, None] - np.asarray(state.camera, np.int64)[1::2, None] // CELL + np.arange(grid.cols)
        near = column.clip(0, layer.cols - 1)[:, None, :]
        top = int(state.tile_xy[0][0, 1]) // CELL
        for row in np.flatnonzero(grid.moving):
            shown = np.take_along_axis(ids[:, row - top : row - top + 1], near, 2)[:, 0]
            kind[:, row] = shown >= min(256, layer.ids - 1)  # ids beyond a byte are not read from memory but guessed
    sprites = np.asarray(state.sprites).astype(np.int64)
    size = game.sprite_size
    for t, n in zip(*np.nonzero(sprites[..., 1] < grid.height), strict=True):
        x, y = sprites[t, n, :2]
        for yy in (y, min(y + size - 1, grid.height - 1)):
            row = max(0, yy) // CELL
            shift = grid.phase[t] if grid.moving[row] else 0
            for xx in (x, x + size - 1):
                col = (xx + shift) // CELL
                if 0 <= col < grid.cols and 0 <= xx < grid.width:
                    touched[t // 2, row, col] = True
    return (2 * kind + touched).astype(np.uint8)


class CellWalk:
    """The state of a walk over a group's cells. `step` handles one cell; cells must come in order."""

    def __init__(self, layout: Layout, grid: CellGrid, hints: np.ndarray, bit: Bit, exact: bool = False):
        """exact: cells may be EXACT, which can be recalled from the beginning on, and always."""
        self._exact = exact
        self.layout, self.grid, self.bit = layout, grid, bit
        self._before = grid.before().reshape(-1).tolist()
        self._hints = hints.reshape(-1).tolist()
        self.codes: dict[int, Code] = {}  # by cell number; cells without one have ()
        self._new: set[int] = set()
        self.recent: list[Code] = [EXACT] if exact else []

    def cells(self) -> list[int]:
        """The numbers of the cells that are coded, in order."""
        return list(np.flatnonzero(self.grid.used().reshape(-1)).tolist())

    def run(self, wanted: Mapping[int, Code] | None) -> dict[int, Code]:
        """`step` for all cells: writes codes by cell number, or reads them; returns them."""
        for cell in self.cells():
            self.step(cell, None if wanted is None else wanted.get(cell, ()))
        return self.codes

    def going_on(self, cell: int) -> Code:
        """The code of a cell that says nothing new."""
        before = self._before[cell]
        return self.codes.get(before, ()) if before >= 0 else ()

    def context(self, cell: int) -> int:
        """Context of "is new"."""
        before, cols = self._before[cell], self.grid.cols
        had = 0 if before < 0 else 2 if self.codes.get(before) else 1
        up, left = self._around(cell)
        above, beside = up in self._new, left in self._new
        hint, first = self._hints[cell], cell < cols * self.grid.rows
        return ((((had * 2 + above) * 2 + beside) * 3 + hint // 2) * 2 + hint % 2) * 2 + first

    def _around(self, cell: int) -> tuple[int, int]:
        """Numbers of the cells above and to the left in the same slice, -1 = none."""
        cols = self.grid.cols
        place = cell % self.grid.per_slice
        return (cell - cols if place >= cols else -1), (cell - 1 if place % cols else -1)

    def step(self, cell: int, wanted: Code | None) -> Code:
        """Write (or read, with `wanted` None) the code of one cell; returns it.

        Raises:
            CodecError: reading something that cannot have been written.
        """
        old = self.going_on(cell)
        new = self.bit(self.layout.new + self.context(cell), wanted is not None and wanted != old)
        code = self._spelled(cell, old, wanted) if new else old
        if code:
            self.codes[cell] = code
        if new:
            self._new.add(cell)
        return code

    def _spelled(self, cell: int, old: Code, wanted: Code | None) -> Code:
        at = self.layout
        if old and self.bit(at.dropped, wanted == ()):
            return ()
        up, left = self._around(cell)
        above, beside = self.codes.get(up, ()), self.codes.get(left, ())
        choices = [c for c in dict.fromkeys((above, beside)) if c and c != old]
        listed = [c for c in self.recent if c != old and c not in choices]
        near = (above in choices) + 2 * (beside in choices)
        first = cell < self.grid.per_slice
        known = wanted is not None and (wanted in choices or wanted in listed)
        if (choices or listed) and self.bit(at.recalled + 2 * near + first, known):
            code = self._recalled(choices, listed, above, wanted)
        else:
            code = self._fresh(bool(old), wanted)
        if code in self.recent:
            self.recent.remove(code)
        self.recent.insert(0, code)
        del self.recent[RECALLED:]
        if self._exact and EXACT not in self.recent:
            self.recent[-1] = EXACT
        return code

    def _recalled(self, choices: list[Code], listed: list[Code], above: Code, wanted: Code | None) -> Code:
        at = self.layout
        for code in choices:
            context = (at.above if code == above else at.left) + 2 * (len(choices) > 1) + (not listed)
            if self.bit(context, wanted == code):
                return code
        if not listed:
            raise CodecError("picture stream: recalls a code where there is none")
        rank = listed.index(wanted) if wanted is not None else 0
        bucket = 0
        while bucket < _BUCKETS - 1 and self.bit(at.bucket + bucket, rank >= 1 << bucket):
            bucket += 1
        low = 0
        for i in range(bucket - 2, -1, -1):
            low = 2 * low + self.bit(at.rank + 8 * bucket + i, (rank >> i) & 1)
        rank = (1 << (bucket - 1)) + low if bucket else 0
        if rank >= len(listed):
            raise CodecError("picture stream: recalls a code that was not used")
        return listed[rank]

    def _fresh(self, had: bool, wanted: Code | None) -> Code:
        at = self.layout
        stages = len(wanted) if wanted is not None else 0
        count = 1
        while count < at.stages and self.bit(at.count + 8 * had + count, stages > count):
            count += 1
        code = []
        for k in range(count):
            node, index = 1, wanted[k] if wanted is not None else 0
            for i in range(at.bits - 1, -1, -1):
                node = 2 * node + self.bit(at.index + (k << at.bits) + node, (index >> i) & 1)
            code.append(node - (1 << at.bits))
        return tuple(code)
