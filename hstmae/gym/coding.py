"""Codes what `RecordSession` has put down into a .hst file, in a process of its own: the agent does not wait for it.

    python -m hstmae.gym.coding STEPS OUT.hst [overwrite]

goes on until the file of steps is complete, or whoever writes it has gone (its end of standard input is closed). The
file of steps is removed when the recording is complete; until then nothing is lost whatever happens.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..codec.container.chunks import STEPS, chunk
from ..codec.container.steps import pack_steps
from ..codec.session.encoder import EpisodeEncoder, description_of
from ..codec.session.profiles import make_profile, usual_gop
from ..codec.session.writer import HstWriter
from ..errors import DataError, HstError
from ..signals import stopping
from .spool import ABOUT, BEGIN, CLOSED, FRAME, Step, read_spool

_LOOK_EVERY = 0.02  # seconds between looks at a file that grows
_SAID = 192  # steps of which a chunk tells


class _Lane:
    """The episode that an environment is in. Args: number: of the episode."""

    def __init__(self, writer: HstWriter, about: dict[str, Any], name: str, number: int) -> None:
        self._writer, self._about, self._name, self._number = writer, about, name, number
        self._encoder: EpisodeEncoder | None = None
        self._columns: dict[str, list[np.ndarray]] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}  # of a value of each column, as it first came
        self._count = self._told = 0

    def fits(self, step: Step) -> bool:
        """Whether a frame can be of this episode: its picture and memory have the size of those before."""
        known = None if self._encoder is None else self._encoder.description
        sizes = step.picture.shape, 0 if step.state is None else len(step.state)
        return known is None or sizes == (known.frame_shape, known.state)

    def frame(self, step: Step) -> None:
        action = step.columns.get("action")
        numbered = bool(self._about["numbered"]) and action is not None
        button = int(np.asarray(action)) if numbered else None
        if button is not None and not 0 <= button < 256:
            raise DataError(f"{self._name}: action {button} of an environment that has 256 at most")
        if self._encoder is None:
            profile = make_profile("lossless", self._about["game"])
            description = description_of(
                profile, frame=step.picture, palette=None if step.picture.ndim == 3 else _GREYS, state=step.state,
                action=button, gop=usual_gop("lossless"), name=self._name, game=self._about["game"],
                fps=self._about["fps"], source=self._about["source"],
            )  # fmt: skip
            self._encoder = EpisodeEncoder(profile, description, self._number)
        if packed := self._encoder.add(step.picture, self._count, step.state, button):
            self._writer.append(packed)
        said = {self._name_of(name, column): column for name, column in step.columns.items()}
        if {name: a.dtype for name, a in said.items()} != {name: rows[0].dtype for name, rows in self._columns.items()}:
            self._tell()  # what comes and goes, or becomes of another type, is told apart
        self._count += 1
        for name, column in said.items():
            self._columns.setdefault(name, []).append(column)
        if self._count - self._told == _SAID:
            self._tell()

    def _name_of(self, name: str, column: np.ndarray) -> str:
        """Values of another shape than the first ones are a column of their own."""
        first = self._shapes.setdefault(name, column.shape)
        return name if column.shape == first else f"{name} [{', '.join(map(str, column.shape))}]"

    def _tell(self) -> None:
        """Raises DataError for more than the format holds."""
        if self._count > self._told:
            try:
                said = pack_steps({name: np.stack(rows) for name, rows in self._columns.items()})
            except ValueError as error:
                raise DataError(f"{self._name}: {error}") from None
            self._writer.append(chunk(STEPS, said, episode=self._number, first=self._told))
        self._columns, self._told = {}, self._count

    def close(self, outcome: str = "cut") -> None:
        if self._encoder is not None:
            self._writer.append(self._encoder.flush())
            self._tell()
            self._writer.append(self._encoder.finish(outcome))


_GREYS = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1)


def code(
    spool: Path, out: Path, wait: Callable[[], bool] = lambda: False, *, overwrite: bool = False, keep: bool = False
) -> tuple[int, int]:
    """Write a recording.

    Args:
        spool: the file of steps; removed when all is written, unless `keep`.
        wait: as of `read_spool`; the default takes the file as complete.
    Returns:
        Frames, and bytes at the end of the file of steps that could not be used.
    Raises:
        UsageError, DataError, CodecError: `out` cannot be written, or what the steps say cannot be kept.
    """
    lanes: dict[int, _Lane] = {}
    names: dict[int, str] = {}
    about: dict[str, Any] = {}
    frames = episodes = left = 0
    with HstWriter(out, overwrite=overwrite, about={"kind": "session"}) as writer:
        for record in read_spool(spool, wait):
            if record.kind == ABOUT:
                about = record.values
            elif record.kind == BEGIN:
                names[record.lane] = record.values["name"]
                lanes[record.lane] = _Lane(writer, about, names[record.lane], episodes)
                episodes += 1
            elif record.kind == FRAME and record.step is not None:
                if not lanes[record.lane].fits(record.step):
                    lanes[record.lane].close()
                    lanes[record.lane] = _Lane(writer, about, f"{names[record.lane]}-{episodes}", episodes)
                    episodes += 1
                lanes[record.lane].frame(record.step)
                frames += 1
            elif record.kind == CLOSED:
                left = record.values["left"]
            elif record.lane in lanes:
                lanes.pop(record.lane).close(record.values["outcome"])
        for lane in lanes.values():
            lane.close()
        if not frames:
            raise DataError(f"{out}: no step was recorded")
    if not keep:
        spool.unlink()
    return frames, left


def main(words: list[str] | None = None) -> int:
    words = sys.argv[1:] if words is None else words
    if len(words) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    gone = threading.Event()

    def listen() -> None:
        while os.read(0, 1 << 10):
            pass
        gone.set()

    threading.Thread(target=listen, daemon=True).start()

    def wait() -> bool:
        over = gone.is_set()  # before the last look at the file
        if not over:
            time.sleep(_LOOK_EVERY)
        return not over

    try:
        with stopping():
            code(Path(words[0]), Path(words[1]), wait, overwrite=len(words) == 3)
    except HstError as error:
        print(f"{error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"{error.filename or words[1]}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
