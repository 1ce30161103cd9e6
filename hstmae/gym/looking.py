"""What of an environment is recorded: pictures, memory, actions and numbers as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import DataError

Picture = Callable[[Any, Any], np.ndarray]  # environment, observation -> uint8 [H, W] or [H, W, 3]
Memory = Callable[[Any], np.ndarray]  # environment -> uint8 [S]
_LARGEST = 1 << 16  # bytes of an observation that is no picture and is kept at every step


def is_picture(observation: Any) -> bool:
    """Whether an observation can be shown as it is."""
    if not isinstance(observation, np.ndarray) or observation.dtype != np.uint8:
        return False
    return observation.ndim == 2 or (observation.ndim == 3 and observation.shape[2] in (1, 3))


def as_picture(found: Any, where: str) -> np.ndarray:
    """uint8 [H, W] (grey) or [H, W, 3]. Raises DataError for anything else."""
    picture = np.asarray(found)
    if not is_picture(picture) or not picture.size:
        raise DataError(
            f"{where}: expected a picture uint8 [H, W] or [H, W, 3], found {picture.dtype} {list(picture.shape)}; make "
            'the environment with render_mode="rgb_array", or say picture=function(env, observation)'
        )
    return picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture


def console_memory(env: Any) -> np.ndarray | None:
    """Work memory uint8 [S] of an Atari console; None where there is none."""
    ale = getattr(env.unwrapped, "ale", None)
    return None if ale is None else np.array(ale.getRAM(), np.uint8)


def as_memory(found: Any, where: str) -> np.ndarray:
    """uint8 [S]. Raises DataError for anything else."""
    memory = np.array(found)
    if memory.dtype != np.uint8 or memory.ndim != 1:
        raise DataError(f"{where}: expected memory uint8 [S], found {memory.dtype} {list(memory.shape)}")
    return memory


def as_column(value: Any, name: str, where: str) -> np.ndarray:
    """Numbers or truth values as an array that can be kept. Raises DataError for what is none."""
    try:
        column = np.array(value)
    except ValueError:
        column = np.array(None)
    if column.dtype.kind not in "biuf" or column.dtype.itemsize > 8:
        raise DataError(f"{where}: {name} holds {type(value).__name__}; numbers and truth values are kept")
    return column


def observation_of(observation: Any) -> dict[str, np.ndarray]:
    """Columns of an observation that is no picture; {} for what is large, or no array of numbers."""
    parts = observation if isinstance(observation, Mapping) else {"": observation}
    found = {}
    for key, value in parts.items():
        column = np.array(value) if isinstance(value, np.ndarray | np.generic | int | float) else np.array(None)
        if column.dtype.kind in "biuf" and column.nbytes <= _LARGEST and not is_picture(value):
            found[f"observation.{key}" if key else "observation"] = column
    return found


def success_of(info: Mapping[str, Any]) -> str:
    """An episode's outcome, as far as an environment says."""
    for key in ("is_success", "success"):
        if key in info:
            return "win" if bool(np.all(info[key])) else "fail"
    return "cut"
