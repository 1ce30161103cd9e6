"""A job for each of many episodes, handed to an executor: episodes of an archive as soon as they come out of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from ...atomic import TEMP_MARK
from ...errors import DataError
from ...executor import Advance, Work
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
    temp = folder / f".archive{TEMP_MARK}{os.getpid()}-{os.urandom(4).hex()}"
    try:
        with executor_at(
            executor, work, take, workers=workers, jobs=len(jobs), advance=advance, advice=advice, ordered=ordered
        ) as running:
            queue = _Queue(running.submit, known)
            for job in jobs:
                if isinstance(job.episode, ArchivedEpisode):
                    archives.setdefault(job.episode.archive, []).append((job, job.episode))
                else:
                    queue.add(job, job.episode)
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


class _Queue(Generic[Job]):
    """Hands jobs in as soon as the lag of their episodes is known."""

    def __init__(self, submit: Callable[[Job], object], known: Mapping[str, Pairing | None] | None) -> None:
        self._submit, self._lags = submit, dict(known or {})
        self._waiting: list[tuple[Job | None, SourceEpisode]] = []

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
        self._submit(replace(job, episode=episode))  # type: ignore[type-var]


def discard(episode: SourceEpisode) -> None:
    """An episode is finished: remove the temporary files that its source has, if any."""
    getattr(episode, "discard", lambda: None)()
