"""The folder of sessions that a server shows: `.hst` files inside of it, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from ..errors import DataError

SUFFIX = ".hst"
MOST = 10_000  # files that are listed


class Folder:
    """A folder and those below it. Links that lead out of it, hidden files and all but `.hst` files are not there.

    Raises:
        DataError: no folder.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise DataError(f"{path}: a folder of .hst files is needed here")
        self._root = path.resolve()

    def files(self) -> tuple[list[tuple[str, int]], int]:
        """Names below the folder, with '/', and sizes of up to MOST files, in order; how many more there are."""
        found: list[tuple[str, int]] = []
        for folder, inside, names in os.walk(self._root):
            inside[:] = sorted(name for name in inside if not name.startswith("."))
            for name in names:
                path = Path(folder, name)
                if (at := self._inside(path)) is not None:
                    found.append((path.relative_to(self._root).as_posix(), at.stat().st_size))
        found.sort()
        return found[:MOST], max(len(found) - MOST, 0)

    def find(self, name: str) -> Path | None:
        """The file that `files` calls so; None for anything else, whatever the name tries."""
        if "\0" in name or "\\" in name or any(part in ("", ".", "..") for part in name.split("/")):
            return None
        path = self._root.joinpath(*name.split("/"))
        return self._inside(path) if path.is_relative_to(self._root) else None

    def _inside(self, path: Path) -> Path | None:
        """`path` with its links followed; None where that is not a `.hst` file of the folder."""
        hidden = any(part.startswith(".") for part in path.relative_to(self._root).parts)
        if hidden or path.suffix != SUFFIX:
            return None
        try:
            real = path.resolve(strict=True)
            return real if real.is_relative_to(self._root) and real.is_file() else None
        except (OSError, RuntimeError, ValueError):  # gone, a circle of links, a name too long
            return None


def url_of(name: str) -> str:
    """Where the server has a file of its folder, relative to its first page."""
    return "files/" + quote(name)
