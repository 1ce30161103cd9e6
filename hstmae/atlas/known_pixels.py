"""Masked pixels that need no network: what the state tells, what other frames show, and what the atlas knows.

The door of this room: whoever restores or measures asks `known_pixels`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..games.boxes import glowing, objects, sprites
from ..games.pixels import View
from ..games.state import NOWHERE
from .between import Likely
from .glowing_tiles import glowing_tiles
from .locate import Locator
from .maps import Located
from .mazes import other_pages
from .recall import TRUST, recall
from .told import TRUST as TOLD
from .told import told_pixels
from .unknown_maps import complete

SURE = 0.98  # trust from which the atlas is believed without asking the network
MAYBE = 0.2  # trust from which it has a share in what the network draws
BORNE_OUT = 0.9  # share of the visible pixels nearby that must look as the atlas says ...
NEARBY = 32  # ... pixels to either side in the same frame ...
DOUBT = np.float32(SURE + 0.002)  # trust of what is sure, however much is seen before it
COVERED = 0.01  # share of the scenery that something stands before, as long as little was seen
ROWS_AROUND, BEFORE = 12, 20000  # rows above and below that tell of it, beside so many pixels like the others
LIT = np.float32(0.9)  # trust in a tile that glows where the map has one
KNOWN = 0.5  # share of a frame that the map has to show, or maps that look like what is visible are asked, too
ENOUGH = 64  # ... if there are as many; else of the whole frame
STATUS_BAR, OBJECT = np.float32(0.9), np.float32(1)  # `Known.share` of what status bars and objects mostly look like


@dataclass
class Known:
    """indices uint8 [T, H, W]; trust float32 [T, H, W], the probability that they are right; 0 = not known.

    What is `found` needs no network; of the rest, what has some trust is a `hint`, mixed with what the network draws.
    Where `share` float32 [T, H, W] is above 0 (moving objects of a known look, status bars), that much of the colour is
    `mean` uint8 [T, H, W, 3], a mean of what was seen, and the rest is the network's. What is `recalled` bool [T, H, W]
    another frame of the footage shows; all else is the atlas's.
    """

    indices: np.ndarray
    trust: np.ndarray
    mean: np.ndarray | None = None
    share: np.ndarray | None = None
    recalled: np.ndarray | None = None

    def of(self, frames: np.ndarray) -> Known:
        """A copy of `frames`, integer [t]."""
        mean = None if self.mean is None else self.mean[frames]
        share = None if self.share is None else self.share[frames]
        recalled = None if self.recalled is None else self.recalled[frames]
        return Known(self.indices[frames], self.trust[frames], mean, share, recalled)

    @property
    def found(self) -> np.ndarray:
        return self.trust >= SURE

    @property
    def hint(self) -> np.ndarray:
        return (self.trust > MAYBE) & ~self.found


@dataclass
class Claim:
    """What is said to stand at each pixel: colours uint8 [T, H, W] palette entries, trust float32 [T, H, W]."""

    colours: np.ndarray
    trust: np.ndarray

    def replace_where(self, where: np.ndarray, colours: np.ndarray, trust: np.ndarray) -> None:
        self.colours[where], self.trust[where] = colours[where], trust[where]

    @property
    def sure(self) -> np.ndarray:
        return self.trust >= SURE


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
        there = there & view.mask & _borne_out(view, colours, there)
        made.indices[there], made.trust[there] = colours[there], TOLD
        return made  # what is left does not follow from the state: nor does what other frames say of it
    if view.state is not None and view.shape[0] > 1:
        seen = recall(view)
        made.indices[seen.found], made.trust[seen.found] = seen.indices[seen.found], TRUST
        made.recalled = seen.found
    if locator is None:
        return made
    return believed(view, made, *from_atlas(view, locator))


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
    borne_out = _borne_out(view, claim.colours, claim.sure)
    mean, trust = _mean_of_fixed(view, first.place, claim, locator)
    if others:
        _blend(view, claim, (mean, trust), [first, *others], locator)
    right = np.maximum(1 - _covered(view, claim, locator.atlas.backdrop(first.place.scene)), DOUBT)
    claim.trust = np.where(claim.sure & ~view.fixed, np.minimum(claim.trust, right), claim.trust)
    return Claim(claim.colours, claim.trust * borne_out), (mean, trust * borne_out)


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
    lost = _contradicted(view, claim)
    if lost.any() or (place.camera < 0).any():
        claim = Claim(*other_pages(view, place, atlas, SURE))
        lost = _contradicted(view, claim)
    strange = (claim.sure & ~view.fixed).sum((1, 2)) < KNOWN * (~view.fixed).sum((1, 2))
    if (lost | strange).any():
        found = locator.locate(view)
        strange &= found.scene != NOWHERE
        other = Claim(*atlas.look_up(found, view))
        lost &= (found.scene == NOWHERE) | (_wrong(view, other)[0] < _wrong(view, claim)[0])  # maps begin alike
        claim.replace_where(lost | strange, other.colours, other.trust)
        claim.trust[strange] = np.minimum(claim.trust[strange], DOUBT)  # a map that looks alike may be another
        place = Located(np.where(lost, found.scene, place.scene), place.camera)  # only the map counts below
    _write_text(view, claim, locator)
    drawn, sure = glowing_tiles(view, place, atlas, claim.colours, claim.sure)
    claim.replace_where((sure >= SURE) & (claim.trust < LIT), drawn, np.full(view.shape, LIT))
    borne_out = _borne_out(view, claim.colours, claim.sure & ~view.moving)
    mean, trust = _mean_of_fixed(view, place, claim, locator)
    claim.colours, sure, drawn = atlas.objects.paint(
        objects(state, game), claim.colours, claim.sure, game.palette, view.origin
    )
    mean[sure > 0], trust[sure > 0] = drawn[sure > 0], sure[sure > 0]
    claim.trust[view.moving] = 0
    return Claim(claim.colours, claim.trust * borne_out), (mean, trust * borne_out)


def _with_tiles(view: View, locator: Locator) -> Claim:
    """Level "full": the state gives tiles, texts and sprites; the atlas knows their looks."""
    atlas, game, state, moving = locator.atlas, view.game, view.needed_state(), view.moving
    place, ids = Located.of_state(state), view.tile_ids(0)
    claim = Claim(*atlas.look_up(place, view, tile_ids=ids))
    if (place.camera < 0).any() or _contradicted(view, claim).any():
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
    borne_out = _borne_out(view, claim.colours, claim.sure & ~moving)
    drawn, sure, _ = atlas.sprites.paint(
        sprites(state, game), claim.colours, claim.sure, game.palette, view.origin,
        atlas.backdrop(place.scene), atlas.looks.solid(view),
        means=False, flips=(game.looks.flip_x_bit, game.looks.flip_y_bit),
    )  # fmt: skip
    sure[sure < SURE] = 0  # where a few sights differ, colours may be another map's
    sure *= _borne_out(view, drawn, (sure > 0) & moving)
    claim.replace_where(moving, drawn, sure)
    claim.trust[claim.trust <= 0.5] = 0  # the network, with the same state, draws better than an unlikely layout
    return Claim(claim.colours, claim.trust * borne_out)


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


def _contradicted(view: View, claim: Claim) -> np.ndarray:
    """Frames of which a good part looks otherwise than the map: bool [T]."""
    wrong, shown = _wrong(view, claim)
    return wrong > (1 - BORNE_OUT) / 2 * np.maximum(shown, ENOUGH)


def _wrong(view: View, claim: Claim) -> tuple[np.ndarray, np.ndarray]:
    """Visible pixels on which nothing is told to move that are not as claimed, and all of them: int64 [T] each."""
    shown = ~view.mask & claim.sure & ~view.moving
    return (shown & (view.frames != claim.colours)).sum((1, 2)), shown.sum((1, 2))


def _borne_out(view: View, colours: np.ndarray, claimed: np.ndarray) -> np.ndarray:
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
    return (a >= BORNE_OUT * n)[:, None]
