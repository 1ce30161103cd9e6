"""Is every file of a store what was written: here, in processes, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...executor import Advance, batches
from ...executor.on_ray import LOCAL, executor_at
from .reader import EpisodeStore

ENOUGH = 256 << 20  # bytes: of fewer, starting processes takes longer than it saves


@dataclass
class _Checking:
    store: EpisodeStore

    def __call__(self, episodes: Sequence[int], advance: Advance) -> Iterator[list[str]]:
        yield self.store.verify(advance, episodes, beside=False)


def verify_store(
    store: EpisodeStore, progress: Callable[[int], object], part: Sequence[int] | None = None, beside: bool = True,
    *, executor: str = LOCAL, workers: int = 1,
) -> list[str]:  # fmt: skip
    """What `EpisodeStore.verify` gives, to the same lines.

    Args:
        executor, workers: where episodes are checked, see `executor_at`; workers 0 = one per core, where there is
            ENOUGH to do.
    Raises:
        DataError: a process died, or there is no such cluster.
    """
    sizes = [info.data_bytes for info in store.infos()]
    episodes = range(len(sizes)) if part is None else part
    if executor == LOCAL and (workers == 1 or (not workers and sum(sizes[k] for k in episodes) < ENOUGH)):
        return store.verify(progress, part, beside)
    found: list[str] = []
    tasks = [*batches(episodes, sizes.__getitem__, ENOUGH / 8)]
    with executor_at(
        executor, _Checking(store), found.extend, workers=workers, jobs=len(tasks), advance=progress
    ) as running:
        for task in tasks:
            running.submit(task)
        running.finish()
    return found + (store.verify(None, (), True) if beside else [])
