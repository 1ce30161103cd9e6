"""Which source reads an input: recordings in a layout of their own, pictures of palette games, true-colour footage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from ...errors import DataError, UsageError
from ...games import GameSpec
from ..episode import Episode
from .base import SourceEpisode, SourceFrame
from .smb.layout import SmbDataset
from .video import FILMS, VideoOptions, find_videos

ANY_GAME = "generic"  # the game of footage that does not say which one it shows


class FileLog(Protocol):
    """Collects how the files of an episode look, so that they can be written again: `frames` so far, `exact` of them
    byte for byte."""

    frames: int
    exact: int

    def add_frame(self, frame: SourceFrame) -> None:
        """The file of one more frame."""

    def pack(self, palette: np.ndarray) -> bytes:
        """All of it, for `Layout.looks` with the same uint8 [K, 3] palette."""


class FileLooks(Protocol):
    """What a FileLog packed, of `frames` files."""

    frames: int

    def name(self, row: int, number: int, action: int) -> str:
        """Name of the file of a frame. Raises DataError for one that is no plain file name."""

    def data(self, row: int, pixels: np.ndarray, state: np.ndarray, action: int, outcome: str) -> bytes:
        """The file of a frame. Raises DataError where that makes no sense."""


class Layout(Protocol):
    """How the recorders of one game lay out their files. `name` is that of the source, `game` that of the game."""

    name: str
    game: str

    def recognises(self, path: Path) -> bool:
        """Whether something at `path` is named or packed this way."""

    def episodes(self, path: Path) -> Sequence[SourceEpisode]:
        """The episodes at `path`. Raises DataError where there are none."""

    def memory(self, tail: bytes) -> np.ndarray:
        """The state that is appended to a picture file, uint8 [S]. Raises DataError where that is something else."""

    def log(self, episode: SourceEpisode, keep: bool) -> FileLog | None:
        """Where the looks of an episode's files are collected, None for one that is not of such files; `keep`: with
        the whole of the files that could not be written again."""

    def looks(self, packed: bytes, palette: np.ndarray) -> FileLooks:
        """What a log packed. Raises DataError where the bytes make no sense."""

    def write(self, episode: Episode, folder: Path, overwrite: bool) -> Path:
        """Write an episode in this layout into `folder`, and return where it is.

        Raises:
            DataError: it lacks something, or has another size.
            UsageError: it is there already and `overwrite` is False.
        """


LAYOUTS: tuple[Layout, ...] = (SmbDataset(),)


def layout_of(game: GameSpec) -> Layout | None:
    """The layout that recordings of a game may have."""
    return next((layout for layout in LAYOUTS if layout.game == game.name), None)


def game_of(path: Path) -> str:
    """Name of the game that an input's own marks state: that of the layout it has, else "generic"."""
    return next((layout.game for layout in LAYOUTS if layout.recognises(path)), ANY_GAME)


def find_sources(path: Path, game: GameSpec, options: VideoOptions) -> tuple[str, Sequence[SourceEpisode]]:
    """(kind of source, its episodes) of an input folder, film or archive.

    Args:
        options: how footage is read that has no layout of its own.
    Raises:
        UsageError: options that the source does not take.
        DataError: nothing there that can be read.
    """
    archived = next((layout for layout in LAYOUTS if path.is_file() and layout.recognises(path)), None)
    if archived is not None and archived.game != game.name:
        raise DataError(f"{path}: archives are not read for game '{game.name}': unpack it and give the folder")
    if not game.indexed:
        return "video", find_videos(path, options, game.state_size or None)
    if options.resize:
        raise UsageError(
            f"resize: footage of '{game.name}' consists of palette indices, and scaling would mix them into colours "
            f"the game does not have; training crops it instead (data.crop). Read it as true colour with "
            f"--game {ANY_GAME}"
        )
    layout = layout_of(game)
    try:
        if layout is None or (options != VideoOptions() and not layout.recognises(path)):
            return "pictures", find_videos(path, options, game.state_size or None, game.name)
        if options != VideoOptions():
            raise UsageError(
                f"side files and frame rates are for footage without a layout of its own; {layout.name} holds both"
            )
        return layout.name, layout.episodes(path)
    except DataError as error:
        if path.suffix.lower() in FILMS or any(p.suffix.lower() in FILMS for p in path.glob("*")):
            raise DataError(f"{error}; films are read with --game {ANY_GAME}") from None
        raise
