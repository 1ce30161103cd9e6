"""Encoding many episodes: in this process one after the other, or in processes that hand it their chunks."""

from __future__ import annotations

import multiprocessing
import os
import queue
import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...atomic import TEMP_MARK
from ...data.sources.smb.archive import ArchivedEpisode, StagedEpisode, unpack
from ...data.store.packing import start_worker, stop_workers, worker_stopped
from ...errors import DataError, HstError
from .encode_one import Done, Emit, Stopped, Task, encode_source

_WAITING = 64  # batches of chunks that may wait to be written before the processes pause


class Runner(ABC):
    """Runs tasks; those whose episodes lie in an archive when they come out of it."""

    def run(self, tasks: Sequence[Task], folder: Path) -> list[Done]:
        packed: dict[Path, list[Task]] = {}
        try:
            for task in tasks:
                if isinstance(task.episode, ArchivedEpisode):
                    packed.setdefault(task.episode.archive, []).append(task)
                else:
                    self.submit(task)
            for path, group in packed.items():
                self._unpack(path, group, folder)
            return self.finish()
        finally:
            self.close()

    def _unpack(self, path: Path, tasks: list[Task], folder: Path) -> None:
        episodes = [task.episode for task in tasks if isinstance(task.episode, ArchivedEpisode)]
        # On the output's disk: a folder for temporary files is often memory.
        temp = folder / f".archive{TEMP_MARK}{os.getpid()}-{os.urandom(4).hex()}"
        temp.mkdir()
        try:
            unpack(path, episodes, temp, lambda k, staged: self.submit(replace(tasks[k], episode=staged)))
            self.finish()
        finally:
            shutil.rmtree(temp, ignore_errors=True)

    @abstractmethod
    def submit(self, task: Task) -> None:
        """Do it now or soon. Raises what doing earlier tasks raised."""

    @abstractmethod
    def finish(self) -> list[Done]:
        """Of all tasks so far, once they are done."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything, whatever happened."""


class Alone(Runner):
    """Encodes in this process."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._results: list[Done] = []

    def submit(self, task: Task) -> None:
        self._results.append(encode_source(task, self._emit, lambda: False))
        _discard(task)

    def finish(self) -> list[Done]:
        return list(self._results)

    def close(self) -> None:
        pass


class Pool(Runner):
    """Encodes in processes that hand their chunks to this one, which alone writes."""

    def __init__(self, workers: int, emit: Emit) -> None:
        context = multiprocessing.get_context("spawn")
        self._emit, self._workers = emit, workers
        self._counter, self._stop = context.Value("q", 0), context.Value("b", 0)
        self._queue = context.Queue(_WAITING)
        self._pool = ProcessPoolExecutor(
            workers, mp_context=context, initializer=_start, initargs=(self._queue, self._counter, self._stop)
        )
        self._pending: dict[int, tuple[Task, Future[Done]]] = {}
        self._delivered: set[int] = set()
        self._results: list[Done] = []

    def submit(self, task: Task) -> None:
        try:
            self._pending[task.number] = task, self._pool.submit(_work, task)
        except BrokenProcessPool:
            raise _death() from None
        self._collect(0.0)
        while isinstance(task.episode, StagedEpisode) and len(self._pending) > 2 * self._workers:
            self._collect(0.2)  # unpacked episodes take room on the disk

    def finish(self) -> list[Done]:
        while self._pending:
            self._collect(0.2)
        return list(self._results)

    def _collect(self, seconds: float) -> None:
        """Write what has come, wait a moment for more, and look whose work has ended."""
        with_time = seconds
        while True:
            try:
                number, chunks, frames = self._queue.get(timeout=with_time) if with_time else self._queue.get_nowait()
            except queue.Empty:
                break
            with_time = 0.0
            if chunks:
                self._emit(chunks, frames)
            else:
                self._delivered.add(number)
        for number, (task, future) in list(self._pending.items()):
            if not future.done():
                continue
            try:
                done = future.result()
            except BrokenProcessPool:
                raise _death() from None
            except Stopped:  # another process met the error and will tell
                del self._pending[number]
                continue
            if number in self._delivered:  # its last chunks have come through the queue as well
                self._results.append(done)
                del self._pending[number]
                _discard(task)

    def close(self) -> None:
        if self._pending:
            self._stop.value = 1
        for _, future in self._pending.values():
            future.cancel()
        while any(not future.done() for _, future in self._pending.values()):
            try:
                self._queue.get(timeout=0.1)  # nobody must wait for room in it
            except queue.Empty:
                continue
        self._pool.shutdown(wait=True)
        self._queue.close()
        self._queue.cancel_join_thread()


_MINE: dict[str, Any] = {}  # in a worker process: the way to the main process


def _start(chunks: Any, counter: Any, stop: Any) -> None:
    start_worker(counter, stop)
    _MINE.update(queue=chunks)


def _work(task: Task) -> Done:
    """`encode_source` in a worker process."""

    def emit(chunks: bytes, frames: int) -> None:
        _MINE["queue"].put((task.number, chunks, frames))

    if worker_stopped():
        raise Stopped(task.episode.name)
    try:
        done = encode_source(task, emit, worker_stopped)
    except HstError:
        stop_workers()  # the others need not finish
        raise
    _MINE["queue"].put((task.number, b"", 0))
    return done


def _death() -> DataError:
    return DataError("a worker process died (out of memory?): run again with --resume and fewer --workers")


def _discard(task: Task) -> None:
    if isinstance(task.episode, StagedEpisode):
        task.episode.discard()
