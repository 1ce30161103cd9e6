"""Which source reads an input: recordings of palette games, or true-colour footage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import DataError, UsageError
from ...games import GameSpec
from .base import SourceEpisode
from .smb.archive import is_archive, list_archive
from .smb.dataset import SmbEpisode, list_episodes
from .video import FILMS, VideoOptions, find_videos


def find_sources(path: Path, game: GameSpec, video: VideoOptions) -> tuple[str, Sequence[SourceEpisode]]:
    """(kind of source, its episodes) of an input folder, film or archive.

    Args:
        video: how true-colour footage is read; palette games take none of it.
    Raises:
        UsageError: options of true-colour footage with a palette game.
        DataError: nothing there that can be read.
    """
    if not len(game.palette):
        if is_archive(path):
            raise DataError(f"{path}: archives are not read for game '{game.name}': unpack it and give the folder")
        return "video", find_videos(path, video, game.state_size or None)
    if video.resize:
        raise UsageError(
            f"resize: footage of '{game.name}' consists of palette indices, and scaling would mix them into colours "
            "the game does not have; training crops it instead (data.crop). Read it as true colour with --game generic"
        )
    if video != VideoOptions():
        raise UsageError(f"side files and frame rates are for true-colour footage; '{game.name}' records both itself")
    try:
        # Of the same kind as a folder: for the store it makes no difference where a frame was read from.
        return "smbdataset", list_archive(path) if is_archive(path) else _recordings(path)
    except DataError as error:
        if path.suffix.lower() in FILMS or any(p.suffix.lower() in FILMS for p in path.glob("*")):
            raise DataError(f"{error}; films are read with --game generic") from None
        raise


def _recordings(folder: Path) -> list[SmbEpisode]:
    """Of a folder, and of the archives that lie in it."""
    episodes = list_episodes(folder)
    for archive in sorted(path for path in folder.glob("*") if is_archive(path)):
        episodes += list_archive(archive)
    if not episodes:
        raise DataError(f"{folder} holds no PNG files and no archive: give the folder that holds the episode folders")
    return episodes
