"""Streams for tests: a server of them, who watches, and what is sent."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served import Served, serving

from hstmae.live.sending import LiveStream
from hstmae.live.watching import Decoding, Shown, watch

pytest.importorskip("websockets", reason='the extra "serve" is needed')
FRAMES = 40


@contextlib.contextmanager
def patient() -> Iterator[None]:
    """Viewers may be as late as a busy machine makes them: what is left out because of it is tested by itself."""
    from hstmae.serving.live import viewer

    was = viewer.LATE, viewer.FIRST
    viewer.LATE = viewer.FIRST = 60.0
    try:
        yield
    finally:
        viewer.LATE, viewer.FIRST = was


@contextlib.contextmanager
def streams(tmp_path: Path | None = None, **options: Any) -> Iterator[Served]:
    from hstmae.serving.live.streams import Streams

    held = Streams(tmp_path, options.pop("publish", ""))
    with patient(), serving(tmp_path, streams=held, **options) as served:
        yield served
    held.close()


class Watcher(threading.Thread):
    """Watches a stream; what it has seen."""

    def __init__(self, url: str, until: Callable[[Shown], bool] = lambda shown: False, **options: Any) -> None:
        super().__init__(daemon=True)
        self.url, self.until, self.options = url, until, options
        self.decoding, self.seen, self.told = Decoding(), [], []
        self.start()

    seen: list[Shown]
    told: list[str]

    def run(self) -> None:
        for shown in watch(self.url, patience=8, told=self.told.append, decoding=self.decoding, **self.options):
            self.seen.append(shown)
            if self.until(shown):
                return

    def wait(self) -> list[Shown]:
        self.join(20)
        assert not self.is_alive(), (self.told, len(self.seen))
        return self.seen


def send(stream: LiveStream, sample: Any, rows: range, pause: float = 0.002) -> None:
    for t in rows:
        stream.frame(sample.frames[t], sample.state[t], int(sample.actions[t]), sample.palette)
        time.sleep(pause)


def same(seen: list[Shown], sample: Any, rows: list[int]) -> None:
    assert [shown.number for shown in seen] == rows
    for shown in seen:
        row = shown.number
        assert np.array_equal(shown.picture, sample.frames[row]) and np.array_equal(shown.state, sample.state[row])
        assert shown.actions is not None and shown.actions[0] == sample.actions[row]


def last(frames: int) -> Callable[[Shown], bool]:
    return lambda shown: shown.number == frames - 1


def until(true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def all_sent(stream: LiveStream) -> None:
    """Until what was given to the stream has left; `Publisher.wait` alone does not wait for the connection."""
    until(lambda: stream.publisher.wait(1))
    assert not stream.publisher.failure
