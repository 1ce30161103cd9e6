"""Masked pixels that need no network: what the state tells, what other frames show, and what the atlas knows.

The door of this room: whoever restores or measures asks `known_pixels`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..games.boxes import glowing, objects, sprites
from ..games.pixels import View
from ..games.state import NOWHERE
from ..games.told import TRUST as TOLD
from ..games.told import told_pixels
from .between import Likely
from .evidence import ENOUGH, SURE, UNTOLD, Claim, borne_out, contradicted, disproved, wrong
from .glowing_tiles import glowing_tiles
from .locate import Locator
from .maps import Located
from .mazes import other_pages
from .recall import TRUST, recall
from .unknown_maps import complete

MAYBE = 0.2  # trust from which it has a share in what the network draws
DOUBT = np.float32(SURE + 0.002)  # trust of what is sure, however much is seen before it
COVERED = 0.01  # share of the scenery that something stands before, as long as little was seen
ROWS_AROUND, BEFORE = 12, 20000  # rows above and below that tell of it, beside so many pixels like the others
LIT = np.float32(0.9)  # trust in a tile that glows where the map has one
LIKELY = 0.5  # probability of where a lost frame was taken, from which things are taken to move accordingly
KNOWN = 0.5  # share of a frame that the map has to show, or maps that look like what is visible are asked, too
STATUS_BAR, OBJECT = np.float32(0.9), np.float32(1)  # `Known.share` of what status bars and objects mostly look like


@dataclass
class Known:
    """indices uint8 [T, H, W]; trust float32 [T, H, W], the probability that they are right; 0 = not known.

    What is `found` needs no network; of the rest, what has some trust is a `hint`, mixed with what the network draws.
    Where `share` float32 [T, H, W] is above 0 (moving objects of a known look, status bars), that much of the colour is
    `mean` uint8 [T, H, W, 3], a mean of what was seen, and the rest is the network's. What is `recalled` bool [T, H, W]
    another frame of the footage shows; all else is the atlas's. Frames that are `disproved` bool [T] show something
    else than the state says: what is known of them is what the state said, so it had better not be used.
    """

    indices: np.ndarray
    trust: np.ndarray
    mean: np.ndarray | None = None
    share: np.ndarray | None = None
    recalled: np.ndarray | None = None
    disproved: np.ndarray | None = None

    def of(self, frames: np.ndarray) -> Known:
        """A copy of `frames`, integer [t]."""
        mean = None if self.mean is None else self.mean[frames]
        share = None if self.share is None else self.share[frames]
        recalled = None if self.recalled is None else self.recalled[frames]
        disproved = None if self.disproved is None else self.disproved[frames]
        return Known(self.indices[frames], self.trust[frames], mean, share, recalled, disproved)

    def put(self, frames: np.ndarray, part: Known) -> None:
        """Take over what `part` knows of `frames`, integer [t], and nothing else of them, in place."""
        count, height, width = self.indices.shape
        if part.mean is not None and self.mean is None:
            self.mean = np.zeros((count, height, width, 3), np.uint8)
        if part.share is not None and self.share is None:
            self.share = np.zeros((count, height, width), np.float32)
        if part.recalled is not None and self.recalled is None:
            self.recalled = np.zeros((count, height, width), bool)
        for own, other in (
            (self.indices, part.indices), (self.trust, part.trust), (self.mean, part.mean), (self.share, part.share),
            (self.recalled, part.recalled),
        ):  # fmt: skip
            if own is not None:
                own[frames] = 0 if other is None else other

    @property
    def found(self) -> np.ndarray:
        return self.trust >= SURE

    @property
    def hint(self) -> np.ndarray:
        return (self.trust > MAYBE) & ~self.found


def known_pixels(view: View, locator: Locator | None = None) -> Known:
    """Look masked pixels up: in the state where it tells the picture, in the other frames if there is a state, then in
    the atlas.

    Args:
        view: the frames, their mask and the state.
        locator: the atlas, and who finds places in it; None = no atlas.
    """
    made = Known(np.zeros(view.shape, np.uint8), np.zeros(view.shape, np.float32))
    if (told := told_pixels(view)) is not None:
        colours, there = told
        there = there & view.mask & borne_out(view, colours, there)
        made.indices[there], made.trust[there] = colours[there], TOLD
        return made  # what is left does not follow from the state: nor does what other frames say of it
    if view.state is not None and view.shape[0] > 1:
        seen = recall(view)
        made.indices[seen.found], made.trust[seen.found] = seen.indices[seen.found], TRUST
        made.recalled = seen.found
    if locator is not None:
        return believed(view, made, *from_atlas(view, locator))
    if view.state is not None and view.shape[0] > 1:
        made.disproved = disproved(view, None)
    return made


def believed(view: View, made: Known, claim: Claim, varying: tuple[np.ndarray, np.ndarray] | None) -> Known:
    """What is `made` of masked pixels, and of the others what an atlas says, as `from_atlas` returns it."""
    if varying is not None:
        made.mean, surely = varying
        drawn = view.mask & (made.trust == 0) & (surely > 0)
        made.share = np.where(drawn, np.where(view.fixed, STATUS_BAR, OBJECT), np.float32(0))
        claim.trust = np.where(drawn, surely, claim.trust)
    take = view.mask & (made.trust == 0) & (claim.trust > MAYBE)
    if made.share is not None:
        take |= made.share > 0
    made.indices[take], made.trust[take] = claim.colours[take], claim.trust[take]
    made.disproved = claim.disproved
    return made


def from_atlas(view: View, locator: Locator) -> tuple[Claim, tuple[np.ndarray, np.ndarray] | None]:
    """What the atlas says, with trust 0 where something moves or visible pixels contradict it.

    Below level "full" also mean colours uint8 [T, H, W, 3] of what varies (status bars, objects), with trust, 0 where
    there is none.
    """
    if view.state is None:
        return _without_state(view, locator)
    if view.level == "full" and view.game.tile_layers:
        return _with_tiles(view, locator), None
    return _with_camera(view, locator)


def _without_state(view: View, locator: Locator) -> tuple[Claim, tuple[np.ndarray, np.ndarray]]:
    """Level "none": the place is found by what is visible; where nothing is, by the frames before and after."""
    first, *others = locator.likely(view)
    claim = Claim(*locator.atlas.look_up(first.place, view))
    bears_out = borne_out(view, claim.colours, claim.sure, UNTOLD)
    mean, trust = _mean_of_fixed(view, first.place, claim, locator)
    if others:
        _blend(view, claim, (mean, trust), [first, *others], locator)
    right = np.maximum(1 - _covered(view, claim, locator.atlas.backdrop(first.place.scene)), DOUBT)
    claim.trust = np.where(claim.sure & ~view.fixed, np.minimum(claim.trust, right), claim.trust)
    sure = (first.weight >= LIKELY) | ~view.mask.all((1, 2))
    place = Located(np.where(sure, first.place.scene, NOWHERE), first.place.camera, first.place.camera_y)
    return Claim(claim.colours, claim.trust * bears_out, place=place), (mean, trust * bears_out)


def _covered(view: View, claim: Claim, backdrop: np.ndarray) -> np.ndarray:
    """How likely something that no state tells of stands before the scenery, or it is other scenery: of each row of the
    picture the share of the visible pixels around it that are not as claimed, float32 [H, 1]. Where backdrop, int16
    [T], is claimed and seen counts for nothing: that all maps have."""
    shown = ~view.mask & claim.sure & ~view.fixed
    wrong = shown & (view.frames != claim.colours)
    telling = shown & (wrong | (view.frames != backdrop[:, None, None]))
    bad, pixels = (part.sum((0, 2)) for part in (wrong, telling))
    kernel = np.ones(2 * ROWS_AROUND + 1)
    near_bad, near = (np.convolve(count, kernel)[ROWS_AROUND:-ROWS_AROUND] for count in (bad, pixels))
    before = (bad.sum() + COVERED * ENOUGH) / (pixels.sum() + ENOUGH)
    return ((near_bad + BEFORE * before) / (near + BEFORE)).astype(np.float32)[:, None]


def _blend(
    view: View, claim: Claim, varying: tuple[np.ndarray, np.ndarray], likely: list[Likely], locator: Locator
) -> None:
    """Where several places are likely: the mean of what they show, and trust as far as they agree, in place."""
    some = np.flatnonzero(likely[0].weight < 1)
    part = View(view.frames[some], view.mask[some], view.game, None, view.level, view.origin)
    mean = np.zeros((*part.shape, 3), np.float32)
    agree, total = np.zeros(part.shape, np.float32), np.zeros(part.shape, np.float32)
    for one in likely:
        colours, trust = locator.atlas.look_up(one.place.take(some), part)
        weight = one.weight[some, None, None]
        shown = np.where(trust > 0, weight, np.float32(0))
        mean += shown[..., None] * view.game.palette[colours]
        agree += shown * (colours == claim.colours[some])
        total += shown
    unsure = (claim.trust[some] > 0) & (agree < total) & ~part.fixed
    claim.trust[some] *= np.where(part.fixed, 1, agree)
    blended = np.rint(mean / np.maximum(total, np.float32(1e-6))[..., None]).astype(np.uint8)
    varying[0][some] = np.where(unsure[..., None], blended, varying[0][some])
    varying[1][some] = np.where(unsure, np.maximum(np.minimum(claim.trust[some], 0.97), 0.01), varying[1][some])


def _with_camera(view: View, locator: Locator) -> tuple[Claim, tuple[np.ndarray, np.ndarray]]:
    """Level "compact", and games without tiles: the state gives the camera and the boxes of objects."""
    atlas, game, state = locator.atlas, view.game, view.needed_state()
    place = Located.of_state(state)
    claim = Claim(*atlas.look_up(place, view))
    lost = contradicted(view, claim)
    if lost.any() or (place.camera < 0).any():
        claim = Claim(*other_pages(view, place, atlas, SURE))
        lost = contradicted(view, claim)
    claim.disproved = disproved(view, claim, locator.locate)
    strange = (claim.sure & ~view.fixed).sum((1, 2)) < KNOWN * (~view.fixed).sum((1, 2))
    if (lost | strange).any():
        found = locator.locate(view)
        strange &= found.scene != NOWHERE
        other = Claim(*atlas.look_up(found, view))
        lost &= (found.scene == NOWHERE) | (wrong(view, other)[0] < wrong(view, claim)[0])  # maps begin alike
        claim.replace_where(lost | strange, other.colours, other.trust)
        claim.trust[strange] = np.minimum(claim.trust[strange], DOUBT)  # a map that looks alike may be another
        place = Located(np.where(lost, found.scene, place.scene), place.camera)  # only the map counts below
    _write_text(view, claim, locator)
    drawn, sure = glowing_tiles(view, place, atlas, claim.colours, claim.sure)
    claim.replace_where((sure >= SURE) & (claim.trust < LIT), drawn, np.full(view.shape, LIT))
    bears_out = borne_out(view, claim.colours, claim.sure & ~view.moving)
    mean, trust = _mean_of_fixed(view, place, claim, locator)
    claim.colours, sure, drawn = atlas.objects.paint(
        objects(state, game), claim.colours, claim.sure, game.palette, view.origin
    )
    mean[sure > 0], trust[sure > 0] = drawn[sure > 0], sure[sure > 0]
    claim.trust[view.moving] = 0
    return Claim(claim.colours, claim.trust * bears_out, claim.disproved), (mean, trust * bears_out)


def _with_tiles(view: View, locator: Locator) -> Claim:
    """Level "full": the state gives tiles, texts and sprites; the atlas knows their looks."""
    atlas, game, state, moving = locator.atlas, view.game, view.needed_state(), view.moving
    place, ids = Located.of_state(state), view.tile_ids(0)
    claim = Claim(*atlas.look_up(place, view, tile_ids=ids))
    if (place.camera < 0).any() or contradicted(view, claim).any():
        claim.replace_where((ids < 0) & ~view.fixed, *other_pages(view, place, atlas, SURE))
    tiles = Claim(*atlas.paint_tiles(ids, view))
    for some in (claim, tiles):
        some.trust[~some.sure] = 0  # the network knows more: which colour of a glowing block it is the turn of
    guess = Claim(*complete(view, atlas))
    claim.replace_where(guess.trust > claim.trust, guess.colours, guess.trust)
    claim.replace_where(tiles.sure, tiles.colours, tiles.trust)  # many sights; of one place a map may have few
    claim.trust[view.fixed] = 0  # a status bar shows what the state says, not what a map showed
    _write_text(view, claim, locator)
    drawn, sure, _ = atlas.glow.paint(
        glowing(state, game), claim.colours, claim.sure, game.palette, view.origin, means=False
    )
    claim.replace_where(sure >= SURE, drawn, sure)
    bears_out = borne_out(view, claim.colours, claim.sure & ~moving)
    drawn, sure, _ = atlas.sprites.paint(
        sprites(state, game), claim.colours, claim.sure, game.palette, view.origin,
        atlas.backdrop(place.scene), atlas.looks.solid(view),
        means=False, flips=(game.looks.flip_x_bit, game.looks.flip_y_bit),
    )  # fmt: skip
    sure[sure < SURE] = 0  # where a few sights differ, colours may be another map's
    sure *= borne_out(view, drawn, (sure > 0) & moving)
    claim.replace_where(moving, drawn, sure)
    claim.disproved = disproved(view, claim, locator.locate)
    claim.trust[claim.trust <= 0.5] = 0  # the network, with the same state, draws better than an unlikely layout
    return Claim(claim.colours, claim.trust * bears_out, claim.disproved)


def _write_text(view: View, claim: Claim, locator: Locator) -> None:
    """Draw the characters of the status bar that the level tells, in place."""
    if len(view.game.tile_layers) < 2:
        return
    text = view.shown_text()
    if view.level == "compact":
        text = np.where(view.summary_text, text, -1).astype(np.int16)
    drawn, sure = locator.atlas.paint_tiles(text, view, 1)
    if view.level == "full":
        sure[sure < SURE] = 0
    claim.replace_where(sure > 0, drawn, sure)


def _mean_of_fixed(view: View, place: Located, claim: Claim, locator: Locator) -> tuple[np.ndarray, np.ndarray]:
    """What status bars mostly look like, where nothing is sure: colours uint8 [T, H, W, 3] and trust [T, H, W]."""
    mean, seen = locator.atlas.mean_of_fixed(place, view)
    return mean, np.where(seen & ~claim.sure, np.maximum(claim.trust, 0.01), 0)  # below SURE: a mean is no one colour
