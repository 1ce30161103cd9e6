"""Source *LeRobot*: the episodes of a data set of format v3.0, from parquet files and films, without that library."""

from __future__ import annotations

import io
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..data.sources.base import Problem, Report, SourceFrame, UnusableEpisode, file_stamp
from ..errors import UsageError
from ..games import get_game
from ..games.palette import colour_table, pack_rgb, to_indices
from .columns import Column, pack_rows
from .lerobot_writer import INFO, parquet
from .outgoing import ACTION, NUMBER

MAJOR = "v3."
_AT_ONCE = 64  # frames
_NEAR = 1e-4  # seconds that a film's frame may be off its time, beside half a frame


def is_lerobot(path: Path) -> bool:
    return (path / INFO).is_file()


@dataclass(frozen=True)
class Layout:
    """What a data set says about itself.

    Attributes:
        root: its folder.
        camera: feature that is taken for the picture; `film`: whether it is a film.
        state: columns that become bytes of the state; `action`: whether the action is a number 0 to 255 of its own, or
            bits ("bits"), "" = neither.
        fps: frames a second.
        palette: as Episode; `game`: name.
        numbers: whether frames have numbers of their own.
    """

    root: Path
    camera: str
    film: bool
    state: tuple[Column, ...]
    action: str
    fps: float
    palette: bytes | None
    game: str
    numbers: bool
    data_path: str
    video_path: str


@dataclass(frozen=True)
class LeRobotEpisode:
    """An episode of a data set: its row of meta/episodes."""

    name: str
    level: str
    outcome: str
    size: int
    layout: Layout = field(repr=False)
    row: dict[str, Any] = field(repr=False)

    @property
    def fps(self) -> float:
        return self.layout.fps

    @property
    def game(self) -> str:
        return self.layout.game

    def data_file(self) -> Path:
        place = {"chunk_index": self.row["data/chunk_index"], "file_index": self.row["data/file_index"]}
        return self.layout.root / self.layout.data_path.format(**place)

    def film_file(self) -> Path:
        key = f"videos/{self.layout.camera}"
        place = {"chunk_index": self.row[f"{key}/chunk_index"], "file_index": self.row[f"{key}/file_index"]}
        return self.layout.root / self.layout.video_path.format(video_key=self.layout.camera, **place)

    def signature(self, content: bool = False) -> list[list[object]]:
        files = [self.data_file(), *([self.film_file()] if self.layout.film else [])]
        return [[p.name, p.stat().st_size, file_stamp(p, content), self.row["episode_index"]] for p in files]

    def frames(self, report: Report, notes: dict[str, int], known: Container[int] = ()) -> Iterator[SourceFrame]:
        """Raises UnusableEpisode where a file is missing or damaged, or a picture cannot be read."""
        pictures = self._film_pictures() if self.layout.film else None
        game, count, size = get_game(self.layout.game), 0, None
        palette = None if self.layout.palette is None else np.frombuffer(self.layout.palette, np.uint8).reshape(-1, 3)
        table = None if palette is None or not game.indexed else colour_table(palette, game)
        for values, packed in self._rows():
            frames = len(values["frame_index"])
            if not np.array_equal(values["frame_index"], np.arange(count, count + frames)):
                raise UnusableEpisode(f"its frames are not numbered from 0 on, in order, at frame {count}")
            state = pack_rows(self.layout.state, values, frames) if self.layout.state else None
            actions = self._actions(values)
            numbers = values[NUMBER] if self.layout.numbers else np.arange(count, count + frames)
            for k in range(frames):
                rgb = _decoded(packed[k], f"frame {count + k}") if pictures is None else next(pictures, None)
                if rgb is None:
                    raise UnusableEpisode(f"its film ends before frame {count + k}")
                if size is not None and rgb.shape != size:
                    raise UnusableEpisode(f"frame {count + k} is {rgb.shape[1]}x{rgb.shape[0]}, others are not")
                size, pixels = rgb.shape, rgb
                if table is not None:
                    entries = to_indices(pack_rgb(rgb), table)
                    if (entries < 0).any():
                        raise UnusableEpisode(f"frame {count + k} has colours that are not in the palette of its game")
                    pixels = entries.astype(np.uint8)
                action = None if actions is None else int(actions[k])
                yield SourceFrame(int(numbers[k]), pixels, palette if table is not None else None,
                                  None if state is None else state[k], action)  # fmt: skip
            count += frames
        if count != self.size:
            report(Problem(self.name, "", f"has {count} frames, its list of episodes says {self.size}", left_out=False))

    def _actions(self, values: dict[str, np.ndarray]) -> np.ndarray | None:
        if not self.layout.action:
            return None
        action = values[ACTION]
        whole = (action == np.round(action)) & (action >= 0) & (action <= (1 if self.layout.action == "bits" else 255))
        if not whole.all():
            raise UnusableEpisode(f"its actions are not numbers 0 to {1 if self.layout.action == 'bits' else 255}")
        return np.packbits(action.astype(np.uint8), axis=1)[:, 0] if self.layout.action == "bits" else action

    def _rows(self) -> Iterator[tuple[dict[str, np.ndarray], list[Any]]]:
        """Values by column, and packed pictures, of some frames at a time."""
        names = [column.name for column in self.layout.state]
        names += [n for n in (ACTION if self.layout.action else "", NUMBER if self.layout.numbers else "") if n]
        wanted = list(dict.fromkeys(["frame_index", "episode_index", *names]))
        shapes = {column.name: column.shape for column in self.layout.state}
        wanted += [] if self.layout.film else [self.layout.camera]
        path = self.data_file()
        try:
            with parquet().ParquetFile(path) as file:
                for batch in file.iter_batches(_AT_ONCE, columns=wanted):
                    mine = np.flatnonzero(batch.column("episode_index").to_numpy() == self.row["episode_index"])
                    if not len(mine):
                        continue
                    own = batch.slice(int(mine[0]), int(mine[-1] - mine[0] + 1))
                    packed = [] if self.layout.film else own.column(self.layout.camera).to_pylist()
                    values = {n: _as_numpy(own.column(n), shapes.get(n)) for n in wanted if n != self.layout.camera}
                    yield values, packed
        except (OSError, ValueError, KeyError) as error:  # pyarrow's errors are of these kinds
            raise UnusableEpisode(f"{path}: cannot be read ({error})") from None

    def _film_pictures(self) -> Iterator[np.ndarray]:
        """RGB of each frame: the film's frame that is shown at its time."""
        try:
            import av
        except ImportError:
            raise UsageError("films need PyAV: pip install 'hstmae[video]'") from None
        start = float(self.row.get(f"videos/{self.layout.camera}/from_timestamp", 0.0))
        path, wanted, near = self.film_file(), 0, 0.5 / self.layout.fps + _NEAR
        try:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                stream.codec_context.thread_count = 1
                first = float(stream.start_time * stream.time_base) if stream.start_time else 0.0
                container.seek(int((start + first) / stream.time_base), stream=stream)
                for frame in container.decode(stream):
                    at = float(frame.pts * stream.time_base) - first - start
                    while wanted < self.size and abs(at - wanted / self.layout.fps) <= near:
                        yield frame.to_ndarray(format="rgb24")
                        wanted += 1
                    if wanted >= self.size:
                        return
        except (OSError, ValueError, IndexError, TypeError, av.FFmpegError) as error:
            raise UnusableEpisode(f"{path}: cannot be read ({error})") from None


def _as_numpy(array: Any, shape: tuple[int, ...] | None) -> np.ndarray:
    """A column of some frames as [T, *shape]; `shape` None = as it is, numbers or lists of one length."""
    frames = len(array)
    while hasattr(array, "flatten") and hasattr(array.type, "value_type"):
        array = array.flatten()
    if array.null_count:
        raise ValueError("values are missing")
    values = array.to_numpy(zero_copy_only=False)
    return values.reshape(frames, *shape) if shape is not None else values.reshape(frames, -1).squeeze(1) if (
        len(values) == frames
    ) else values.reshape(frames, -1)  # fmt: skip


def _decoded(value: Any, where: str) -> np.ndarray:
    from PIL import Image

    data = value.get("bytes") if isinstance(value, dict) else None
    if not data:
        raise UnusableEpisode(f"{where}: its picture lies in another file, and not in the parquet file")
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnusableEpisode(f"{where}: its picture cannot be read ({error})") from None
