"""Looking into a store, or into a source that is not packed yet: a summary, and frames to show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import DataError, UsageError
from ..games import GameSpec, get_game
from .episode import Episode
from .sources.base import Problem, SourceEpisode, SourceFrame
from .sources.finding import find_sources, game_of
from .sources.video import VideoOptions
from .store.manifest import is_store
from .store.reader import EpisodeStore


@dataclass(frozen=True)
class EpisodeFacts:
    """What the summary counts of one episode.

    Attributes:
        frames: number of frames; of a source, the number stated by its files.
        bytes: of its data on disk.
        repaired, left_out: frames repaired, things left out; None where they are known only once it is packed.
    """

    name: str
    level: str
    outcome: str
    split: str
    frames: int
    bytes: int
    repaired: int | None
    left_out: int | None


@dataclass(frozen=True)
class Group:
    """Sums over the episodes of one level (or of all)."""

    level: str
    episodes: int
    frames: int
    outcomes: dict[str, int]
    repaired: int | None
    left_out: int | None
    bytes_per_frame: float


def group_by_level(facts: Sequence[EpisodeFacts]) -> list[Group]:
    """One Group per level in the order of its numbers, and last one named "all"."""

    def order(level: str) -> tuple[list[int], str]:
        return [int(part) for part in level.split("-") if part.isdigit()], level

    levels = sorted({fact.level for fact in facts}, key=order)
    groups = [_sum(level or "unknown", [fact for fact in facts if fact.level == level]) for level in levels]
    return [*groups, _sum("all", facts)]


def _sum(level: str, facts: Sequence[EpisodeFacts]) -> Group:
    outcomes: dict[str, int] = {}
    for fact in facts:
        outcomes[fact.outcome] = outcomes.get(fact.outcome, 0) + 1
    frames = sum(fact.frames for fact in facts)
    return Group(
        level=level,
        episodes=len(facts),
        frames=frames,
        outcomes=dict(sorted(outcomes.items())),
        repaired=_total(fact.repaired for fact in facts),
        left_out=_total(fact.left_out for fact in facts),
        bytes_per_frame=sum(fact.bytes for fact in facts) / max(frames, 1),
    )


def _total(numbers: Any) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


class Subject(Protocol):
    """Something that can be inspected."""

    kind: str
    game: GameSpec

    def facts(self) -> list[EpisodeFacts]: ...

    def about(self) -> dict[str, Any]:
        """What is known beside the episodes: JSON values."""

    def frames(self, name: str, start: int, count: int, spread: bool, progress: Callable[[int], object]) -> Episode:
        """Frames of an episode: `count` in a row from position `start`, or spread evenly over what follows it.

        Raises:
            UsageError: the episode has no frame at `start`, or there is no such episode.
            DataError: it cannot be read.
        """


class StoreSubject:
    """A preprocessed store."""

    kind = "store"

    def __init__(self, path: Path) -> None:
        self._store = EpisodeStore(path)
        self.game = get_game(self._store.game)

    def facts(self) -> list[EpisodeFacts]:
        return [
            EpisodeFacts(
                i.name, i.level, i.outcome, i.split, i.frames, i.data_bytes,
                i.notes.get("repaired", 0), i.notes.get("left_out", 0),
            )
            for i in self._store.infos()
        ]  # fmt: skip

    def about(self) -> dict[str, Any]:
        infos = self._store.infos()
        return {
            "hash": self._store.hash,
            "source": self._store.meta["source"],
            "sizes": sorted({f"{i.size[1]}x{i.size[0]}" for i in infos}),
            "fps": sorted({round(i.fps, 4) for i in infos}),
            "with_state": sum(i.has_state for i in infos),
        }

    def frames(self, name: str, start: int, count: int, spread: bool, progress: Callable[[int], object]) -> Episode:
        chosen = positions(name, self._store.info(name).frames, start, count, spread)
        part = self._store.read(name, chosen)
        progress(len(chosen))
        return part


class SourceSubject:
    """Recordings or videos as they are, read on the way."""

    kind = "source"

    def __init__(self, path: Path, game: str) -> None:
        self.game = get_game(game)
        self._format, found = find_sources(path, self.game, VideoOptions())
        self._episodes: dict[str, SourceEpisode] = {}
        for episode in found:
            self._episodes.setdefault(episode.name, episode)

    def facts(self) -> list[EpisodeFacts]:
        return [
            EpisodeFacts(e.name, e.level, e.outcome, "", e.size, _bytes_of(e), None, None)
            for e in sorted(self._episodes.values(), key=lambda e: e.name)
        ]

    def about(self) -> dict[str, Any]:
        return {"source": {"kind": self._format}}

    def frames(self, name: str, start: int, count: int, spread: bool, progress: Callable[[int], object]) -> Episode:
        if name not in self._episodes:
            raise UsageError(f"no episode '{name}'; one of them is '{min(self._episodes)}'")
        episode = self._episodes[name]
        wanted = positions(name, episode.size, start, count, spread).tolist()
        problems: list[Problem] = []
        notes: dict[str, int] = {}
        kept: list[SourceFrame] = []
        states: list[np.ndarray | None] = []
        numbers: list[int] = []
        for place, frame in enumerate(episode.frames(problems.append, notes)):
            progress(1)
            states.append(frame.state)
            numbers.append(frame.number)
            if place in wanted:
                kept.append(frame)
            if place == wanted[-1]:
                break
        if not kept:
            raise DataError(f"{name}: no usable frame ({problems[0] if problems else 'fewer than its files state'})")
        return self._episode(episode, kept, states, numbers, notes)

    def _episode(
        self,
        episode: SourceEpisode,
        kept: list[SourceFrame],
        states: list[np.ndarray | None],
        numbers: list[int],
        notes: dict[str, int],
    ) -> Episode:
        known = [state for state in states if state is not None]
        history = np.stack(known) if known and len(known) == len(states) else None
        context = None
        if history is not None and self.game.context_size:
            context = self.game.context(history, np.array(numbers))
        rows = [numbers.index(frame.number) for frame in kept]
        return Episode(
            name=episode.name,
            game=self.game.name,
            frames=np.stack([frame.pixels for frame in kept]),
            palette=kept[0].palette,
            state=None if history is None else history[rows],
            context=None if context is None else context[rows],
            actions=None,
            frame_numbers=np.array([frame.number for frame in kept], np.int32),
            outcome=episode.outcome,
            level=episode.level,
            fps=episode.fps or self.game.fps,
            notes=notes,
        )


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


def open_subject(path: Path, game: str | None = None) -> Subject:
    """A store, or recordings and videos of `game` (None: the one that its files state).

    Raises:
        UsageError: a store of another game than the one that is named.
        DataError: nothing there that can be read.
        StoreError: the store is damaged.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if not is_store(path):
        return SourceSubject(path, game or game_of(path))
    store = StoreSubject(path)
    if game not in (None, store.game.name):
        raise UsageError(f"{path}: is a store of '{store.game.name}', not of '{game}'; leave --game out")
    return store


def summary(subject: Subject, path: Path, groups: Sequence[Group], facts: Sequence[EpisodeFacts]) -> dict[str, Any]:
    """The summary as JSON values."""
    splits: dict[str, int] = {}
    for fact in facts:
        if fact.split:
            splits[fact.split] = splits.get(fact.split, 0) + 1
    return {
        "path": str(path),
        "kind": subject.kind,
        "game": subject.game.name,
        **subject.about(),
        "splits": dict(sorted(splits.items())),
        "total": asdict(groups[-1]),
        "levels": [asdict(group) for group in groups[:-1]],
        "episodes": [asdict(fact) for fact in facts],
    }
