"""True-colour footage to restore: films and folders of pictures, read a stretch of frames at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...data.sources.base import Problem, SourceFrame
from ...data.sources.film import FilmEpisode
from ...data.sources.pictures import PicturesEpisode
from ...data.sources.side_file import find_side_file, read_side_file
from ...data.sources.video import FILMS, PICTURES, VideoOptions, find_videos
from ...errors import DataError
from ...games import GameSpec
from ...pictures.true_colour import RgbPicture, read_rgb_picture
from .palette import Stretch, one_size


class PictureFiles:
    """PNG and JPEG files in natural order of their names, written back as PNG files.

    Args:
        name: "" for an input that is itself the sequence.
        paths: in order, at least one.
        game: without a palette.
        side: file with the state of the frames, see data.sources.side_file.
    """

    fps: float | None = None

    def __init__(self, name: str, paths: list[Path], game: GameSpec, side: Path | None = None) -> None:
        self.name, self._paths = name, paths
        self.files = [f"{path.stem}.png" for path in paths]
        self.count = len(paths)
        if len(set(self.files)) < self.count:
            twice = next(f for f in self.files if self.files.count(f) > 1)
            raise DataError(f"{paths[0].parent}: two pictures would both be written to {twice}; rename one")
        self.state = read_side_file(side, game.state_size).state if side is not None and game.state_size else None
        if self.state is not None and len(self.state) != self.count:
            raise DataError(f"{side}: has {len(self.state)} frames, the folder {self.count} pictures")
        self.has_state = self.state is not None
        self._size: tuple[int, int] | None = None

    @property
    def place(self) -> str:
        return str(self._paths[0])

    def signature(self) -> list[list[object]]:
        return [[str(p), p.stat().st_size, p.stat().st_mtime_ns] for p in self._paths]

    def read(self, start: int, end: int) -> Stretch:
        pictures = [read_rgb_picture(path) for path in self._paths[start:end]]
        for path, picture in zip(self._paths[start:end], pictures, strict=True):
            self._size = one_size(path, picture, self._size)
        state = None if self.state is None else self.state[start:end]
        numbers = np.arange(start, start + len(pictures))
        return Stretch(self.files[start:end], pictures, state, None, numbers)


class Film:
    """A film, decoded forwards; frames become `f000123.png`.

    `count` is what the film's head says and may be a little off; `read` returns as many frames as there are.
    """

    def __init__(self, name: str, episode: FilmEpisode, game: GameSpec) -> None:
        self.name, self._episode = name, episode
        self.count = episode.size
        self.problems: list[Problem] = []
        self._stateful = game.state_size > 0
        self._frames: Iterator[SourceFrame] | None = None
        self._kept: list[SourceFrame] = []  # from the last stretch, which the next one may share frames with
        self._next = 0
        first = self.read(0, 1)
        if not first.pictures:
            raise DataError(f"{self.place}: holds no frame that can be read")
        self.has_state = first.state is not None

    @property
    def place(self) -> str:
        return str(self._episode.path)

    @property
    def fps(self) -> float | None:
        return self._episode.fps

    def signature(self) -> list[list[object]]:
        return [[self.place], *self._episode.signature()]

    def read(self, start: int, end: int) -> Stretch:
        self._kept = [frame for frame in self._kept if frame.number >= start]
        first = self._kept[0].number if self._kept else self._next
        if self._frames is None or first > start:  # from the beginning, or back
            self._frames, self._kept, self._next = self._episode.frames(self.problems.append, {}), [], 0
        while self._next < end and (frame := next(self._frames, None)) is not None:
            if self._next >= start:
                self._kept.append(frame)
            self._next += 1
        chosen = [frame for frame in self._kept if frame.number < end]
        states = [frame.state for frame in chosen if frame.state is not None] if self._stateful else []
        return Stretch(
            [f"f{frame.number:06d}.png" for frame in chosen],
            [RgbPicture(frame.pixels, np.zeros(frame.pixels.shape[:2], bool)) for frame in chosen],
            np.stack(states) if states and len(states) == len(chosen) else None,
            None,
            np.array([frame.number for frame in chosen], np.int64),
        )


def open_true_colour(path: Path, game: GameSpec, with_state: bool = True) -> Iterator[PictureFiles | Film]:
    """The sequences of an input that is no store: a picture, a film, or a folder with such in it or below it.

    Raises:
        DataError: nothing there that can be restored.
    """
    if path.is_file() and path.suffix.lower() in PICTURES:
        yield PictureFiles("", [path], game)
        return
    if path.is_file() and path.suffix.lower() not in FILMS:
        raise DataError(f"{path}: is neither a picture ({' '.join(PICTURES)}) nor a film ({' '.join(FILMS)})")
    found = find_videos(path, VideoOptions(), game.state_size or None)
    for episode in found:
        if isinstance(episode, FilmEpisode):
            alone = path.is_file()
            yield Film("" if alone else episode.name, episode, game)
        elif isinstance(episode, PicturesEpisode):
            side = find_side_file(episode.folder.resolve()) if with_state else None
            name = "" if episode.folder == path else str(episode.folder.relative_to(path))
            yield PictureFiles(name, [episode.folder / file for file in episode.files], game, side)
