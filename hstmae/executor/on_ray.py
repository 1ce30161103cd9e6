"""The same jobs on the machines of a Ray cluster: plain tasks, each an item, tried again where a machine is lost.

What a task gives comes back, packed, when the item is finished. All machines have to see the files that items name.
Each task counts as one processor and computes in one thread.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic

from .. import __version__
from ..errors import DataError, HstError, UsageError
from . import MAX_WAITING, Advance, Executor, Item, Piece, Work, portable, worker_count

LOCAL, RAY = "local", "ray"
TRIES = 5  # of an item whose machine or process was lost
AHEAD = 2  # items in the cluster for each of its processors, so that none of them waits
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def check_executor(name: str) -> None:
    """Raises UsageError for what is neither "local", "ray" nor the address of a cluster, and where Ray is not here."""
    if name == LOCAL:
        return
    if name != RAY and not name.startswith("ray://"):
        raise UsageError(f"--executor {name}: expected local, ray, or the address of a cluster, ray://HOST:PORT")
    _ray()


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise UsageError(
            "--executor ray needs Ray: pip install 'hstmae[ray]', the same version on all machines"
        ) from None
    return ray


def executor_at(
    name: str, work: Work[Item, Piece], take: Callable[[Piece], object], *, workers: int, jobs: int,
    advance: Advance | None = None, advice: str = "run again with fewer --workers", ordered: bool = True,
    ahead: int | None = None,
) -> Executor[Item, Piece] | RayExecutor[Item, Piece]:  # fmt: skip
    """The executor that `--executor` names, for so many jobs. Other arguments as of `Executor`."""
    if name != LOCAL:
        return RayExecutor(work, take, address=name, workers=workers, advance=advance, ordered=ordered)
    count = worker_count(workers, jobs)
    return Executor(work, take, workers=count, advance=advance, advice=advice, ordered=ordered, ahead=ahead)


def _pack(value: object) -> bytes:
    import zstandard  # not needed to say what is wrong with a command line

    return zstandard.compress(pickle.dumps(value, pickle.HIGHEST_PROTOCOL), 1)


def _unpack(data: bytes) -> Any:
    import zstandard

    return pickle.loads(zstandard.decompress(data))


@lru_cache(maxsize=1)
def _work(packed: bytes) -> Work[Any, Any]:
    """The work of a run, which keeps from one task of a process to the next what it has opened or loaded."""
    return _unpack(packed)  # type: ignore[no-any-return]


def _carry_out(work: bytes, item: bytes, folder: str, version: str) -> tuple[list[bytes], int, Exception | None]:
    """The work of a task, in the folder that its paths start from: pieces, packed; how far it came; the error that
    ended it."""
    advanced = 0

    def advance(count: int) -> None:
        nonlocal advanced
        advanced += count

    try:
        if version != __version__:
            raise DataError(
                f"a machine of the cluster has hstmae {__version__}, this one {version}; they must be equal"
            )
        os.chdir(folder)
        return [_pack(piece) for piece in _work(work)(_unpack(item), advance)], advanced, None
    except Exception as error:
        return [], advanced, portable(error)


class RayExecutor(Generic[Item, Piece]):
    """An `Executor` whose processes are those of a Ray cluster.

    Attributes:
        processors: of the cluster.
    Args:
        work, take, advance, ordered: as of `Executor`; progress and pieces come with each finished item.
        address: "ray" = the cluster that RAY_ADDRESS names, or one of this machine alone; or "ray://HOST:PORT".
        workers: tasks at the same time; 0 = as many as the cluster has processors.
    Raises:
        UsageError: Ray is not here.
        DataError: there is no such cluster.
    """

    def __init__(self, work: Work[Item, Piece], take: Callable[[Piece], object], *, address: str, workers: int = 0,
                 advance: Advance | None = None, ordered: bool = True) -> None:  # fmt: skip
        self._ray, self._take, self._advance = _ray(), take, advance or (lambda count: None)
        self._ordered = ordered
        self._was_there = self._ray.is_initialized()
        if not self._was_there:
            here = str(Path(__file__).resolve().parents[2])
            path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))
            env = {"env_vars": {"PYTHONPATH": path, **dict.fromkeys(_THREADS, "1")}}
            where = None if address == RAY else address
            try:
                self._ray.init(where, runtime_env=env, log_to_driver=False, logging_level="error",
                               include_dashboard=None if where else False)  # fmt: skip
            except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
                raise DataError(f"--executor {address}: no cluster answers there ({error})") from None
        self.processors = max(int(self._ray.cluster_resources().get("CPU", 1)), 1)
        self._most = workers or AHEAD * self.processors
        self._task = self._ray.remote(num_cpus=1, max_retries=TRIES)(_carry_out)
        self._work = self._ray.put(_pack(work))
        self._running: dict[Any, int] = {}  # tasks, oldest first, and the numbers of their items
        self._submitted = self._turn = self._waiting_bytes = 0
        self._waiting: dict[int, list[bytes]] = {}  # pieces of items that were finished before their turn

    def __enter__(self) -> RayExecutor[Item, Piece]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for task in self._running:
            self._ray.cancel(task, force=True)
        if not self._was_there:
            self._ray.shutdown()

    def submit(self, item: Item) -> None:
        """Hand in one item; returns as soon as few enough of them are in the cluster. Raises as `Executor.submit`."""
        while len(self._running) >= self._most:
            self._collect()
        task = self._task.remote(self._work, _pack(item), os.getcwd(), __version__)
        self._running[task] = self._submitted
        self._submitted += 1

    def finish(self) -> None:
        """Wait until all pieces of all items so far were taken. Raises as `Executor.submit`."""
        while self._running:
            self._collect()

    def _collect(self) -> None:
        """Deal with an item that is finished; the oldest where too much waits for its turn."""
        tasks = [*self._running]
        if self._waiting_bytes < MAX_WAITING:
            tasks, _ = self._ray.wait(tasks, num_returns=1)
        try:
            pieces, advanced, error = self._ray.get(tasks[0])
        except self._ray.exceptions.RayError as problem:
            raise DataError(
                f"an item was lost {TRIES + 1} times ({type(problem).__name__}): are the machines out of memory, and "
                "do all of them see the files and have this version of hstmae?"
            ) from None
        number = self._running.pop(tasks[0])
        if error is not None:
            raise error if isinstance(error, HstError | OSError) else RuntimeError(str(error)) from error
        self._advance(advanced)
        if not self._ordered:
            self._hand_over(pieces)
            return
        self._waiting[number] = pieces
        self._waiting_bytes += sum(map(len, pieces))
        while self._turn in self._waiting:
            pieces = self._waiting.pop(self._turn)
            self._turn += 1
            self._waiting_bytes -= sum(map(len, pieces))
            self._hand_over(pieces)

    def _hand_over(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self._take(_unpack(piece))
