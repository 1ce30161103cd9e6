"""Named numbers of a frame as the bytes of a state, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError

_KINDS = "biuf"  # of numpy types: truth values, whole numbers, floating point
MAX_BYTES = 1 << 20  # of a frame


@dataclass(frozen=True)
class Column:
    """One named array of each frame.

    Attributes:
        name: as the other format has it.
        dtype: numpy's name of the type, e.g. "float32".
        shape: of one frame's value, () for one number.
        names: of its elements, as the other format has them; JSON values, None where it says nothing.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    names: Any = None

    @property
    def stored(self) -> np.dtype[Any]:
        """Of one value, little-endian."""
        return np.dtype((np.dtype(self.dtype).newbyteorder("<"), self.shape))

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape), "names": self.names}

    @staticmethod
    def from_json(value: Any) -> Column:
        """Raises DataError where it describes no column."""
        try:
            column = Column(
                str(value["name"]), str(value["dtype"]), tuple(int(n) for n in value["shape"]), value.get("names")
            )
            if np.dtype(column.dtype).kind not in _KINDS or min((1, *column.shape)) < 1 or column.stored.itemsize < 1:
                raise ValueError(f"type {column.dtype} of shape {column.shape}")
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise DataError(f"a column of the state is described senselessly ({error!r})") from None
        return column


def row_type(columns: Sequence[Column]) -> np.dtype[Any]:
    """Of one frame. Raises DataError for more than MAX_BYTES, and for two columns of one name."""
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        raise DataError(f"two columns have one name: {', '.join(sorted(names))}")
    kind = np.dtype([(f"c{k}", column.stored) for k, column in enumerate(columns)])
    if kind.itemsize > MAX_BYTES:
        raise DataError(f"the numbers of a frame take {kind.itemsize:,} bytes; at most {MAX_BYTES:,} go into a state")
    return kind


def pack_rows(columns: Sequence[Column], values: Mapping[str, np.ndarray], frames: int) -> np.ndarray:
    """uint8 [T, S]: the values [T, *shape] of all columns, one after the other in each row. Bits stay as they are."""
    rows = np.zeros(frames, row_type(columns))
    for k, column in enumerate(columns):
        rows[f"c{k}"] = np.asarray(values[column.name]).reshape(frames, *column.shape)
    return np.frombuffer(rows.tobytes(), np.uint8).reshape(frames, -1)


def unpack_rows(columns: Sequence[Column], state: np.ndarray) -> dict[str, np.ndarray]:
    """What `pack_rows` packed, by name. Raises DataError where the state has another size."""
    kind = row_type(columns)
    if state.ndim != 2 or state.shape[1] != kind.itemsize:
        raise DataError(f"a state of {state.shape[-1]} bytes is not what the columns describe, {kind.itemsize} bytes")
    rows = np.frombuffer(np.ascontiguousarray(state).tobytes(), kind)
    return {column.name: rows[f"c{k}"] for k, column in enumerate(columns)}
