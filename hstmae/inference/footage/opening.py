"""What `restore` takes: pictures, folders of them, films, or a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...data.episode import Episode
from ...data.sources.film import FilmEpisode
from ...data.sources.pictures import PicturesEpisode
from ...data.sources.side_file import find_side_file
from ...data.sources.video import FILMS, PICTURES, VideoOptions, find_videos
from ...data.store.manifest import is_store
from ...data.store.reader import EpisodeStore
from ...errors import DataError
from ...games import GameSpec, get_game
from ...games.palette import pack_rgb
from ...inputs.junk import in_junk
from ...pictures.base import Picture
from ...pictures.indexed import IndexedPicture
from ...pictures.true_colour import RgbPicture
from .base import Footage, Stretch
from .files import PictureFiles
from .film import Film


class StoreFootage:
    """One episode of a store; frames become `f000123.png` by their number."""

    fps: float | None = None

    def __init__(self, store: EpisodeStore, episode: int) -> None:
        self._store, self._episode = store, episode
        info = store.info(episode)
        self.name = info.name
        self.has_state = info.has_state and get_game(store.game).state_size > 0
        self.files = [f"f{n:06d}.png" for n in info.frame_numbers.tolist()]
        self.count = info.frames

    @property
    def place(self) -> str:
        return f"{self._store.path}/{self.name}"

    def signature(self) -> list[list[object]]:
        return [[str(self._store.path), self._store.hash, self.name]]

    def read(self, start: int, end: int) -> Stretch:
        end = min(end, self.count)
        part = self._store.read(self._episode, range(start, end))
        pictures = [_picture_of(frame, part) for frame in part.frames]
        state = part.state if self.has_state else None
        return Stretch(self.files[start:end], pictures, state, part.context, part.frame_numbers, part.corner)


def _picture_of(frame: np.ndarray, episode: Episode) -> Picture:
    if episode.palette is None:
        return RgbPicture(frame, np.zeros(frame.shape[:2], bool))
    return IndexedPicture(
        indices=frame.astype(np.int16),
        packed=pack_rgb(episode.palette)[frame],
        missing=np.zeros(frame.shape, bool),
        palette=episode.palette,
        stored=frame,
        entries=episode.palette,
        meaning=np.arange(len(episode.palette), dtype=np.int16),
        tail=b"",
    )


def open_footage(path: Path, game: str, with_state: bool = True) -> Iterator[Footage]:
    """The sequences of an input: one for a file or a folder of frames, one per folder, film or episode otherwise.

    Args:
        path: a PNG file, a folder with PNG files in it or below it, or a store; for a game without a palette also JPEG
            files and films.
        game: registered name of the game that the footage shows.
        with_state: False leaves memory that is appended to PNG files, and side files, unread.
    Raises:
        DataError: nothing there that can be restored.
    """
    spec = get_game(game)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if is_store(path):
        store = EpisodeStore(path)
        if store.game != game:
            raise DataError(f"{path}: is a store of '{store.game}', not of '{game}'")
        for episode in range(len(store)):
            yield StoreFootage(store, episode)
    elif path.is_file() and path.suffix.lower() in ((".png",) if spec.indexed else PICTURES):
        yield PictureFiles("", [path], spec, with_state)
    else:
        yield from (_palette_folders if spec.indexed else _true_colour)(path, spec, with_state)


def _palette_folders(path: Path, game: GameSpec, with_state: bool) -> Iterator[Footage]:
    if path.is_file():
        raise DataError(
            f"{path}: is not a PNG file; convert footage of '{game.name}' to PNG frames first (a true-colour model, "
            "--game generic, restores films and JPEG files)"
        )
    folders: dict[Path, list[Path]] = {}
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() == ".png" and not in_junk(file.relative_to(path).as_posix()):
            folders.setdefault(file.parent, []).append(file)
    if not folders:
        raise DataError(f"{path}: holds no PNG files and is no finished store")
    for folder, files in folders.items():
        yield PictureFiles(_name(folder, path), files, game, with_state, _side(folder, game, with_state))


def _true_colour(path: Path, game: GameSpec, with_state: bool) -> Iterator[Footage]:
    if path.is_file() and path.suffix.lower() not in FILMS:
        raise DataError(f"{path}: is neither a picture ({' '.join(PICTURES)}) nor a film ({' '.join(FILMS)})")
    for episode in find_videos(path, VideoOptions(), game.state_size or None):
        if isinstance(episode, FilmEpisode):
            yield Film("" if path.is_file() else episode.name, episode, game)
        elif isinstance(episode, PicturesEpisode):
            folder = episode.folder
            files, side = [folder / file for file in episode.files], _side(folder, game, with_state)
            yield PictureFiles(_name(folder, path), files, game, with_state, side)


def _name(folder: Path, inside: Path) -> str:
    return "" if folder == inside else str(folder.relative_to(inside))


def _side(folder: Path, game: GameSpec, with_state: bool) -> Path | None:
    return find_side_file(folder.resolve()) if with_state and game.state_size else None
