"""A job for each of many episodes, handed to an executor: episodes of an archive as soon as they come out of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from ...atomic import TEMP_MARK
from ...executor import Advance, Executor, Work, worker_count
from ..sources.base import SourceEpisode
from ..sources.finding import ArchivedEpisode, StagedEpisode


class EpisodeJob(Protocol):
    """A frozen dataclass that says what is to be done with an episode."""

    @property
    def episode(self) -> SourceEpisode:
        """Whose frames are read."""


Job = TypeVar("Job", bound=EpisodeJob)
Piece = TypeVar("Piece")


def run_jobs(
    work: Work[Job, Piece],
    jobs: Sequence[Job],
    take: Callable[[Piece], object],
    folder: Path,
    *,
    workers: int,
    advance: Advance | None = None,
    advice: str = "run again with fewer --workers",
) -> None:
    """Do `work` for every job, those whose episodes lie in archives last, in the order of the archive.

    Args:
        folder: where unpacked episodes wait, in a temporary folder. On the output's own disk: a folder for temporary
            files is often memory, and there a killed run's leftovers are found.
        workers: processes; 0 = one per core.
        work, take, advance, advice: as of `Executor`.
    Raises:
        DataError: an archive is damaged, or a process died.
        OSError: the disk is full or cannot be written.
        whatever `work` or `take` raises.
    """
    archives: dict[Path, list[tuple[Job, ArchivedEpisode]]] = {}
    temp = folder / f".archive{TEMP_MARK}{os.getpid()}-{os.urandom(4).hex()}"
    try:
        count = worker_count(workers, len(jobs))
        with Executor(work, take, workers=count, advance=advance, advice=advice) as executor:
            for job in jobs:
                if isinstance(job.episode, ArchivedEpisode):
                    archives.setdefault(job.episode.archive, []).append((job, job.episode))
                else:
                    executor.submit(job)
            for number, packed in enumerate(archives.values()):
                (temp / str(number)).mkdir(parents=True)

                def submit(k: int, staged: SourceEpisode, packed: list[tuple[Job, ArchivedEpisode]] = packed) -> None:
                    executor.submit(replace(packed[k][0], episode=staged))  # type: ignore[type-var]

                packed[0][1].unpack([episode for _, episode in packed], temp / str(number), submit)
            executor.finish()
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def discard(episode: SourceEpisode) -> None:
    """Remove the temporary file of an episode that came out of an archive."""
    if isinstance(episode, StagedEpisode):
        episode.discard()
