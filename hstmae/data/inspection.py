"""Looking into a store, or into a source that is not packed yet: a summary, and frames to show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UsageError
from ..games import get_game
from ..inputs.unpacking import STDIN
from .episode import Episode
from .pairing import describe, describe_episodes, refuse_lag
from .sources.base import Problem, SourceEpisode, as_episode
from .sources.finding import find_sources, game_of, readable
from .sources.settling import pairing_of, settled
from .sources.video import VideoOptions
from .store.manifest import is_store
from .store.reader import EpisodeStore

Progress = Callable[[int], object]


@dataclass(frozen=True)
class EpisodeCounts:
    """What the summary counts of one episode.

    Attributes:
        frames: number of frames; of a source, the number stated by its files.
        bytes: of its data on disk.
        repaired, left_out: frames repaired, files left out; None where they are known only once it is packed.
        pairing: which picture the memory of its files belongs to, and what tells so; "" where that is not known.
    """

    name: str
    level: str
    outcome: str
    split: str
    frames: int
    bytes: int
    repaired: int | None
    left_out: int | None
    pairing: str = ""


@dataclass(frozen=True)
class LevelCounts:
    """Sums over the episodes of one level (or of all)."""

    level: str
    episodes: int
    frames: int
    outcomes: dict[str, int]
    repaired: int | None
    left_out: int | None
    bytes_per_frame: float


def count_by_level(episodes: Sequence[EpisodeCounts]) -> list[LevelCounts]:
    """One LevelCounts per level in the order of its numbers, and last one named "all"."""

    def order(level: str) -> tuple[list[int], str]:
        return [int(part) for part in level.split("-") if part.isdigit()], level

    levels = sorted({episode.level for episode in episodes}, key=order)
    sums = [_sum(level or "unknown", [e for e in episodes if e.level == level]) for level in levels]
    return [*sums, _sum("all", episodes)]


def _sum(level: str, episodes: Sequence[EpisodeCounts]) -> LevelCounts:
    frames = sum(episode.frames for episode in episodes)
    return LevelCounts(
        level=level,
        episodes=len(episodes),
        frames=frames,
        outcomes=dict(sorted(Counter(episode.outcome for episode in episodes).items())),
        repaired=_total(episode.repaired for episode in episodes),
        left_out=_total(episode.left_out for episode in episodes),
        bytes_per_frame=sum(episode.bytes for episode in episodes) / max(frames, 1),
    )


def _total(counts: Iterable[int | None]) -> int | None:
    stated = [count for count in counts if count is not None]
    return sum(stated) if stated else None


class StoreSubject:
    """A preprocessed store; `SourceSubject` has the same methods."""

    kind = "store"

    def __init__(self, path: Path) -> None:
        self._store = EpisodeStore(path)
        self.game = get_game(self._store.game)

    def episodes(self) -> list[EpisodeCounts]:
        return [
            EpisodeCounts(
                i.name, i.level, i.outcome, i.split, i.frames, i.data_bytes,
                i.notes.get("repaired", 0), i.notes.get("left_out", 0), str(i.pairing or ""),
            )
            for i in self._store.infos()
        ]  # fmt: skip

    def about(self) -> dict[str, Any]:
        """What is known beside the episodes: JSON values."""
        infos = self._store.infos()
        return {
            "hash": self._store.hash,
            "source": self._store.meta["source"],
            "sizes": sorted({f"{i.size[1]}x{i.size[0]}" for i in infos}),
            "fps": sorted({round(i.fps, 4) for i in infos}),
            "with_state": sum(i.has_state for i in infos),
            "pairing": describe_episodes((i.pairing, i.notes) for i in infos),
        }

    def frames(self, name: str, start: int, count: int, spread: bool, progress: Progress) -> Episode:
        """Frames of an episode: `count` in a row from position `start`, or spread evenly over what follows it. Raises
        UsageError where there is no such episode, or no frame at `start`, and DataError where it cannot be read."""
        chosen = positions(name, self._store.info(name).frames, start, count, spread)
        part = self._store.read(name, chosen)
        progress(len(chosen))
        return part


class SourceSubject:
    """Recordings or videos as they are, read on the way.

    Args:
        kind: what they are, as `find_sources` says it.
        found: their episodes.
        game: registered name of the game they show.
        sizes: bytes of episodes by name, where their files do not tell.
    """

    kind = "source"

    def __init__(
        self, kind: str, found: Sequence[SourceEpisode], game: str, sizes: Mapping[str, int] | None = None
    ) -> None:
        self.game = get_game(game)
        self._format, self._sizes = kind, sizes or {}
        self._episodes = {episode.name: episode for episode in settled(reversed(found))}  # the first of each name

    def episodes(self) -> list[EpisodeCounts]:
        return [
            EpisodeCounts(
                e.name,
                e.level,
                e.outcome,
                "",
                e.size,
                self._sizes.get(e.name, _bytes_of(e)),
                None,
                None,
                str(pairing_of(e) or ""),
            )
            for e in sorted(self._episodes.values(), key=lambda e: e.name)
        ]

    def about(self) -> dict[str, Any]:
        return {"source": {"kind": self._format}, "pairing": describe(map(pairing_of, self._episodes.values()))}

    def frames(self, name: str, start: int, count: int, spread: bool, progress: Progress) -> Episode:
        if name not in self._episodes:
            raise UsageError(f"no episode '{name}'; one of them is '{min(self._episodes)}'")
        source = self._episodes[name]
        wanted = positions(name, source.size, start, count, spread).tolist()
        problems: list[Problem] = []
        notes: dict[str, int] = {}
        kept, rows, states, numbers = [], [], [], []
        for place, frame in enumerate(f for f in source.frames(problems.append, notes) if not f.alone):
            progress(1)
            if frame.state is not None:
                states.append(frame.state)
            numbers.append(frame.number)
            if place in wanted:
                kept.append(frame)
                rows.append(place)
            if place == wanted[-1]:
                break
        if not kept:
            raise DataError(f"{name}: no usable frame ({problems[0] if problems else 'fewer than its files state'})")
        episode = as_episode(source, kept, self.game, notes)
        if episode.state is None or not self.game.context_size:
            return episode
        return replace(episode, context=self.game.context(np.stack(states), np.array(numbers))[rows])


Subject = StoreSubject | SourceSubject


def positions(name: str, frames: int, start: int, count: int, spread: bool) -> np.ndarray:
    """int64 positions to show, ascending. Raises UsageError where none is left."""
    if not 0 <= start < frames:
        raise UsageError(f"{name} has frames 0 to {frames - 1}; --start {start} is none of them")
    count = min(count, frames - start)
    if not spread:
        return np.arange(start, start + count)
    return np.linspace(start, frames - 1, count).round().astype(np.int64)


def _bytes_of(episode: SourceEpisode) -> int:
    """From the signature: entries (file, size, time) beside others."""
    return sum(entry[1] for entry in episode.signature() if len(entry) == 3 and isinstance(entry[1], int))


def open_subject(path: Path, game: str | None = None, lag: int | None = None) -> Subject:
    """A store, or recordings and videos of `game` (None: the one that its files state), with a lag between memory and
    pictures (None: found). Raises UsageError for a store of another game than the one that is named, or with a lag,
    DataError where nothing can be read, StoreError for a damaged store."""
    if path != STDIN and not path.exists():
        raise DataError(f"{path}: no such file or folder")
    path = readable(path, game or "")
    if not is_store(path):
        game = game or game_of(path)
        return SourceSubject(*find_sources(path, get_game(game), VideoOptions(), lag), game)
    refuse_lag(path, lag)
    store = StoreSubject(path)
    if game not in (None, store.game.name):
        raise UsageError(f"{path}: is a store of '{store.game.name}', not of '{game}'; leave --game out")
    return store


def summary(subject: Subject, path: Path) -> tuple[dict[str, Any], list[LevelCounts]]:
    """The summary as JSON values, and its sums by level."""
    episodes = subject.episodes()
    levels = count_by_level(episodes)
    report = {
        "path": str(path),
        "kind": subject.kind,
        "game": subject.game.name,
        **subject.about(),
        "splits": dict(sorted(Counter(episode.split for episode in episodes if episode.split).items())),
        "total": asdict(levels[-1]),
        "levels": [asdict(level) for level in levels[:-1]],
        "episodes": [asdict(episode) for episode in episodes],
    }
    return report, levels
