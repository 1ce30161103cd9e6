"""The work of one preprocessing process: turn one source episode into one finished episode folder."""

from __future__ import annotations

import errno
import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ...atomic import json_bytes
from ...errors import DataError, StoreError
from ...executor import Advance
from ...games import get_game
from ...journal import key_of
from ..sources.base import Problem, SourceEpisode, SourceFrame, UnusableEpisode
from ..sources.settling import looked_at, pairing_of
from .begun import Changed
from .jobs import discard
from .manifest import DATA, EPISODES, VERSION, EpisodeInfo, canonical, digest, read_info
from .writer import SOURCE, EpisodeWriter, Packing

_TICK = 32  # frames between two reports of progress


@dataclass(frozen=True)
class Job:
    """One episode to pack into the store at `store`."""

    episode: SourceEpisode
    store: Path
    game: str
    packing: Packing
    fail: bool  # stop at the first problem instead of leaving out and reporting
    rebuild: bool = False  # what a run without it began is not gone on with

    @property
    def folder(self) -> Path:
        return self.store / EPISODES / self.episode.name

    def signature(self) -> str:
        """Changes when the source files, the packing or the format change."""
        game = get_game(self.game)
        sizes = [game.name, game.state_size, game.context_size]
        return digest(canonical([VERSION, asdict(self.packing), *sizes, self.episode.signature()]))


@dataclass(frozen=True)
class Packed:
    """What became of a job; `info` is None when no frame of the episode could be used."""

    name: str
    info: EpisodeInfo | None
    problems: tuple[Problem, ...]


def finished(job: Job) -> bool:
    """Whether the store holds this very episode already, complete."""
    try:
        value = json.loads((job.folder / SOURCE).read_bytes())
        info = read_info(job.folder)
        return bool(value["signature"] == job.signature() and (job.folder / DATA).stat().st_size == info.data_bytes)
    except (OSError, ValueError, KeyError, TypeError, StoreError):
        return False


def pack(job: Job, advance: Advance) -> Iterator[Packed]:
    """Pack one episode: the work of an executor, of one piece. Raises DataError where the disk is full, or something is
    wrong with the source and `job.fail`."""
    problems: list[Problem] = []

    def report(problem: Problem) -> None:
        if job.fail and problem.left_out:
            raise DataError(f"{problem} (--on-error skip leaves it out and goes on)")
        problems.append(problem)

    try:
        try:
            info = _pack(job, report, problems, advance)
        except Changed:  # e.g. an environment that does not play the same again
            problems.clear()
            info = _pack(job, report, problems, lambda count: None)
    except UnusableEpisode as error:
        info = None
        report(Problem(job.episode.name, "", f"{error}: the episode is left out"))
    except OSError as error:
        raise disk_error(error, job.store) from None
    discard(job.episode)
    yield Packed(job.episode.name, info, tuple(problems))


def _pack(job: Job, report: Callable[[Problem], None], problems: list[Problem], advance: Advance) -> EpisodeInfo | None:
    episode, notes = looked_at(job.episode), dict[str, int]()
    try:
        signature = job.signature()  # before it is read: what is changed meanwhile shall be packed again
    except OSError as error:
        raise UnusableEpisode(f"cannot be read: {error.filename}: {error.strerror}") from None
    key = key_of(signature, str(pairing_of(episode)), job.rebuild)
    with EpisodeWriter(
        job.folder, name=episode.name, game=get_game(job.game), packing=job.packing, key=key, level=episode.level,
        outcome=episode.outcome, source=episode.name,
    ) as writer:  # fmt: skip
        try:
            for frame in _frames_of(episode, report, notes, writer.known):
                if frame.alone:
                    continue
                if not len(writer):
                    writer.palette, writer.corner = frame.palette, frame.corner
                writer.add(frame.pixels, frame.number, frame.state, frame.action)
                if len(writer) % _TICK == 0:
                    advance(_TICK)
        except UnusableEpisode:
            writer.forget()
            raise
        if not len(writer):
            writer.forget()
            report(no_frame(episode, notes))
            return None
        advance(len(writer) % _TICK)
        writer.fps = episode.fps
        notes["left_out"] = sum(problem.count for problem in problems if problem.left_out)
        source = {"signature": signature, "problems": [problem.to_json() for problem in problems]}
        source |= getattr(episode, "told", {})  # JSON values that a source says of itself beside these
        return writer.finish(notes, json_bytes(source) + b"\n", pairing_of(episode))


def _frames_of(
    episode: SourceEpisode, report: Callable[[Problem], None], notes: dict[str, int], known: frozenset[int]
) -> Iterator[SourceFrame]:
    """Of a source that does not take what is known, as one of the user's own may not, all frames with their pixels."""
    if "known" in inspect.signature(episode.frames).parameters:
        return episode.frames(report, notes, known)
    return episode.frames(report, notes)


def no_frame(episode: SourceEpisode, notes: dict[str, int]) -> Problem:
    """Why an episode is left out of which no frame can be used."""
    reason = "no usable frame"
    if notes.get("unpaired"):
        reason = f"no picture has memory that belongs to it (lag {getattr(pairing_of(episode), 'lag', 0):+d})"
    return Problem(episode.name, "", f"{reason}: the episode is left out")


def kept_problems(folder: Path) -> list[Problem]:
    """Problems noted when a finished episode was packed."""
    try:
        return [Problem(**value) for value in json.loads((folder / SOURCE).read_bytes())["problems"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder / SOURCE} is damaged ({error!r}); run preprocess with --rebuild") from None


def disk_error(error: OSError, store: Path) -> DataError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DataError(f"the disk of {store} is full: free some space and run again (what is finished is kept)")
    return DataError(f"cannot write {store}: {error}")
