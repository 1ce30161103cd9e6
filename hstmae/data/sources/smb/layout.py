"""Source *smbdataset* as one of the layouts that recordings come in, see `sources.finding`: what that needs of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ....errors import DataError, UsageError
from ....inputs.junk import is_junk
from ...episode import Episode
from ...pairing import Pairing
from ..base import SourceEpisode
from ..movies.movie import Movie
from .archive import is_archive, list_archive
from .colours import GAME
from .dataset import SmbEpisode
from .dataset_files import FileLog, FileLooks
from .dataset_writer import write_smbdataset
from .emulator import NesEmulator
from .level_start import parse_level, start_level
from .listing import list_episodes, walk
from .names import group_files, is_frame_name
from .pairing import Memory, Picture, all_follow, find_pairing
from .tail import read_metadata


class SmbDataset:
    """Folders of PNG files with memory behind the picture, or .7z archives of them."""

    name = "smbdataset"
    game = GAME.name

    def recognises(self, path: Path) -> bool:
        """Whether `path` is an archive, or a folder with an archive or a file named like a frame in it or below it."""
        if not path.is_dir():
            return is_archive(path)
        return any(
            is_frame_name(name) or is_archive(Path(place) / name) for place, files in walk(path) for name in files
        )

    def episodes(self, path: Path) -> list[SmbEpisode]:
        """Of an archive, or of a folder and the archives that lie in it. Raises DataError where there are none."""
        # Of one kind: for the store it makes no difference where a frame was read from.
        if is_archive(path):
            return [*list_archive(path)]
        episodes = list_episodes(path)
        for archive in sorted(file for file in path.glob("*") if is_archive(file) and not is_junk(file.name)):
            episodes += list_archive(archive)
        if not episodes:
            raise DataError(f"{path} holds no PNG files and no archive: give the folder that holds the episode folders")
        return episodes

    def apart(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Files of one folder by the episode that their names state; all together as "" where that is one."""
        groups = group_files([("", [(name, 0, 0) for name in names], [])])
        return {group.title if len(groups) > 1 else "": [name for name, _, _ in group.files] for group in groups}

    def beginning(self, level: str, rom: str) -> Movie | None:
        """Input from power-on to the first frame that is recorded of a level, "1-1"; None where that is no level.
        Raises DataError where the ROM is another game, or cannot be run."""
        try:
            world, number = parse_level(level)
        except UsageError:
            return None
        return start_level(NesEmulator(rom), world, number)

    def memory(self, tail: bytes) -> np.ndarray:
        """The state in the bytes behind a picture, uint8 [S]. Raises DataError where they are something else."""
        return np.frombuffer(read_metadata(tail).ram, np.uint8)

    def find_pairing(self, numbers: np.ndarray, memory: Memory, picture: Picture) -> Pairing:
        """The lag between memory and pictures, see `pairing.find_pairing`."""
        return find_pairing(numbers, memory, picture)

    def all_follow(self, numbers: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """Whether each frame was recorded right after the one before it, see `pairing.all_follow`."""
        return all_follow(numbers, memory)

    def log(self, episode: SourceEpisode, keep: bool) -> FileLog | None:
        """Where the looks of its files are collected (see FileLog); None for an episode of another source."""
        return FileLog(keep, episode) if isinstance(episode, SmbEpisode) else None

    def looks(self, packed: bytes, palette: np.ndarray) -> FileLooks:
        """What a log packed with this palette. Raises DataError where the bytes make no sense."""
        return FileLooks(packed, palette)

    def write(self, episode: Episode, folder: Path, overwrite: bool) -> Path:
        """As `write_smbdataset`."""
        return write_smbdataset(episode, folder, overwrite=overwrite)
