"""Many jobs in processes side by side, or in this one. What they give comes back in the order they were handed in.

The executor knows no job. A job is a *work* function, `work(item, advance)`: a generator whose pieces go to `take` in
this process, all pieces of the first item, then all of the second, whichever was finished first. `advance(count)` tells
of progress at once, out of order.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import connection
from typing import Any, Generic, TypeVar, cast

from ..errors import DataError
from ..signals import held_back, leave_to_the_main_process

Item = TypeVar("Item")
Piece = TypeVar("Piece")
Advance = Callable[[int], object]
Work = Callable[[Item, Advance], Iterator[Piece]]

MAX_WAITING = 256 << 20  # bytes of pieces that may wait for their turn before only the item whose turn it is goes on
_Pipe = Any  # multiprocessing.connection.Connection, or what stands for it on Windows
_GRACE = 5.0  # seconds a process that is stopped has to clean up
_PIECE, _ADVANCE, _DONE, _FAILED = b"p", b"a", b"d", b"f"


class Executor(Generic[Item, Piece]):
    """Context manager. An error that leaves the `with` block, Ctrl-C included, stops what is running at once.

    Each process has a pipe of its own. What is not read stays there and holds its process up, which bounds memory; the
    item whose turn it is has always been handed to a process, and is always read, so that nothing can lock up.

    Attributes:
        processors: how many are used.
    Args:
        work: as described above. With more than one process it, its items, pieces and errors must be picklable.
        take: called in this process with each piece, in order; as soon as it comes, those of one item in order, where
            `ordered` is False.
        workers: processes; 0 or 1: everything happens in this one.
        advance: what `work` reports progress to.
        advice: what the user can do when a process dies.
        ahead: items that may wait for a free process before `submit` does; None = as many as there are processes.
    """

    def __init__(
        self, work: Work[Item, Piece], take: Callable[[Piece], object], *, workers: int, advance: Advance | None = None,
        advice: str = "run again with fewer --workers", ordered: bool = True, ahead: int | None = None,
    ) -> None:  # fmt: skip
        self._work, self._take, self._workers, self._advice = work, take, workers, advice
        self.processors = max(workers, 1)
        self._ordered, self._ahead = ordered, workers if ahead is None else ahead
        self._advance = advance or (lambda count: None)
        self._processes: dict[_Pipe, Any] = {}
        self._idle: list[_Pipe] = []
        self._running: dict[_Pipe, int] = {}
        self._queue: deque[tuple[int, Item]] = deque()
        self._submitted = self._turn = self._waiting_bytes = 0
        self._waiting: dict[int, list[bytes]] = {}  # pieces that came before their turn
        self._done: set[int] = set()

    def __enter__(self) -> Executor[Item, Piece]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for pipe, process in self._processes.items():
            if kind is not None:  # without waiting for work that is going on
                process.terminate()
            else:
                pipe.close()
        for pipe, process in self._processes.items():
            process.join(_GRACE)
            if process.is_alive():
                process.kill()
                process.join()
            pipe.close()

    def submit(self, item: Item) -> None:
        """Hand in one item; returns as soon as few enough of them wait for a free process.

        Raises:
            DataError: a process died.
            whatever the work on earlier items, or `take`, raised.
        """
        if self._workers <= 1:
            for piece in self._work(item, self._advance):
                self._take(piece)
            return
        self._queue.append((self._submitted, item))
        self._submitted += 1
        self._pump(0)
        while len(self._queue) > self._ahead:
            self._pump(None)

    def finish(self) -> None:
        """Wait until all pieces of all items so far were taken. Raises what `submit` raises."""
        while self._turn < self._submitted:
            self._pump(None)

    def _pump(self, seconds: float | None) -> None:
        """Hand items to free processes and deal with what has come; None = wait until something has."""
        while self._queue and (self._idle or len(self._processes) < self._workers):
            number, item = self._queue.popleft()
            pipe = self._idle.pop() if self._idle else self._start()
            self._running[pipe] = number
            try:
                pipe.send(item)
            except OSError:
                raise self._death() from None
        full = self._waiting_bytes >= MAX_WAITING
        readable = [pipe for pipe, number in self._running.items() if not full or number == self._turn]
        for pipe in cast("list[_Pipe]", connection.wait(readable, seconds)):
            try:
                message = pipe.recv_bytes()
            except (EOFError, OSError):
                raise self._death() from None
            self._deal(pipe, self._running[pipe], message[:1], message[1:])

    def _deal(self, pipe: _Pipe, number: int, kind: bytes, data: bytes) -> None:
        if kind == _ADVANCE:
            self._advance(pickle.loads(data))
        elif kind == _FAILED:
            raise pickle.loads(data)
        elif kind == _PIECE and (number == self._turn or not self._ordered):
            self._take(pickle.loads(data))
        elif kind == _PIECE:
            self._waiting.setdefault(number, []).append(data)
            self._waiting_bytes += len(data)
        else:
            del self._running[pipe]
            self._idle.append(pipe)
            self._done.add(number)
            while self._turn in self._done:
                self._done.remove(self._turn)
                self._turn += 1
                for waiting in self._waiting.pop(self._turn, []):
                    self._waiting_bytes -= len(waiting)
                    self._take(pickle.loads(waiting))

    def _start(self) -> _Pipe:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(self._work, theirs), daemon=True)
        with held_back():  # a process that is just starting would end with a traceback
            process.start()
        theirs.close()  # so that reading ends when the process does
        self._processes[ours] = process
        return ours

    def _death(self) -> DataError:
        return DataError(f"a worker process died (out of memory?): {self._advice}")


def run_all(
    work: Work[Item, Piece], items: Iterable[Item], *, workers: int, advance: Advance | None = None
) -> list[Piece]:
    """The pieces of all items, in the order of the items. Arguments and errors as of `Executor` and `submit`."""
    pieces: list[Piece] = []
    with Executor(work, pieces.append, workers=workers, advance=advance) as executor:
        for item in items:
            executor.submit(item)
        executor.finish()
    return pieces


def batches(items: Iterable[Item], weight: Callable[[Item], float], most: float) -> Iterator[list[Item]]:
    """Neighbours together, as long as they weigh no more than `most`: so that a task is worth its way."""
    some: list[Item] = []
    held = 0.0
    for item in items:
        heavy = weight(item)
        if some and held + heavy > most:
            yield some
            some, held = [], 0.0
        some.append(item)
        held += heavy
    if some:
        yield some


def worker_count(wanted: int, jobs: int) -> int:
    """Processes for so many jobs; `wanted` 0 = one per core."""
    return min(wanted or os.cpu_count() or 1, jobs)


def threads_of(wanted: int, jobs: int) -> int:
    """Threads that each of `worker_count(wanted, jobs)` processes may use, so that none of `wanted` is idle."""
    processes = max(worker_count(wanted, jobs), 1)
    return -(-(wanted or os.cpu_count() or 1) // processes)


def _serve(work: Work[Any, Any], pipe: _Pipe) -> None:
    """A worker process: items in, pieces out, until the pipe is closed."""
    leave_to_the_main_process()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an exception, so that temporary files are removed
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent.sentinel,), daemon=True).start()

    def send(kind: bytes, value: object) -> None:
        pipe.send_bytes(kind + pickle.dumps(value, pickle.HIGHEST_PROTOCOL))

    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            for piece in work(item, lambda count: send(_ADVANCE, count)):
                send(_PIECE, piece)
            send(_DONE, None)
        except Exception as error:
            send(_FAILED, portable(error))


def _die_with(sentinel: int) -> None:
    """A process dies with the main one, so that a killed run leaves nobody writing."""
    connection.wait([sentinel])
    os._exit(1)


def portable(error: Exception) -> Exception:
    """The error itself where it survives the way to another process, else one that tells the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # of a foreign library: anything may happen
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
