"""The work of one encoding process: a source episode in, chunks out."""

import hashlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ...data.sources.base import Problem, SourceEpisode, SourceFrame, UnusableEpisode
from ...data.sources.finding import FileLog, layout_of
from ...data.sources.settling import looked_at, pairing_of
from ...data.store.jobs import discard
from ...data.store.manifest import canonical
from ...data.store.packing import no_frame
from ...errors import DataError
from ...executor import Advance
from ...games import get_game
from ..container.chunks import FILES, chunk
from ..container.description import Description
from ..session.encoder import EpisodeEncoder, description_of
from ..session.profiles import make_profile, profile_of


@dataclass(frozen=True)
class Settings:
    """How episodes are encoded.

    Attributes:
        profile: name, and `options` for it; see `profiles`.
        gop: frames in a group, the unit of random access.
        stride: keep every n-th frame.
        with_state: keep the game's memory.
        with_files: keep how the files of recordings looked; `exact`: and all of those that this does not cover.
        fail: stop at the first problem of the source instead of leaving out and reporting.
    """

    profile: str = "lossless"
    options: tuple[tuple[str, Any], ...] = ()
    gop: int = 64
    stride: int = 1
    with_state: bool = True
    with_files: bool = True
    exact: bool = False
    fail: bool = False


@dataclass(frozen=True)
class Task:
    """One episode to encode.

    Attributes:
        episode: where its frames come from.
        number: of the episode in the file.
        game: name.
        settings: how.
        begun: the episode's description, where a part of it is in the file already.
        first: frames of that part.
        has_files: whether the looks of its files are in the file, too.
    """

    episode: SourceEpisode
    number: int
    game: str
    settings: Settings
    begun: Description | None = None
    first: int = 0
    has_files: bool = False

    def signature(self) -> str:
        """Changes when the content of the source or the settings change; a copy of the source has the same."""
        s = self.settings
        settings = [self.game, s.profile, s.gop, s.stride, s.with_state, s.with_files, s.exact]
        # The model is named by its hash in the description, wherever it lies.
        options = [[key, str(value)] for key, value in s.options if key != "checkpoint"]
        return hashlib.sha256(canonical([settings, options, self.episode.signature(content=True)])).hexdigest()[:16]


@dataclass(frozen=True)
class Done:
    """What became of a task. `exact` of the `files` whose looks are kept can be written again as the very files."""

    name: str
    frames: int
    problems: tuple[Problem, ...]
    exact: int = 0
    files: int = 0


def encode_source(task: Task, advance: Advance) -> Iterator[bytes | Done]:
    """Encode one episode: the work of an executor. Gives whole chunks as they are ready, and at last what became of it.

    Args:
        advance: called with the number of frames dealt with since the last call.
    Raises:
        DataError: `task.settings.fail` and something is wrong with the source, or a frame does not fit the format.
        CodecError: the profile is not here.
    """
    problems: list[Problem] = []
    done = Done(task.episode.name, 0, ())

    def report(problem: Problem) -> None:
        if task.settings.fail and problem.left_out:
            raise DataError(f"{problem} (--on-error skip leaves it out and goes on)")
        problems.append(problem)

    try:
        done = yield from _encode(task, report, problems, advance)
    except UnusableEpisode as error:
        report(Problem(task.episode.name, "", f"{error}: the episode is left out"))
    except OSError as error:
        if task.episode.size and error.filename is not None:
            raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from None
        raise
    discard(task.episode)
    yield replace(done, problems=tuple(problems))


def _encode(
    task: Task, report: Callable[[Problem], None], problems: list[Problem], advance: Advance
) -> Generator[bytes, None, Done]:
    """Gives chunks; returns what became of the task, without its problems."""
    notes, signature = dict[str, int](), task.signature()
    task = replace(task, episode=looked_at(task.episode))
    episode = task.episode
    encoder: EpisodeEncoder | None = None
    log = _log(task)
    waiting = 0
    frames = _with_memory(episode.frames(report, notes), log)
    for row, frame in enumerate(islice(frames, 0, None, task.settings.stride)):
        state = frame.state if task.settings.with_state else None
        if encoder is None:
            encoder = _encoder(task, frame, signature)
        if row < task.first:
            continue
        waiting += 1
        chunks = encoder.add(frame.pixels, frame.number, state, frame.action)
        if chunks:
            yield chunks
            advance(waiting)
            waiting = 0
    if encoder is None:
        report(no_frame(episode, notes))
        return Done(episode.name, 0, ())
    notes["left_out"] = sum(problem.count for problem in problems if problem.left_out)
    last = encoder.flush()
    if log is not None and log.frames and not task.has_files:
        assert encoder.description.colours is not None
        last += chunk(FILES, log.pack(encoder.description.colours), episode=task.number)
    listed = [(problem.file, problem.reason, problem.left_out) for problem in problems]
    yield last + encoder.finish(episode.outcome, sorted(notes.items()), listed)
    advance(waiting)
    files = (0, 0) if log is None else (log.exact, log.frames)
    return Done(episode.name, encoder.frames, (), *files)


def _with_memory(frames: Iterator[SourceFrame], log: FileLog | None) -> Iterator[SourceFrame]:
    """Those that are not alone; `log` is told of all."""
    for frame in frames:
        if log is not None:
            log.add_frame(frame)
        if not frame.alone:
            yield frame


def _log(task: Task) -> FileLog | None:
    """Where the looks of source files are collected; without memory the files could not be written again."""
    layout = layout_of(get_game(task.game))
    if layout is None or not (task.settings.with_files and task.settings.with_state and task.settings.stride == 1):
        return None
    return layout.log(task.episode, task.settings.exact)


def _encoder(task: Task, frame: SourceFrame, signature: str) -> EpisodeEncoder:
    episode = task.episode
    if task.begun is not None:  # with the very tables it was begun with
        return EpisodeEncoder(
            profile_of(task.begun, **dict(task.settings.options)), task.begun, task.number, task.first
        )
    profile = make_profile(task.settings.profile, task.game, **dict(task.settings.options))
    description = description_of(
        profile,
        name=episode.name,
        game=task.game,
        frame=frame.pixels,
        palette=frame.palette,
        state=frame.state if task.settings.with_state else None,
        action=frame.action,
        fps=float(get_game(task.game).fps if episode.fps is None else episode.fps) / task.settings.stride,
        gop=task.settings.gop,
        level=episode.level,
        outcome=episode.outcome,
        split=str(getattr(episode, "split", "")),
        source=episode.name,
        corner=frame.corner,
        signature=signature,
        pairing=pairing_of(episode),
    )
    return EpisodeEncoder(profile, description, task.number)
