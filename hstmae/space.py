"""Whether a disk has room for what a job is going to write, told before the work and not at its end.

Estimates are on the low side: who is refused would not have come to the end.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from .errors import UsageError
from .output import STDOUT, unfinished

SMALLER = 200  # times at most that a store or a `.hst` file is smaller than the files that it is made of
FILMS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".gif", ".mpg", ".flv", ".wmv")


def check_space(out: Path, needed: float) -> None:
    """Raise UsageError where the disk of `out` has less room than `needed` bytes; what an interrupted run of the same
    output left counts as room."""
    if out == STDOUT or needed <= 0:
        return
    folder = next(place for place in out.absolute().parents if place.exists())
    left = [unfinished(out), out.with_name(f"{out.name}.part")]
    free = shutil.disk_usage(folder).free + sum(bytes_of(path)[1] for path in left)
    if free < needed:
        raise UsageError(
            f"{out}: needs about {_size(needed)}, and its disk has {_size(free)} free; free some, or name another place"
        )


def bytes_of(path: Path, films: Iterable[str] = FILMS) -> tuple[int, int]:
    """(bytes in films, bytes in all files) of a file or a folder; of what is not there 0."""
    endings, of_films, total = tuple(films), 0, 0
    files = [str(path)] if path.is_file() else (os.path.join(at, n) for at, _, names in os.walk(path) for n in names)
    for file in files:
        try:
            size = os.stat(file).st_size
        except OSError:  # gone meanwhile; who reads it will tell
            continue
        total += size
        of_films += size if file.lower().endswith(endings) else 0
    return of_films, total


def _size(count: float) -> str:
    name, unit = next((pair for pair in (("GB", 1e9), ("MB", 1e6)) if count >= pair[1]), ("kB", 1e3))
    return f"{count / unit:,.1f} {name}"
