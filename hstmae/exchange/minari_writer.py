"""Writing Minari data sets; see minari.py."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import write_json
from ..errors import DataError, UsageError
from .columns import Column
from .lerobot_writer import OURS
from .minari import DATA, METADATA, PICTURE, WRITTEN_FOR, hdf5
from .outgoing import ACTION, DONE, STATE, SUCCESS, Outgoing

_NAME = re.compile(r"[-_\w]+?-v\d+")


def check_name(out: Path) -> None:
    """Raises UsageError for a folder that `minari.load_dataset` cannot name."""
    if not _NAME.fullmatch(out.name):
        raise UsageError(f"{out}: Minari finds data sets by names with a version; call the folder e.g. {out.name}-v0")


def write_minari(
    source: Outgoing, folder: Path, name: str, progress: Callable[[int], object] | None = None
) -> dict[str, Any]:
    """Write a data set into an empty folder. Arguments, result and errors as of `write_lerobot`.

    Args:
        name: of the data set, the folder's at the end.
    """
    (folder / "data").mkdir()
    inner = [c for c in source.columns if c.name not in (DONE, SUCCESS)]
    steps = frames = 0
    with hdf5().File(folder / DATA, "w") as file:
        for number, episode in enumerate(source.episodes):
            group = file.create_group(f"episode_{number}")
            count = 0
            for rows in source.rows(episode, progress):
                _append(group, f"observations/{PICTURE}", rows.rgb)
                for column in inner:
                    place = "observations/state" if column.name == STATE else f"infos/{column.name}"
                    _append(group, place, rows.values[column.name])
                count += len(rows)
            if count < 2:
                raise DataError(f"{episode.name}: has {count} frame, and a step lies between two; leave it out")
            moves = next((c for c in inner if c.name == ACTION), None)
            actions = np.zeros(count - 1, np.int64) if moves is None else group[f"infos/{ACTION}"][: count - 1]
            group["actions"] = actions.astype(_action_type(moves))
            group["rewards"] = np.zeros(count - 1, np.float64)
            ended = np.arange(count - 1) == count - 2
            group["terminations"] = ended & (episode.outcome != "cut")
            group["truncations"] = ended & (episode.outcome == "cut")
            told = {"name": episode.name, "level": episode.level, "outcome": episode.outcome}
            group.attrs.update({"id": number, "total_steps": count - 1, **{f"{OURS}_{k}": v for k, v in told.items()}})
            steps, frames = steps + count - 1, frames + count
    palette = source.palette
    about = {key: value for key, value in source.about.items() if key != "state"}
    write_json(folder / METADATA, {
        "dataset_id": name, "minari_version": WRITTEN_FOR, "data_format": "hdf5", "jpeg_encoding": False,
        "total_episodes": len(source.episodes), "total_steps": steps,
        "dataset_size": round((folder / DATA).stat().st_size / 1e6, 1),
        "observation_space": json.dumps(_observation_space(source)), "action_space": json.dumps(_action_space(inner)),
        "description": f"Footage of {source.about.get('game') or 'any game'}, by hstmae. No rewards are known: 0.",
        OURS: {**about, "palette": None if palette is None else palette.tobytes().hex(), "fps": source.fps,
               "columns": [column.to_json() for column in inner]},
    })  # fmt: skip
    return {"episodes": len(source.episodes), "frames": frames, "steps": steps}


def _append(group: Any, place: str, values: np.ndarray) -> None:
    if place not in group:
        # A picture is a chunk of its own: any of them is read by itself.
        chunk = (1 if values.ndim > 3 else 1024, *values.shape[1:])
        group.create_dataset(place, data=values, maxshape=(None, *values.shape[1:]), chunks=chunk, compression="gzip")
        return
    data = group[place]
    data.resize(len(data) + len(values), axis=0)
    data[-len(values) :] = values


def _action_type(column: Column | None) -> str:
    if column is None or column.dtype == "int64":
        return "int64"
    return "int8" if _is_bits(column) else column.dtype


def _is_bits(column: Column) -> bool:
    """Whether an action is one number 0 or 1 for each button, as `outgoing` makes them."""
    return column.dtype == "float32" and column.shape == (8,) and column.names is not None


def _box(dtype: str, shape: tuple[int, ...], low: float, high: float) -> dict[str, Any]:
    return {"type": "Box", "dtype": dtype, "shape": list(shape), "low": np.full(shape, low).tolist(),
            "high": np.full(shape, high).tolist()}  # fmt: skip


def _observation_space(source: Outgoing) -> dict[str, Any]:
    spaces = {PICTURE: _box("uint8", (*source.size, 3), 0, 255)}
    for column in source.columns:
        if column.name == STATE:
            spaces["state"] = _box("uint8", column.shape, 0, 255)
    return {"type": "Dict", "subspaces": spaces}


def _action_space(columns: list[Column]) -> dict[str, Any]:
    column = next((c for c in columns if c.name == ACTION), None)
    if column is None:
        return {"type": "Discrete", "dtype": "int64", "start": 0, "n": 1}
    if _is_bits(column):
        return {"type": "MultiBinary", "n": 8}
    if column.dtype == "int64" and not column.shape:
        return {"type": "Discrete", "dtype": "int64", "start": 0, "n": 256}
    return _box(column.dtype, column.shape, -np.inf, np.inf)
