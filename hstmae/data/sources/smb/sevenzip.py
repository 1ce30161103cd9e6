"""A .7z archive opened with py7zr: one kind of error for all that can be wrong with it, and limits before any work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ....errors import DataError

MAX_RATIO = 1000  # unpacked : packed; recordings pack 4 : 1, and zeros 7000 : 1
SMALL = 64 << 20  # bytes that any archive may unpack to
MAX_MEMBERS = 4 << 20
_LFS_POINTER = b"version https://git-lfs"


class OpenedArchive:
    """Context manager of an archive. Whatever the library raises about its content becomes a DataError.

    Attributes:
        path: of the archive.
        file: the py7zr.SevenZipFile.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> OpenedArchive:
        try:
            import py7zr
        except ImportError:
            raise DataError(f"reading {self.path} needs py7zr: pip install 'hstmae[archive]'") from None
        try:
            self._raw = self.path.open("rb")
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error.strerror}") from None
        try:
            start = self._raw.read(len(_LFS_POINTER))
            self._raw.seek(0)
            if start == _LFS_POINTER:
                raise DataError(f"{self.path} is only a pointer to the archive: fetch it with `git lfs pull`")
            # From an open file, since py7zr unpacks blocks of a named file in parallel, and not in order.
            self.file = self.guarded(lambda: py7zr.SevenZipFile(self._raw))
            if self.file.needs_password():
                raise self.damage(py7zr.exceptions.PasswordRequired())
        except BaseException:
            self._raw.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()  # lets go of its tables, about a kilobyte per member
        self._raw.close()

    def guarded(self, read: Callable[[], Any]) -> Any:
        """`read()`. A malformed archive makes the library fail in many ways, all of which mean the same."""
        try:
            return read()
        except DataError:
            raise
        except Exception as error:
            raise self.damage(error) from None

    def damage(self, error: Exception) -> DataError:
        if type(error).__name__ == "PasswordRequired":
            return DataError(f"{self.path} is encrypted: unpack it with its password and give the folder")
        reason = type(error).__name__ + (f": {error}" if str(error) else "")
        return DataError(f"{self.path} is damaged, cut off or no .7z archive ({reason}): fetch it again")


def check_amounts(path: Path, members: Sequence[Any]) -> None:
    """Raises DataError where an archive's members (py7zr.py7zr.ArchiveFile) are too many or claim to be too large."""
    total, packed = sum(int(member.uncompressed or 0) for member in members), path.stat().st_size
    if total > MAX_RATIO * packed + SMALL:
        raise DataError(f"{path}: {packed:,} bytes claim to hold {total:,}: no archive of recordings does")
    if len(members) > MAX_MEMBERS:
        raise DataError(f"{path} holds {len(members):,} files, more than {MAX_MEMBERS:,}: unpack a part of it")


def check_name(path: Path, name: str) -> None:
    """Raises DataError for a member's name that is not a plain path below the archive's top."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or "\0" in name or parts[0].endswith(":"):
        raise DataError(f"{path}: member name {name!r} does not stay inside of the archive: it is not to be trusted")
