"""One writer at a time for every output, whoever and wherever it is; what killed writers left is cleared away."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .atomic import TEMP_MARK
from .errors import UsageError

_held: dict[Path, int] = {}  # of this process: who holds an output may take it again ...
_once: set[Path] = set()  # ... but for these


@contextmanager
def alone(output: str | Path) -> Iterator[None]:
    """Nobody else writes this file or folder meanwhile.

    The lock is the operating system's, on a file beside the output, and so ends with the process, however that ends.
    Folders above that are not there are made; where nothing comes to lie in them, they are gone again afterwards.

    Raises:
        UsageError: another process holds it.
        OSError: the folder of the output cannot be written.
    """
    place = Path(os.path.realpath(output))
    if place in _held:
        _held[place] += 1
        try:
            yield
        finally:
            _held[place] -= 1
        return
    from filelock import FileLock, Timeout  # only where something is written: usage errors are told at once

    made = [folder for folder in place.parents if not folder.exists()]
    place.parent.mkdir(parents=True, exist_ok=True)
    path = place.with_name(f".{place.name}{TEMP_MARK}lock")
    try:
        lock = FileLock(path, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise UsageError(_refusal(output)) from None
        _held[place] = 1
        try:
            _clear(place)
            yield
        finally:
            del _held[place]
            with contextlib.suppress(OSError):
                path.unlink()  # while it is held: who opened it before looks whether it is still there
            lock.release()
    finally:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()


@contextmanager
def once(output: Path) -> Iterator[None]:
    """As `alone`, where this process itself must not take the output again either."""
    place = Path(os.path.realpath(output))
    if place in _once:
        raise UsageError(_refusal(output))
    with alone(output):
        _once.add(place)
        try:
            yield
        finally:
            _once.remove(place)


def _refusal(output: str | Path) -> str:
    return f"another run is writing {output}: wait for it to end, or choose another output"


def _clear(place: Path) -> None:
    """Remove unfinished files and folders of processes that wrote here and were killed."""
    stem, suffix = glob.escape(place.stem), glob.escape(place.suffix)
    patterns = f".{stem}{TEMP_MARK}[0-9]*-*{suffix}", f".{glob.escape(place.name)}{TEMP_MARK}[0-9]*"
    for path in {found for pattern in patterns for found in place.parent.glob(pattern)}:
        with contextlib.suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
