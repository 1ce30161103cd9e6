"""What a run that was stopped has found out about a film: the next run decodes it from there on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ...journal import Log

NOTE_SECONDS = 0.1
OVERLAP = 16  # frames that are decoded once more, to see that decoding may begin at a key frame

Form = tuple[int, int, str]  # width, height and pixel format of frames


class Differs(Exception):
    """Decoding from a key frame on does not give the frames that decoding from the beginning gave."""


class FilmLogs:
    """Where what is found out about one film is written down.

    Args:
        folder: of the unfinished output; None = nowhere.
        number: of the film among the episodes.
        key: of what is done with it, see `journal.key_of`.
    """

    def __init__(self, folder: Path | None = None, number: int = 0, key: str = "") -> None:
        self._folder, self._number, self._key = folder, number, key

    def log(self, name: str) -> Log:
        path = None if self._folder is None else self._folder / f"{self._number}-{name}.jsonl"
        return Log(path, self._key)


class Seen:
    """The frames that a walk through a film came to before it was stopped, in the order of showing.

    Attributes:
        form: of all frames; None where there are none.
        start: number of the packet that decoding begins at: 0, or a key frame's.
        before: how many frames are shown before that packet's.
    """

    def __init__(self, log: Log) -> None:
        self._log, self._noted = log, time.monotonic()
        self._read()

    def _read(self) -> None:
        self.form: Form | None = None
        self._shown: list[int] = []
        self._digests: list[int] = []
        keys: list[int] = []
        self._packets = 0  # looked at
        for line in self._log.lines:
            self.form = (line["form"][0], line["form"][1], line["form"][2])
            self._shown += line["shown"]
            self._digests += line["digests"]
            keys += line["keys"]
            self._packets = line["packets"]
        self._told = len(self._shown)
        places = {number: place for place, number in enumerate(self._shown)}
        known = [(key, places[key]) for key in keys if key in places]
        self.start, self.before = max(((k, p) for k, p in known if self._told - p >= OVERLAP), default=(0, 0))

    def forget(self) -> None:
        """Begin at the beginning."""
        self._log.restart()
        self._read()

    def frames(self) -> tuple[list[int], list[int]]:
        """Packets and digests of the frames before the one that decoding begins at."""
        return self._shown[: self.before], self._digests[: self.before]

    def check(self, shown: list[int], digests: list[int]) -> None:
        """See that the last of a film's first frames is the one that was seen there. Raises Differs where it is not."""
        place = len(shown) - 1
        if place < len(self._shown) and (self._shown[place], self._digests[place]) != (shown[place], digests[place]):
            raise Differs

    def check_end(self, frames: int) -> None:
        """See that a film ends no earlier than it did. Raises Differs."""
        if frames < len(self._shown):
            raise Differs

    def note(self, form: Form, shown: list[int], digests: list[int], keys: list[bool]) -> None:
        """Write down now and then what has come since; all are lists from the film's beginning on."""
        if len(shown) <= self._told or time.monotonic() - self._noted < NOTE_SECONDS:
            return
        fresh = [number for number in range(self._packets, len(keys)) if keys[number]]
        line: dict[str, Any] = {"form": form, "shown": shown[self._told :], "digests": digests[self._told :]}
        self._log.append({**line, "keys": fresh, "packets": len(keys)})
        self._told, self._packets, self._noted = len(shown), len(keys), time.monotonic()
