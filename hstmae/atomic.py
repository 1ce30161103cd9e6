"""Files that are either whole or absent: written to a temporary name in the same folder, synced, then renamed."""

import errno
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TEMP_MARK = ".tmp-"  # part of every temporary name, so that leftovers of a killed process can be recognised


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is synced and renamed over `path`, else it is removed.

    The suffix is kept, so writers that choose a format by it (Pillow, numpy) work. Missing parent folders are made.
    Only a file is replaced: never a link, a device, a pipe or a folder.

    Raises:
        OSError: the folder cannot be written or the disk is full; `path` is then as it was before.
    """
    target = Path(path)
    if os.path.lexists(target) and not stat.S_ISREG(os.lstat(target).st_mode):
        raise FileExistsError(errno.EEXIST, "is there, and no file that may be replaced", str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    temp = target.with_name(f".{target.stem}{TEMP_MARK}{os.getpid()}-{os.urandom(4).hex()}{target.suffix}")
    try:
        yield temp
        with open(temp, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temp, target)
    except BaseException as error:
        temp.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temp)):
            error.filename = str(target)  # the name the user knows, also where the system names none (disk full)
        raise
    sync_folder(target.parent)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Make renames inside `folder` survive a power cut, where the system lets a folder be synced."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot open folders
        return
    try:
        os.fsync(handle)
    except OSError:  # some network file systems refuse; the rename itself was atomic all the same
        pass
    finally:
        os.close(handle)


def sync_files(paths: Iterable[Path]) -> None:
    """Return when files and their names are on the disk."""
    written = list(paths)
    for path in written:
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    for folder in {path.parent for path in written}:
        sync_folder(folder)


def write_bytes(path: str | os.PathLike[str], data: bytes | bytearray | memoryview) -> None:
    """Write `data` to `path`, whole or not at all."""
    with replacing(path) as temp:
        temp.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text with the line ends it has, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def json_bytes(value: Any, **how: Any) -> bytes:
    """JSON in UTF-8, `how` as of `json.dumps`.

    What UTF-8 cannot hold (names of files in other encodings) becomes an escape of JSON, which readers turn back.
    """
    return json.dumps(value, ensure_ascii=False, **how).encode("utf-8", "backslashreplace")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write indented JSON with a final newline, whole or not at all.

    Raises:
        ValueError: `value` holds NaN or an infinity, which JSON cannot say; use None instead.
        TypeError: `value` holds something JSON cannot express.
    """
    write_bytes(path, json_bytes(value, indent=2, allow_nan=False) + b"\n")
