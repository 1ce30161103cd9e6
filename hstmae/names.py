"""Names that every file system takes: of what comes from a file, or from another system, before it becomes a path."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

MAX_BYTES = 180  # of UTF-8; file systems take 255, and endings, numbers and marks of unfinished files are put to it
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
_FORBIDDEN = frozenset('<>:"/\\|?*')
_SPARE = "_"


def portable_name(name: str) -> str:
    """The name itself where every file system takes it as that of one file or folder, else the nearest such name.

    What is mended: separators and other characters that Windows refuses, control and invisible characters, halves of
    characters, names of devices (CON, NUL, also with an ending), blanks and dots at the end, blanks or a dot at the
    start (a dot hides a file), nothing at all, `.` and `..`, and more than MAX_BYTES bytes: then the name ends in a
    mark that is another one for another name.
    """
    shown = "".join(_SPARE if c in _FORBIDDEN or not c.isprintable() else c for c in name)
    shown = shown.rstrip(" .").lstrip(" ")
    if shown.startswith("."):
        shown = _SPARE + shown[1:]
    if not shown:
        shown = _SPARE
    if _RESERVED.fullmatch(shown.split(".", 1)[0].rstrip(" ")):
        shown = _SPARE + shown
    if len(shown.encode("utf-8")) > MAX_BYTES:
        mark = "~" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        shown = _cut(shown, MAX_BYTES - len(mark)) + mark
    return shown


def portable_names(names: Iterable[str]) -> list[str]:
    """`portable_name` of each, and no two alike for a file system that does not tell a from A: the later ones of those
    get ~2, ~3 and so on. A name that needs no change keeps it before one that does."""
    given = list(names)
    mended = [portable_name(name) for name in given]
    taken: set[str] = set()
    result = [""] * len(given)
    for k in sorted(range(len(given)), key=lambda k: (mended[k] != given[k], k)):
        name, number = mended[k], 1
        while alike(name) in taken:
            number += 1
            name = f"{_cut(mended[k], MAX_BYTES - 8)}~{number}"
        taken.add(alike(name))
        result[k] = name
    return result


def alike(name: str) -> str:
    """Equal for names that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())


def _cut(name: str, size: int) -> str:
    """The start of a name, at most so many bytes of UTF-8, no blank or dot at its end."""
    return name.encode("utf-8")[:size].decode("utf-8", "ignore").rstrip(" .")
