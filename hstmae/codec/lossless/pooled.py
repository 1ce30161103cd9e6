"""Large tables at hand: one group's are filled anew in the background while the next one is coded with others."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

import numpy as np

_LOCK = threading.Lock()
_MOST = 4  # of a kind that wait


class Pool:
    """Copies of one table. Thread-safe."""

    def __init__(self, table: np.ndarray) -> None:
        self._table = table
        self._ready: list[Future[np.ndarray]] = []

    def take(self) -> np.ndarray:
        """A copy that nobody else has, and that may be changed; one more is made ready."""
        with _LOCK:
            found = self._ready.pop(0) if self._ready else None
            if not self._ready:
                self._ready.append(_filling().submit(self._table.copy))
        return self._table.copy() if found is None else found.result()

    def give_back(self, used: np.ndarray) -> None:
        """One that was taken and is not needed any more."""
        with _LOCK, contextlib.suppress(RuntimeError):  # when the program ends there is no background any more
            if len(self._ready) < _MOST:
                self._ready.append(_filling().submit(self._filled, used))

    def _filled(self, used: np.ndarray) -> np.ndarray:
        np.copyto(used, self._table)
        return used


@lru_cache(maxsize=1)
def _filling() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="hstmae-tables")
