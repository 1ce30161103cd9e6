"""A .7z archive opened with py7zr: one kind of error for all that can be wrong with it, and limits before any work."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import DataError

MAX_RATIO = 1000  # unpacked : packed; recordings pack 4 : 1, and zeros 7000 : 1
SMALL = 64 << 20  # bytes that any archive may unpack to
MAX_MEMBERS = 4 << 20
_LFS_POINTER = b"version https://git-lfs"


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The py7zr.SevenZipFile at `path`. A malformed archive makes the library fail in many ways, all of which mean the
    same: whatever else than a DataError is raised while it is open becomes one."""
    try:
        import py7zr
    except ImportError:
        raise DataError(f"reading {path} needs py7zr: pip install 'hstmae[archive]'") from None
    try:
        raw = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    with raw:
        if raw.read(len(_LFS_POINTER)) == _LFS_POINTER:
            raise DataError(f"{path} is only a pointer to the archive: fetch it with `git lfs pull`")
        raw.seek(0)
        try:
            # From an open file, since py7zr unpacks blocks of a named file in parallel, and not in order.
            with py7zr.SevenZipFile(raw) as file:  # closing lets go of its tables, about a kilobyte per member
                if file.needs_password():
                    raise py7zr.exceptions.PasswordRequired()
                yield file
        except DataError:
            raise
        except py7zr.exceptions.PasswordRequired:
            raise DataError(f"{path} is encrypted: unpack it with its password and give the folder") from None
        except Exception as error:
            reason = type(error).__name__ + (f": {error}" if str(error) else "")
            raise DataError(f"{path} is damaged, cut off or no .7z archive ({reason}): fetch it again") from None


def check_amounts(path: Path, members: Sequence[Any]) -> None:
    """Raises DataError where an archive's members (py7zr.py7zr.ArchiveFile) are too many or claim to be too large."""
    total, packed = sum(int(member.uncompressed or 0) for member in members), path.stat().st_size
    if total > MAX_RATIO * packed + SMALL:
        raise DataError(f"{path}: {packed:,} bytes claim to hold {total:,}: no archive of recordings does")
    if len(members) > MAX_MEMBERS:
        raise DataError(f"{path} holds {len(members):,} files, more than {MAX_MEMBERS:,}: unpack a part of it")


def check_name(path: Path, name: str) -> None:
    """Raises DataError for a member's name that is not a plain path below the archive's top."""
    parts = re.split(r"/|\\+", name)  # names of Windows' paths stay names: nothing is written to them
    if any(part in ("", ".", "..") for part in parts) or "\0" in name or parts[0].endswith(":"):
        raise DataError(f"{path}: member name {name!r} does not stay inside of the archive: it is not to be trusted")
