"""Source *video*: films (mp4, mkv, webm, gif ...) through PyAV and folders of pictures, as true-colour episodes; and
source *pictures*: folders of pictures of a game with a palette, which films would change.

Frames are read one at a time, so that the length of a film does not matter.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...inputs.junk import is_junk
from ...inputs.kinds import PICTURE_KINDS, described, file_kind
from ...names import portable_names
from ...pictures.animated import is_animated
from .animation import AnimationEpisode
from .base import SourceEpisode, UnusableEpisode
from .film import FilmEpisode
from .pictures import PicturesEpisode
from .side_file import find_side_file

FILMS = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv"),
    *(".ogv", ".3gp", ".y4m"),
)
PICTURES = (".png", ".apng", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".gif")


@dataclass(frozen=True)
class VideoOptions:
    """How footage is read that has no layout of its own.

    Attributes:
        resize: side in pixels that every frame is scaled to, both ways (proportions are not kept); 0 = as it is.
        side: a side file, or the folder where the side files NAME.npz or NAME.jsonl of all episodes lie; None = beside
            each film or folder of pictures, where there is one.
        fps: frames per second of folders of pictures; 0 = the game's.
    """

    resize: int = 0
    side: Path | None = None
    fps: float = 0.0


def find_videos(
    path: Path, options: VideoOptions, state_size: int | None = None, palette_of: str = ""
) -> list[SourceEpisode]:
    """Every film and animation, and every folder with other pictures in it, at `path` or below it, sorted by path.

    Args:
        path: a folder, a film or a picture.
        state_size: bytes of state per frame that side files must have; None = any.
        palette_of: game whose palette entries the frames are to be; animations are passed over. "" = RGB frames.
    Raises:
        DataError: nothing there, PyAV is missing, or `options.side` does not fit.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if options.side is not None and not options.side.exists():
        raise DataError(f"side file {options.side}: no such file or folder")
    found: list[SourceEpisode] = []
    for place, names in _walk(path):
        prefix = [] if place == path or path.is_file() else list(place.relative_to(path).parts)
        pictures = []
        for name in names:
            what = _what_reads(place / name)
            if what == "picture":
                pictures.append(name)
            if what in (None, "picture") or (palette_of and what == "animation"):
                continue
            film = place / name
            title = "__".join([*prefix, film.stem])
            side = _side(film.with_suffix(""), title, options)
            if what == "film":
                found.append(FilmEpisode(title, film, options.resize, side, state_size, palette_of))
            else:
                found.append(AnimationEpisode(title, film, options.resize, side, state_size))
        if pictures:
            title = "__".join(prefix) or (path.stem if path.is_file() else place.resolve().name) or "pictures"
            side = _side(place.resolve() if path.is_dir() else path.with_suffix(""), title, options)
            files, rate = tuple(sorted(pictures, key=natural_order)), options.fps
            found.append(PicturesEpisode(title, place, files, options.resize, side, state_size, rate, palette_of))
    found = _named_apart(found)
    if not found:
        looked_for = f"films ({' '.join(FILMS)}) and pictures ({' '.join(PICTURES)})"
        raise DataError(f"{path}: {described(path)}; looked for {looked_for}")
    if options.side is not None and options.side.is_file() and len(found) > 1:
        raise DataError(f"side file {options.side}: one file for {len(found)} episodes; give a folder of side files")
    return found


def _what_reads(file: Path) -> str | None:
    """Whether a file is a "film", an "animation" or a "picture"; None for anything else. What it holds decides: a film
    may be called .png."""
    ending = file.suffix.lower()
    if ending and ending not in FILMS and ending not in PICTURES:
        return None
    kind = file_kind(file)
    if kind in PICTURE_KINDS:
        return "animation" if is_animated(file) else "picture"
    if kind == "film":
        return "film"
    return "film" if ending in FILMS else "picture" if ending in PICTURES else None


def _named_apart(found: list[SourceEpisode]) -> list[SourceEpisode]:
    """Names that every file system takes, and no two alike: films that share one get their ending, clip.mkv beside
    clip.mov."""
    counts = Counter(episode.name.casefold() for episode in found)
    names = []
    for episode in found:
        shared = counts[episode.name.casefold()] > 1 and isinstance(episode, FilmEpisode | AnimationEpisode)
        names.append(episode.name + (episode.path.suffix if shared else ""))  # type: ignore[attr-defined]
    named = zip(found, portable_names(names), strict=True)
    return [e if e.name == name else replace(e, name=name) for e, name in named]  # type: ignore[type-var]


def natural_order(name: str) -> tuple[Any, ...]:
    """Sorting key that puts frame2 before frame10."""
    parts = re.split(r"([0-9]+)", name)
    return (*((int(part), "") if k % 2 else (-1, part.lower()) for k, part in enumerate(parts)), name)


def _walk(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """(folder, names of its files) without junk."""
    if path.is_file():
        yield path.parent, [path.name]
        return

    def stop(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}")

    for place, folders, files in os.walk(path, onerror=stop):
        folders[:] = sorted(name for name in folders if not is_junk(name))
        yield Path(place), sorted(name for name in files if not is_junk(name))


def _side(stem: Path, name: str, options: VideoOptions) -> Path | UnusableEpisode | None:
    """The side file of an episode, None where there is none, or what is wrong with it."""
    if options.side is not None and options.side.is_file():
        return options.side
    # Of an episode in folders: under its name, or in folders that mirror them.
    mirrored = name.replace("__", "/")
    stems = [stem] if options.side is None else [options.side / name, options.side / mirrored]
    try:
        found = next((side for one in stems if (side := find_side_file(one)) is not None), None)
    except UnusableEpisode as error:
        return error
    if found is None and options.side is not None:
        also = "" if mirrored == name else f", nor {mirrored}.npz or {mirrored}.jsonl,"
        return UnusableEpisode(f"no side file {name}.npz or {name}.jsonl{also} in {options.side}")
    return found
