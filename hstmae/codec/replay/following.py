"""Which frames of a recording do not follow from the one before: the console makes something else of that one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ...data.sources.base import SourceFrame
from ..container.gop import GopShape
from .group import Key, seen
from .predictor import MAX_STEPS, Predictor, Script


@dataclass(frozen=True)
class OddFrame:
    """A frame that does not follow.

    Attributes:
        number: the recorder's.
        memory: bytes that are not as the console leaves them, and the first of them; 0 and -1 = all are.
        pixels: pixels that are not as it draws them.
    """

    number: int
    memory: int
    address: int
    pixels: int

    def __str__(self) -> str:
        found = [f"{self.memory} bytes of memory, the first at 0x{self.address:04X}"] if self.memory else []
        found += [f"{self.pixels} pixels"] if self.pixels else []
        return f"frame {self.number} does not follow: {' and '.join(found)} are other than the console makes them"


@dataclass(frozen=True)
class Followed:
    """What was found in an episode: `tested` frames, which of them are `odd`, and `why` none could be tested."""

    tested: int
    odd: tuple[OddFrame, ...]
    why: str = ""


def follow(console: Predictor, starts: Sequence[Script], frames: Iterable[SourceFrame]) -> Followed:
    """Look at an episode. A gap in its numbers is run over with the buttons held; frames behind it count where they
    follow all the same. Pictures count once the console has drawn one as it was recorded: what a recording shows at its
    beginning was drawn before."""
    with console.lock:
        return _follow(console, starts, frames)


def _follow(console: Predictor, starts: Sequence[Script], frames: Iterable[SourceFrame]) -> Followed:
    odd: list[OddFrame] = []
    tested, drawn_once = 0, False
    state: np.ndarray | None = None
    before: SourceFrame | None = None
    memory_wrong, address = 0, -1
    for frame in frames:
        if frame.state is None or frame.action is None or frame.pixels.ndim != 2 or len(frame.state) != console.memory:
            return Followed(0, (), "it has no memory, no buttons or no palette as the console's recordings have")
        if state is None or before is None:
            state = Key([*starts, console.begin][0], frame.state).state(console)
            before = frame
            continue
        apart = frame.number - before.number
        console.load(state)
        picture = console.leave(frame.action, apart if 0 < apart <= MAX_STEPS else 1)
        pixels = _other_pixels(before, picture)
        drawn_once = drawn_once or not pixels
        if memory_wrong or (pixels and drawn_once):
            odd.append(OddFrame(before.number, memory_wrong, address, pixels if drawn_once else 0))
        state = console.save()
        memory = console.memory_of(state)
        at = np.flatnonzero(memory != frame.state)
        memory_wrong, address = (len(at), int(at[0])) if len(at) and apart == 1 else (0, -1)
        drawn_once = drawn_once and (apart == 1 or not len(at))
        tested += apart == 1
        memory[:] = frame.state
        before = frame
    if state is not None and before is not None:
        console.load(state)
        pixels = _other_pixels(before, console.leave(int(before.action or 0), 0)) if drawn_once else 0
        if memory_wrong or pixels:
            odd.append(OddFrame(before.number, memory_wrong, address, pixels))
    return Followed(tested, tuple(odd))


def _other_pixels(frame: SourceFrame, picture: np.ndarray) -> int:
    height, width = frame.pixels.shape
    shape = GopShape(1, height, width, 1, 0, 0, frame.corner)
    shown = seen(picture, shape, None)
    return int((shown != frame.pixels).sum()) if shown.shape == frame.pixels.shape else 0
