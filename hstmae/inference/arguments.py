"""What is handed to `Predictor.restore`, checked: lists and tensors become arrays, and what does not fit is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from ..games import GameSpec
from ..restoration.clips import STATE_LEVELS


def array_of(name: str, value: Any) -> np.ndarray:
    """An array, a list of arrays of one shape, or a tensor of the CPU, as an array. Raises DataError for others."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(
            f"{name}: cannot be made an array ({error}); give a NumPy array, or pictures of one size"
        ) from None
    if array.dtype == object:
        raise DataError(f"{name}: holds {type(value).__name__} that is no array of numbers; give a NumPy array")
    return array


def check_times(frames: int, numbers: np.ndarray, wanted: np.ndarray | None) -> None:
    """Raises DataError for frame numbers, or a choice of frames, that do not fit so many frames."""
    if numbers.shape != (frames,):
        raise DataError(f"{frames} frames need as many frame numbers, got {list(numbers.shape)}")
    if not np.issubdtype(numbers.dtype, np.integer) or (np.diff(numbers.astype(np.int64)) < 0).any():
        raise DataError(f"frame numbers must be whole numbers that ascend, got {numbers.dtype} {numbers[:8].tolist()}")
    if wanted is not None and (wanted.shape != (frames,) or wanted.dtype != np.bool_):
        raise DataError(f"wanted must be bool [{frames}], got {wanted.dtype} {list(wanted.shape)}")


def check_state(game: GameSpec, frames: int, state: np.ndarray | None, context: np.ndarray | None) -> None:
    """Raises DataError or GameError for memory or context that do not fit the game, or so many frames."""
    for name, given in (("states", state), ("rows of context", context)):
        if given is not None and (given.ndim != 2 or len(given) != frames):
            raise DataError(f"{frames} frames need as many {name}, got an array {list(given.shape)}")
    if state is not None:
        game.check_state(state)
    if context is not None and (context.dtype != np.uint8 or context.shape[1] != game.context_size):
        raise DataError(
            f"context must be uint8 [{frames}, {game.context_size}] for {game.name}, got {context.dtype} "
            f"{list(context.shape)}"
        )


def check_level(level: Any, origin: Any) -> None:
    """Raises DataError for a level of the state that there is not, or a corner that is none."""
    if level not in STATE_LEVELS:
        raise DataError(f"level must be one of {', '.join(STATE_LEVELS)}, got {level!r}")
    corner = tuple(origin) if isinstance(origin, Sequence | np.ndarray) else ()
    if len(corner) != 2 or not all(isinstance(value, int | np.integer) and value >= 0 for value in corner):
        raise DataError(f"origin must be (y, x) of the upper left corner, whole numbers from 0, got {origin!r}")
