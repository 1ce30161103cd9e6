"""Shared set-up of all tests."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from hstmae.data.store.reader import EpisodeStore

ROOT = Path(__file__).resolve().parents[1]

# Cores are shared out among the test processes: threads that wait for each other's core cost several times the work.
THREADS = max(1, min(2, (os.cpu_count() or 1) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))
os.environ["OMP_NUM_THREADS"] = str(THREADS)  # before PyTorch is loaded; processes that tests start inherit it

# A shell that starts something in the background has it ignore Ctrl-C, and all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no failure. Where CI is set the same examples are tried each time, so that a change is judged by
# itself; elsewhere new ones.
settings.register_profile("default", deadline=None, max_examples=20, derandomize="CI" in os.environ)
settings.load_profile("default")


SLOW = (
    *("test_interrupted", "test_wheel", "test_train_command", "test_distributed", "test_ablation", "test_sweep"),
    *(
        "test_compile",
        "test_trainer",
        "test_documentation",
        "test_pretrain",
        "test_nasty_inputs",
        "test_live",
        "test_replay",
    ),
    *("test_in_the_browser", "test_web_decoder", "test_cave", "test_fceux_files", "test_without_state", "test_learner"),
    *("test_preprocessing", "test_archive", "test_short_films", "test_snapping", "test_family", "test_seeing_report"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest first: so no process is left alone with one of them at the end."""
    items.sort(key=lambda item: item.path.stem not in SLOW)


@pytest.fixture(autouse=True)
def ordinary_priority() -> Iterator[None]:
    """No test leaves its process real-time, as an encoder would have it: all that is started later would be, too."""
    yield
    if hasattr(os, "sched_getscheduler"):
        assert os.sched_getscheduler(0) not in (os.SCHED_FIFO, os.SCHED_RR)


def pytest_collection_finish() -> None:
    """What collecting has made stays until the end: no collection of garbage has to go through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(
        20_000, 20, 20
    )  # tests make much and keep little: by the usual numbers a fiftieth of all time goes


@pytest.fixture(autouse=True)
def few_threads() -> Iterator[None]:
    """The threads of this process, whatever the test before has set; only once a test has loaded PyTorch."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != THREADS:
        torch.set_num_threads(THREADS)
    yield


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def sample_store(tmp_path_factory: pytest.TempPathFactory) -> EpisodeStore:
    """The bundled session as a store, for tests that only read it."""
    from hstmae.bundled import SAMPLES
    from hstmae.data.store.preprocessing import preprocess
    from hstmae.data.store.reader import EpisodeStore

    out = tmp_path_factory.mktemp("sample") / "store"
    preprocess(SAMPLES / "sample_session", out, workers=1)
    return EpisodeStore(out)


@pytest.fixture
def environment() -> dict[str, str]:
    """Environment for subprocesses: imports this checkout's package, whatever is installed."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}
