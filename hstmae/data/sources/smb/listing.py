"""Finding the episodes of source *smbdataset* in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ....errors import DataError
from ....inputs.junk import is_junk
from .dataset import SmbEpisode
from .names import File, group_files, is_frame_name


def list_episodes(folder: Path) -> list[SmbEpisode]:
    """The episodes of `folder` and all folders below it, as `group_files` tells them apart. Raises DataError where
    there is no such folder, or it cannot be read."""
    if not folder.is_dir():
        raise DataError(f"no folder {folder}: give the folder that holds the episode folders")
    found: list[tuple[str, list[File], list[str]]] = []
    for path, _ in walk(folder):
        try:
            files, others = _list_files(path)
        except OSError as error:
            raise _unreadable(error) from None
        if files:
            inside = Path(path).relative_to(folder).as_posix()
            found.append(("" if inside == "." else inside, files, others))
    return [SmbEpisode(folder / g.folder, g.files, g.others, title=g.title) for g in group_files(found)]


def walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """`folder` and every folder below it, each with the names of its files, sorted by path; links are followed,
    junk is left out. Raises DataError where a folder cannot be read."""

    def stop(error: OSError) -> None:
        raise _unreadable(error)

    seen = set()
    for path, folders, files in os.walk(folder, onerror=stop, followlinks=True):
        folders[:] = sorted(name for name in folders if not is_junk(name))
        real = os.path.realpath(path)
        if real in seen:  # a link that leads back, or a second way to the same folder
            folders.clear()
            continue
        seen.add(real)
        yield path, [name for name in files if not is_junk(name)]


def _unreadable(error: OSError) -> DataError:
    return DataError(f"{error.filename}: cannot be read: {error.strerror}")


def _list_files(folder: str) -> tuple[list[File], list[str]]:
    """(name, size, time) of the PNG files, and names of everything else that is neither a folder nor junk.

    What cannot be looked at (a dead link, a file removed a moment ago, no permission) counts as a file of no size, and
    a folder in the place of a frame's file does as well: it is reported when it is read.
    """
    files: list[File] = []
    others: list[str] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_junk(entry.name):
                continue
            picture = entry.name.lower().endswith(".png")
            try:
                if entry.is_dir():
                    folders.append(entry.name)
                elif picture and (entry.is_file() or entry.is_symlink()):
                    status = entry.stat(follow_symlinks=entry.is_file())
                    files.append((entry.name, status.st_size if entry.is_file() else 0, status.st_mtime_ns))
                else:
                    others.append(entry.name)
            except OSError:
                if picture:
                    files.append((entry.name, 0, 0))
                else:
                    others.append(entry.name)
    if files:
        files += [(name, 0, 0) for name in folders if is_frame_name(name)]
    return files, others
