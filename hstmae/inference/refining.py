"""Learning on the footage itself before it is restored: what is hidden more, of which stretches, for how long."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..games import get_game
from ..motion.combiner import Combiner
from ..motion.refining import MOST, Example, Learned, examples_of, learned
from ..restoration.anything import GAME
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
    for footage, start, seed in _turns(sequences, frames):
        stop = min(start + FRAMES, footage.count if frames is None else frames.stop)
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


def _turns(sequences: Sequence[Footage], frames: range | None) -> Iterator[tuple[Footage, int, int]]:
    """Stretches in a mixed order, each of them again and again with another seed: footage, first frame, seed."""
    places = [
        (footage, start)
        for footage in sequences
        for start in range(
            0 if frames is None else frames.start, footage.count if frames is None else frames.stop, FRAMES
        )
    ]
    rng, seeds = np.random.default_rng(0), itertools.count(1)
    for _ in range(ROUNDS):
        for k in rng.permutation(len(places)).tolist():
            yield *places[k], next(seeds)
