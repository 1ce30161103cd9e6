"""Signals that ask a run to end become an exception: finished work is kept, and the rest removed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGTERM", "SIGHUP")  # SIGINT is KeyboardInterrupt already; Windows has no SIGHUP


class Stopped(KeyboardInterrupt):
    """A signal came that asks the run to end.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def stopping() -> Iterator[None]:
    """SIGTERM and SIGHUP raise `Stopped`; a signal that is ignored (as under nohup) stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    old = {number: signal.getsignal(number) for number in numbers}
    taken = [number for number in numbers if old[number] in (signal.SIG_DFL, None)]
    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def held_back() -> Iterator[None]:
    """SIGINT waits meanwhile; processes that are started meanwhile begin with it held back, see `let_through`."""
    came: list[int] = []
    main, old = threading.current_thread() is threading.main_thread(), signal.getsignal(signal.SIGINT)
    if main and callable(old):  # another thread may be given the signal, and Python then raises it in this one
        signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        if main and callable(old):
            signal.signal(signal.SIGINT, old)
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if came:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def unbroken() -> Iterator[None]:
    """For what must not be left half done and takes milliseconds: an exception by SIGINT, SIGTERM or SIGHUP comes
    afterwards. In other threads than the main one nothing is to be done: Python raises them in that one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = [getattr(signal, name) for name in ("SIGINT", *_NAMES) if hasattr(signal, name)]
    old = {number: found for number in numbers if callable(found := signal.getsignal(number))}
    for number in old:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, found in old.items():
            signal.signal(number, found)
        for number in came[:1]:
            signal.raise_signal(number)


def leave_to_the_main_process() -> None:
    """In a worker: Ctrl-C and a closed terminal reach every process of it, and the main one decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
