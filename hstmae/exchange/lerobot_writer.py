"""Episodes as a LeRobot data set, format v3.0: parquet files of many episodes, statistics, tasks; pictures as PNG in
the parquet files, bit for bit, or as films."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..atomic import write_json
from ..data.sources.base import SourceEpisode
from ..errors import UsageError
from ..pictures.indexed import to_png
from .columns import Column
from .film_file import FilmFile
from .outgoing import Outgoing, Rows
from .statistics import PictureStats, Stats, number_stats, pooled_stats

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = "v3.0"
IMAGE = "observation.image"
CHUNK = 1000  # files of a folder
FILE_MB, VIDEO_MB = 100, 200
NAME = "chunk-{chunk_index:03d}/file-{file_index:03d}"
DATA, VIDEO, EPISODES = f"data/{NAME}.parquet", f"videos/{{video_key}}/{NAME}.mp4", f"meta/episodes/{NAME}.parquet"
TASKS, INFO, STATS = "meta/tasks.parquet", "meta/info.json", "meta/stats.json"
INDICES = ("timestamp", "frame_index", "episode_index", "index", "task_index")
OURS = "hstmae"  # what only we read: key of info.json, and beginning of the names of columns in meta/episodes


def parquet() -> Any:
    """The library that reads and writes parquet files. Raises UsageError where it is not there."""
    try:
        import pyarrow.parquet as library
    except ImportError:
        raise UsageError("parquet files need pyarrow: pip install 'hstmae[exchange]'") from None
    return library


def write_lerobot(
    source: Outgoing, folder: Path, *, video: bool = False, progress: Callable[[int], object] | None = None
) -> dict[str, Any]:
    """Write a data set into an empty folder.

    Args:
        video: pictures as films (H.264, lossy) instead of PNG.
        progress: called with the number of frames written since the last call.
    Returns:
        Counts: episodes, frames, tasks.
    Raises:
        UsageError: a library is missing.
        DataError: as of `Outgoing.rows`.
    """
    parquet()
    with _Writer(source, folder, video) as writer:
        for episode in source.episodes:
            writer.add(episode, progress)
        return writer.finish()


@dataclass
class _File:
    """Which file of a kind is being written: data or films."""

    number: int = 0

    @property
    def place(self) -> dict[str, int]:
        return {"chunk_index": self.number // CHUNK, "file_index": self.number % CHUNK}


@dataclass
class _Writer:
    source: Outgoing
    folder: Path
    video: bool
    rows: list[dict[str, Any]] = field(default_factory=list)
    stats: list[dict[str, Stats]] = field(default_factory=list)
    tasks: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    _data: Any = None
    _file: _File = field(default_factory=_File)
    _film: _File = field(default_factory=_File)

    def __enter__(self) -> _Writer:
        for task in self.source.about.get("tasks", ()):
            self.tasks.setdefault(str(task), len(self.tasks))
        return self

    def __exit__(self, *_: object) -> None:
        if self._data is not None:
            self._data.close()
            self._data = None

    @property
    def columns(self) -> list[Column]:
        """Those that are written; the format's own are made anew."""
        return [column for column in self.source.columns if column.name not in INDICES]

    def add(self, episode: SourceEpisode, progress: Callable[[int], object] | None) -> None:
        """Write one episode behind the others."""
        number, first = len(self.rows), self.frames
        task = self.task_of(episode)
        pictures, values = PictureStats(), dict[str, list[np.ndarray]]()
        path = self.folder / VIDEO.format(video_key=IMAGE, **self._film.place)
        film = FilmFile(path, self.source) if self.video else None
        with film or _Nothing():
            for rows in self.source.rows(episode, progress):
                start = self.frames - first
                own = self._indices(rows, start, number, task)
                self._write(rows, own)
                pictures.add(rows.rgb)
                for name, value in own.items():
                    values.setdefault(name, []).append(value)
                if film is not None:
                    film.add(rows.rgb)
                self.frames += len(rows)
        joined = {name: np.concatenate(parts) for name, parts in values.items()}
        count = self.frames - first
        stats = {IMAGE: pictures.result(), **{name: number_stats(value) for name, value in joined.items()}}
        self.stats.append(stats)
        row = {
            "episode_index": number, "tasks": [text for text, k in self.tasks.items() if k in joined["task_index"]],
            "length": count, "data/chunk_index": self._file.place["chunk_index"],
            "data/file_index": self._file.place["file_index"], "dataset_from_index": first,
            "dataset_to_index": self.frames, "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0,
            f"{OURS}/name": episode.name, f"{OURS}/level": episode.level, f"{OURS}/outcome": episode.outcome,
        }  # fmt: skip
        if film is not None:
            place = {f"videos/{IMAGE}/{name}": value for name, value in self._film.place.items()}
            ends = {"from_timestamp": 0.0, "to_timestamp": count / self.source.fps}
            row |= place | {f"videos/{IMAGE}/{name}": value for name, value in ends.items()}
            self._film.number += 1
        row |= {f"stats/{name}/{key}": value.tolist() for name, s in stats.items() for key, value in s.items()}
        self.rows.append(row)
        self._next_file()

    def task_of(self, episode: SourceEpisode) -> int:
        """Number of the episode's task: what it plays."""
        text = f"{self.source.game(episode) or 'play'} {episode.level}".strip()
        return self.tasks.setdefault(text, len(self.tasks)) if "tasks" not in self.source.about else 0

    def _indices(self, rows: Rows, start: int, number: int, task: int) -> dict[str, np.ndarray]:
        """The numbers of some frames: their own, and those that the format has for all."""
        count = len(rows)
        at = np.arange(start, start + count)
        own = {column.name: rows.values[column.name] for column in self.columns}
        tasks = rows.values.get("task_index", np.full(count, task))
        return {
            **own, "timestamp": (at / self.source.fps).astype(np.float32), "frame_index": at,
            "episode_index": np.full(count, number), "index": at + (self.frames - start), "task_index": tasks,
        }  # fmt: skip

    def _write(self, rows: Rows, own: dict[str, np.ndarray]) -> None:
        import pyarrow as pa

        arrays: list[pa.Array] = []
        fields: list[pa.Field] = []
        if not self.video:
            kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
            packed = [{"bytes": to_png(picture, None), "path": None} for picture in rows.rgb]
            arrays.append(pa.array(packed, kind))
            fields.append(pa.field(IMAGE, kind))
        for name, value in own.items():
            array = _as_arrow(value)
            arrays.append(array)
            fields.append(pa.field(name, array.type))
        schema = pa.schema(fields, {"huggingface": json.dumps({"info": {"features": self._hf_features()}})})
        if self._data is None:
            path = self.folder / DATA.format(**self._file.place)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._data = parquet().ParquetWriter(path, schema)
            self._path = path
        self._data.write_table(pa.Table.from_arrays(arrays, schema=schema))

    def _next_file(self) -> None:
        """Episodes are not divided between files; a file ends when it is large enough."""
        if self._path.stat().st_size > FILE_MB << 20:
            self._data.close()
            self._data = None
            self._file.number += 1

    def _hf_features(self) -> dict[str, Any]:
        """How the library `datasets` is to read the columns."""
        told: dict[str, Any] = {} if self.video else {IMAGE: {"_type": "Image"}}
        for name, feature in self.features().items():
            if feature["dtype"] in ("image", "video"):
                continue
            value: dict[str, Any] = {"dtype": feature["dtype"], "_type": "Value"}
            if len(feature["shape"]) > 1:
                value = {
                    "shape": feature["shape"],
                    "dtype": feature["dtype"],
                    "_type": f"Array{len(feature['shape'])}D",
                }
            elif feature["shape"] != [1]:
                value = {"feature": value, "length": feature["shape"][0], "_type": "Sequence"}
            told[name] = value
        return told

    def features(self) -> dict[str, Any]:
        """As info.json has them."""
        height, width = self.source.size
        picture: dict[str, Any] = {
            "dtype": "video" if self.video else "image", "shape": [height, width, 3],
            "names": ["height", "width", "channels"],
        }  # fmt: skip
        if self.video:
            picture["info"] = {
                "video.fps": self.source.fps, "video.codec": "h264", "video.pix_fmt": "yuv420p", "has_audio": False,
                "video.is_depth_map": False, "video.height": height, "video.width": width, "video.channels": 3,
            }  # fmt: skip
        own = {c.name: {"dtype": c.dtype, "shape": list(c.shape) or [1], "names": c.names} for c in self.columns}
        kinds = dict.fromkeys(INDICES, "int64") | {"timestamp": "float32"}
        return {IMAGE: picture, **own, **{n: {"dtype": k, "shape": [1], "names": None} for n, k in kinds.items()}}

    def finish(self) -> dict[str, Any]:
        import pyarrow as pa

        self.__exit__()
        path = self.folder / EPISODES.format(chunk_index=0, file_index=0)
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet().write_table(pa.Table.from_pylist(self.rows), path)
        _write_tasks(self.folder / TASKS, self.tasks)
        stats = pooled_stats(self.stats)
        write_json(self.folder / STATS, {n: {k: v.tolist() for k, v in s.items()} for n, s in stats.items()})
        fps = self.source.fps
        palette = self.source.palette
        inner = [column.to_json() for column in self.source.columns]
        about = {key: value for key, value in self.source.about.items() if key not in ("state", "tasks")}
        counts = {"total_episodes": len(self.rows), "total_frames": self.frames, "total_tasks": len(self.tasks)}
        info = {
            "codebase_version": VERSION, "robot_type": None, **counts, "chunks_size": CHUNK,
            "data_files_size_in_mb": FILE_MB, "video_files_size_in_mb": VIDEO_MB,
            "fps": int(fps) if fps == int(fps) else fps, "splits": {"train": f"0:{len(self.rows)}"},
            "data_path": DATA, "video_path": VIDEO if self.video else None, "features": self.features(),
            OURS: {**about, "palette": None if palette is None else palette.tobytes().hex(), "columns": inner},
        }  # fmt: skip
        write_json(self.folder / INFO, info)
        return {"episodes": len(self.rows), "frames": self.frames, "tasks": len(self.tasks)}


def _as_arrow(values: np.ndarray) -> pa.Array:
    """[T, *shape] as a column: numbers, lists of a fixed length, or lists of lists."""
    import pyarrow as pa

    values = np.ascontiguousarray(values)
    array = pa.array(values.reshape(-1))
    for length in reversed(values.shape[2:]):
        offsets = np.arange(0, len(array) + 1, length, dtype=np.int32)
        array = pa.ListArray.from_arrays(offsets, array)
    return array if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(array, values.shape[1])


def _write_tasks(path: Path, tasks: dict[str, int]) -> None:
    """As pandas writes a table whose index is the texts."""
    import pyarrow as pa

    index = "__index_level_0__"
    kinds = {"task_index": ("int64", "int64"), index: ("unicode", "object")}
    columns = [
        {"name": None if name == index else name, "field_name": name, "pandas_type": kind, "numpy_type": numpy,
         "metadata": None}
        for name, (kind, numpy) in kinds.items()
    ]  # fmt: skip
    about = {"index_columns": [index], "column_indexes": [], "columns": columns, "pandas_version": "2.2.0"}
    table = pa.table({"task_index": pa.array([*tasks.values()], pa.int64()), index: pa.array([*tasks], pa.string())})
    parquet().write_table(table.replace_schema_metadata({"pandas": json.dumps(about)}), path)


class _Nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...
