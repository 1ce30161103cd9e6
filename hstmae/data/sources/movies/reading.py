"""Movie files of any kind: their content says which."""

from __future__ import annotations

import stat
from pathlib import Path

from ....errors import DataError
from .bk2 import parse_bk2
from .fm2 import parse_fm2
from .hst_movie import parse_json
from .movie import Movie

MAX_FILE_BYTES = 64 << 20
_BOM = b"\xef\xbb\xbf"
_OTHERS = {  # first bytes of what is taken for a movie, and what helps
    b"FCM\x1a": "a movie of the older FCE Ultra (.fcm); open it in FCEUX, which converts it to .fm2",
    b"\xff\xfe": "text in UTF-16; save it as plain text or UTF-8",
    b"\xfe\xff": "text in UTF-16; save it as plain text or UTF-8",
    b"NSS\x1a": "a movie of Nintendulator; record it again in FCEUX (.fm2)",
    b"7z\xbc\xaf": "a 7z archive; unpack it, and give the movie in it",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"FCSX": "a save state of FCEUX and no movie",
    b"NES\x1a": "a ROM and no movie: give it with --rom",
}


def read_movie(path: str | Path, game: str) -> Movie:
    """Read a movie file; its content says which kind.

    Args:
        game: what a movie of an emulator is for, since it does not say.
    Raises:
        DataError: it cannot be read, is no movie, is damaged, or uses what cannot be replayed (save states, PAL,
            a second controller, other devices).
    """
    path = Path(path)
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise DataError(f"{path}: is no file; give a movie (.fm2, .fm3, .bk2 or JSON)")
        if about.st_size > MAX_FILE_BYTES:
            raise DataError(f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB: no movie is")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return parse_movie(data, game)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def parse_movie(data: bytes, game: str) -> Movie:
    """The bytes of a movie file. Raises DataError as `read_movie` does."""
    for mark, what in _OTHERS.items():
        if data.startswith(mark):
            raise DataError(f"is {what}")
    if data.startswith(b"PK\x03\x04"):
        return parse_bk2(data, game)
    text = data.removeprefix(_BOM)
    return parse_json(text) if text.lstrip()[:1] == b"{" else parse_fm2(text, game)
