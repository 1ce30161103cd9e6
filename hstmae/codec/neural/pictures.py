"""The pictures of one group as a stream: what the network draws of them, codes of cells, and cells that are exact."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from functools import cached_property

import numpy as np

from ...errors import CodecError
from ...games import GameState
from ...models.fast.head import FastHead
from ..container.gop import Gop
from ..container.numbers import Reader, varint
from .allocation import Allocator
from .bitcoder import BitCoder
from .exact import ExactCells, ExactCoder, blocks_of, exact_cells, touching
from .grid import CELL, CellGrid
from .model import CodecModel
from .painting import Painter
from .prior import EXACT, CellWalk, Code, cell_hints

DRAWN, WHOLE, MIXED = 1, 2, 3  # first byte: by the network; by the lossless coder; by the network, and cells by that
OWN_WHOLE, OWN_MIXED = 4, 5  # the same by the tables of the model itself
KINDS = (DRAWN, WHOLE, MIXED, OWN_WHOLE, OWN_MIXED)
HIGHEST = 60.0  # quality by which bits are spent
_POWERS = 0.0, 0.25, 0.5, 0.75, 1.0  # of what cells cost, by which their error counts: none of them is always the best
_LESS = 16.0  # dB by which less is tried to be spent on codes, and more on cells that are exact
_LENGTH = struct.Struct("<I")


class PictureWriter:
    """What there is to choose from for the pictures of one group.

    Args:
        frames: uint8 [T, H, W], `scale` times as large as the game's own; corner: of those in the native picture.
        state: uint8 [T, S] as the decoder has it, None = it has none; decoded: the same of an even number of frames.
    """

    def __init__(
        self, model: CodecModel, head: FastHead, exact: ExactCoder, frames: np.ndarray, corner: tuple[int, int],
        scale: int, state: np.ndarray | None, decoded: GameState | None,
    ) -> None:  # fmt: skip
        self.model, self.exact, self.scale, self.corner, self.state = model, exact, scale, corner, state
        self.small = np.ascontiguousarray(frames[:, ::scale, ::scale])
        self.frames = whole(self.small, corner)
        self.grid = CellGrid.of(model.game, decoded, *self.frames.shape)
        self.hints = cell_hints(model.game, decoded, self.grid)
        self.painter = Painter(model, head, decoded, self.grid)
        self.from_state = self.painter.from_state()
        self._allocator = Allocator(model, self.painter, self.grid, self.frames, self.from_state, self.hints)

    def drawn(self, slope: float | None) -> bytes:
        """Codes alone; `slope`: squared error that a bit must save, None = no codes."""
        return bytes([DRAWN, self.scale]) + write_codes(self.model, self.grid, self.hints, self._codes(slope))

    @cached_property
    def _touching(self) -> tuple[np.ndarray, np.ndarray]:
        return touching(self.grid)

    def reached(self, quality: float) -> bytes:
        """The least found that has `quality`, in dB (infinite: every pixel is right)."""
        spent = min(quality, HIGHEST)
        tried = [
            made for slope in (slope_of(spent), slope_of(spent - _LESS), None) for made in self._mixed(slope, quality)
        ]
        if tried[0][0] != DRAWN:
            kind = OWN_WHOLE if self.exact.own else WHOLE
            tried.append(bytes([kind, self.scale]) + self.exact.encode(self.small, self.state, self.corner))
        return min(tried, key=len)

    def _codes(self, slope: float | None) -> dict[int, Code]:
        return {} if slope is None else self._allocator.choose(slope)

    def _mixed(self, slope: float | None, quality: float) -> list[bytes]:
        """Codes, and cells that are exact where the quality needs them, chosen in several ways."""
        codes, state = self._codes(slope), even(self.state)
        made = self.from_state.copy()
        self.painter.correct(made, codes)
        error = self._error(made)
        most = 0.0 if quality == math.inf else 3 * self.small.size * 65025 * 10 ** (-quality / 10)
        if error.sum() <= most:
            return [bytes([DRAWN, self.scale]) + write_codes(self.model, self.grid, self.hints, codes)]
        cells = ExactCells(
            self.grid, self._touching, error, lambda blocks: self.exact.costs(self.frames, blocks, state)
        )
        chosen = {tuple(cells.choose(most, power)) for power in _POWERS}
        return [self._with_exact(codes, list(some)) for some in sorted(chosen)]

    def _with_exact(self, codes: dict[int, Code], cells: list[int]) -> bytes:
        told = write_codes(self.model, self.grid, self.hints, codes | dict.fromkeys(cells, EXACT), exact=True)
        pixels = self.exact.encode_blocks(self.frames, blocks_of(self.grid, cells), even(self.state))
        if self.exact.own:
            return bytes([OWN_MIXED, self.scale]) + varint(len(told)) + told + pixels
        return bytes([MIXED, self.scale]) + _LENGTH.pack(len(told)) + told + pixels

    def _error(self, made: np.ndarray) -> np.ndarray:
        """Squared error of the pixels that there are, int64 [T, H, W]."""
        colours = self.model.game.palette.astype(np.int64)
        out = np.zeros(self.frames.shape, np.int64)
        (y, x), (t, h, w) = self.corner, self.small.shape
        part = np.s_[:t, y : y + h, x : x + w]
        out[part] = ((colours[self.small] - colours[made[part]]) ** 2).sum(-1)
        return out


def read_pictures(
    model: CodecModel, head: FastHead, exact: ExactCoder, data: bytes, size: tuple[int, int, int],
    corner: tuple[int, int], state: np.ndarray | None, decoded: GameState | None,
) -> np.ndarray:  # fmt: skip
    """The pictures of `size` [T, H, W] again, uint8, as large as the game's own. Raises CodecError."""
    count, height, width = size
    own = data[0] in (OWN_WHOLE, OWN_MIXED)
    if data[0] in (WHOLE, OWN_WHOLE):
        return exact.decode(data[2:], state, size, corner, own)
    grid, codes, pixels = read_cells(model, data, size, corner, decoded)
    painter, cells = Painter(model, head, decoded, grid), exact_cells(codes)
    frames = painter.from_state()
    painter.correct(frames, codes)
    if cells:
        exact.decode_blocks(pixels, frames, blocks_of(grid, cells), even(state), own)
    y, x = corner
    return frames[:count, y : y + height, x : x + width]


def read_cells(
    model: CodecModel, data: bytes, size: tuple[int, int, int], corner: tuple[int, int], decoded: GameState | None
) -> tuple[CellGrid, dict[int, Code], bytes]:
    """The grid, the codes by cell (EXACT among them; none where the pictures are exact as a whole), and the pixels of
    exact cells, packed. Integers only. Raises CodecError."""
    height, width = (-(-(n + at) // CELL) * CELL for n, at in zip(size[1:], corner, strict=True))
    grid = CellGrid.of(model.game, decoded, size[0] + size[0] % 2, height, width)
    if data[0] in (WHOLE, OWN_WHOLE):
        return grid, {}, b""
    hints = cell_hints(model.game, decoded, grid)
    if data[0] == DRAWN:
        return grid, read_codes(model, grid, hints, data[2:]), b""
    reader = Reader(data, 2)
    length = reader.varint() if data[0] == OWN_MIXED else int(_LENGTH.unpack(reader.take(_LENGTH.size))[0])
    start, end = reader.place, reader.place + length
    if end > len(data):
        raise CodecError("neural profile: the picture stream ends too early")
    return grid, read_codes(model, grid, hints, data[start:end], exact=True), data[end:]


def write_codes(
    model: CodecModel, grid: CellGrid, hints: np.ndarray, codes: Mapping[int, Code], exact: bool = False
) -> bytes:
    """Codes by cell number, as `CellWalk` tells them."""
    writer = BitCoder(model.prior.tolist())
    CellWalk(model.layout, grid, hints, writer.bit, exact).run(codes)
    return writer.finish()


def read_codes(
    model: CodecModel, grid: CellGrid, hints: np.ndarray, data: bytes, exact: bool = False
) -> dict[int, Code]:
    """The inverse of `write_codes`. Raises CodecError."""
    reader = BitCoder(model.prior.tolist(), data)
    codes = CellWalk(model.layout, grid, hints, reader.bit, exact).run(None)
    reader.finish()
    return codes


def slope_of(quality: float) -> float:
    """Squared error (of 255 steps, over all channels) that one bit must save at a quality in dB."""
    return float(3 * 65025 * 10 ** (-quality / 10) * _PIXELS_PER_BIT)


_PIXELS_PER_BIT = 24.0  # sets the scale of `quality`: where codes are needed, about the PSNR that they are worth it for


def even(state: np.ndarray | None) -> np.ndarray | None:
    """Memory uint8 [T, S] of an even number of frames: the last one once more."""
    if state is None or len(state) % 2 == 0:
        return state
    return np.concatenate([state, state[-1:]])


def whole(frames: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """Frames padded at the end to an even number, above and on the left to the native picture's corner, and below and
    to the right to multiples of 16."""
    (t, h, w), (y, x) = frames.shape, corner
    return np.pad(frames, ((0, t % 2), (y, -(h + y) % CELL), (x, -(w + x) % CELL)), mode="edge")


def enlarged(gop: Gop, native: tuple[int, int]) -> int:
    """How many times pictures are the game's own, with every pixel repeated; 1 where they are not."""
    frames = gop.frames
    times, rest = divmod(frames.shape[1], native[0])
    if rest or not 1 < times < 256 or frames.shape[2] != times * native[1]:
        return 1
    small = frames[:, ::times, ::times]
    return times if np.array_equal(small.repeat(times, 1).repeat(times, 2), frames) else 1
