"""Why a run stops, and how a signal becomes a stop between two steps."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .distributed import World

FINISHED, MAX_STEPS, MAX_MINUTES = "finished", "max_steps", "max_minutes"
_REASONS = ("", "SIGINT", "SIGTERM", "SIGHUP", MAX_MINUTES, MAX_STEPS, FINISHED)


class Stop:
    """Collects signals while a run is going on; all ranks stop for the same reason after the same step."""

    def __init__(self, world: World) -> None:
        self.world, self.signal = world, ""

    def agree(self, reason: str) -> str:
        """The last in `_REASONS` of what the ranks say, given what this one says; a signal counts where it is ""."""
        return _REASONS[self.world.largest(_REASONS.index(reason or self.signal))]

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Turn SIGTERM, SIGHUP and the first SIGINT into a stop after the current step; a second SIGINT interrupts at
        once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, _: object) -> None:
            self.signal = signal.Signals(number).name
            signal.signal(signal.SIGINT, signal.default_int_handler)

        numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
        old = {s: signal.signal(s, note) for s in numbers if signal.getsignal(s) != signal.SIG_IGN}  # as under nohup
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)
