"""Unpacking zip, tar and 7z archives into a folder, none of which is trusted.

Members are written by this module alone, as plain files of the names it has checked, whatever else the archive says
they are; no more is written than an archive of that size can honestly hold.
"""

from __future__ import annotations

import bz2
import calendar
import gzip
import io
import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from ..errors import DataError
from .junk import in_junk
from .kinds import file_kind
from .sevenzip import check_name, opened

SMALL = 1 << 30  # bytes that any archive may unpack to, and larger ones ...
MAX_RATIO = 200  # ... unpacked : packed; pictures and films hardly pack, and archives made to do harm 1000 : 1 and more
MAX_MEMBERS = 1 << 20
RESERVE = 1 << 30  # bytes that stay free on the disk
_BLOCK = 1 << 20
_LINK = 0o120000  # of the kinds of files in a zip member's mode ...
_KINDS = 0o170000  # ... which these bits state

_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, zstandard.ZstdError, EOFError),
    *(ValueError, KeyError, IndexError, OverflowError, NotImplementedError, RuntimeError),
)


def unpack(path: Path, folder: Path) -> None:
    """Everything in an archive but what operating systems leave there, as files in `folder`, which is empty.

    Raises:
        DataError: a damaged or encrypted archive; members whose names lead out of it, that are links, or that would
            be one file where capitals make no difference; more than it can honestly hold, or than there is room for.
        OSError: the disk fails.
    """
    how: dict[str, Callable[[Path, Target], None]] = {"zip": _unzip, "7z": _un7z}
    try:
        how.get(file_kind(path), _untar)(path, Target(path, folder))
    except DataError:
        raise
    except (OSError, *_DAMAGE) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk: what libraries raise has no number
            raise
        reason = str(error) or type(error).__name__
        raise DataError(
            f"{path}: is damaged, cut off or no archive that can be read ({reason}): fetch or pack it again"
        ) from None


def room() -> int:
    """Bytes that temporary files may take."""
    return max(0, shutil.disk_usage(tempfile.gettempdir()).free - RESERVE)


class Target:
    """Where members are written. Checks names and amounts, about which an archive may lie, on the way."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self.folder = path, folder
        self._packed, self._room = path.stat().st_size, room()
        self._seen: dict[str, str] = {}
        self._written = 0

    def check(self, total: int, members: int = 0) -> None:
        """Raises DataError where so many bytes, or members, are more than may be unpacked."""
        if members > MAX_MEMBERS:
            raise DataError(f"{self.path} holds {members:,} files, more than {MAX_MEMBERS:,}: unpack a part of it")
        if total > SMALL + MAX_RATIO * self._packed:
            raise DataError(
                f"{self.path}: {self._packed:,} bytes hold {total:,} or more, as no archive of footage does; where it "
                "is to be trusted, unpack it and give the folder"
            )
        if total > self._room:
            where = tempfile.gettempdir()
            raise DataError(
                f"{self.path}: holds {total:,} bytes, and {where} has room for {self._room:,}: free some, or set "
                "TMPDIR to a folder with more"
            )

    def place(self, name: str, is_folder: bool, special: str = "") -> Path | None:
        """Where a member is to be written; None for a folder, which is made, and for what is passed over.

        Args:
            special: what the member is, if it is neither a file nor a folder.
        """
        name = name.replace("\\", "/").removeprefix("./")  # as some programs of Windows write them
        name = name.rstrip("/") if is_folder else name
        if name in ("", "."):
            return None
        check_name(self.path, name)
        if in_junk(name):
            return None
        if special:
            raise DataError(f"{self.path}: {name} is {special}, not a file: unpack it and give the folder")
        target = self.folder / name
        try:
            (target if is_folder else target.parent).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise DataError(f"{self.path}: {name}: a member is both a file and a folder: unpack it") from None
        if is_folder:
            return None
        other = self._seen.get(name.casefold())
        if other is not None:
            both = name if other == name else f"{other} and {name}, which are one file on some systems"
            raise DataError(f"{self.path}: two members are named {both}: unpack it and rename one")
        self._seen[name.casefold()] = name
        self.check(0, len(self._seen))
        return target

    def passes(self, size: int) -> None:
        """So many more bytes come out of the archive. Raises DataError where they are too many."""
        self._written += size
        self.check(self._written)

    def write(self, target: Path, source: Any, modified: float) -> None:
        """A member, from a file."""
        with target.open("xb") as file:
            while block := source.read(_BLOCK):
                self.passes(len(block))
                file.write(block)
        with suppress(OSError, OverflowError, ValueError):
            os.utime(target, (modified, modified))  # the same each time, so that what goes by it goes on


def _unzip(path: Path, target: Target) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        target.check(sum(member.file_size for member in members), len(members))
        for member in members:
            if member.flag_bits & 1:
                raise DataError(f"{path} is encrypted: unpack it with its password and give the folder")
            special = "a link" if (member.external_attr >> 16) & _KINDS == _LINK else ""
            place = target.place(member.filename, member.is_dir(), special)
            if place is not None:
                with archive.open(member) as source:
                    target.write(place, source, calendar.timegm((*member.date_time, 0, 0, 0)))


@contextmanager
def _plain(path: Path) -> Iterator[Any]:
    """What a packed tar holds, as a file."""
    openers: dict[str, Callable[..., Any]] = {"gzip": gzip.open, "xz": lzma.open, "bzip2": bz2.open}
    kind = file_kind(path)
    with path.open("rb") as raw:
        if kind == "zstd":
            yield zstandard.ZstdDecompressor(max_window_size=1 << 31).stream_reader(raw, read_across_frames=True)
        elif kind in openers:
            with openers[kind](raw) as plain:
                yield plain
        else:
            yield raw


class _Metered(io.RawIOBase):
    """What comes out of a packed stream, members that are passed over included; counted by the target."""

    def __init__(self, source: BinaryIO, target: Target) -> None:
        self._source, self._target = source, target

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(len(buffer))
        buffer[: len(data)] = data
        self._target.passes(len(data))
        return len(data)


def _untar(path: Path, target: Target) -> None:
    with _plain(path) as plain:
        stream = io.BufferedReader(_Metered(plain, target), _BLOCK)
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                special = "" if member.isreg() or member.isdir() else "a link or a device"
                place = target.place(member.name, member.isdir(), special)
                if place is not None:
                    target.write(place, archive.extractfile(member), float(member.mtime))
                    if place.stat().st_size != member.size:
                        raise tarfile.ReadError(f"{member.name} is cut off")


def _un7z(path: Path, target: Target) -> None:
    with opened(path) as archive:
        from py7zr.io import Py7zIO, WriterFactory

        class Member(Py7zIO):  # type: ignore[misc]
            """One member while it is unpacked: into its file, or nowhere."""

            def __init__(self, place: Path | None) -> None:
                self._file = None if place is None else place.open("xb")
                self._size = 0

            def write(self, data: bytes | bytearray) -> int:
                self._size += len(data)
                target.passes(len(data))
                if self._file is not None:
                    self._file.write(data)
                return len(data)

            def read(self, size: int | None = None) -> bytes:
                return b""

            def seek(self, offset: int, whence: int = 0) -> int:
                return offset

            def flush(self) -> None:
                pass

            def size(self) -> int:
                return self._size

            def close(self) -> None:
                if self._file is not None:
                    self._file.close()

        class Members(WriterFactory):  # type: ignore[misc]
            def create(self, filename: str) -> Member:
                return Member(places.get(filename))

        top = target.folder / ".members"  # stays empty; py7zr names members below it
        places: dict[str, Path] = {}
        target.check(sum(int(member.uncompressed or 0) for member in archive.files), len(archive.files))
        modified: dict[Path, float] = {}
        for member in archive.files:
            special = "" if member.is_file or member.is_directory else "a link"
            place = target.place(str(member.filename), bool(member.is_directory), special)
            if place is not None:
                places[(top / str(member.filename)).as_posix()] = place
                modified[place] = member.lastwritetime.totimestamp() if member.lastwritetime else 0.0
        archive.extractall(path=top, factory=Members())
        shutil.rmtree(top, ignore_errors=True)
        for place, when in modified.items():
            os.utime(place, (when, when))
