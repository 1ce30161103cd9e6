"""Learning on the footage itself before it is restored: what is hidden more, of which stretches, for how long."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..games import get_game
from ..motion.combiner import Combiner
from ..motion.refining import MOST, Example, Learned, examples_of, learned
from ..restoration.anything import GAME, PIXELS, SHORTEST
from .footage.base import Footage
from .mask_rules import MaskRules
from .native_frames import native_frames

FRAMES = 64  # of a stretch: enough around those that are learned from, and it is soon prepared
LOOKING = 0.5  # part of the time for hiding and looking; the rest is for learning
ROUNDS = 200  # times that each stretch is damaged once more: in the end nothing new comes of it


def refine(
    combiner: Combiner, sequences: Sequence[Footage], masks: MaskRules, frames: range | None, seconds: float,
    exact: bool, progress: Callable[[float], object],
) -> Learned:  # fmt: skip
    """Fit the combiner of motion recall to what is visible in some footage.

    Args:
        frames: positions that are to be restored; None = all. Others are not read.
        seconds: that it may take, about. exact: see `learned`.
        progress: called with the seconds spent since the last call.
    Raises:
        DataError: a frame cannot be read.
    """
    began = last = time.monotonic()
    found: list[Example] = []
    count = 0
    places = _places(sequences, frames)
    for turn, (footage, start, stop, seed) in enumerate(_turns(places)):
        if turn == len(places) and not count:  # where one damage teaches nothing, others of its kind do not
            break
        stretch = footage.read(start, stop)
        if stretch.pictures:
            mask = masks.of(footage, stretch, start).mask
            native = native_frames(stretch, mask, get_game(GAME))
            some = list(examples_of(native.frames, native.mask, seed))
            found += some
            count += sum(len(example.truth) for example in some)
        now = time.monotonic()
        progress(now - last)
        last = now
        if now - began > LOOKING * seconds or count > MOST:
            break
    return learned(combiner, found, max(seconds - (last - began), 1.0), exact, progress)


def _places(sequences: Sequence[Footage], frames: range | None) -> list[tuple[Footage, int, int]]:
    """Stretches of all of it, no longer than memory holds at a time: footage, first frame, end."""
    found = []
    for footage in sequences:
        own = range(footage.count) if frames is None else frames
        probe = footage.read(own.start, own.start + 1).pictures
        if probe:
            height, width = probe[0].size
            length = max(SHORTEST, min(FRAMES, PIXELS // (height * width)))
            found += [(footage, start, min(start + length, own.stop)) for start in range(own.start, own.stop, length)]
    return found


def _turns(places: list[tuple[Footage, int, int]]) -> Iterator[tuple[Footage, int, int, int]]:
    """Stretches in a mixed order, each of them again and again with another seed, which comes last."""
    rng, seeds = np.random.default_rng(0), itertools.count(1)
    for _ in range(ROUNDS):
        for k in rng.permutation(len(places)).tolist():
            yield *places[k], next(seeds)
