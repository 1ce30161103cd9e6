"""Which source reads an input: recordings in a layout of their own, pictures of palette games, true-colour footage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import DataError, UsageError
from ...games import GameSpec
from ...inputs.unpacking import as_folder
from ..pairing import Pairing
from .base import SourceEpisode
from .smb.archive import ArchivedEpisode, StagedEpisode
from .smb.layout import FileLog, FileLooks, SmbDataset
from .video import FILMS, VideoOptions, find_videos

__all__ = ["ArchivedEpisode", "FileLog", "FileLooks", "Layout", "StagedEpisode", "find_sources", "game_of", "layout_of"]

ANY_GAME = "generic"  # the game of footage that does not say which one it shows
Layout = SmbDataset  # how the recorders of one game lay out their files: so far there is one
LAYOUTS: tuple[Layout, ...] = (SmbDataset(),)


def layout_of(game: GameSpec) -> Layout | None:
    """The layout that recordings of a game may have."""
    return next((layout for layout in LAYOUTS if layout.game == game.name), None)


def readable(path: Path, game: str = "") -> Path:
    """An input as a folder or file: archives are unpacked, but for those that a layout (of `game`; "" = of any) reads
    as they are; see `as_folder`."""
    as_it_is = path.is_file() and any(o.recognises(path) for o in LAYOUTS if game in ("", o.game))
    return path if as_it_is else as_folder(path)


def game_of(path: Path) -> str:
    """Name of the game that an input's own marks state: that of the layout it has, else "generic"."""
    path = readable(path)
    return next((layout.game for layout in LAYOUTS if layout.recognises(path)), ANY_GAME)


def find_sources(
    path: Path, game: GameSpec, options: VideoOptions, lag: int | None = None
) -> tuple[str, Sequence[SourceEpisode]]:
    """(kind of source, its episodes) of an input folder, film, archive, or standard input.

    Args:
        options: how footage is read that has no layout of its own.
        lag: between memory and picture in its files, see `data.pairing`; None = found for each episode.
    Raises:
        UsageError: options, or a lag, that the source does not take.
        DataError: nothing there that can be read.
    """
    if lag is not None and layout_of(game) is None:
        raise UsageError(f"--lag {lag}: is for recordings with the game's memory in their files, not for '{game.name}'")
    path = readable(path, game.name)
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
        if layout is None or not layout.recognises(path):
            return "pictures", find_videos(path, options, game.state_size or None, game.name)
        if options != VideoOptions():
            raise UsageError(
                f"side files and frame rates are for footage without a layout of its own; {layout.name} holds both"
            )
        episodes = layout.episodes(path)
        given = None if lag is None else Pairing(lag, "given")
        return layout.name, [replace(episode, pairing=given) for episode in episodes] if given else episodes
    except DataError as error:
        if path.suffix.lower() in FILMS or any(p.suffix.lower() in FILMS for p in path.glob("*")):
            raise DataError(f"{error}; films are read with --game {ANY_GAME}") from None
        raise
