"""Reading a preprocessed store: whole episodes, or single frames of them at random."""

from __future__ import annotations

import mmap
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import StoreError
from ..episode import Episode
from .columns import HEADS, read_index, read_rows
from .manifest import DATA, EPISODES, INFO, PROBLEMS, EpisodeInfo, digest, digest_file, read_manifest

OPEN_FILES = 256  # data files kept mapped at a time; each holds a file descriptor


class EpisodeStore:
    """A folder written by `hstmae preprocess`.

    Safe to share between threads, and picklable (a worker process opens it anew).

    Args:
        path: the store's folder.
    Raises:
        StoreError: there is no finished store there, or its manifest is damaged or disagrees with its files.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.meta, self._infos = read_manifest(self.path)
        self._names = {info.name: i for i, info in enumerate(self._infos)}
        for info in self._infos:
            self._check_size(info)
        self._lock = threading.Lock()
        self._open: OrderedDict[int, _DataFile] = OrderedDict()

    def _check_size(self, info: EpisodeInfo) -> None:
        file = self._file(info)
        try:
            size = file.stat().st_size
        except OSError as error:
            raise StoreError(f"{file}: {error.strerror}; run preprocess again") from None
        if size != info.data_bytes:
            raise StoreError(f"{file} has {size} bytes instead of {info.data_bytes}; run preprocess with --rebuild")

    def _file(self, info: EpisodeInfo) -> Path:
        return self.path / EPISODES / info.name / DATA

    def __reduce__(self) -> tuple[Any, ...]:
        return EpisodeStore, (self.path,)

    def __len__(self) -> int:
        """Number of episodes."""
        return len(self._infos)

    def __iter__(self) -> Iterator[Episode]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, episode: int | str) -> Episode:
        """A whole episode, by position or by name."""
        return self.read(episode, range(self.info(episode).frames))

    @property
    def hash(self) -> str:
        """SHA-256 over the whole store."""
        return str(self.meta["hash"])

    @property
    def game(self) -> str:
        return str(self.meta["game"])

    @property
    def frames(self) -> int:
        """Number of frames of all episodes."""
        return sum(info.frames for info in self._infos)

    def infos(self) -> list[EpisodeInfo]:
        return list(self._infos)

    def position(self, episode: int | str) -> int:
        """Position of an episode given by position (negative counts from the end; IndexError where there is none) or by
        name (StoreError)."""
        if isinstance(episode, str):
            if episode not in self._names:
                raise StoreError(f"{self.path} has no episode '{episode}'")
            return self._names[episode]
        count = len(self._infos)
        if not -count <= episode < count:
            raise IndexError(f"episode {episode} of {count}")
        return episode % count

    def info(self, episode: int | str) -> EpisodeInfo:
        return self._infos[self.position(episode)]

    def frame_numbers(self, episode: int | str) -> np.ndarray:
        """int32 [frames] of an episode, kept while it is open: cheaper than `info(episode).frame_numbers`."""
        return self._data(self.position(episode)).frame_numbers

    def read(
        self,
        episode: int | str,
        frame_indices: Sequence[int] | np.ndarray,
        columns: Sequence[str] = ("frames", "state", "context", "actions"),
    ) -> Episode:
        """Only these frames of an episode, in this order; equals `store[episode].take(frame_indices)`.

        Args:
            episode: position or name.
            frame_indices: positions in the episode (not frame numbers), 0 or more; repeats are allowed.
            columns: what to read beside the frames; the rest is None.
        Raises:
            IndexError: a frame index outside of the episode.
            StoreError: the data is damaged.
        """
        position = self.position(episode)
        info = self._infos[position]
        rows = np.asarray(frame_indices, np.int64)
        if rows.ndim != 1 or (len(rows) and (rows.min() < 0 or rows.max() >= info.frames)):
            raise IndexError(f"frame indices must be a list of numbers from 0 to {info.frames - 1}")

        def beside(name: str) -> np.ndarray | None:
            return self.column(position, name, rows) if name in info.columns and name in columns else None

        return Episode(
            name=info.name,
            game=info.game,
            frames=self.column(position, "frames", rows),
            palette=info.palette,
            state=beside("state"),
            context=beside("context"),
            actions=beside("actions"),
            frame_numbers=self.frame_numbers(position)[rows],
            outcome=info.outcome,
            level=info.level,
            fps=info.fps,
            split=info.split,
            source=info.source,
            notes=dict(info.notes),
            corner=info.corner,
        )

    def column(
        self,
        episode: int | str,
        name: str,
        rows: np.ndarray,
        window: tuple[slice, ...] = (),
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Some rows of one column that the episode has: what `read` does, without all that belongs to an episode.

        Args:
            rows, window, out: as of `read_rows`, which says what is returned and raised.
        """
        data = self._data(self.position(episode))
        return read_rows(data.view, data.columns[name], data.index[name], rows, data.where, window, out)

    def packed_bytes(self, episode: int | str, name: str) -> int:
        """What one column of an episode takes on disk, without its index."""
        offsets = self._data(self.position(episode)).index[name].offsets
        return offsets[-1] - offsets[0]

    def _data(self, position: int) -> _DataFile:
        with self._lock:
            found = self._open.get(position)
            if found is None:
                info = self._infos[position]
                self._check_size(info)
                found = self._open[position] = _DataFile(self._file(info), info)
                if len(self._open) > OPEN_FILES:
                    self._open.popitem(last=False)  # unmapped once no reader holds it any more
            else:
                self._open.move_to_end(position)
            return found

    def verify(
        self, progress: Callable[[int], object] | None = None, part: Sequence[int] | None = None, beside: bool = True
    ) -> list[str]:
        """Hash every file and unpack every group: one line per damaged file, none when the store is whole.

        Args:
            progress: called with the bytes of data files checked since the last call.
            part: positions of the episodes that are checked; None = all.
            beside: also what belongs to no episode, whose line is the last one.
        """
        found = []
        stated = {value["name"]: value["info_sha256"] for value in self.meta["episodes"]}
        for position in range(len(self._infos)) if part is None else part:
            info = self._infos[position]
            folder = self.path / EPISODES / info.name
            try:
                if digest((folder / INFO).read_bytes()) != stated[info.name]:
                    found.append(f"{folder / INFO}: hash does not match")
                if digest_file(folder / DATA) != info.data_sha256:
                    found.append(f"{folder / DATA}: hash does not match")
                for column in info.columns.values():
                    for start in range(0, info.frames, column.group):
                        self.column(position, column.name, np.array([start]))
            except (OSError, StoreError) as error:
                found.append(str(error))
            if progress is not None:
                progress(info.data_bytes)
        if not beside:
            return found
        try:
            if digest((self.path / PROBLEMS).read_bytes()) != self.meta["problems_sha256"]:
                found.append(f"{self.path / PROBLEMS}: hash does not match")
        except OSError as error:
            found.append(str(error))
        return found


class _DataFile:
    """One mapped data file and the indices of its columns."""

    def __init__(self, path: Path, info: EpisodeInfo) -> None:
        self.where, self.columns = str(path), info.columns
        try:
            with path.open("rb") as file:
                self.view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError) as error:
            raise StoreError(f"{path}: cannot be read ({error}); run preprocess again") from None
        if self.view[: len(HEADS[0])] not in HEADS:
            raise StoreError(f"{path}: not a data file of this format version; run preprocess with --rebuild")
        self.index = {name: read_index(self.view, column, self.where) for name, column in info.columns.items()}
        self.frame_numbers = info.frame_numbers
