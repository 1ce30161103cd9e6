"""`hstmae verify --rom`: the frames of an input that do not follow from the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...data.sources.base import SourceEpisode, SourceFrame
from ...data.sources.settling import looked_at
from ...data.sources.video import VideoOptions
from ...games import get_game
from ..replay.following import Followed, follow
from ..replay.profile import console_of, starts_of
from .inputs import SUFFIX, coded_episodes, find_input


def follow_input(path: Path, rom: Path, progress: Callable[[int], object]) -> dict[str, Followed]:
    """What the console that runs `rom` says of each episode of a .hst file, a store, or recordings.

    Args:
        progress: called with the frames looked at since the last call.
    Raises:
        RomError: the ROM cannot be run.
        UsageError, DataError: as `find_input` does.
    """
    console, found = console_of(rom), {}
    if path.suffix.lower() == SUFFIX:
        episodes: list[SourceEpisode] = [*coded_episodes(path, None, (("rom", rom),))]
        game = ""
    else:
        inside = find_input(path, None, VideoOptions())
        episodes, game = inside.episodes, inside.game
    for episode in episodes:
        spec = get_game(str(getattr(episode, "game", "")) or game)
        frames = _told(looked_at(episode), progress)
        found[episode.name] = follow(console, starts_of(spec, episode.level, rom), frames)
    return found


def _told(episode: SourceEpisode, progress: Callable[[int], object]) -> Iterator[SourceFrame]:
    for frame in episode.frames(lambda problem: None, {}):
        if not frame.alone:
            yield frame
        progress(1)


def to_json(found: dict[str, Followed]) -> dict[str, Any]:
    return {
        "tested_frames": sum(one.tested for one in found.values()),
        "odd_frames": sum(len(one.odd) for one in found.values()),
        "episodes": {name: asdict(one) for name, one in found.items() if one.odd or one.why},
    }
