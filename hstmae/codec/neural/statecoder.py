"""The game's memory of a group as a stream: only the bytes that were kept, by the lossless coder of byte rows.

Rows are thinned, and usually some frames apart, so the coder starts from tables of the codec model's own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import CodecError
from ..container.gop import GopShape
from ..lossless.kernel import DECODE, ENCODE, backend
from ..lossless.tables import Tables, load_tables, neutral_tables

TABLES = "rows.tables"  # file beside a codec model's weights
OLDER = "rows-*.tables"  # those that files of before were coded with
_THIN, _FULL = 0, 1  # first byte of a stream of memory


class StateCoder:
    """Codes memory and controllers of one codec model."""

    def __init__(self, kept: np.ndarray, tables: Tables) -> None:
        """kept: bool [S], bytes that thinned memory consists of; tables: what the coder starts from."""
        self.kept = np.flatnonzero(kept)
        self.size = len(kept)
        self._tables = tables

    @staticmethod
    def of(file: Path, kept: np.ndarray) -> StateCoder:
        """With the tables of a model folder. Raises CodecError for damaged ones."""
        return StateCoder(kept, load_tables(file) if file.is_file() else neutral_tables(1))

    def encode(self, state: np.ndarray, actions: np.ndarray, full: bool) -> bytes:
        """state uint8 [T, S], actions uint8 [T, A] (A = 0 for none); `full`: all bytes instead of the kept ones."""
        rows = np.ascontiguousarray(state if full else state[:, self.kept])
        mode = _FULL if full else _THIN
        return bytes([mode]) + backend().rows(ENCODE, rows, actions, self._tables.state_model(rows, actions), b"")

    def decode(self, data: bytes, actions: np.ndarray, shape: GopShape) -> np.ndarray:
        """uint8 [T, S]; bytes that were not kept are 0. Raises CodecError."""
        if shape.state != self.size or not data or data[0] not in (_THIN, _FULL):
            raise CodecError("neural profile: the memory stream is not one of this model's game")
        rows = np.zeros((shape.frames, self.size if data[0] == _FULL else len(self.kept)), np.uint8)
        backend().rows(DECODE, rows, actions, self._tables.state_model(rows, actions), data[1:])
        if data[0] == _FULL:
            return rows
        out = np.zeros((shape.frames, self.size), np.uint8)
        out[:, self.kept] = rows
        return out

    def encode_actions(self, actions: np.ndarray) -> bytes:
        """actions uint8 [T, A]."""
        side = np.zeros((len(actions), 0), np.uint8)
        return backend().rows(ENCODE, np.ascontiguousarray(actions), side, self._tables.action_model(actions), b"")

    def decode_actions(self, data: bytes, shape: GopShape) -> np.ndarray:
        """uint8 [T, A]. Raises CodecError."""
        rows = np.zeros((shape.frames, shape.actions), np.uint8)
        backend().rows(DECODE, rows, np.zeros((shape.frames, 0), np.uint8), self._tables.action_model(rows), data)
        return rows
