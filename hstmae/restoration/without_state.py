"""Masked pixels without a state: scenery by the atlas, and by motion recall all that moves before it.

Where the atlas says what stands at a visible pixel, and that is seen, the pixel is scenery. Motion recall is given the
footage with one colour of its own, CLEAR, in place of all such pixels: scenery is then a still, empty picture, and only
what moves before it, or is not as the atlas says, has to be found again in other frames, by where the camera was. What
it draws CLEAR is what the atlas shows. Frames whose place is not known are drawn from the footage as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..atlas.known_pixels import SURE, Claim, Known, believed, from_atlas
from ..atlas.locate import Locator
from ..games.palette import nearest_entries
from ..games.pixels import View
from ..games.state import NOWHERE
from ..motion.combiner import Drawn
from ..motion.recall import Mode, Recall
from .strangers import apart
from .threads import threads

SCENERY = 0.5  # trust from which a place of the map is scenery
PLACED = 0.5  # share of a frame's picture that has to be, or its place is not known
SEEN = 0.5  # share of a frame that has to be seen, or that none is: from too little, motion is found wrongly
CERTAIN = 0.985  # confidence of motion recall from which it is all but always right ...
RIGHT = np.float32(0.99)  # ... and what is said of it
UNSURE = np.float32(0.97)  # most that is said of the others
ELSEWHERE = 1e6  # pixels
FEW = 0.02  # share below which a frame is lost


@dataclass
class Motion:
    """What motion recall drew: colours of `Known`, CLEAR where `clear`; bool [T, H, W] `there`, where it drew,
    and `shown`, where other frames had most of the say."""

    entry: np.ndarray
    mean: np.ndarray
    confidence: np.ndarray
    clear: np.ndarray
    there: np.ndarray
    shown: np.ndarray

    @classmethod
    def nothing(cls, view: View) -> Motion:
        return cls(
            np.zeros(view.shape, np.uint8), np.zeros((*view.shape, 3), np.uint8), np.zeros(view.shape, np.float32),
            np.zeros(view.shape, bool), np.zeros(view.shape, bool), np.zeros(view.shape, bool),
        )  # fmt: skip


def known_without_state(view: View, locator: Locator | None) -> Known:
    """Look masked pixels up in the other frames and in the atlas.

    Args:
        view: of level "none".
        locator: the atlas, and who finds places in it; None = no atlas.
    """
    made = Known(np.zeros(view.shape, np.uint8), np.zeros(view.shape, np.float32))
    claim, varying = Claim(made.indices.copy(), made.trust.copy()), None
    if locator is not None:
        claim, varying = from_atlas(view, locator)
        made = believed(view, made, claim, varying)
    asked = drawn_frames(view.mask)
    if asked.any() and len(asked) > 1:
        join(made, view, _motion(view, claim, asked), claim, None if varying is None else varying[0])
    return made


def drawn_frames(mask: np.ndarray) -> np.ndarray:
    """Frames in which motion recall is asked, bool [T], of a mask bool [T, H, W]."""
    missing = mask.mean((1, 2))
    return np.asarray((missing > 0) & ((missing <= 1 - SEEN) | (missing > 1 - FEW)))


def _motion(view: View, claim: Claim, asked: np.ndarray) -> Motion:
    scenery, placed = scenery_of(view, claim)
    made, pictures = Motion.nothing(view), view.game.palette[view.frames]
    empty = cleared(view, claim, scenery)
    for company, lost in apart(pictures, view.mask):
        for some, frames, camera in ((asked & placed, empty, camera_of(claim)), (asked & ~placed, pictures, None)):
            own = np.flatnonzero(some & company.frames).tolist()
            for t, drawn in Recall(frames, lost, Mode(), threads(), camera=camera).draw_all(own) if own else ():
                enter(made, t, drawn, view, claim, scenery)
    return made


def scenery_of(view: View, claim: Claim) -> tuple[np.ndarray, np.ndarray]:
    """Where what is claimed is scenery, bool [T, H, W]: in frames whose place is known, bool [T]."""
    scenery = (claim.trust >= SCENERY) & ~view.fixed
    placed = scenery.sum((1, 2)) >= PLACED * np.maximum((~view.fixed).sum((1, 2)), 1)
    return scenery & placed[:, None, None], placed


def camera_of(claim: Claim) -> np.ndarray | None:
    """Where the camera was found, as `Scene` takes it: float64 [T, 2]."""
    if claim.place is None:
        return None
    scene = claim.place.scene
    at = np.stack([claim.place.camera_y, claim.place.camera], 1).astype(float)
    at[1:, 1] += ELSEWHERE * np.cumsum(np.diff(scene) != 0)  # from one map to another no camera moves
    at[scene == NOWHERE] = np.nan
    return at


def cleared(view: View, claim: Claim, scenery: np.ndarray) -> np.ndarray:
    """The frames uint8 [T, H, W, 3], CLEAR where they show scenery as it is claimed."""
    palette = view.game.palette
    shown = scenery & (view.frames == claim.colours)
    return np.where(shown[..., None], _unused(palette), palette[view.frames])


def enter(made: Motion, t: int, drawn: Drawn, view: View, claim: Claim, scenery: np.ndarray) -> None:
    """Write what was drawn of frame t, with the map's colours where it is CLEAR."""
    palette, place = view.game.palette, drawn.place
    empty = _unused(palette)
    clear = (drawn.likeliest == empty).all(1)
    behind = claim.colours[t].reshape(-1)[place]
    known = scenery[t].reshape(-1)[place]
    entry = np.where(clear, behind, nearest_entries(drawn.likeliest, palette, view.game))
    share = drawn.confidence[:, None]
    # Of the mean, what is not the likeliest colour is CLEAR for the most part, where there is scenery.
    rest = np.where(clear[:, None], drawn.rgb - share * empty, (1 - share) * palette[behind])
    mean = np.where(known[:, None], share * palette[entry] + rest, drawn.rgb)
    for array, value in (
        (made.entry, entry), (made.confidence, drawn.confidence), (made.clear, clear), (made.shown, drawn.shown),
        (made.there, np.where(known, True, drawn.shown & ~clear)),
    ):  # fmt: skip
        array[t].reshape(-1)[place] = value
    made.mean[t].reshape(-1, 3)[place] = np.clip(np.rint(mean), 0, 255)


def join(made: Known, view: View, motion: Motion, claim: Claim, blended: np.ndarray | None) -> None:
    """Enter what motion recall drew into what the atlas said, in place."""
    sure = motion.there & (motion.confidence >= CERTAIN) & (~motion.clear | (claim.trust >= SURE))
    unsure = motion.there & ~sure
    if made.mean is None or made.share is None:
        made.mean, made.share = np.zeros((*view.shape, 3), np.uint8), np.zeros(view.shape, np.float32)
    made.indices[motion.there] = motion.entry[motion.there]
    made.recalled = motion.there & motion.shown & ~motion.clear
    made.trust[sure], made.share[sure] = RIGHT, 0
    made.trust[unsure] = np.minimum(motion.confidence[unsure], UNSURE)
    made.share[unsure] = 1
    made.mean[unsure] = motion.mean[unsure]
    if blended is not None:  # the place itself is not sure
        open_ = unsure & motion.clear & (motion.confidence >= CERTAIN)
        made.mean[open_] = blended[open_]
        made.trust[open_] = np.minimum(claim.trust[open_], UNSURE)


def _unused(palette: np.ndarray) -> np.ndarray:
    """A dark colour that the palette does not have, uint8 [3]: CLEAR."""
    used = {tuple(colour) for colour in palette.tolist()}
    return np.array(next(c for c in ((1, 2, k) for k in range(256)) if c not in used), np.uint8)
