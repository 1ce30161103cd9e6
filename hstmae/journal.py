"""Jobs that go on where they stopped: a hidden folder beside the output, and in it a journal of what is finished."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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

    def note(self, sequence: str, positions: Iterable[int], totals: dict[str, Any]) -> None:
        """Write down that these frames of `sequence` are finished: they are not made again.

        What was written of them has to be on the disk before.
        """
        new = sorted(positions)
        self.done.setdefault(sequence, set()).update(new)
        self.totals = totals
        self._append({"sequence": sequence, "done": new, "totals": totals})

    def begin(self) -> None:
        """The first line of a new journal."""
        self._append({"key": self.key})

    def _append(self, line: dict[str, Any]) -> None:
        path = self.folder / JOURNAL
        new = not path.exists()
        with path.open("ab") as file:
            file.write(json.dumps(line, separators=(",", ":"), allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_folder(self.folder)
            sync_folder(self.folder.parent)


def key_of(*values: object) -> str:
    """A job's key: equal for equal JSON values, so that one job never goes on with another's output."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


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
        journal = _found(folder, key)
        if journal is None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            journal = Journal(folder, key)
            journal.begin()
        try:
            yield journal
            shutil.rmtree(folder, ignore_errors=True)
        except BaseException:
            if not journal.done and all(path.name == JOURNAL for path in folder.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)
            raise


def _found(folder: Path, key: str) -> Journal | None:
    """What an earlier run left; None where there is nothing, or nothing of this job."""
    try:
        written = (folder / JOURNAL).read_bytes()
    except OSError:
        return None
    journal, end = Journal(folder, key), 0
    for number, line in enumerate(written.splitlines(keepends=True)):
        try:
            if not line.endswith(b"\n"):  # cut off while it was written
                break
            kept = json.loads(line)
            if number == 0:
                if kept["key"] != key:
                    return None
            else:
                journal.done.setdefault(kept["sequence"], set()).update(kept["done"])
                journal.totals = dict(kept["totals"])
        except (ValueError, KeyError, TypeError):  # the end of what can be trusted
            break
        end += len(line)
    if not end:
        return None
    os.truncate(folder / JOURNAL, end)
    for half in folder.rglob(f".*{TEMP_MARK}*"):  # a file that was being written
        half.unlink()
    return journal
