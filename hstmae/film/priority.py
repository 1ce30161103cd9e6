"""Encoders that make a process real-time take that back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_THREADS = Path("/proc/self/task")


@contextlib.contextmanager
def ordinary() -> Iterator[None]:
    """Around the opening of an encoder, and the first frame. SVT-AV1 would tell much of both; and as root, it gives its
    own threads and the one that called it the highest real-time priority, which programs that are started later
    inherit, and which keeps everything else on the machine from running. Threads that became real-time inside are
    ordinary again outside."""
    os.environ.setdefault("SVT_LOG", "1")  # errors alone
    if not hasattr(os, "sched_setscheduler") or not _THREADS.is_dir():  # other systems know no such priority
        yield
        return
    before = _real_time()
    try:
        yield
    finally:
        for thread in _real_time() - before:
            with contextlib.suppress(OSError):  # it has ended, or may not be changed
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def _real_time() -> set[int]:
    """Threads of this process that are scheduled before all ordinary ones."""
    found = set()
    for path in _THREADS.iterdir():
        with contextlib.suppress(OSError, ValueError):
            if os.sched_getscheduler(int(path.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                found.add(int(path.name))
    return found
