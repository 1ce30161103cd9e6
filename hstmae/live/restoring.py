"""A damaged stream, restored on its way: what is missing is known, each frame leaves restored or, where that would come
too late, as it came."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..data.sources.base import SourceFrame
from ..errors import UsageError
from ..games import get_game
from ..inference.live.worker import LiveResult, LiveWorker
from .holes import hidden

_MODELS = {"smb": "hst-mae-nano"}  # bundled ones


class Restoring:
    """Frames in, restored frames out, in order; what happens is counted.

    Args:
        send: is given each frame and the time it is due at.
        game: of the stream.
        model: name or path; None = the game's own, where one is bundled, else motion recall.
        state_level: "full", "compact" or "none".
        deadline: seconds that a frame may wait for its turn.
        threads: that the process computes with.
    Attributes:
        worker: counts frames that were restored, came too late, and failed.
        problem: the last one, "" = none.
    """

    def __init__(
        self, send: Callable[[SourceFrame, float], object], game: str, model: str | Path | None = None,
        state_level: str = "full", deadline: float = 0.25, threads: int = 1,
    ) -> None:  # fmt: skip
        self._send, self._game = send, get_game(game)
        self._model = model or _MODELS.get(self._game.name)
        self._waiting: deque[tuple[SourceFrame, float]] = deque()
        self._none_left = threading.Condition()
        self.problem = ""
        self.error: Exception | None = None
        self.seconds: deque[float] = deque(maxlen=600)
        self.worker = LiveWorker(self._take, self._model, state_level=state_level, deadline=deadline, threads=threads)

    def wait_until_ready(self, seconds: float) -> None:
        """Raises UsageError: the model cannot be loaded, or not in this time."""
        until = time.monotonic() + seconds
        while not self.worker.wait_until_ready(0.1):
            if self.worker.refused:
                raise UsageError(self.worker.refused)
            if time.monotonic() > until:
                raise UsageError(f"the process that restores did not start within {seconds:g} seconds")

    def put(self, frame: SourceFrame, missing: np.ndarray, due: float) -> None:
        """The next frame; never waits. Raises what sending has raised."""
        if self.error is not None:
            raise self.error
        picture = frame.pixels
        if frame.palette is not None and (self._model is None or not self._knows(frame.palette)):
            picture = frame.palette[picture]
        held = SourceFrame(
            frame.number, picture, None if picture.ndim == 3 else frame.palette, frame.state, frame.action
        )
        with self._none_left:
            self._waiting.append((held, due))
        memory = frame.state if frame.state is not None and len(frame.state) == self._game.state_size else None
        self.worker.put(hidden(picture, missing), missing, memory)

    def _knows(self, palette: np.ndarray) -> bool:
        own = self._game.palette if self._game.indexed else None
        return own is not None and palette.shape == own.shape and bool((palette == own).all())

    def _take(self, result: LiveResult) -> None:
        """In the worker's thread."""
        with self._none_left:
            frame, due = self._waiting.popleft()
        self.problem = result.problem or self.problem
        self.seconds.append(result.seconds)
        try:
            self._send(SourceFrame(frame.number, result.picture, frame.palette, frame.state, frame.action), due)
        except Exception as error:  # raised where frames are put in
            self.error = error
        with self._none_left:
            self._none_left.notify_all()

    def finish(self, seconds: float = 5.0) -> None:
        """Wait for what is under way."""
        with self._none_left:
            self._none_left.wait_for(lambda: not self._waiting or self.error is not None, seconds)

    def close(self) -> None:
        self.worker.close()

    def told(self) -> dict[str, float | str]:
        """Figures for whoever watches."""
        counts = self.worker.counts
        mean = sum(self.seconds) / max(len(self.seconds), 1)
        said: dict[str, float | str] = {"restored": counts.restored, "restore_late": counts.late}
        said |= {"restore_failed": counts.failed, "restore_ms": round(1000 * mean, 1)}
        return said | ({"restore_problem": self.problem[:200]} if self.problem else {})
