"""Outputs: the guard of what is there already, and folders that are whole or absent."""

import contextlib
import enum
import json
import os
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from .atomic import TEMP_MARK, sync_folder, write_json
from .errors import UsageError
from .locks import alone

STDOUT = Path("-")
_UNFINISHED = f"{TEMP_MARK}unfinished"
_reports: list[TextIO] = []  # where a report to STDOUT goes, while what else is printed goes to stderr


class Kind(enum.Enum):
    """What an output is."""

    FILE = "a file, whole or absent"
    FOLDER = "a folder that is new, or empty"
    GROWING = "a folder that what is there already is continued in"
    PART = "a file or folder of one part of a job: the command sees whether what is there is that very part"


Output = tuple[str | Path | None, Kind]  # None: not asked for


def check_output(path: str | Path, kind: Kind = Kind.FOLDER, overwrite: bool = False) -> None:
    """Refuse an output that would change what is there, or that cannot be written; nothing is written by asking.

    A link is neither followed nor replaced (a GROWING folder may lie behind one), and nothing takes the place of a
    device, a pipe, or a folder where a file is meant, whatever `overwrite` says. STDOUT is always right for a FILE.

    Args:
        overwrite: what is there may be replaced: a file, or files of a folder.
    Raises:
        UsageError: it is refused; the message says what to do.
    """
    path = Path(path)
    if path == STDOUT and kind is Kind.FILE:
        return
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        _check_parent(path)
        return
    except NotADirectoryError:
        raise UsageError(f"{path}: cannot be made, a part of this path is a file") from None
    if stat.S_ISLNK(mode) and not (kind is Kind.GROWING and path.is_dir()):
        raise UsageError(f"{path}: is a link, which is neither followed nor replaced; name another output")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        raise UsageError(f"{path}: is a device or a pipe; name a file or a folder that can be made")
    if kind is Kind.PART:
        return
    if kind is Kind.FILE:
        if stat.S_ISDIR(mode):
            raise UsageError(f"{path}: is a folder; give the name of a file")
        if not overwrite:
            raise UsageError(f"{path}: is there already; choose another name, or add --overwrite")
        _check_parent(path)
        return
    if stat.S_ISREG(mode):
        raise UsageError(f"{path}: is a file; give a folder for the output")
    if not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(f"{path}: cannot be written; check its permissions, or choose another folder")
    if kind is Kind.FOLDER and any(path.iterdir()) and not overwrite:
        raise UsageError(f"{path}: is not empty; choose another folder, or add --overwrite")


def _check_parent(path: Path) -> None:
    """The nearest folder above that is there can be written; those between are made when the time comes."""
    parent = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
    if not parent.is_dir():
        raise UsageError(f"{path}: cannot be made, {parent} is no folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UsageError(f"{path}: cannot be made, {parent} cannot be written; choose another folder")


def lies_in_output(path: str | Path, out: Path) -> bool:
    """Whether `path` is in the folder `out`, or in what an unfinished run left of it: no input of the next run."""
    here, whole = Path(path).resolve(), out.resolve()
    return any(place in (whole, unfinished(whole)) for place in (here, *here.parents))


def unfinished(out: Path) -> Path:
    """Where the output `out` grows until it is whole."""
    return out.with_name(f".{out.name}{_UNFINISHED}")


def is_unfinished(path: Path) -> bool:
    """Whether this is where some output grows."""
    return path.name.startswith(".") and path.name.endswith(_UNFINISHED)


def check_outputs(outputs: Iterable[Output], overwrite: bool, inputs: Iterable[Path]) -> None:
    """`check_output` for all outputs of a command.

    Args:
        inputs: what the command reads: no output may take its place.
    Raises:
        UsageError: one of them is refused, two are the same, or one is an input.
    """
    seen: dict[Path, Path] = {}
    read = {path.resolve() for path in inputs if path.exists()}
    for given, kind in outputs:
        if given is None:
            continue
        path = Path(given)
        place = path if path == STDOUT else path.resolve()
        if place in seen:
            raise UsageError(f"{path}: two outputs have this name; give each its own")
        if place in read:
            raise UsageError(f"{path}: is the input; the output needs another name")
        seen[place] = path
        check_output(path, kind, overwrite)


@contextmanager
def writing_alone(outputs: Iterable[Output]) -> Iterator[None]:
    """Hold all outputs of a command; what lies in a folder that is one of them is held with it.

    Raises:
        UsageError: another run writes one of them.
    """
    held = [(Path(given), kind) for given, kind in outputs if given is not None and Path(given) != STDOUT]
    folders = {path.resolve() for path, kind in held if kind is not Kind.FILE}
    with contextlib.ExitStack() as stack:
        for path, _ in held:
            if not folders & set(path.resolve().parents):
                stack.enter_context(alone(path))
        yield


def write_result(path: str | Path | None, value: Any) -> None:
    """A command's report as JSON, into a file, to stdout for "-", or nowhere for None."""
    if path is None:
        return
    if Path(path) == STDOUT:
        stream = _reports[-1] if _reports else sys.stdout
        stream.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    else:
        write_json(path, value)


@contextmanager
def report_alone() -> Iterator[None]:
    """Stdout is for `write_result`; what else is printed goes to stderr."""
    _reports.append(sys.stdout)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        _reports.pop()


def publish(temp: Path, out: Path) -> None:
    """Move what is in `temp` to `out`; other files of `out` stay."""
    if not out.exists():
        os.replace(temp, out)
        return
    for file in sorted(p for p in temp.rglob("*") if p.is_file()):
        target = out / file.relative_to(temp)
        for folder in target.relative_to(out).parents:
            if (out / folder).is_symlink():
                raise UsageError(f"{out / folder}: is a link, which is not followed; choose another folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, target)


@contextmanager
def filling(out: Path, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary folder beside `out`; on success its content appears in `out`, else nothing does.

    Raises:
        UsageError: as `check_output` does, or another run writes there.
    """
    check_output(out, Kind.FOLDER, overwrite)
    temp = out.with_name(f".{out.name}{TEMP_MARK}{os.getpid()}")
    with alone(out):
        try:
            temp.mkdir()
            yield temp
            publish(temp, out)
            sync_folder(out.parent)
        finally:
            shutil.rmtree(temp, ignore_errors=True)
