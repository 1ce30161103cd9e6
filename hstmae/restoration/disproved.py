"""Frames that show something else than their state says, by what is visible of them.

A recorder that lost a frame, a file of another session, a game that shows one picture and has begun to work on the
next: such frames are restored without the state, and the others without such frames, which would lend them pixels of
another place. Frames that are blank in all that is seen of them are blank.
"""

from __future__ import annotations

import numpy as np

from ..atlas.known_pixels import Known, known_pixels
from ..atlas.locate import Locator
from ..games.pixels import View
from .strangers import all_over
from .without_state import known_without_state

AROUND = 8  # frames before and after by which a frame is restored without its state
_SEEN = 512  # pixels of one colour, all over the picture, that make a frame blank ...
_OTHERS = 0.25  # ... where frames before and after have another colour at so many of them, or the state says so
_COMMON = 64  # of them that are visible in a frame it is compared with
BLANK = np.float32(0.99)  # trust in what is not seen of a blank frame


def known_by_state(view: View, locator: Locator | None) -> Known:
    """`known_pixels`, and of frames that are disproved `known_without_state`; these are `Known.disproved`."""
    known = known_pixels(view, locator)
    disproved = known.disproved
    if disproved is None or not disproved.any():
        return known
    made = Known(np.zeros(view.shape, np.uint8), np.zeros(view.shape, np.float32), disproved=disproved)
    honest, others = np.flatnonzero(~disproved), np.flatnonzero(disproved)
    if len(honest):
        made.put(honest, known_pixels(view.take(honest), locator))
    near = np.flatnonzero(np.abs(np.arange(len(disproved))[:, None] - others).min(1) <= AROUND)
    for run in np.split(near, np.flatnonzero(np.diff(near) > 1) + 1):
        part = known_without_state(view.take(run).at_level("none"), locator)
        some = np.flatnonzero(disproved[run])
        made.put(run[some], part.of(some))
    return made


def fill_blanks(view: View, known: Known) -> None:
    """Enter the colour of frames that are blank, in place."""
    colours = blank_frames(view, known.disproved)
    for t in np.flatnonzero(colours >= 0).tolist():
        hidden = view.mask[t]
        if known.disproved is None or not known.disproved[t]:
            hidden = hidden & ~known.found[t]
        if not (view.fixed[t] & ~view.mask[t]).any():
            hidden = hidden & ~view.fixed[t]  # a status bar of which nothing is seen may be there all the same
        known.indices[t][hidden], known.trust[t][hidden] = colours[t], BLANK
        if known.share is not None:
            known.share[t][hidden] = 0
        if known.recalled is not None:
            known.recalled[t][hidden] = False


def blank_frames(view: View, disproved: np.ndarray | None) -> np.ndarray:
    """Colour of each frame that is blank, int64 [T], and -1 of the others."""
    made = np.full(view.shape[0], -1)
    for t in range(len(made)):
        seen = view.frames[t][~view.mask[t]]
        if len(seen) >= _SEEN and (seen == seen[0]).all() and all_over(~view.mask[t]):
            made[t] = seen[0]
    for t in np.flatnonzero(made >= 0).tolist():
        if disproved is not None and disproved[t]:
            continue
        sides = (range(t - 1, max(t - AROUND, 0) - 1, -1), range(t + 1, min(t + AROUND + 1, len(made))))
        near = [next((k for k in side if made[k] < 0 and _common(view, t, k) >= _COMMON), None) for side in sides]
        if near == [None, None] or not all(_differs(view, t, k) for k in near if k is not None):
            made[t] = -1
    return made


def _common(view: View, t: int, other: int) -> int:
    """Pixels visible in both."""
    return int((~view.mask[t] & ~view.mask[other]).sum())


def _differs(view: View, t: int, other: int) -> bool:
    both = ~view.mask[t] & ~view.mask[other]
    return bool((view.frames[t] != view.frames[other])[both].sum() > _OTHERS * max(int(both.sum()), 1))
