"""Archives and standard input as what every source reads: folders and files, which they become for a while.

What an archive holds is unpacked into a temporary folder, which goes when the process ends.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

from ..errors import DataError, UsageError
from .kinds import ARCHIVE_KINDS, described, file_kind

STDIN = Path("-")
_MARK = "hstmae-unpacked-"
_BLOCK = 1 << 20
_ENDINGS = {
    **{"PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp", "WebP": ".webp", "TIFF": ".tif", "GIF": ".gif"},
    **{"hst": ".hst", "film": ".mkv"},
}
_NO_ARCHIVES = (".npz", ".pth", ".pt", ".ckpt")  # zip files all the same
_unpacked: dict[tuple[object, ...], tuple[Path, Path]] = {}  # what was given and where it lies, by place, size and time
_cleared: set[int] = set()  # processes that have cleared away what others left


def is_archive(path: Path) -> bool:
    """Whether `path` is an archive by what it holds: zip, tar (packed by gzip, xz, bzip2 or zstd, or not) or 7z."""
    return path.is_file() and path.suffix.lower() not in _NO_ARCHIVES and file_kind(path) in ARCHIVE_KINDS


def as_folder(path: Path) -> Path:
    """`path` itself; for an archive a temporary folder with what is in it; for "-" a temporary file of what comes from
    standard input, or the folder of that archive. The same one is unpacked once in a process.

    Raises:
        DataError: as of `archives.unpack`.
        UsageError: nothing comes from standard input.
    """
    if path == STDIN:
        path = _from_stdin()
    if not is_archive(path):
        if path.is_file() and file_kind(path) in ("rar", "git-lfs pointer"):
            raise DataError(f"{path}: {described(path)}")
        return path
    from .archives import unpack

    status = path.stat()
    key = (str(path.resolve()), status.st_size, status.st_mtime_ns)
    if key not in _unpacked:
        folder = new_folder() / path.name
        folder.mkdir()
        unpack(path, folder)
        _unpacked[key] = Path(shown(path)), folder
    return _inside(_unpacked[key][1])


def _inside(folder: Path) -> Path:
    """The folder itself, or the only folder (or .hst file) that is in it, as archives of one folder are packed."""
    while len(entries := list(folder.iterdir())) == 1 and entries[0].is_dir():
        folder = entries[0]
    return entries[0] if len(entries) == 1 and file_kind(entries[0]) == "hst" else folder


def shown(path: Path) -> str:
    """`path` as the user knows it: what was unpacked lies in its archive, and standard input is "-"."""
    for given, place in _unpacked.values():
        if path == place or place in path.parents:
            return str(given / path.relative_to(place))
    return str(path)


def as_given(text: str) -> str:
    """A message whose files are named as the user knows them."""
    for given, place in reversed(_unpacked.values()):
        text = text.replace(str(place), str(given))
    return text


def new_folder() -> Path:
    """A temporary folder that goes with this process. What killed processes left is cleared away first."""
    own = os.getpid()
    if own not in _cleared:
        _cleared.add(own)
        for left in Path(tempfile.gettempdir()).glob(f"{_MARK}*"):
            number = left.name.removeprefix(_MARK).partition("-")[0]
            if number.isdigit() and not _alive(int(number)):
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_MARK}{own}-"))

    def remove() -> None:
        if os.getpid() == own:  # not in a process that was forked off
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


def _alive(number: int) -> bool:
    if os.name == "nt":  # where signal 0 would end it
        return True
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _from_stdin() -> Path:
    """A file with what comes from standard input; read once in a process."""
    if (STDIN,) in _unpacked:
        return _unpacked[(STDIN,)][1]
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("-: nothing comes from standard input; send a file into it: hstmae ... - < FILE")
    from .archives import room

    path, crc, left = new_folder() / "stdin", 0, room()
    with path.open("wb") as file:
        while block := sys.stdin.buffer.read(_BLOCK):
            crc, left = zlib.crc32(block, crc), left - len(block)
            if left < 0:
                raise DataError(f"-: more than {path.parent} has room for; give a file instead, or set TMPDIR")
            file.write(block)
    if not path.stat().st_size:
        raise DataError("-: nothing came from standard input")
    path = path.rename(path.with_suffix(_ENDINGS.get(file_kind(path), "")))
    os.utime(path, ns=(crc, crc))  # in place of a time: the same content counts as the same file
    _unpacked[(STDIN,)] = STDIN, path
    return path
