"""Real-time restoration in a process of its own: a bounded queue with deadlines, so that whoever sends never waits."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import HstError

STUCK = 5.0  # seconds of one frame after which the process is started anew
AGAIN = 1.0  # seconds between two starts, at least
POLL = 0.05  # seconds
READY = "ready"


class LiveResult(NamedTuple):
    """What became of a frame.

    Attributes:
        number: of the frame, counted from 0.
        picture: restored, or as it came.
        confidence: float32 [H, W]; None where it is as it came.
        restored: False where it came too late, or could not be restored.
        seconds: since it was put in.
        problem: why it could not be restored; "" for a frame that was restored, or late.
    """

    number: int
    picture: np.ndarray
    confidence: np.ndarray | None
    restored: bool
    seconds: float
    problem: str


@dataclass
class LiveCounts:
    """Frames that came, were restored, came too late, and could not be restored."""

    came: int = 0
    restored: int = 0
    late: int = 0
    failed: int = 0


class _Waiting(NamedTuple):
    number: int
    picture: np.ndarray
    missing: np.ndarray
    memory: np.ndarray | None
    since: float


class LiveWorker:
    """Restores a stream of frames as `LiveRestorer` does.

    Every frame comes back once and in order. While others wait behind it the network is not asked for it. One whose
    turn has not come `deadline` seconds after it was put in, or with `waiting` newer ones behind it, comes back as it
    came, and is counted as late: so the queue is bounded, and what is shown lags by no more than that and the time of
    one frame.

    Args:
        take: is given each result, in a thread of this object's own.
        model: a bundled name or a path; None = motion recall.
        state_level, mode, origin: as of `LiveRestorer`.
        deadline: seconds.
        waiting: frames.
        threads: that the process computes with.
    """

    def __init__(
        self,
        take: Callable[[LiveResult], object],
        model: str | Path | None = None,
        *,
        state_level: str = "full",
        mode: str = "psnr",
        origin: tuple[int, int] = (0, 0),
        deadline: float = 0.25,
        waiting: int = 16,
        threads: int = 1,
    ) -> None:
        self._take, self._deadline, self._most = take, deadline, waiting
        self._settings = (model, {"state_level": state_level, "mode": mode, "origin": origin}, threads)
        self.counts = LiveCounts()
        self._queue: deque[_Waiting] = deque()
        self._change = threading.Condition()
        self._closed = False
        self._ready = threading.Event()
        self._process: Any = None
        self._pipe: Connection | None = None
        self._started = -AGAIN
        self._problem = self._refused = ""
        self._start()
        self._thread = threading.Thread(target=self._work, name="live restoring", daemon=True)
        self._thread.start()

    def put(self, picture: np.ndarray, missing: np.ndarray, memory: np.ndarray | None = None) -> int:
        """Take the next frame, see `LiveRestorer.frame`; never waits. The arrays must not be changed afterwards.

        Returns:
            Its number.
        """
        with self._change:
            number = self.counts.came
            self.counts.came += 1
            self._queue.append(_Waiting(number, picture, missing, memory, time.monotonic()))
            self._change.notify()
        return number

    @property
    def refused(self) -> str:
        """Why the process does not work at all; "" where it does, or has not said so yet."""
        return self._refused

    def wait_until_ready(self, seconds: float) -> bool:
        """Wait for the model to be loaded, for so long; whether it is."""
        return self._ready.wait(seconds)

    def close(self) -> None:
        """End the process; frames that still wait are not given any more."""
        with self._change:
            self._closed = True
            self._change.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _work(self) -> None:
        try:
            while not self._closed:
                frame = self._next()
                if frame is not None:
                    self._give(frame)
        finally:
            self._stop()

    def _next(self) -> _Waiting | None:
        """The oldest frame; None where there is none (yet)."""
        with self._change:
            if not self._queue and not self._closed:
                self._change.wait(None if self._ready.is_set() else POLL)
            frame = self._queue.popleft() if self._queue and not self._closed else None
        if frame is None:
            self._alive()
        return frame

    def _give(self, frame: _Waiting) -> None:
        with self._change:
            behind = len(self._queue)
        result = None
        if self._alive() and behind < self._most and time.monotonic() - frame.since <= self._deadline:
            result = self._restored(frame, hurry=behind > 0)
        problem, self._problem = self._refused or self._problem, ""
        seconds = time.monotonic() - frame.since
        if result is not None:
            self.counts.restored += 1
            given = LiveResult(frame.number, result[0], result[1], True, seconds, "")
        else:
            self.counts.failed += bool(problem)
            self.counts.late += not problem
            given = LiveResult(frame.number, frame.picture, None, False, seconds, problem)
        if not self._closed:
            self._take(given)

    def _alive(self) -> bool:
        """Whether the process can be asked; one that has ended is started anew, unless it refused to work."""
        if self._refused:
            return False
        if self._process is None:
            if time.monotonic() - self._started >= AGAIN:
                self._start()
            return False
        if not self._ready.is_set() and self._pipe is not None:
            with self._mourning():
                answer = self._pipe.recv() if self._pipe.poll() else None
                if answer == READY:
                    self._ready.set()
                elif answer is not None:
                    self._refused = str(answer)
        return self._ready.is_set()

    def _restored(self, frame: _Waiting, hurry: bool) -> tuple[np.ndarray, np.ndarray] | None:
        """What the process makes of a frame, picture and confidence; None where `_problem` says why not."""
        assert self._pipe is not None
        with self._mourning():
            self._pipe.send((frame.picture, frame.missing, frame.memory, hurry))
            until = time.monotonic() + STUCK
            while not self._pipe.poll(POLL):
                if self._closed:
                    return None
                if time.monotonic() > until:
                    raise TimeoutError
            answer = self._pipe.recv()
            if isinstance(answer, str):
                self._problem = answer
            else:
                return (answer[0], answer[1])
        return None

    @contextmanager
    def _mourning(self) -> Iterator[None]:
        """Takes note of the end of the process."""
        try:
            yield
        except TimeoutError:
            self._problem = f"restoring a frame took more than {STUCK:g} seconds"
            self._stop()
        except (EOFError, OSError):
            self._problem = "the process that restores has ended; it is started anew"
            self._stop()

    def _start(self) -> None:
        self._started = time.monotonic()
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_run, args=(other, *self._settings), daemon=True)
        self._process.start()
        other.close()

    def _stop(self) -> None:
        process, self._process, pipe = self._process, None, self._pipe
        self._ready.clear()
        if process is not None:
            process.kill()
            process.join()
        if pipe is not None:
            pipe.close()


def _run(pipe: Connection, model: str | Path | None, options: dict[str, Any], threads: int) -> None:
    """The process: answers each frame with what was made of it, or with the words of an error."""
    import os

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that it belongs to
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    from .restorer import LiveRestorer

    torch.set_num_threads(threads)
    with suppress(EOFError, OSError):  # whoever asked is gone
        try:
            restorer = LiveRestorer(model, **options)
        except HstError as error:
            pipe.send(str(error))
            return
        pipe.send(READY)
        while True:
            picture, missing, memory, hurry = pipe.recv()
            try:
                pipe.send(tuple(restorer.frame(picture, missing, memory, hurry=hurry)))
            except HstError as error:
                restorer.restart()
                pipe.send(str(error))
