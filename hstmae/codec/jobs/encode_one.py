"""The work of one encoding process: a source episode in, chunks out."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

from ...data.sources.animation import AnimationEpisode
from ...data.sources.base import Problem, SourceFrame, UnusableEpisode
from ...data.sources.film import FilmEpisode
from ...data.sources.finding import FileLog, layout_of
from ...data.sources.losses import LossWatch, losses_of_film
from ...data.sources.settling import looked_at, pairing_of
from ...data.store.jobs import discard
from ...data.store.packing import no_frame
from ...errors import DataError
from ...executor import Advance
from ...film.reading import FilmReader, UnreadableFilm
from ...games import get_game
from ...journal import key_of
from ..container.chunks import CRC_BYTES, FACTS, FILES, HEADER_BYTES, STEPS, chunk, split_chunks
from ..container.description import FILM_PROFILE, Description, unpack_description
from ..film.begun import FilmLogs
from ..film.head import pack_json
from ..session.encoder import EpisodeEncoder, description_of
from ..session.profiles import decodes_exactly, make_profile, profile_of
from .carrying import Beside, beside, copied
from .encode_film import encode_film
from .film_again import film_to_keep
from .inputs import CodedEpisode
from .tasks import Done, Task, is_film


@dataclass
class _Run:
    """What is found out while one task is carried out. Attributes as of Done."""

    task: Task
    problems: list[Problem] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    predicted: int = 0
    files: int = 0
    exact: int = 0
    carried: int = 0

    def report(self, problem: Problem) -> None:
        """Raises DataError for what is left out, where nothing may be."""
        if self.task.settings.fail and problem.left_out:
            raise DataError(f"{problem} (--on-error skip leaves it out and goes on)")
        self.problems.append(problem)

    def listed(self) -> tuple[tuple[str, str, bool], ...]:
        """The problems as a description holds them."""
        return tuple((problem.file, problem.reason, problem.left_out) for problem in self.problems[:1000])


def encode_source(task: Task, advance: Advance) -> Iterator[bytes | Done]:
    """Encode one episode: the work of an executor. Gives whole chunks as they are ready, and at last what became of it.

    Args:
        advance: called with the number of frames dealt with since the last call.
    Raises:
        DataError: `task.settings.fail` and something is wrong with the source, or a frame does not fit the format.
        CodecError: the profile is not here.
    """
    run = _Run(task)
    if task.name != task.episode.name:
        run.report(Problem(task.name, "", f"was named {task.episode.name!r}, which is no name of a file", False))
    try:
        if task.profile == FILM_PROFILE:
            yield from _kept_as_it_is(run, advance)
        else:
            yield from _encoded(run, advance)
    except UnusableEpisode as error:
        run.frames = 0
        run.report(Problem(task.name, "", f"{error}: the episode is left out"))
    except OSError as error:
        if task.episode.size and error.filename is not None:
            raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from None
        raise
    discard(task.episode)
    notes = tuple(sorted((k, v) for k, v in run.notes.items() if v))
    yield Done(task.name, run.frames, tuple(run.problems), run.files, run.exact, run.carried, notes, run.predicted)


def _encoded(run: _Run, advance: Advance) -> Iterator[bytes]:
    """The chunks of an episode whose frames are coded anew."""
    signature = run.task.signature()
    task = replace(run.task, episode=looked_at(run.task.episode))
    episode = task.episode
    encoder: EpisodeEncoder | None = None
    log, carried = _log(task), _beside(run)
    steps = _Steps(advance)
    frames = _with_memory(episode.frames(run.report, run.notes), log)
    try:
        for row, frame in enumerate(islice(frames, 0, None, task.settings.stride)):
            state = frame.state if task.settings.with_state else None
            if encoder is None:
                encoder = _encoder(task, frame, signature, steps)
            if row < encoder.skipped:
                continue
            steps.waiting += row >= task.first
            chunks = encoder.add(frame.pixels, frame.number, state, frame.action)
            if chunks:
                yield chunks
                steps.group_is_done()
        if encoder is None:
            run.report(no_frame(episode, run.notes))
            return
        run.notes["left_out"] = sum(problem.count for problem in run.problems if problem.left_out)
        last = encoder.flush()
        if encoder.remark:
            run.report(Problem(task.name, "", encoder.remark, left_out=False))
        files = carried.files
        if log is not None and log.frames:
            assert encoder.description.colours is not None
            files = log.pack(encoder.description.colours)
            run.files, run.exact = log.frames, log.exact if decodes_exactly(task.profile) else 0
        elif files is not None:
            run.carried = encoder.frames
        if not task.has_files:
            last += b"" if carried.facts is None else chunk(FACTS, carried.facts, episode=task.number)
            last += b"" if files is None else chunk(FILES, files, episode=task.number)
            last += b"".join(chunk(STEPS, said, episode=task.number, first=at) for at, said in carried.steps)
        yield last + encoder.finish(episode.outcome, sorted(run.notes.items()), run.listed())
        steps.group_is_done()
        run.frames, run.predicted = encoder.frames, encoder.predicted
    finally:
        if encoder is not None:
            encoder.close()


def _with_memory(frames: Iterator[SourceFrame], log: FileLog | None) -> Iterator[SourceFrame]:
    """Those that are not alone; `log` is told of all."""
    for frame in frames:
        if log is not None:
            log.add_frame(frame)
        if not frame.alone:
            yield frame


@dataclass
class _Steps:
    """Progress in whole frames, also within a group that takes long.

    Attributes:
        advance: told of frames.
        waiting: frames that were read and are not coded yet.
    """

    advance: Advance
    waiting: int = 0
    share: float = 0.0
    told: int = 0

    def step(self, share: float) -> None:
        """A share of the group was coded."""
        self.share += share
        done = min(int(self.share * self.waiting), self.waiting)
        if done > self.told:
            self.advance(done - self.told)
            self.told = done

    def group_is_done(self) -> None:
        self.advance(self.waiting - self.told)
        self.waiting = self.told = 0
        self.share = 0.0


def _beside(run: _Run) -> Beside:
    """What goes along with the frames of a film, or of an episode of another .hst file.

    Raises:
        UnusableEpisode: the profile is lossless, and would lose something that may not be lost.
    """
    task, s = run.task, run.task.settings
    exactly = decodes_exactly(task.profile)
    allowed = s.allow_loss if exactly and "all" not in s.allow_loss else None
    watch = LossWatch(task.name, run.report, run.notes, allowed)
    if isinstance(task.episode, CodedEpisode):
        found = beside(task.episode, task.profile, s.stride, s.with_state, s.with_files)
        for line in found.lost:
            run.report(Problem(task.name, "", line, left_out=False))
        facts = found.film
    elif isinstance(task.episode, FilmEpisode):
        try:
            facts = FilmReader(task.episode.path).facts
        except UnreadableFilm as error:
            raise UnusableEpisode(str(error)) from None
        whole = not task.episode.resize and s.stride == 1
        found = Beside(None, pack_json(facts.to_json()) if whole else None, (), facts)
        if task.episode.resize:  # other pictures are wanted, and RGB ones
            watch = LossWatch(task.name, run.report, run.notes, None)
    else:
        about = task.episode.facts() if isinstance(task.episode, AnimationEpisode) else None
        return Beside(None, None if about is None else pack_json(about.to_json()), (), None)
    if facts is not None:
        try:
            watch.note(losses_of_film(facts))
        except DataError as error:
            raise UnusableEpisode(f"{error}; --profile {FILM_PROFILE} keeps all of it") from None
        watch.finish()
    return found


def _kept_as_it_is(run: _Run, advance: Advance) -> Iterator[bytes]:
    """The chunks of a film; those only that are not in the file already."""
    task = run.task
    known = _known(task, task.signature())
    done = task.chunks
    if isinstance(task.episode, CodedEpisode):
        chunks = copied(task.episode, task.number, lambda description: replace(description, **known))
        for packed in chunks:
            if done <= 0:
                yield packed
            done -= 1
        run.frames = task.episode.size
        advance(run.frames - task.first)
        return
    assert is_film(task.episode)
    described = b""
    with film_to_keep(task, run.report, advance) as (episode, steps):
        making = encode_film(
            episode, partial(Description, **known), task.number, task.gop, run.report, steps,
            with_state=task.settings.with_state, logs=FilmLogs(task.keep, task.number, key_of(known["signature"])),
            told=task.first,
        )  # fmt: skip
        while (made := _next(making, run)) is not None:
            pieces = split_chunks(made)
            described = described or pieces[0]
            new, done = pieces[max(done, 0) :], done - len(pieces)
            if new:
                yield b"".join(new)
    description = unpack_description(described[HEADER_BYTES:-CRC_BYTES])
    yield replace(description, frames=run.frames, problems=run.listed()).pack(task.number)


def _next(making: Generator[bytes, None, int], run: _Run) -> bytes | None:
    """What comes next; None at the end, when the number of frames is known."""
    try:
        return next(making)
    except StopIteration as stop:
        run.frames = stop.value
        return None


def _known(task: Task, signature: str) -> dict[str, Any]:
    """What a description says that pictures do not show."""
    episode = task.episode
    return {
        "name": task.name,
        "game": task.game,
        "level": episode.level,
        "outcome": episode.outcome,
        "split": str(getattr(episode, "split", "")),
        "source": task.name,
        "signature": signature,
    }


def _log(task: Task) -> FileLog | None:
    """Where the looks of source files are collected; without memory the files could not be written again."""
    layout = layout_of(get_game(task.game))
    if layout is None or not (task.settings.with_files and task.settings.with_state and task.settings.stride == 1):
        return None
    return layout.log(task.episode, task.settings.exact)


def _encoder(task: Task, frame: SourceFrame, signature: str, steps: _Steps) -> EpisodeEncoder:
    episode, options = task.episode, dict(task.settings.options)
    fps = float(get_game(task.game).fps if episode.fps is None else episode.fps) / task.settings.stride
    if "bitrate" in options:
        options["fps"] = fps
    # An episode that was begun is gone on with by the very tables it was begun with.
    profile = (
        make_profile(task.profile, task.game, **options) if task.begun is None else profile_of(task.begun, **options)
    )
    if hasattr(profile, "step") and (task.threads == 1 or frame.pixels.ndim == 3):  # not from several threads
        profile.step = steps.step
    if task.begun is not None:
        return EpisodeEncoder(profile, task.begun, task.number, task.first, task.threads)
    description = description_of(
        profile,
        frame=frame.pixels,
        palette=frame.palette,
        state=frame.state if task.settings.with_state else None,
        action=frame.action,
        fps=fps,
        gop=task.gop,
        corner=frame.corner,
        pairing=pairing_of(episode),
        **_known(task, signature),
    )
    return EpisodeEncoder(profile, description, task.number, threads=task.threads)
