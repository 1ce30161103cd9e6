"""The same jobs on the machines of a Ray cluster: plain tasks, each an item, tried again where a machine is lost.

What a task gives comes back when the item is finished, and is taken in the order of the items. All machines have to see
the files that items name. Each task counts as one processor and computes in one thread.
"""

from __future__ import annotations

import os
import pickle
from collections import deque
from pathlib import Path
from typing import Any, Generic

from ..errors import DataError, HstError, UsageError
from . import Advance, Item, Piece, Work, portable

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


def _carry_out(work: Work[Any, Any], item: Any, folder: str) -> tuple[list[bytes], int, Exception | None]:
    """The work of a task, in the folder that its paths start from: pieces, packed; how far it came; the error that
    ended it."""
    os.chdir(folder)
    advanced = 0

    def advance(count: int) -> None:
        nonlocal advanced
        advanced += count

    try:
        return [pickle.dumps(piece, pickle.HIGHEST_PROTOCOL) for piece in work(item, advance)], advanced, None
    except Exception as error:
        return [], advanced, portable(error)


class RayExecutor(Generic[Item, Piece]):
    """An `Executor` whose processes are those of a Ray cluster.

    Args:
        work, take, advance: as of `Executor`; progress comes with each finished item.
        address: "ray" = the cluster that RAY_ADDRESS names, or one of this machine alone; or "ray://HOST:PORT".
        workers: tasks at the same time; 0 = as many as the cluster has processors.
    Raises:
        UsageError: Ray is not here.
        DataError: there is no such cluster.
    """

    def __init__(self, work: Work[Item, Piece], take: Any, *, address: str, workers: int = 0,
                 advance: Advance | None = None) -> None:  # fmt: skip
        self._ray, self._take, self._advance = _ray(), take, advance or (lambda count: None)
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
        processors = int(self._ray.cluster_resources().get("CPU", 1))
        self._most = max(workers or AHEAD * processors, 1)
        self._task = self._ray.remote(num_cpus=1, max_retries=TRIES)(_carry_out)
        self._work = self._ray.put(work)
        self._running: deque[Any] = deque()

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
        self._running.append(self._task.remote(self._work, item, os.getcwd()))

    def finish(self) -> None:
        """Wait until all pieces of all items so far were taken. Raises as `Executor.submit`."""
        while self._running:
            self._collect()

    def _collect(self) -> None:
        """Take what the item gives whose turn it is."""
        task = self._running[0]
        try:
            pieces, advanced, error = self._ray.get(task)
        except self._ray.exceptions.RayError as problem:
            raise DataError(
                f"an item was lost {TRIES + 1} times ({type(problem).__name__}): are the machines out of memory, and "
                "do all of them see the files and have this version of hstmae?"
            ) from None
        self._running.popleft()
        if error is not None:
            raise error if isinstance(error, HstError | OSError) else RuntimeError(str(error)) from error
        self._advance(advanced)
        for piece in pieces:
            self._take(pickle.loads(piece))
