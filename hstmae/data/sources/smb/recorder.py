"""Recording Super Mario Bros. from an emulator: episodes of a movie, or of levels that the autoplayer plays."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ....errors import DataError
from ..movies.hst_movie import format_json, write_movie
from ..movies.movie import Movie
from .autoplay import autoplay
from .dataset_writer import write_smbdataset
from .emulator import NesEmulator, find_rom
from .level_start import parse_level
from .session import RecordedEpisode, play_movie

__all__ = ["NesEmulator", "autoplayed", "find_rom", "parse_levels", "played", "rom_remark", "write_smbdataset"]


def parse_levels(text: str) -> list[str]:
    """Levels such as "1-1,1-2", or "all". Raises UsageError for what is no level."""
    if text == "all":
        return [f"{world}-{number}" for world in range(1, 9) for number in range(1, 5)]
    levels = [level.strip() for level in text.split(",")]
    for level in levels:
        parse_level(level)
    return levels


def rom_remark(movie: Movie, rom: Path) -> str | None:
    """What is to be said where a movie was made with another ROM than the one at hand; None where it was not, or does
    not say. Movies hash what follows the header of 16 bytes, some the whole file."""
    kind, _, wanted = movie.rom.partition(":")
    if not wanted:
        return None
    data = rom.read_bytes()
    found = [hashlib.new(kind, part, usedforsecurity=False).hexdigest() for part in (data[16:], data)]
    if wanted in found:
        return None
    return f"was made with another ROM ({kind.upper()} {wanted}, {rom.name} has {found[0]}): it may run out of step"


def played(emulator: NesEmulator, movie: Movie) -> Iterator[RecordedEpisode]:
    """The episodes of a movie. Raises DataError where it never comes to play."""
    found = False
    for episode in play_movie(emulator, movie, session=f"m{zlib.crc32(format_json(movie)):08x}"):
        found = True
        yield episode
    if not found:
        raise DataError(
            "the movie never reaches play: it may be made for another ROM or emulator, whose start takes more or fewer "
            "frames"
        )


def autoplayed(
    emulator: NesEmulator,
    levels: Iterable[str],
    seeds: Iterable[int],
    limits: dict[str, Any],
    notes: list[dict[str, Any]],
    movies: str | None,
) -> Iterator[RecordedEpisode]:
    """One episode per level and seed; what the search found is printed and appended to `notes`.

    Args:
        limits: of each search: `seconds` and `max_frames` of `autoplay`.
        movies: folder to write the input of each episode to; None = nowhere.
    """
    from tqdm import tqdm

    for level, seed in ((level, seed) for level in levels for seed in seeds):
        with tqdm(unit="frame", desc=f"search {level} s{seed}") as bar:

            def report(frames: int, progress: int, bar: tqdm[Any] = bar) -> None:
                bar.update(frames - bar.n)
                bar.set_postfix(reached=progress, refresh=False)

            play = autoplay(emulator, level, seed=seed, report=report, **limits)
        speed = play.searched / play.seconds
        if not notes:
            print("level  seed   share  end     pixels        searched  frames/s")
        pixels = f"{play.x}/{play.length}"
        end = "reached" if play.won else "no"
        print(f"{level}  {seed:7d}  {play.share:6.1%}  {end:7} {pixels:12}  {play.searched:8,}  {speed:8,.0f}")
        notes.append(
            {"level": level, "seed": seed, "won": play.won, "share": play.share, "x": play.x}
            | {"length": play.length, "maps": play.maps, "searched": play.searched}
            | {"frames_per_second": speed, "movie_frames": len(play.movie)}
        )
        if movies:
            write_movie(play.movie, Path(movies) / f"{level}_s{seed}.json")
        # A warp would begin a second episode in its very last frame.
        yield from islice(play_movie(emulator, play.movie, session=f"s{seed}"), 1)
