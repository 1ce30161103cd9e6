"""The executor: order, bounded look-ahead, errors of processes, their death, and stopping at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hstmae import executor as module
from hstmae.errors import DataError, UsageError
from hstmae.executor import Advance, Executor, run_all, worker_count

ROOT = Path(__file__).resolve().parents[1]


def until(condition: object, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def slow_first(item: tuple[int, Path], advance: Advance) -> Iterator[tuple[int, str]]:
    """Item 0 does not end before the last one has."""
    number, folder = item
    for k in "abc":
        yield number, k
        advance(1)
    if number == 0:
        assert until((folder / "last").exists)
    if number == 7:
        (folder / "last").touch()


@pytest.mark.parametrize("workers", [2, 3])
def test_pieces_come_in_the_order_of_the_input(tmp_path: Path, workers: int) -> None:
    counted: list[int] = []
    items = [(k, tmp_path) for k in range(8)]
    pieces = run_all(slow_first, items, workers=workers, advance=counted.append)
    assert pieces == [(number, k) for number in range(8) for k in "abc"]
    assert sum(counted) == 24


def doubled(item: int, advance: Advance) -> Iterator[tuple[int, int]]:
    advance(item)
    yield 2 * item, os.getpid()


def test_one_worker_stays_in_this_process() -> None:
    for workers in (0, 1):
        assert run_all(doubled, range(3), workers=workers) == [(2 * k, os.getpid()) for k in range(3)]
    assert os.getpid() not in {pid for _, pid in run_all(doubled, range(3), workers=2)}
    assert run_all(doubled, [], workers=2) == []
    assert (worker_count(0, 10_000), worker_count(4, 2)) == (os.cpu_count() or 1, 2)


def held(item: tuple[int, Path], advance: Advance) -> Iterator[int]:
    number, folder = item
    assert until((folder / "go").exists)
    yield number


def test_inputs_are_drawn_only_a_little_ahead(tmp_path: Path) -> None:
    """Two processes are busy and two items wait: the fifth is accepted only when one of them is done."""
    taken: list[int] = []
    with Executor(held, taken.append, workers=2) as executor:
        for number in range(4):
            executor.submit((number, tmp_path))
        assert not taken
        signal.signal(signal.SIGALRM, lambda *_: (tmp_path / "go").touch())
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        executor.submit((4, tmp_path))
        assert (tmp_path / "go").exists()
        executor.finish()
    assert taken == [0, 1, 2, 3, 4]


def blobs(item: tuple[int, Path], advance: Advance) -> Iterator[bytes]:
    number, folder = item
    if number == 0:
        assert until((folder / "go").exists)
    for k in range(40):
        (folder / f"{number}-{k}").touch()
        yield bytes([number]) * (1 << 18)


def test_pieces_that_wait_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second item is held up after about 1 MiB of its 10 while the first goes on."""
    monkeypatch.setattr(module, "MAX_WAITING", 1 << 20)
    taken: list[bytes] = []
    with Executor(blobs, taken.append, workers=2) as executor:
        executor.submit((0, tmp_path))
        executor.submit((1, tmp_path))

        def release(*_: object) -> None:
            made.append(len(list(tmp_path.glob("1-*"))))
            (tmp_path / "go").touch()

        made: list[int] = []
        signal.signal(signal.SIGALRM, release)
        signal.setitimer(signal.ITIMER_REAL, 3.0)
        executor.finish()
    assert 4 <= made[0] <= 8
    assert [piece[0] for piece in taken] == [0] * 40 + [1] * 40


class Odd(Exception):
    """Cannot be unpickled: its argument is no longer there."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def failing(item: str, advance: Advance) -> Iterator[str]:
    yield item
    if item == "usage":
        raise UsageError("give another one")
    if item == "odd":
        raise Odd("strange", " things")
    if item == "dies":
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [1, 2])
def test_typed_errors_come_through(workers: int) -> None:
    taken: list[str] = []
    executor = Executor(failing, taken.append, workers=workers)
    with pytest.raises(UsageError, match="give another one"), executor:
        executor.submit("good")
        executor.finish()
        executor.submit("usage")
        executor.finish()
    assert taken[:1] == ["good"]


def test_errors_that_cannot_travel_and_dead_processes() -> None:
    with pytest.raises(RuntimeError, match="Odd: strange things"):
        run_all(failing, ["odd"], workers=2)
    with pytest.raises(DataError, match=r"a worker process died.*fewer --workers"):
        run_all(failing, ["good", "dies", "good"], workers=2)


def test_an_error_of_whoever_takes_stops_all(tmp_path: Path) -> None:
    def take(piece: int) -> None:
        raise OSError(28, "No space left on device")

    began = time.monotonic()
    executor = Executor(endless, take, workers=2)
    with pytest.raises(OSError, match="No space"), executor:
        executor.submit(tmp_path / "a")
        executor.submit(tmp_path / "b")
        executor.finish()
    assert time.monotonic() - began < 20


def endless(folder: Path, advance: Advance) -> Iterator[int]:
    """Works for ever; what it has begun it removes when it is stopped."""
    folder.mkdir()
    (folder / str(os.getpid())).touch()
    try:
        yield 1
        time.sleep(1000)
    finally:
        (folder / str(os.getpid())).rename(folder / f"cleaned-{os.getpid()}")


_SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_executor import endless
from hstmae.executor import run_all
if __name__ == "__main__":
    run_all(endless, [Path(sys.argv[1]) / name for name in "ab"], workers=2)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_signals_stop_the_workers_at_once(tmp_path: Path, environment: dict[str, str], name: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT.format(tests=str(Path(__file__).parent)))
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=environment, stderr=subprocess.PIPE)
    assert until(lambda: len([*tmp_path.glob("a/*"), *tmp_path.glob("b/*")]) == 2, 60)
    pids = [int(path.name) for path in (*tmp_path.glob("a/*"), *tmp_path.glob("b/*"))]
    process.send_signal(getattr(signal, name))
    process.communicate(timeout=10)
    assert process.returncode == -getattr(signal, name)

    def gone(pid: int) -> bool:
        try:
            return (Path("/proc") / str(pid) / "stat").read_text().split()[2] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    assert until(lambda: all(gone(pid) for pid in pids), 5)
    if name == "SIGINT":  # the main process lived long enough to let them clean up
        assert {path.name for path in (*tmp_path.glob("a/*"), *tmp_path.glob("b/*"))} == {f"cleaned-{p}" for p in pids}
