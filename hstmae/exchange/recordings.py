"""Source *films with tables beside them*: folders of one film each, with `actions.jsonl` by presentation time, and
states of the game or of its entities in parquet files. Films go into a `.hst` file as they are, with their sound.

A line of `actions.jsonl` holds from its time on, until the next one; a frame gets what holds when it is shown. Keys
that are pressed become truth values, one column each. A row of a parquet file belongs to a frame by its number or its
time; several rows of one frame are its entities, which become arrays padded with zeros, and their count.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..codec.jobs.inputs import Found
from ..data.sources.film import FilmEpisode
from ..data.sources.video import FILMS
from ..errors import DataError, UsageError
from ..film.reading import FilmReader, UnreadableFilm
from ..inputs.unpacking import new_folder
from ..names import portable_names
from .columns import Column, pack_rows
from .lerobot_writer import parquet

ACTIONS = "actions.jsonl"
TIMES = {  # names of what is a time, and their unit in seconds; None = found by the length of the film
    "pts": None, "time": None, "timestamp": None, "t": None, "presentation_time": None, "time_s": 1.0, "seconds": 1.0,
    "time_ms": 1e-3, "timestamp_ms": 1e-3, "pts_ms": 1e-3, "time_us": 1e-6, "timestamp_us": 1e-6, "time_ns": 1e-9,
    "timestamp_ns": 1e-9,
}  # fmt: skip
NUMBERS = ("frame", "frame_index", "frame_number", "frame_id", "step")
MAX_LINE, MOST_KEYS, MOST_ENTITIES = 1 << 20, 256, 256


def is_recordings(path: Path) -> bool:
    """Whether the folder, or one in it, holds one film and tables beside it."""
    return path.is_dir() and any(_tables(folder, film) for folder, film in _films(path))


def _films(root: Path) -> list[tuple[Path, Path]]:
    """Folders of one film, and it."""
    found = []
    for folder in [root, *sorted(p for p in root.rglob("*") if p.is_dir())]:
        films = sorted(p for p in folder.iterdir() if p.suffix.lower() in FILMS and not p.name.startswith("."))
        if len(films) == 1:
            found.append((folder, films[0]))
    return found


def _tables(folder: Path, film: Path) -> list[Path]:
    found = [folder / ACTIONS] if (folder / ACTIONS).is_file() else []
    return found + sorted(p for p in folder.glob("*.parquet") if p.is_file())


@dataclass
class _Table:
    """What belongs to the frames of one film: values by name, [T, *shape]."""

    frames: int
    values: dict[str, np.ndarray] = field(default_factory=dict)


def find_recordings(root: Path, camera: str | None = None) -> tuple[Found, list[str]]:
    """As `find_lerobot`.

    Raises:
        DataError: no such folder, or a table that cannot be read or does not fit its film.
        UsageError: a camera is named.
    """
    if camera is not None:
        raise UsageError(f"--camera {camera}: a folder of one film has no cameras")
    sessions = [(folder, film, _tables(folder, film)) for folder, film in _films(root)]
    sessions = [session for session in sessions if session[2]]
    if not sessions:
        raise DataError(f"{root}: holds no folder of one film with {ACTIONS} or a parquet file beside it")
    keys = sorted({key for _, _, paths in sessions for p in paths if p.name == ACTIONS for key in _keys(_lines(p))})
    if len(keys) > MOST_KEYS:
        raise DataError(f"{root}: {len(keys)} different actions; at most {MOST_KEYS} become columns")
    tables, lost = [], list[str]()
    for folder, film, paths in sessions:
        tables.append(_read(film, paths, keys))
        known = {film.name, *(path.name for path in paths)}
        lost += [f"{p.relative_to(root)}" for p in sorted(folder.iterdir()) if p.is_file() and p.name not in known]
    columns = _common(tables, sessions)
    place = new_folder()
    names = portable_names("__".join(f.relative_to(root).parts) or root.resolve().name for f, _, _ in sessions)
    episodes = []
    for name, (_, film, _), table in zip(names, sessions, tables, strict=True):
        side = place / f"{name}.npz"
        np.savez(side, state=pack_rows(columns, table.values, table.frames))
        episodes.append(FilmEpisode(name, film, 0, side, None))
    about = {"foreign": "recordings", "state": [column.to_json() for column in columns]}
    return Found("video", "generic", [*episodes], columns=about), lost


def _common(tables: Sequence[_Table], sessions: Sequence[tuple[Path, Path, list[Path]]]) -> list[Column]:
    """The columns of all films; arrays of entities get the size of the largest."""
    names = list(tables[0].values)
    for table, (folder, _, _) in zip(tables, sessions, strict=True):
        if sorted(table.values) != sorted(names):
            odd = sorted(set(table.values) ^ set(names))
            raise DataError(f"{folder}: its tables do not have the columns of {sessions[0][0]}: {', '.join(odd[:5])}")
    columns = []
    for name in names:
        own = [table.values[name] for table in tables]
        kind = np.result_type(*own)
        size = max((value.shape[1:] for value in own), default=())
        for table in tables:
            value = table.values[name]
            if value.shape[1:] != size:
                wider = np.zeros((table.frames, *size), kind)
                wider[:, : value.shape[1]] = value
                table.values[name] = wider
        columns.append(Column(name, str(kind), size))
    return columns


def _read(film: Path, paths: Sequence[Path], keys: Sequence[str]) -> _Table:
    try:
        facts = FilmReader(film).facts
    except UnreadableFilm as error:
        raise DataError(f"{film}: {error}") from None
    times = np.array([float((time - facts.times[0]) * facts.time_base) for time in facts.times])
    table = _Table(len(times))
    for path in paths:
        own = _actions(path, times, keys) if path.name == ACTIONS else _states(path, times)
        if twice := sorted(set(own) & set(table.values)):
            raise DataError(f"{path}: column {twice[0]} is in another table of {film.name}, too")
        table.values |= own
    return table


def _lines(path: Path) -> list[dict[str, Any]]:
    found = []
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), 1):
            if len(line) > MAX_LINE:
                raise DataError(f"{path}: line {number} is longer than {MAX_LINE} bytes")
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}: line {number} is no JSON ({error})") from None
            if not isinstance(value, dict):
                raise DataError(f"{path}: line {number} is no object")
            found.append(value)
    if not found:
        raise DataError(f"{path}: is empty")
    return found


def _flat(value: Any, name: str = "") -> dict[str, float]:
    """Numbers by name: of objects "a.b", of words and lists of words "name=word" = 1. What is None is absent."""
    if isinstance(value, bool | int | float):
        return {name: float(value)}
    if isinstance(value, dict):
        return {k: v for key, inner in value.items() for k, v in _flat(inner, f"{name}.{key}" if name else key).items()}
    if isinstance(value, str):
        return {f"{name}={value}": 1.0}
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return {f"{name}={word}": 1.0 for word in value}
    if isinstance(value, list):
        return {k: v for i, inner in enumerate(value) for k, v in _flat(inner, f"{name}.{i}").items()}
    return {}


def _keys(lines: Sequence[dict[str, Any]]) -> set[str]:
    """Names of all that the lines tell, but times and numbers of frames."""
    place = _place_of(lines)
    return {key for line in lines for key in _flat({k: v for k, v in line.items() if k != place})}


def _place_of(names: Sequence[Any]) -> str | None:
    """Which name says where a line or row belongs: a time, else the number of a frame."""
    there = set(names[0]) if names and isinstance(names[0], dict) else set(names)
    return next((name for name in (*TIMES, *NUMBERS) if name in there), None)


def _positions(path: Path, name: str | None, values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """float64: the time of each line or row, in seconds after the first frame; of numbers of frames, when they are
    shown.

    Raises:
        DataError: nothing says where they belong, or the unit of their times cannot be told.
    """
    if name is None or not len(values):
        raise DataError(f"{path}: no column says when; looked for {', '.join([*TIMES, *NUMBERS])}")
    if not np.isfinite(values).all() or (np.diff(values) < 0).any():
        raise DataError(f"{path}: '{name}' does not ascend")
    if name in NUMBERS:
        if values.min() < 0 or values.max() >= len(times) or (values != np.round(values)).any():
            span = f"{values.min():g} to {values.max():g}"
            raise DataError(f"{path}: '{name}' goes from {span}; the film has frames 0 to {len(times) - 1}")
        return np.asarray(times[values.astype(np.int64)])
    unit = TIMES[name]
    length = float(times[-1]) if len(times) > 1 else 1.0
    if unit is None:
        fitting = [u for u in (1.0, 1e-3, 1e-6, 1e-9) if 0.2 * length <= values[-1] * u <= 1.5 * length]
        if len(fitting) != 1:
            raise DataError(
                f"{path}: '{name}' ends at {values[-1]:g}, and the film after {length:.3g} s: neither seconds nor "
                "milli-, micro- or nanoseconds after its first frame; name the unit, e.g. time_ms"
            )
        unit = fitting[0]
    return values * unit


def _actions(path: Path, times: np.ndarray, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """What holds in each frame, by column."""
    lines = _lines(path)
    place = _place_of(lines)
    try:
        when = np.array([float(line[place]) for line in lines]) if place else np.zeros(0)
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path}: a line has no '{place}', as the first has") from None
    at = _positions(path, place, when, times)
    told = [_flat({k: v for k, v in line.items() if k != place}) for line in lines]
    chosen = np.searchsorted(at, times + 1e-6, side="right") - 1
    rows = np.zeros((len(lines) + 1, len(keys)))  # the last: before the first line
    for k, line in enumerate(told):
        for n, key in enumerate(keys):
            rows[k, n] = line.get(key, 0.0)
    own = rows[chosen]
    truth = [bool(np.isin(rows[:, n], (0.0, 1.0)).all()) and "=" in key for n, key in enumerate(keys)]
    return {key: own[:, n].astype(bool) if truth[n] else own[:, n] for n, key in enumerate(keys)}


def _states(path: Path, times: np.ndarray) -> dict[str, np.ndarray]:
    """The rows of a parquet file by frame."""
    try:
        table = parquet().read_table(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are of these kinds
        raise DataError(f"{path}: cannot be read ({error})") from None
    columns: dict[str, np.ndarray] = {}
    for name in table.column_names:
        values = table.column(name).to_numpy()
        if values.dtype.kind in "biuf":
            columns[name] = values
    place = _place_of(list(columns))
    at = _positions(path, place, columns[place].astype(np.float64) if place else np.zeros(0), times)
    frame = np.searchsorted(times, at + 1e-6, side="right") - 1
    own = {name: values for name, values in columns.items() if name != place}
    if (frame < 0).any() or not own:
        raise DataError(f"{path}: holds no numbers for the film's frames")
    counts = np.bincount(frame, minlength=len(times))
    if counts.max() == 1:
        if counts.min() < 1:
            raise DataError(f"{path}: has no row for frame {int(counts.argmin())} of the film")
        return {f"{path.stem}.{name}": values for name, values in own.items()}
    most = int(counts.max())
    if most > MOST_ENTITIES:
        raise DataError(f"{path}: {most} rows of one frame; at most {MOST_ENTITIES} entities are kept")
    slot = np.arange(len(frame)) - np.concatenate([[0], np.cumsum(counts)])[frame]
    padded = {f"{path.stem}.count": counts.astype(np.int32)}
    for name, values in own.items():
        array = np.zeros((len(times), most), values.dtype)
        array[frame, slot] = values
        padded[f"{path.stem}.{name}"] = array
    return padded
