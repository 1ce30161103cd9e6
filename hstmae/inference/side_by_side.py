"""What restores in several processes, or on several machines: the stretches of long footage are restored side by side,
to the same pixels.

This process reads and writes; the others load the model and restore what they are handed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..errors import DataError
from ..executor import Advance, worker_count
from ..executor.on_ray import LOCAL, executor_at

if TYPE_CHECKING:
    from ..restoration.result import Restoration
    from .job import Restores

ENOUGH = 1024  # frames: of fewer, loading the model several times takes longer than it saves
AT_ONCE = 32  # frames that come back together

Loaded = TypeVar("Loaded", bound="Restores")
Finished = Callable[["Restoration", np.ndarray], object]


@dataclass(frozen=True)
class _Ask:
    """One call of `Predictor.restore`, by its number."""

    number: int
    args: tuple[Any, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class _Part:
    """Frames int64 [n] of the stretch that was asked for, what was made of them, and whether these are the last."""

    number: int
    frames: np.ndarray
    made: Restoration
    last: bool


@dataclass
class _Work:
    """What a process does: the model is loaded when the first stretch comes.

    Attributes:
        fingerprint: of the model, where another machine may have another one; "" where not.
    """

    load: Callable[[], Restores]
    fingerprint: str
    restorer: Restores | None = None

    def __call__(self, ask: _Ask, advance: Advance) -> Iterator[_Part]:
        if self.restorer is None:
            import torch

            torch.set_num_threads(1)  # every core has a process
            self.restorer = same_as(self.fingerprint, self.load())
        done: list[np.ndarray] = []
        made = self.restorer.restore(*ask.args, **ask.options, finished=lambda _, frames: done.append(frames))
        assert made is not None  # the restorer is not `SideBySide` itself
        frames = np.concatenate(done)
        for start in range(0, len(frames), AT_ONCE):
            some = frames[start : start + AT_ONCE]
            yield _Part(ask.number, some, made.of(some), start + AT_ONCE >= len(frames))


def same_as(fingerprint: str, loaded: Loaded) -> Loaded:
    """What another process, perhaps on another machine, has loaded. Raises DataError where it is something else."""
    if fingerprint and loaded.fingerprint() != fingerprint:
        raise DataError("a machine of the cluster has another model, or atlas, of this name: all have to see the same")
    return loaded


def side_by_side(
    restorer: Restores, load: Callable[[], Restores], total: int, wanted: int = 0, executor: str = LOCAL
) -> AbstractContextManager[Restores]:
    """The restorer itself, or where it pays processes that restore as it does.

    Args:
        load: makes the same restorer again, in another process; picklable.
        total: frames to restore.
        wanted: processes; 0 = one per core, from ENOUGH frames on. Others than models on the CPU always have one.
        executor: where processes are, see `executor_at`; elsewhere than here anything is restored.
    """
    if executor != LOCAL:
        return SideBySide(restorer, load, wanted, executor)
    if str(getattr(restorer, "device", "")) == "cpu" and (wanted or total >= ENOUGH):
        length, _ = restorer.stretch((1, 1))
        workers = worker_count(wanted, -(-total // length))
        if workers > 1:
            return SideBySide(restorer, load, workers)
    return nullcontext(restorer)


class SideBySide:
    """Stands for a restorer where there is much to restore: calls return at once, and `finished` is called later.

    A context manager: leaving it ends the processes, at once where an error leaves it.

    Attributes:
        game, rates: as of the restorer.
    """

    def __init__(self, restorer: Restores, load: Callable[[], Restores], workers: int, executor: str = LOCAL) -> None:
        """load: makes the same restorer again, in another process; picklable."""
        self._restorer = restorer
        self.game, self.rates = restorer.game, restorer.rates
        self._asked = 0
        self._waiting: dict[int, tuple[Finished | None, Callable[[int], object] | None]] = {}
        work = _Work(load, "" if executor == LOCAL else restorer.fingerprint())
        self._executor = executor_at(executor, work, self._take, workers=workers, jobs=workers, ordered=False, ahead=0)

    def __enter__(self) -> SideBySide:
        self._executor.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._executor.__exit__(*error)

    def fingerprint(self) -> str:
        return self._restorer.fingerprint()

    def stretch(self, size: tuple[int, int]) -> tuple[int, int]:
        return self._restorer.stretch(size)

    def restore(
        self,
        *args: Any,
        progress: Callable[[int], object] | None = None,
        finished: Finished | None = None,
        **options: Any,
    ) -> None:
        """Ask for what `Predictor.restore` does. Returns when a process has begun with it.

        Raises:
            DataError: a process died; or whatever restoring raised, of this call or of earlier ones.
        """
        self._asked += 1
        self._waiting[self._asked] = finished, progress
        self._executor.submit(_Ask(self._asked, args, options))

    def finish(self) -> None:
        """Wait until all that was asked for has been handed over."""
        self._executor.finish()

    def _take(self, part: _Part) -> None:
        finished, progress = self._waiting.pop(part.number) if part.last else self._waiting[part.number]
        if progress is not None:
            progress(len(part.frames))
        if finished is not None:
            finished(part.made, part.frames)
