"""What is visible, as evidence for or against what is claimed of the whole picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..games.pixels import View
from ..games.state import NOWHERE
from .maps import Located

SURE = 0.98  # trust from which the atlas is believed without asking the network
BORNE_OUT = 0.9  # share of the visible pixels nearby that must look as the atlas says ...
UNTOLD = 0.7  # ... where nothing tells of what stands before the scenery ...
NEARBY = 32  # ... pixels to either side in the same frame ...
ENOUGH = 64  # ... if there are as many; else of the whole frame
_LIE = 0.15  # share of what tells something that looks otherwise, from which a frame is not the state's; of those that
# are, less than 0.1, of others more than 0.3 at "full" ...
_TELLING = 128  # ... of at least so many pixels ...
_CELLS = 3  # ... with wrong ones in so many squares of 16 pixels: a block that was hit is no other place
_NEAR = 4  # frames before and after with which a frame is compared


@dataclass
class Claim:
    """What is said to stand at each pixel: colours uint8 [T, H, W] palette entries, trust float32 [T, H, W].

    `disproved` bool [T]: frames that show something else, see the function of that name; None = nobody has looked.
    `place`: where the frames were taken, if that had to be found; what is said of other places may be blended in.
    """

    colours: np.ndarray
    trust: np.ndarray
    disproved: np.ndarray | None = None
    place: Located | None = None

    def replace_where(self, where: np.ndarray, colours: np.ndarray, trust: np.ndarray) -> None:
        self.colours[where], self.trust[where] = colours[where], trust[where]

    @property
    def sure(self) -> np.ndarray:
        return self.trust >= SURE


def contradicted(view: View, claim: Claim) -> np.ndarray:
    """Frames of which a good part looks otherwise than the map: bool [T]."""
    bad, shown = wrong(view, claim)
    return bad > (1 - BORNE_OUT) / 2 * np.maximum(shown, ENOUGH)


def wrong(view: View, claim: Claim) -> tuple[np.ndarray, np.ndarray]:
    """Visible pixels on which nothing is told to move that are not as claimed, and all of them: int64 [T] each."""
    shown = ~view.mask & claim.sure & ~view.moving
    return (shown & (view.frames != claim.colours)).sum((1, 2)), shown.sum((1, 2))


def disproved(view: View, claim: Claim | None, locate: Callable[[View], Located] | None = None) -> np.ndarray:
    """Frames that show something else than the state and the atlas say, not only here and there: bool [T].

    What is claimed and seen to have the commonest colour (sky, black) is so wherever one is, and counts for nothing.
    Where most frames look otherwise and scroll as the state says, things look otherwise than the atlas knows them, and
    no frame is disproved, unless most of them are found elsewhere by `locate`. Frames of which nothing is claimed are
    compared with those near them.
    """
    made, seen = np.zeros(view.shape[0], bool), ~view.mask & ~view.moving
    asked = seen.sum((1, 2)) < _TELLING  # of these nothing can be said
    if claim is not None:
        shown = seen & claim.sure
        differs = shown & (view.frames != claim.colours)
        told = shown.sum((1, 2)) >= _TELLING
        asked |= told
        for t in np.flatnonzero(told & (differs.sum((1, 2)) > _LIE * _TELLING)).tolist():
            y, x = np.nonzero(differs[t])
            telling = _telling(claim.colours[t][shown[t]], view.frames[t][shown[t]])
            cells = len(np.unique(y // 16 * view.shape[2] + x // 16))
            made[t] = telling >= _TELLING and len(y) > _LIE * telling and cells >= _CELLS
    if 2 * made.sum() <= len(made) and asked.all():
        return made
    bad, count = _compared(view)
    most, scrolls = 2 * made.sum() > len(made), count.sum() >= _TELLING and bad.sum() <= _LIE * count.sum()
    if most and scrolls and (locate is None or 2 * (locate(view).scene[made] != NOWHERE).sum() <= made.sum()):
        made[:] = False
    return made | (~asked & _alone(bad, count))


def _alone(bad: np.ndarray, telling: np.ndarray) -> np.ndarray:
    """Frames that agree with hardly any near them, while most others do: bool [T]; arguments as of `_compared`."""
    made = np.zeros(len(bad), bool)
    compared = telling >= _TELLING
    share = np.where(compared, bad / np.maximum(telling, 1), np.nan)
    while True:  # the worst one first: its neighbours disagree with it, too
        count = (~np.isnan(share)).sum(1)
        own = np.array([np.nanmedian(one) if n >= _CELLS else np.nan for one, n in zip(share, count, strict=True)])
        if np.isnan(own).all() or not np.nanmax(own) > max(2 * _LIE, 4 * float(np.nanmedian(own))):
            return made
        worst = int(np.nanargmax(own))
        made[worst] = True
        for side, sign in ((0, 1), (_NEAR, -1)):
            for step in range(1, _NEAR + 1):
                share[worst, side + step - 1] = np.nan
                if 0 <= worst + sign * step < len(made):
                    share[worst + sign * step, _NEAR - side + step - 1] = np.nan


def _telling(one: np.ndarray, other: np.ndarray) -> int:
    """Pairs of palette entries, uint8 [N] each, that are not both the commonest one."""
    common = np.bincount(one, minlength=1).argmax()
    return int(((one != common) | (other != common)).sum())


def _compared(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Each frame with those near it, moved as the state says the camera moved: pixels visible in both that differ, and
    those that tell something, int64 [T, 2 * _NEAR] each."""
    state = view.needed_state()
    scene, corner = np.asarray(state.scene), np.stack([np.asarray(state.camera_y), np.asarray(state.camera)], -1)
    corner = corner.astype(np.int64)
    shown = ~view.mask & ~view.moving & ~view.fixed
    bad, telling = np.zeros((2, view.shape[0], 2 * _NEAR), np.int64)
    for t in range(view.shape[0]):
        for step in range(1, min(_NEAR, view.shape[0] - 1 - t) + 1):
            k = t + step
            down, right = (corner[k] - corner[t]).tolist()
            if scene[k] != scene[t] or max(abs(down), abs(right)) >= max(view.shape[1:]):
                continue
            one, other = _overlap(view.shape[1:], down, right), _overlap(view.shape[1:], -down, -right)
            both = shown[t][one] & shown[k][other]
            before, after = view.frames[t][one][both], view.frames[k][other][both]
            bad[t, step - 1] = bad[k, _NEAR + step - 1] = (before != after).sum()
            telling[t, step - 1] = telling[k, _NEAR + step - 1] = _telling(before, after)
    return bad, telling


def _overlap(size: tuple[int, ...], down: int, right: int) -> tuple[slice, slice]:
    """Rows and columns of a picture that one further down and right shows, too."""
    height, width = size
    return slice(max(down, 0), max(height + min(down, 0), 0)), slice(max(right, 0), max(width + min(right, 0), 0))


def borne_out(view: View, colours: np.ndarray, claimed: np.ndarray, least: float = BORNE_OUT) -> np.ndarray:
    """Whether what is visible around agrees with what is claimed, bool [T, 1, W]: states lie, and so do maps (levels
    that go round in circles, altered games)."""
    shown = ~view.mask & claimed
    width = view.shape[2]
    pixels, right = shown.sum(1), (shown & (view.frames == colours)).sum(1)  # [T, W]
    ends = np.clip(np.arange(width) + NEARBY + 1, 0, width), np.clip(np.arange(width) - NEARBY, 0, width)

    def nearby(counts: np.ndarray) -> np.ndarray:
        total = np.concatenate([np.zeros((len(counts), 1), np.int64), counts.cumsum(1)], 1)
        return total[:, ends[0]] - total[:, ends[1]]

    n, a = nearby(pixels), nearby(right)
    few = n < ENOUGH
    n = np.where(few, pixels.sum(1, keepdims=True), n)
    a = np.where(few, right.sum(1, keepdims=True), a)
    return (a >= least * n)[:, None]
