"""What operating systems leave beside a user's files: no footage, whatever its name ends in."""

from __future__ import annotations

_NAMES = {
    *("__macosx", "thumbs.db", "thumbs.db:encryptable", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),
    *("$recycle.bin", "system volume information", "icon\r", "@eadir", "lost+found"),
}


def is_junk(name: str) -> bool:
    """Whether a file or folder of this name (one part of a path) was left by an operating system: hidden files, and
    with them the `._x.png` that macOS puts beside an `x.png`, its `__MACOSX`, `.DS_Store`, Windows' `Thumbs.db` ..."""
    return (name.startswith(".") and name not in (".", "..")) or name.lower() in _NAMES


def in_junk(path: str) -> bool:
    """Whether any part of a path with "/" between its parts is junk: the path of a member of an archive."""
    return any(is_junk(part) for part in path.split("/"))
