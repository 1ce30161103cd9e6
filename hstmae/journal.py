"""Jobs that go on where they stopped: a hidden folder beside the output, and in it a journal of what is finished."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import __version__
from .atomic import TEMP_MARK, sync_folder
from .locks import alone
from .output import Kind, check_output, publish, unfinished

JOURNAL = ".progress.jsonl"


@dataclass
class Journal:
    """How far a job has come, beside what it has written so far.

    It grows by a line for each step, so that a step costs the same however much is finished already.

    Attributes:
        folder: where the output grows.
        key: of the job; see `key_of`.
        done: positions of the finished frames of each sequence.
        totals: what the job has added up over them, JSON values.
    """

    folder: Path
    key: str
    done: dict[str, set[int]] = field(default_factory=dict)
    totals: dict[str, Any] = field(default_factory=dict)

    def note(self, sequence: str, positions: Iterable[int], totals: dict[str, Any], sync: bool = True) -> None:
        """Write down that these frames of `sequence` are finished: they are not made again.

        What was written of them has to be on the disk before, but where `sync` is False: then the next run checks it.
        """
        new = sorted(positions)
        self.done.setdefault(sequence, set()).update(new)
        self.totals = totals
        self._append({"sequence": sequence, "done": new, "totals": totals}, sync)

    def begin(self) -> None:
        """An empty folder with a new journal in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.done, self.totals = {}, {}
        self._append({"key": self.key})

    def _append(self, line: dict[str, Any], sync: bool = True) -> None:
        path = self.folder / JOURNAL
        new = not path.exists()
        with path.open("ab") as file:
            file.write(_packed(line))
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if new:
            sync_folder(self.folder)
            sync_folder(self.folder.parent)


def key_of(*values: object) -> str:
    """A job's key: equal for equal JSON values and the same programs, so that one job never goes on with another's
    output."""
    return hashlib.sha256(json.dumps([values, programs()], sort_keys=True).encode()).hexdigest()


@lru_cache(1)
def programs() -> list[str]:
    """Versions of what decides the bytes of an output; "" for what is not installed."""
    from importlib.metadata import (
        PackageNotFoundError,
        version,
    )  # takes its time, which a usage error need not wait for

    found = [__version__]
    for name in ("av", "numpy", "pillow", "zstandard"):
        try:
            found.append(version(name))
        except PackageNotFoundError:
            found.append("")
    return found


@contextmanager
def resuming(out: Path, overwrite: bool, key: str, kind: Kind = Kind.FOLDER) -> Iterator[Journal]:
    """Yield the journal of a job that writes into a hidden folder beside `out`, which becomes `out` at the end; where
    `out` is to be a file, that of its name in the folder does.

    Whatever ends the job early, the folder stays where something in it is finished, and the next job with the same key
    goes on with it; a job with another key clears it away.

    Raises:
        UsageError: as `check_output` does, or another run writes there.
    """
    check_output(out, kind, overwrite)
    with keeping(out, key) as journal:
        yield journal
        if kind is Kind.FILE:
            os.replace(journal.folder / out.name, out)
            sync_folder(out.parent)
        else:
            (journal.folder / JOURNAL).unlink(missing_ok=True)
            publish(journal.folder, out)


@contextmanager
def keeping(out: Path, key: str) -> Iterator[Journal]:
    """Yield the journal of a job that writes `out` itself, and a hidden folder beside it for what it goes on with.

    The folder is gone when the job is finished; else as of `resuming`.

    Raises:
        UsageError: another run writes there.
    """
    folder = unfinished(out)
    with alone(out):
        found = _found(folder, key)
        journal = found or Journal(folder, key)
        try:
            if found is None:
                journal.begin()
            yield journal
            shutil.rmtree(folder, ignore_errors=True)
        except BaseException:
            if not journal.done and folder.is_dir() and all(path.name == JOURNAL for path in folder.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)
            raise


def holds_work(folder: Path) -> bool:
    """Whether the journal in this folder, if there is one, tells of anything finished."""
    try:
        with (folder / JOURNAL).open("rb") as file:
            return bool(file.readline() and file.readline())
    except OSError:
        return False


def _found(folder: Path, key: str) -> Journal | None:
    """What an earlier run left; None where there is nothing, or nothing of this job."""
    lines, journal = _lines(folder / JOURNAL, key), Journal(folder, key)
    if lines is None:
        return None
    try:
        for kept in lines:
            journal.done.setdefault(kept["sequence"], set()).update(kept["done"])
            journal.totals = dict(kept["totals"])
    except (ValueError, KeyError, TypeError):  # nobody's journal
        return None
    for half in folder.rglob(f".*{TEMP_MARK}*"):  # a file that was being written
        half.unlink()
    return journal


class Log:
    """JSON lines beside an output, by which a job goes on where it stopped. They save work and nothing else: whoever
    reads them finds out when they are wrong.

    Attributes:
        lines: what an earlier run of the same job wrote.

    Args:
        path: of the file; None = nothing is kept.
        key: of the job, see `key_of`.
    """

    def __init__(self, path: Path | None, key: str) -> None:
        self._path, self._key = path, key
        found = None if path is None else _lines(path, key)
        self.lines: list[dict[str, Any]] = found or []
        if found is None:
            self.restart()

    def restart(self) -> None:
        """Forget the lines."""
        self.lines = []
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        self.append({"key": self._key})

    def append(self, line: dict[str, Any]) -> None:
        """Write one more line; it is not in `lines`."""
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(_packed(line))


def _packed(line: dict[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _lines(path: Path, key: str) -> list[dict[str, Any]] | None:
    """The lines of a file behind the first, which says whose it is; None: no file, or another job's. A line that was
    cut off while it was written is removed, and all behind it."""
    try:
        written = path.read_bytes()
    except OSError:
        return None
    found: list[dict[str, Any]] = []
    end = 0
    for line in written.splitlines(keepends=True):
        try:
            value = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            value = None
        if not isinstance(value, dict):  # the end of what can be trusted
            break
        found.append(value)
        end += len(line)
    if not found or found[0].get("key") != key:
        return None
    os.truncate(path, end)
    return found[1:]
