"""Batches prepared ahead of the step that uses them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from .clip import AheadSource, BatchSource, ClipBatch


class Prefetcher:
    """Endless iterator over `source.batch(step, batch_size)` in order of steps, prepared ahead by threads.

    Threads suffice: unpacking releases the interpreter lock. They also do the source's work ahead, behind each batch.
    Use it as a context manager, or call `close`.

    Args:
        start_step: first step.
        workers: threads; 0 = prepare each batch when it is asked for.
    """

    def __init__(self, source: BatchSource, batch_size: int, start_step: int = 0, workers: int = 1) -> None:
        self._source, self._batch_size = source, batch_size
        self._next = start_step
        self._ahead = 2 * workers
        self._pool = ThreadPoolExecutor(workers, "prefetch") if workers else None
        self._waiting: deque[Future[ClipBatch]] = deque()

    def __iter__(self) -> Iterator[ClipBatch]:
        return self

    def __next__(self) -> ClipBatch:
        if self._pool is None:
            self._next += 1
            return self._source.batch(self._next - 1, self._batch_size)
        while len(self._waiting) <= self._ahead:
            self._waiting.append(self._pool.submit(self._source.batch, self._next, self._batch_size))
            if isinstance(self._source, AheadSource):  # an error comes back when the batch itself is made
                self._pool.submit(self._source.ahead, self._next, self._batch_size)
            self._next += 1
        return self._waiting.popleft().result()

    def __enter__(self) -> Prefetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the threads; batches already begun are finished and dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._waiting.clear()
