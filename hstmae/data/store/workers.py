"""Packing many episodes: in processes that run side by side, or one after the other in this one."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from ...atomic import TEMP_MARK
from ...errors import DataError
from ..sources.smb.archive import ArchivedEpisode, StagedEpisode, unpack
from .packing import Job, Packed, Stopped, pack, run_job, start_worker

_WAITING = 256 << 20  # bytes of unpacked episodes that may wait for a free process before unpacking pauses


def pack_all(jobs: Sequence[Job], workers: int, progress: bool) -> list[Packed]:
    """Pack episodes in `workers` processes, those of archives while their archive is being unpacked.

    Args:
        progress: show a progress bar on stderr.
    Raises:
        DataError: a job with `fail` met a problem, an archive is damaged, a process died, or the disk is full.
        OSError: the disk is full or cannot be written.
    """
    from tqdm import tqdm

    archives: dict[Path, list[Job]] = {}
    for job in jobs:
        if isinstance(job.episode, ArchivedEpisode):
            archives.setdefault(job.episode.archive, []).append(job)
    total = sum(job.episode.size for job in jobs)
    with tqdm(total=total, unit="frame", unit_scale=True, desc="preprocess", disable=not progress) as bar:
        count = min(workers, len(jobs))
        with _Alone(bar) if count <= 1 else _Pool(count, bar) as packer:
            for job in jobs:
                if not isinstance(job.episode, ArchivedEpisode):
                    packer.submit(job)
            for archive, group in archives.items():
                _pack_archive(archive, group, packer)
            return packer.results()


def _pack_archive(archive: Path, jobs: Sequence[Job], packer: _Packer) -> None:
    episodes = [job.episode for job in jobs if isinstance(job.episode, ArchivedEpisode)]
    # On the store's own disk: a folder for temporary files is often memory, and a killed run's leftovers are found.
    folder = jobs[0].store / f".archive{TEMP_MARK}{os.getpid()}-{os.urandom(4).hex()}"
    folder.mkdir()
    try:
        unpack(archive, episodes, folder, lambda k, staged: packer.submit(replace(jobs[k], episode=staged)))
        packer.results()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Packer(Protocol):
    def submit(self, job: Job) -> None:
        """Pack it now or soon; returns when there is room for another. Raises what packing earlier jobs raised."""

    def results(self) -> list[Packed]:
        """Of all jobs submitted so far, once they are done."""


class _Alone:
    """Packs in this process."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._results: list[Packed] = []

    def __enter__(self) -> _Alone:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, job: Job) -> None:
        def advance(count: int) -> None:
            self._bar.update(count)

        self._results.append(pack(job, advance, lambda: False))
        _discard(job)

    def results(self) -> list[Packed]:
        return list(self._results)


class _Pool:
    """Packs in a pool of processes, which is told to stop when an error leaves the `with` block."""

    def __init__(self, workers: int, bar: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._counter, self._stop = context.Value("q", 0), context.Value("b", 0)
        self._pool = ProcessPoolExecutor(
            workers, mp_context=context, initializer=start_worker, initargs=(self._counter, self._stop)
        )
        self._bar = bar
        self._pending: dict[Future[Packed], Job] = {}
        self._results: list[Packed] = []

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._stop.value = 1
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)

    def submit(self, job: Job) -> None:
        with _death_told():
            self._pending[self._pool.submit(run_job, job)] = job
        while sum(_staged_bytes(job) for job in self._pending.values()) > _WAITING:
            self._collect()

    def results(self) -> list[Packed]:
        while self._pending:
            self._collect()
        return list(self._results)

    def _collect(self) -> None:
        done, _ = wait(self._pending, timeout=0.2, return_when=FIRST_COMPLETED)
        self._bar.update(self._counter.value - self._bar.n)
        for future in done:
            _discard(self._pending.pop(future))
            with _death_told(), suppress(Stopped):  # another worker met the error and will tell
                self._results.append(future.result())


@contextmanager
def _death_told() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool:
        raise DataError("a worker process died (out of memory?): run again with fewer --workers") from None


def _staged_bytes(job: Job) -> int:
    return job.episode.staged_bytes if isinstance(job.episode, StagedEpisode) else 0


def _discard(job: Job) -> None:
    if isinstance(job.episode, StagedEpisode):
        job.episode.discard()
