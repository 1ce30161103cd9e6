"""`hst-movie` JSON.

    {"format": "hst-movie", "version": 2, "game": "smb",
     "actions": "00*40 01*4 00*120 14*300",    controller bytes in hexadecimal, `*n` repeats one for n frames
     "pokes": [[40, 1887, 3]],                 frame, address, value: written before that frame runs
     "resets": [[900, "soft"]]}                frame, "soft" (reset button) or "hard" (power) before that frame

For a Gymnasium environment `game` is its name and each byte is the number of a discrete action. Version 1 had the bits
of start and select the other way round.
"""

from __future__ import annotations

import json
import re
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ....atomic import write_bytes
from ....errors import DataError
from ....games.registry import game_names
from .movie import MAX_EVENTS, MAX_FRAMES, Movie, check_events

VERSION = 2
_RUN = re.compile(r"([0-9a-fA-F]{2})(?:\*([1-9][0-9]{0,8}))?")


def write_movie(movie: Movie, path: str | Path) -> None:
    """Write a JSON movie, whole or not at all."""
    write_bytes(path, format_json(movie))


def parse_json(data: bytes) -> Movie:
    """The bytes of a JSON movie. Raises DataError as `read_movie` does."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"damaged JSON: {error}") from None
    if not isinstance(value, dict) or value.get("format") != "hst-movie":
        raise DataError('not a movie: "format" must be "hst-movie"')
    version = value.get("version")
    if type(version) is not int or version not in (1, VERSION):
        raise DataError(f"movie version {version!r}: this program reads versions 1 and {VERSION}")
    unknown = set(value) - {"format", "version", "game", "actions", "pokes", "resets"}
    if unknown:
        raise DataError(f"unknown entry {min(unknown)!r} in the movie")
    game, text = value.get("game"), value.get("actions")
    if not isinstance(game, str) or not game or not isinstance(text, str):
        raise DataError('a movie needs "game" and "actions", both texts')
    actions = _expand(text)
    if version == 1 and game in game_names():
        start, select = (actions & 0x08) >> 3, (actions & 0x01) << 3
        actions = (actions & ~np.uint8(0x09)) | start | select
    pokes, resets = _events(value, "pokes", 3), _events(value, "resets", 2)
    check_events(len(actions), pokes, resets)
    return Movie(game, actions, pokes, resets)


def format_json(movie: Movie) -> bytes:
    """JSON text of a movie, with runs of equal actions shortened."""
    runs = [(action, sum(1 for _ in run)) for action, run in groupby(movie.actions.tolist())]
    value: dict[str, Any] = {"format": "hst-movie", "version": VERSION, "game": movie.game}
    value["actions"] = " ".join(f"{action:02x}" + (f"*{count}" if count > 1 else "") for action, count in runs)
    if movie.pokes:
        value["pokes"] = [list(poke) for poke in movie.pokes]
    if movie.resets:
        value["resets"] = [list(reset) for reset in movie.resets]
    return (json.dumps(value) + "\n").encode("utf-8")


def _expand(text: str) -> np.ndarray:
    values, counts, total = bytearray(), [], 0
    for word in text.split():
        match = _RUN.fullmatch(word)
        if match is None:
            raise DataError(f"actions: {word[:20]!r} is not a hexadecimal byte such as 14 or 14*30")
        count = int(match[2] or 1)
        total += count
        if total > MAX_FRAMES:  # before anything of that size is made
            raise DataError(f"more than {MAX_FRAMES} frames")
        values.append(int(match[1], 16))
        counts.append(count)
    if not total:
        raise DataError("holds no input")
    return np.repeat(np.frombuffer(bytes(values), np.uint8), counts)


def _events(value: dict[str, Any], key: str, size: int) -> tuple[Any, ...]:
    entries = value.get(key, [])
    if not isinstance(entries, list) or len(entries) > MAX_EVENTS:
        raise DataError(f'"{key}" must be a list of at most {MAX_EVENTS} entries')
    for entry in entries:
        if not isinstance(entry, list) or len(entry) != size:
            raise DataError(f"{str(entry)[:40]}: expected a list of {size} entries")
    return tuple(map(tuple, entries))
