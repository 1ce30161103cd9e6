"""Which source reads an input: recordings of palette games, or true-colour footage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import DataError, UsageError
from ...games import GameSpec
from .base import SourceEpisode
from .smbdataset import find_episodes
from .video import FILMS, VideoOptions, find_videos


def find_sources(path: Path, game: GameSpec, video: VideoOptions) -> tuple[str, Sequence[SourceEpisode]]:
    """(kind of source, its episodes) of an input folder.

    Args:
        video: how true-colour footage is read; palette games take none of it.
    Raises:
        UsageError: options of true-colour footage with a palette game.
        DataError: nothing there that can be read.
    """
    if not len(game.palette):
        return "video", find_videos(path, video, game.state_size or None)
    if video.resize:
        raise UsageError(
            f"resize: footage of '{game.name}' consists of palette indices, and scaling would mix them into colours "
            "the game does not have; training crops it instead (data.crop). Read it as true colour with --game generic"
        )
    if video != VideoOptions():
        raise UsageError(f"side files and frame rates are for true-colour footage; '{game.name}' records both itself")
    try:
        return "smbdataset", find_episodes(path)
    except DataError as error:
        if path.suffix.lower() in FILMS or any(p.suffix.lower() in FILMS for p in path.glob("*")):
            raise DataError(f"{error}; films are read with --game generic") from None
        raise
