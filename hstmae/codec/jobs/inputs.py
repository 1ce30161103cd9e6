"""Episodes that go into a .hst file, and the episodes of one as a source for others: both as `SourceEpisode`s."""

import zlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ...data.episode import Episode
from ...data.pairing import Pairing, refuse_lag
from ...data.sources.base import Problem, Report, SourceEpisode, SourceFrame
from ...data.sources.finding import find_sources, game_of, readable
from ...data.sources.video import VideoOptions
from ...data.store.manifest import META
from ...data.store.reader import EpisodeStore
from ...data.store.told import SCENARIO, SCENARIOS, scenarios_of
from ...errors import UsageError
from ...games import get_game
from ...inputs.unpacking import STDIN
from ..session.kept import KeptGroups
from ..session.reader import HstReader

SUFFIX = ".hst"
_AT_ONCE = 64  # rows read from a store at a time


@dataclass(frozen=True)
class Found:
    """What an input holds.

    Attributes:
        kind: "store", "hst", "smbdataset" or "video".
        game: name; "" where each episode has its own.
        splits: rule by which a store splits its episodes.
        others: those that were not asked for.
        columns: what the bytes of a state are, where another format said so (see `hstmae.exchange`), and how clips were
            edited (see `hstmae.scenarios`); JSON values.
    """

    kind: str
    game: str
    episodes: list[SourceEpisode]
    splits: dict[str, Any] = field(default_factory=dict)
    others: tuple[SourceEpisode, ...] = ()
    columns: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Listed:
    """What stores and .hst files say of their episodes: attributes as `SourceEpisode` has them, and the episode's."""

    path: Path
    name: str
    level: str
    outcome: str
    size: int
    fps: float
    game: str
    split: str
    pairing: Pairing | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class StoredEpisode(_Listed):
    """An episode of the store at `path`."""

    content_hash: str

    def signature(self, content: bool = False) -> list[list[object]]:
        return [["store", self.content_hash]]

    def frames(self, report: Report, notes: dict[str, int], known: Container[int] = ()) -> Iterator[SourceFrame]:
        store = EpisodeStore(self.path)
        notes.update(store.info(self.name).notes)
        for start in range(0, self.size, _AT_ONCE):
            rows = range(start, min(start + _AT_ONCE, self.size))
            yield from _frames(store.read(self.name, rows, columns=("frames", "state", "actions")))


@dataclass(frozen=True)
class CodedEpisode(_Listed):
    """An episode of a .hst file, or some frames of it.

    Attributes:
        position: of the episode in the file.
        rows: which frames; None = all.
        options: for the profile that decodes.
        keep: folder for decoded groups of a job that may be interrupted.
        profile: that it is coded with.
        told: JSON values that a store keeps beside the episode.
    """

    position: int
    rows: range | None = None
    options: tuple[tuple[str, Any], ...] = ()
    keep: Path | None = None
    profile: str = ""
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether all frames are meant."""
        return self.rows is None

    def signature(self, content: bool = False) -> list[list[object]]:
        chosen = [0, self.size, 1] if self.rows is None else [self.rows.start, self.rows.stop, self.rows.step]
        if not content:
            status = self.path.stat()
            return [["hst", self.position, status.st_size, status.st_mtime_ns, *chosen]]
        crc = 0
        with HstReader(self.path) as reader:
            for offset, header in reader.entries[self.position].gops:
                crc = zlib.crc32(reader.data[offset : offset + header.size], crc)
        return [["hst", self.position, crc, *chosen]]

    def frames(self, report: Report, notes: dict[str, int], known: Container[int] = ()) -> Iterator[SourceFrame]:
        with HstReader(self.path, keep=self.keep, **dict(self.options)) as reader:
            description = reader.episodes()[self.position]
            notes.update(description.notes)
            for file, reason, left_out in description.problems:
                report(Problem(self.name, file, reason, left_out))
            for first, count in reader.missing(self.position):
                report(Problem(self.name, "", f"frames {first} to {first + count - 1} are lost: the file is damaged"))
            rows = range(self.size) if self.rows is None else self.rows
            for start in range(0, len(rows), description.gop):
                yield from _frames(reader.read(self.position, rows[start : start + description.gop]))

    def discard(self) -> None:
        """The frames were read and used: they need not be kept any longer."""
        if self.keep is not None:
            KeptGroups(self.keep).forget(self.position)


def _frames(part: Episode) -> Iterator[SourceFrame]:
    for t, number in enumerate(part.frame_numbers.tolist()):
        action = None if part.actions is None else int(part.actions[t])
        state = None if part.state is None else part.state[t]
        yield SourceFrame(number, part.frames[t], part.palette, state, action, corner=part.corner)


def coded_episodes(
    path: Path, positions: Sequence[int] | None = None, options: tuple[tuple[str, Any], ...] = ()
) -> list[CodedEpisode]:
    """Episodes of a .hst file. Raises CodecError and OSError as HstReader does."""
    with HstReader(path, **dict(options)) as reader:
        columns = reader.contents.about.get("columns")
        edited = columns.get(SCENARIOS) if isinstance(columns, dict) else None
        edited = edited if isinstance(edited, dict) else {}
        return [
            CodedEpisode(
                path,
                f.name,
                f.level,
                f.outcome,
                reader.frames(k),
                f.fps,
                f.game,
                f.split,
                k,
                options=options,
                pairing=f.pairing,
                profile=f.profile,
                told={SCENARIO: edited[f.name]} if f.name in edited else {},
            )
            for k, f in enumerate(reader.episodes())
            if positions is None or k in positions
        ]


def find_input(
    path: Path, game: str | None, video: VideoOptions, wanted: Sequence[str] = (), lag: int | None = None
) -> Found:
    """The episodes of whatever is at `path`.

    Args:
        path: store, .hst file, folder or archive of recordings, film, or folder of films or pictures.
        game: what recordings are of; None = as their own marks say, else true colour.
        video: how true-colour footage is read.
        wanted: names of episodes, with * and ? for any; none = all.
        lag: of recordings' files, see `data.pairing`; None = found for each episode.
    Raises:
        UsageError: no such file, a game or a lag for an input that states its own, or no episode is wanted.
        DataError: nothing there that can be read.
    """
    if path != STDIN and not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    path = readable(path, game or "")
    if path.suffix.lower() == SUFFIX or (path / META).is_file():
        if game is not None:
            raise UsageError(f"--game {game}: {path} says itself what game it holds; leave --game out")
        refuse_lag(path, lag)
        found = _file(path) if path.suffix.lower() == SUFFIX else _store(path)
    else:
        game = game or game_of(path)
        kind, episodes = find_sources(path, get_game(game), video, lag)
        found = Found(kind, game, list(episodes))
    is_wanted = [not wanted or any(fnmatchcase(e.name, pattern) for pattern in wanted) for e in found.episodes]
    chosen = [episode for episode, yes in zip(found.episodes, is_wanted, strict=True) if yes]
    if not chosen:
        raise UsageError(f"{path} has no episode {', '.join(wanted)}; the first is '{found.episodes[0].name}'")
    others = tuple(episode for episode, yes in zip(found.episodes, is_wanted, strict=True) if not yes)
    return replace(found, episodes=chosen, others=others)


def _file(path: Path) -> Found:
    with HstReader(path) as reader:
        columns = reader.contents.about.get("columns")
    return Found("hst", "", [*coded_episodes(path)], columns=columns if isinstance(columns, dict) else {})


def _store(path: Path) -> Found:
    store = EpisodeStore(path)
    episodes: list[SourceEpisode] = [
        StoredEpisode(
            path, i.name, i.level, i.outcome, i.frames, i.fps, i.game, i.split, i.content_hash, pairing=i.pairing
        )
        for i in store.infos()
    ]
    edited = scenarios_of(path, [info.name for info in store.infos()])
    columns = {SCENARIOS: edited} if edited else {}
    return Found("store", store.game, episodes, dict(store.meta["splits"]), columns=columns)
