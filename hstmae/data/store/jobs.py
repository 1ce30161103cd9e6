"""A job for each of many episodes, handed to an executor: episodes of an archive as soon as they come out of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ...atomic import TEMP_MARK
from ...errors import DataError
from ...executor import Advance, Work, batches
from ...executor.on_ray import LOCAL, executor_at
from ..pairing import Pairing
from ..sources.base import SourceEpisode
from ..sources.finding import ArchivedEpisode, StagedEpisode
from ..sources.settling import as_the_others, looked_at, pairing_of, undecided


class EpisodeJob(Protocol):
    """A frozen dataclass that says what is to be done with an episode."""

    @property
    def episode(self) -> SourceEpisode:
        """Whose frames are read."""


Job = TypeVar("Job", bound=EpisodeJob)
Piece = TypeVar("Piece")
TASK, SHARES = 1024, 8  # frames of a task of a cluster, at most, and tasks for each of its processors, at least
HELD = 4  # unpacked episodes that wait for others to tell their lag: they take room on the disk


def run_jobs(
    work: Work[Job, Piece],
    jobs: Sequence[Job],
    take: Callable[[Piece], object],
    folder: Path,
    *,
    workers: int,
    executor: str = LOCAL,
    advance: Advance | None = None,
    advice: str = "run again with fewer --workers",
    ordered: bool = True,
    others: Iterable[SourceEpisode] = (),
    aside: Iterable[SourceEpisode] = (),
    known: Mapping[str, Pairing | None] | None = None,
) -> None:
    """Do `work` for every job, those whose episodes lie in archives last, in the order of the archive, and those that
    do not tell their lag when the others have (of archives, when HELD more of them have come).

    Args:
        others: all episodes of the source, which tell it then; `known`: pairings by name of what was done before.
        aside: episodes that other machines do (see `hstmae.parts`): those in archives are unpacked and looked at all
            the same, so that the lag of the others comes out as if one machine did all.
        folder: where unpacked episodes wait, in a temporary folder. On the output's own disk: a folder for temporary
            files is often memory, and there a killed run's leftovers are found.
        workers: processes; 0 = one per core.
        executor: where they are: "local", "ray", or the address of a cluster, see `executor.on_ray`.
        work, take, advance, advice, ordered: as of `Executor`.
    Raises:
        DataError: an archive is damaged, or a process died.
        OSError: the disk is full or cannot be written.
        whatever `work` or `take` raises.
    """
    archives: dict[Path, list[tuple[Job | None, ArchivedEpisode]]] = {}
    loose: list[Job] = []
    temp = folder / f".archive{TEMP_MARK}{os.getpid()}-{os.urandom(4).hex()}"
    try:
        queue: _Queue[Job] = _Queue(known)
        with executor_at(
            executor, _Looking(work), queue.taking(take), workers=workers, jobs=len(jobs), advance=advance,
            advice=advice, ordered=ordered,
        ) as running:  # fmt: skip
            queue.submit = running.submit
            for job in jobs:
                if isinstance(job.episode, ArchivedEpisode):
                    archives.setdefault(job.episode.archive, []).append((job, job.episode))
                else:
                    loose.append(job)
            if archives:  # whose episodes want to know the lag of the others before they are let go
                for job in loose:
                    queue.add(job, job.episode)
            else:
                share = sum(job.episode.size for job in loose) / running.processors / SHARES
                most = 0.0 if executor == LOCAL else min(share, TASK)
                for some in batches(loose, lambda job: job.episode.size, most):
                    queue.add_unseen(some)
                running.finish()
            for episode in aside:
                if isinstance(episode, ArchivedEpisode) and episode.archive in archives:
                    archives[episode.archive].append((None, episode))
            for number, packed in enumerate(archives.values()):
                (temp / str(number)).mkdir(parents=True)

                def submit(
                    k: int, staged: SourceEpisode, packed: list[tuple[Job | None, ArchivedEpisode]] = packed
                ) -> None:
                    queue.add(packed[k][0], staged)

                try:
                    packed[0][1].unpack([episode for _, episode in packed], temp / str(number), submit)
                except DataError:  # what came out of it before is intact
                    queue.release(others)
                    raise
            queue.release(others)
            running.finish()
    finally:
        shutil.rmtree(temp, ignore_errors=True)


@dataclass(frozen=True)
class _Told:
    """The lag that an episode told, and whether its job `waits` since it told none."""

    number: int
    name: str
    pairing: Pairing | None
    waits: bool


@dataclass(frozen=True)
class _Looking(Generic[Job, Piece]):
    """The work on some jobs, by their numbers. Those that have none know their lag; the others look for it first, here,
    since that takes much longer than handing them in."""

    work: Work[Job, Piece]

    def __call__(self, jobs: Sequence[tuple[int | None, Job]], advance: Advance) -> Iterator[Piece | _Told]:
        for number, job in jobs:
            if number is not None:
                episode = looked_at(job.episode)
                waits = undecided(episode)
                yield _Told(number, episode.name, pairing_of(episode), waits)
                if waits:
                    continue
                job = replace(job, episode=episode)  # type: ignore[type-var]
            yield from self.work(job, advance)


class _Queue(Generic[Job]):
    """Hands jobs in as soon as the lag of their episodes is known, or will be where they are done."""

    def __init__(self, known: Mapping[str, Pairing | None] | None) -> None:
        self.submit: Callable[[list[tuple[int | None, Job]]], object] = lambda jobs: None
        self._lags = dict(known or {})
        self._waiting: list[tuple[Job | None, SourceEpisode]] = []
        self._unseen: list[Job] = []  # by their numbers
        self._silent: list[int] = []

    def taking(self, take: Callable[[Piece], object]) -> Callable[[Piece | _Told], object]:
        """`take`, for the pieces of `_Looking`."""

        def told(piece: Piece | _Told) -> None:
            if not isinstance(piece, _Told):
                take(piece)
                return
            self._lags[piece.name] = piece.pairing
            if piece.waits:
                self._silent.append(piece.number)

        return told

    def add_unseen(self, jobs: Sequence[Job]) -> None:
        """Jobs that are one task; those whose episodes tell no lag wait for `release`."""
        first = len(self._unseen)
        self._unseen += jobs
        self.submit([*enumerate(jobs, first)])

    def add(self, job: Job | None, episode: SourceEpisode) -> None:
        """A job, for an episode that is there now; None = the job is another machine's."""
        episode = looked_at(episode)
        self._lags[episode.name] = pairing_of(episode)
        self._waiting.append((job, episode))
        if not undecided(episode):
            self._end_wait(len(self._waiting) - 1)
            return
        staged = [k for k, (_, held) in enumerate(self._waiting) if isinstance(held, StagedEpisode)]
        if len(staged) > HELD:
            self._end_wait(staged[0])

    def release(self, others: Iterable[SourceEpisode]) -> None:
        """Hand in what waits, with the lag of all that are known, and of `others`."""
        for number in sorted(self._silent):
            job = self._unseen[number]
            self._waiting.append((job, looked_at(job.episode)))
        if self._waiting:
            missing = [episode for episode in others if self._lags.get(episode.name) is None]
            self._lags.update((episode.name, pairing_of(looked_at(episode))) for episode in missing)
        while self._waiting:
            self._end_wait(0)

    def _end_wait(self, k: int) -> None:
        """Hand in one of those that wait."""
        job, episode = self._waiting.pop(k)
        if job is None:
            discard(episode)
            return
        if undecided(episode):
            episode = as_the_others(episode, self._lags)
        self.submit([(None, replace(job, episode=episode))])  # type: ignore[type-var]


def discard(episode: SourceEpisode) -> None:
    """An episode is finished: remove the temporary files that its source has, if any."""
    getattr(episode, "discard", lambda: None)()
