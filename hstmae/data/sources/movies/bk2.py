"""Movies of BizHawk, `.bk2`: a zip whose "Input Log.txt" has a line of marks a frame, and a line that names them."""

from __future__ import annotations

import io
import re
import zipfile
import zlib

import numpy as np

from ....errors import DataError
from .movie import BUTTONS, MAX_FRAMES, Movie, check_events

MAX_BYTES = 256 << 20  # of a text inside
LOG, HEADER = "Input Log.txt", "Header.txt"
_NAMES = {"Up": "U", "Down": "D", "Left": "L", "Right": "R", "Start": "T", "Select": "S", "B": "B", "A": "A"}
_RESETS = {"Reset": "soft", "Power": "hard"}
_SHA1 = re.compile(r"[0-9a-fA-F]{40}")


def parse_bk2(data: bytes, game: str) -> Movie:
    """The bytes of a BizHawk movie.

    Raises:
        DataError: it is none, is damaged, or uses what cannot be replayed: another console, save states, or another
            controller than the first.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            about, log = _text(archive, HEADER), _text(archive, LOG)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError, OverflowError) as error:
        raise DataError(f"damaged BizHawk movie: {error}") from None
    header = dict(line.partition(" ")[::2] for line in about.splitlines())
    platform = header.get("Platform", "").strip()
    if platform and platform != "NES":
        raise DataError(f"a movie of the console {platform[:20]}: only NES movies can be replayed")
    if header.get("StartsFromSavestate", "").strip() == "True" or header.get("StartsFromSaveram", "").strip() == "True":
        raise DataError("starts from a save state: only movies from power-on can be replayed")
    actions, resets = _played(log)
    check_events(len(actions), (), resets)
    digest = header.get("SHA1", "").strip().rpartition(":")[2]
    rom = f"sha1:{digest.lower()}" if _SHA1.fullmatch(digest) else ""
    return Movie(game, np.frombuffer(bytes(actions), np.uint8), (), tuple(resets), rom)


def _text(archive: zipfile.ZipFile, name: str) -> str:
    if name not in archive.namelist():
        raise DataError(f"a zip without {name!r}: no BizHawk movie (.bk2)")
    if archive.getinfo(name).file_size > MAX_BYTES:
        raise DataError(f"{name!r} in it is larger than {MAX_BYTES >> 20} MiB: no movie is")
    return archive.read(name).decode("utf-8-sig", "replace")


def _played(log: str) -> tuple[bytearray, list[tuple[int, str]]]:
    """Controller bytes, and resets as in `Movie`."""
    keys: list[str] = []
    actions, resets = bytearray(), list[tuple[int, str]]()
    for number, line in enumerate(log.splitlines(), 1):
        if line.startswith("LogKey:"):
            keys = [key for key in re.split(r"[|#]", line.removeprefix("LogKey:")) if key]
            continue
        if not line.startswith("|"):
            continue  # [Input], [/Input], empty
        held = _held(keys, line, number)
        kinds = {_RESETS[key] for key in held & _RESETS.keys()}
        if kinds:
            resets.append((len(actions), "hard" if "hard" in kinds else "soft"))
        pad = {key.removeprefix("P1 ") for key in held - _RESETS.keys() if key.startswith("P1 ")}
        if other := min(held - _RESETS.keys() - {f"P1 {name}" for name in _NAMES}, default=""):
            raise DataError(f"line {number} of {LOG!r}: {other[:30]!r} is used: cannot be replayed")
        actions.append(sum(BUTTONS[_NAMES[name]] for name in pad))
        if len(actions) > MAX_FRAMES:
            raise DataError(f"more than {MAX_FRAMES} frames")
    if not actions:
        raise DataError("holds no input")
    return actions, resets


def _held(keys: list[str], line: str, number: int) -> set[str]:
    """The names of what is pressed in a line: a mark a key in the order of the LogKey, "." where it is not."""
    marks = line.replace("|", "")
    if not keys:
        raise DataError(f"{LOG!r} has no LogKey line in front of its input: too old, or damaged")
    if len(marks) != len(keys):
        raise DataError(f"line {number} of {LOG!r}: {len(marks)} marks for {len(keys)} keys (a device with numbers?)")
    return {key for key, mark in zip(keys, marks, strict=True) if mark not in ". "}
