"""Key data: what a group of frames starts from, the memory and what the console has drawn into its picture memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...games.spec import GameSpec
from ..container.numbers import Reader, varint
from ..lossless.coding_models import RowModel
from ..lossless.kernel import DECODE, ENCODE, Backend
from ..lossless.tables import Tables, load_tables
from .parts import LOSSLESS

TABLES = Path(__file__).with_name("tables")


def key_tables(game: str | None) -> Tables | None:
    """What the coding of a game's picture memory starts from, where there is something."""
    path = TABLES / f"{game}.tables"
    return load_tables(path) if game and game.isidentifier() and path.is_file() else None


class KeyCoder:
    """Codes key data by the lossless kernel.

    Args:
        kernel: of the lossless coder.
        tables: of the lossless coder, for memory.
        screens: likewise for picture memory: its columns as `state`, its palette as `actions`; None = neutral.
        game: what the memory says of the picture memory; None = nothing.
    """

    def __init__(self, kernel: Backend, tables: Tables, screens: Tables | None, game: GameSpec | None) -> None:
        self._kernel, self._tables, self.game = kernel, tables, game
        self._screens = screens

    def pack_buttons(self, buttons: np.ndarray) -> bytes:
        """uint8 [T], or [T, A]: the same bytes as in the lossless profile."""
        rows = np.ascontiguousarray(buttons.reshape(len(buttons), -1))
        return self._kernel.rows(ENCODE, rows, rows[:, :0].copy(), self._tables.action_model(rows), b"")

    def unpack_buttons(self, data: bytes, frames: int) -> np.ndarray:
        """uint8 [frames]. Raises CodecError for bytes that make no sense."""
        rows = np.zeros((frames, 1), np.uint8)
        self._kernel.rows(DECODE, rows, rows[:, :0].copy(), self._tables.action_model(rows), data)
        return rows[:, 0]

    def pack_memory(self, memory: np.ndarray, buttons: np.ndarray) -> bytes:
        """uint8 [S] with the buttons uint8 [A] of its frame."""
        row, side = np.ascontiguousarray(memory[None]), np.ascontiguousarray(buttons[None])
        return self._kernel.rows(ENCODE, row, side, self._tables.state_model(row, side), b"")

    def unpack_memory(self, data: bytes, size: int, buttons: np.ndarray) -> np.ndarray:
        """Raises CodecError for bytes that make no sense."""
        row, side = np.zeros((1, size), np.uint8), np.ascontiguousarray(buttons[None])
        self._kernel.rows(DECODE, row, side, self._tables.state_model(row, side), data)
        return row[0]

    def pack_screen(self, screen: tuple[np.ndarray, ...], memory: np.ndarray) -> bytes:
        """Arrays uint8 [rows, bytes] as `Predictor.screen_of` gives them, where the memory is known."""
        pieces = []
        for k, part in enumerate(screen):
            first, side = self._told(k, part.shape, memory)
            rows = np.ascontiguousarray(np.roll(part, -first, 0))
            model = self._model(k, rows.shape[1], side.shape[1])
            pieces.append(self._kernel.rows(ENCODE, rows, side, model, b""))
        return b"".join([*(varint(len(piece)) for piece in pieces), *pieces])

    def unpack_screen(
        self, data: bytes, shapes: tuple[tuple[int, ...], ...], memory: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Raises CodecError for bytes that make no sense."""
        reader = Reader(data)
        lengths = [reader.varint() for _ in shapes]
        screen = []
        for k, (shape, length) in enumerate(zip(shapes, lengths, strict=True)):
            first, side = self._told(k, shape, memory)
            rows = np.zeros(shape, np.uint8)
            model = self._model(k, rows.shape[1], side.shape[1])
            self._kernel.rows(DECODE, rows, side, model, reader.take(length))
            screen.append(np.roll(rows, first, 0))
        reader.end()
        return tuple(screen)

    def _model(self, k: int, size: int, side: int) -> RowModel:
        """Of part `k` of the picture memory."""
        if self._screens is None or k > 1:
            return RowModel.neutral(size, side, version=LOSSLESS)
        return self._screens.fitting(self._screens.actions if k else self._screens.state, size, side)

    def _told(self, k: int, shape: tuple[int, ...], memory: np.ndarray) -> tuple[int, np.ndarray]:
        """The row of part `k` that is coded first, and what the memory says of its rows in the order of coding."""
        return told(self.game, k, shape, memory)


def told(game: GameSpec | None, k: int, shape: tuple[int, ...], memory: np.ndarray) -> tuple[int, np.ndarray]:
    """See `KeyCoder`: the first row of part `k` of the picture memory to be coded, and uint8 [rows, K] of all."""
    if game is not None and len(memory) == game.state_size and k == 0:
        found = game.screen_columns(memory)
        if found is not None and len(found[1]) == shape[0]:
            return found[0], np.ascontiguousarray(np.roll(found[1], -found[0], 0))
    if k == 1 and shape[0] == 1:
        return 0, np.ascontiguousarray(memory[None])
    return 0, np.zeros((shape[0], 0), np.uint8)
