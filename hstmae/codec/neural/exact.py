"""What the network does not draw well enough: whole pictures, or some cells of them, by the lossless coder.

Cells are those of the grid that moves with the scenery, blocks the 8x8 pixels of the lossless coder: what is exact of a
picture are all blocks that an exact cell touches. Of the other blocks the coder's canvas holds what the memory and the
pictures before say, which is integers alone: nothing that the network draws may enter it, for that may come out
otherwise on another machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...errors import CodecError
from ..container.gop import GopShape
from ..lossless.kernel import DECODE, ENCODE
from ..lossless.profile import LosslessProfile
from ..lossless.tables import load_tables
from .grid import CELL, CellGrid
from .prior import EXACT, Code

BLOCK = 8
HASH_BYTES = 8  # of the tables' hash, before the stream: with other tables it would be read wrongly
VERSIONS = (4, 3)  # of the lossless streams: the one that is written first, then those of before
GOING_ON = 1 / 32  # share of the worth that makes a cell exact, by which it stays so
LASTING = 0.9  # what a slice counts for in the slice before it, where the cell is wrong in both
_LEAST = 16.0  # 1/16 bit that a cell takes at least: to say so
_TRIES = 20  # halvings of the search for what an error may cost


class ExactCoder:
    """The lossless coder of a codec model's game.

    Args:
        tables: of the model, learned from pictures as far apart as those that it codes; where they tell of no
            pictures, or there are none, the lossless profile's own.
    """

    def __init__(self, game: str, tables: Path) -> None:
        self._game = game
        self._tables = tables if tables.is_file() and load_tables(tables).pictures.slots.at.size else None

    @property
    def own(self) -> bool:
        """Whether its tables are the model's, whose hash the episode's description states. Others' stand before each
        stream."""
        return self._tables is not None

    def encode(self, frames: np.ndarray, state: np.ndarray | None, corner: tuple[int, int]) -> bytes:
        """uint8 [T, H, W] palette pictures, with the memory [T, S] that the decoder has, too."""
        profile = self._newest
        data = profile.pictures(ENCODE, np.ascontiguousarray(frames), state, _shape(frames, state, corner), b"")
        return self._stated(profile) + data

    def decode(
        self, data: bytes, state: np.ndarray | None, size: tuple[int, int, int], corner: tuple[int, int], own: bool
    ) -> np.ndarray:
        """uint8 [T, H, W] = `size`; `own`: as it says when it encodes. Raises CodecError: damaged, or made with other
        tables."""
        (profile, data), frames = self._made(data, own), np.zeros(size, np.uint8)
        profile.pictures(DECODE, frames, state, _shape(frames, state, corner), data)
        return frames

    def encode_blocks(self, frames: np.ndarray, blocks: np.ndarray, state: np.ndarray | None) -> bytes:
        """Some `blocks` (see `blocks_of`) of whole pictures uint8 [T, H, W], likewise."""
        profile = self._newest
        return self._stated(profile) + profile.blocks(ENCODE, np.ascontiguousarray(frames), blocks, state, b"")

    def costs(self, frames: np.ndarray, blocks: np.ndarray, state: np.ndarray | None) -> np.ndarray:
        """What each block takes where all of `blocks` are coded: int32 as those, in 1/16 bit."""
        spent = np.zeros(blocks.shape, np.int32)
        self._newest.blocks(ENCODE, np.ascontiguousarray(frames), blocks, state, b"", spent)
        return spent

    def decode_blocks(
        self, data: bytes, frames: np.ndarray, blocks: np.ndarray, state: np.ndarray | None, own: bool
    ) -> None:
        """Put them into the pictures uint8 [T, H, W] that the network has drawn. Raises CodecError as `decode`."""
        (profile, data), found = self._made(data, own), np.zeros(frames.shape, np.uint8)
        profile.blocks(DECODE, found, blocks, state, data)
        right = pixels_of(blocks)
        frames[right] = found[right]

    @property
    def _newest(self) -> LosslessProfile:
        return _profile(self._game, self._tables, VERSIONS[0])

    def _stated(self, profile: LosslessProfile) -> bytes:
        return b"" if self.own else _hash(profile)

    def _made(self, data: bytes, own: bool) -> tuple[LosslessProfile, bytes]:
        """What made the data, and the stream itself."""
        if own and not self.own:
            raise CodecError("neural profile: its exact pictures need the model's tables, which tell of none")
        if own:
            return self._newest, data
        written = [(self._tables, VERSIONS[0])] if self._tables else []
        for tables, version in [*written, *((None, version) for version in VERSIONS)]:
            profile = _profile(self._game, tables, version)
            if data[:HASH_BYTES] == _hash(profile):
                return profile, data[HASH_BYTES:]
        newest = self._newest
        raise CodecError(
            f"neural profile: its exact pictures were coded with other tables ({data[:HASH_BYTES].hex()}) than "
            f"'{newest.tables_id}' ({newest.tables_sha256[: 2 * HASH_BYTES]}): decode it with the version that made it"
        )


def blocks_of(grid: CellGrid, cells: Iterable[int]) -> np.ndarray:
    """Blocks that cells touch, uint8 [T, H / 8, W / 8]: 1, the others 0."""
    chosen = np.zeros(grid.slices * grid.per_slice, bool)
    chosen[list(cells)] = True
    cell = _cell_of_pixels(grid)
    pixels = chosen[cell.clip(min=0)] & (cell >= 0)
    return np.ascontiguousarray(_in_blocks(pixels).any((2, 4)).astype(np.uint8))


def touching(grid: CellGrid) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of a cell and a block that have pixels in common, ascending: int64 [N] each."""
    cell = _cell_of_pixels(grid)
    block = np.arange(cell.size // BLOCK**2).reshape(len(cell), grid.height // BLOCK, grid.width // BLOCK)
    block = block.repeat(BLOCK, 1).repeat(BLOCK, 2)
    count = int(block[-1, -1, -1]) + 1
    pairs = np.unique(cell[cell >= 0] * count + block[cell >= 0])
    return pairs // count, pairs % count


def _cell_of_pixels(grid: CellGrid) -> np.ndarray:
    """int64 [T, H, W]: the cell that each pixel belongs to, -1 = none."""
    down, across = grid.height // CELL, grid.width // CELL
    cell, _ = grid.of_cubes(np.arange(down * across * grid.slices))
    pixels = cell.reshape(down, across, grid.slices, 2, CELL, CELL).transpose(2, 3, 0, 4, 1, 5)
    return pixels.reshape(2 * grid.slices, grid.height, grid.width)


def pixels_of(blocks: np.ndarray) -> np.ndarray:
    """bool [T, H, W]: pixels of the blocks uint8 [T, H / 8, W / 8] that are not 0."""
    return np.asarray(blocks.repeat(BLOCK, 1).repeat(BLOCK, 2) != 0)


class ExactCells:
    """Which cells of a group are to be exact.

    Args:
        touching: pairs of a cell and a block, see `touching`.
        error: squared error of the pixels as they are now, float [T, H, W].
        costs: what each of some blocks (see `blocks_of`) takes where all of them are coded.
    """

    def __init__(
        self, grid: CellGrid, touching: tuple[np.ndarray, np.ndarray], error: np.ndarray,
        costs: Callable[[np.ndarray], np.ndarray],
    ) -> None:  # fmt: skip
        self._grid, self._before = grid, grid.before().reshape(-1)
        self._error, self._by_block = grid.sum_by_cell(error), _in_blocks(error).sum((2, 4)).ravel()
        self._wrong = np.flatnonzero(self._error > 0)
        asked = blocks_of(grid, self._wrong)
        each = costs(asked) / BLOCK**2
        self._cost = grid.sum_by_cell(each.repeat(BLOCK, 1).repeat(BLOCK, 2)) + _LEAST
        # Each cell and each block that it touches, side by side, in the order of the cells.
        cell, block = touching
        here = self._error[cell] > 0
        self._cell, self._block = cell[here], block[here]
        self._starts = np.searchsorted(self._cell, np.arange(len(self._error) + 1))

    def choose(self, most: float, power: float) -> list[int]:
        """Cells, so that the error that is left is `most` at most: those that mend most for the `power` of what they
        cost, and what goes on from them as long as that is worth its share of it."""
        if most <= 0:
            return list(self._wrong.tolist())
        grid, error, before, cost = self._grid, self._error, self._before, self._cost
        worth = _lasting(grid, error, error, before) / _lasting(grid, cost, error, before) ** power
        alone, low, high = error / cost**power, 0.0, float(worth.max()) + 1
        for _ in range(_TRIES):
            middle = (low + high) / 2
            fits = self._left(_above(grid, alone, worth, before, middle)) <= most
            low, high = (middle, high) if fits else (low, middle)
        chosen = _above(grid, alone, worth, before, low)
        times = self._times(chosen)
        left = float(self._by_block[times == 0].sum())
        for cell in sorted(np.flatnonzero(chosen), key=lambda cell: float(worth[cell])):  # there may be room for more
            blocks = self._block[self._starts[cell] : self._starts[cell + 1]]
            more = float(self._by_block[blocks[times[blocks] == 1]].sum())
            if left + max(more, error[cell]) <= most:  # what others mend of it would have to be told there
                chosen[cell] = False
                times[blocks] -= 1
                left += more
        return list(np.flatnonzero(chosen).tolist())

    def _times(self, chosen: np.ndarray) -> np.ndarray:
        """How many of the chosen cells touch each block, int64."""
        return np.bincount(self._block[chosen[self._cell]], minlength=len(self._by_block))

    def _left(self, chosen: np.ndarray) -> float:
        return float(self._by_block[self._times(chosen) == 0].sum())


def _lasting(grid: CellGrid, values: np.ndarray, error: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The value of each cell, and those of the slices after it as long as it is wrong there."""
    out = values.astype(np.float64)
    for first in range(len(out) - grid.per_slice, 0, -grid.per_slice):
        mine = np.arange(first, first + grid.per_slice)
        mine = mine[(before[mine] >= 0) & (error[mine] > 0)]
        mine = mine[error[before[mine]] > 0]
        np.add.at(out, before[mine], LASTING * out[mine])
    return out


def _above(
    grid: CellGrid, alone: np.ndarray, worth: np.ndarray, before: np.ndarray, limit: float
) -> np.ndarray:  # fmt: skip
    """bool by cell: those that are worth more than the limit, and those that go on from one and alone are worth more
    than its share."""
    chosen = np.zeros(len(alone), bool)
    for first in range(0, len(alone), grid.per_slice):
        mine = slice(first, first + grid.per_slice)
        going = (before[mine] >= 0) & chosen[before[mine].clip(min=0)]
        chosen[mine] = (worth[mine] > limit) | (going & (alone[mine] > limit * GOING_ON))
    return chosen


def exact_cells(codes: dict[int, Code]) -> list[int]:
    """Take those cells out of `codes` that are said to be exact; their numbers."""
    cells = [cell for cell, code in codes.items() if code == EXACT]
    for cell in cells:
        del codes[cell]
    return cells


def _in_blocks(a: np.ndarray) -> np.ndarray:
    """[T, H, W] as [T, H / 8, 8, W / 8, 8]."""
    t, h, w = a.shape
    return a.reshape(t, h // BLOCK, BLOCK, w // BLOCK, BLOCK)


def _hash(profile: LosslessProfile) -> bytes:
    return bytes.fromhex(profile.tables_sha256)[:HASH_BYTES]


@lru_cache(maxsize=8)
def _profile(game: str, tables: Path | None, version: int) -> LosslessProfile:
    return LosslessProfile(game, tables, version=version)  # part of the format


def _shape(frames: np.ndarray, state: np.ndarray | None, corner: tuple[int, int]) -> GopShape:
    count, height, width = frames.shape
    return GopShape(count, height, width, 1, 0 if state is None else state.shape[1], 0, corner)
