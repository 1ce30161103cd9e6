"""Output folders that are whole or absent, and long jobs that go on where they were interrupted."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .atomic import TEMP_MARK, write_json
from .errors import UsageError

JOURNAL = ".progress.json"


def check_output(out: Path, overwrite: bool) -> None:
    """Raise UsageError where `out` is a file, or has content and `overwrite` is False."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; give a folder for the output")
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise UsageError(f"{out}: is not empty; choose another folder, or add --overwrite")
    out.parent.mkdir(parents=True, exist_ok=True)


def _publish(temp: Path, out: Path) -> None:
    """Move what is in `temp` to `out`; other files of `out` stay."""
    if not out.exists():
        os.replace(temp, out)
        return
    for file in sorted(p for p in temp.rglob("*") if p.is_file()):
        target = out / file.relative_to(temp)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, target)


@contextmanager
def filling(out: Path, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary folder beside `out`; on success its content appears in `out`, else nothing does.

    Raises:
        UsageError: `out` has content and `overwrite` is False, or it is a file.
    """
    check_output(out, overwrite)
    temp = out.with_name(f".{out.name}{TEMP_MARK}{os.getpid()}")
    try:
        temp.mkdir()
        yield temp
        _publish(temp, out)
    finally:
        shutil.rmtree(temp, ignore_errors=True)


@dataclass
class Journal:
    """How far a job has come, beside what it has written so far.

    Attributes:
        folder: where the output grows.
        key: of the job; see `key_of`.
        done: finished frames of each sequence.
        totals: what the job has added up over them, JSON values.
    """

    folder: Path
    key: str
    done: dict[str, int] = field(default_factory=dict)
    totals: dict[str, Any] = field(default_factory=dict)

    def note(self, sequence: str, frames: int, totals: dict[str, Any]) -> None:
        """Write down that the first `frames` of `sequence` are finished: they are not made again."""
        self.done[sequence], self.totals = frames, totals
        if hasattr(os, "sync"):  # what is called finished must be on the disk before it is called so
            os.sync()
        write_json(self.folder / JOURNAL, {"key": self.key, "done": self.done, "totals": self.totals})


def key_of(*facts: object) -> str:
    """A job's key: equal for equal facts (JSON values), so that one job never goes on with another's output."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@contextmanager
def resuming(out: Path, overwrite: bool, key: str) -> Iterator[Journal]:
    """Yield the journal of a job that writes into a hidden folder beside `out`, which becomes `out` at the end.

    When the job is interrupted, or the machine fails (a full disk, a power cut), the folder stays, and the next job
    with the same key goes on with it; a job with another key clears it away. After any other failure nothing stays.

    Raises:
        UsageError: `out` has content and `overwrite` is False, or it is a file.
    """
    check_output(out, overwrite)
    folder = out.with_name(f".{out.name}{TEMP_MARK}unfinished")
    journal = _found(folder, key)
    if journal is None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        journal = Journal(folder, key)
    try:
        yield journal
        (folder / JOURNAL).unlink(missing_ok=True)
        _publish(folder, out)
        shutil.rmtree(folder, ignore_errors=True)
    except (KeyboardInterrupt, OSError):
        if not journal.done:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _found(folder: Path, key: str) -> Journal | None:
    try:
        kept = json.loads((folder / JOURNAL).read_text("utf-8"))
        if kept["key"] == key:
            for half in folder.rglob(f".*{TEMP_MARK}*"):  # a file that was being written
                half.unlink()
            return Journal(folder, key, dict(kept["done"]), dict(kept["totals"]))
    except (OSError, ValueError, KeyError, TypeError):  # none, or of another program: begin anew
        pass
    return None
