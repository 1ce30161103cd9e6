"""Masked pixels that need no network: what other frames show of the place, and what the atlas knows of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..games import GameSpec, GameState
from .locate import Locator
from .maps import Located
from .mazes import other_pages
from .objects import glowing, objects, sprites
from .recall import TRUST, fixed_pixels, moving_pixels, recall, tile_map
from .unknown_maps import complete

SURE = 0.98  # trust from which the atlas is believed without asking the network
MAYBE = 0.2  # trust from which it has a share in what the network draws
BORNE_OUT = 0.9  # share of the visible pixels nearby that must look as the atlas says ...
NEARBY = 32  # ... pixels to either side in the same frame ...
ENOUGH = 64  # ... if there are as many; else of the whole frame
STATUS_BAR, OBJECT = np.float32(0.7), np.float32(1)  # `Known.share` of what status bars and objects mostly look like


@dataclass
class Known:
    """indices uint8 [T, H, W]; trust float32 [T, H, W], the probability that they are right; 0 = not known.

    What is `found` needs no network; of the rest, what has some trust is a `hint`, mixed with what the network draws.
    Where `share` float32 [T, H, W] is above 0 (moving objects of a known look, status bars), that much of the colour is
    `mean` uint8 [T, H, W, 3], a mean of what was seen, and the rest is the network's.
    """

    indices: np.ndarray
    trust: np.ndarray
    mean: np.ndarray | None = None
    share: np.ndarray | None = None

    @property
    def found(self) -> np.ndarray:
        return self.trust >= SURE

    @property
    def hint(self) -> np.ndarray:
        return (self.trust > MAYBE) & ~self.found


def known_pixels(
    frames: np.ndarray,
    mask: np.ndarray,
    game: GameSpec,
    level: str,
    state: GameState | None = None,
    locator: Locator | None = None,
    origin: tuple[int, int] = (0, 0),
) -> Known:
    """Look masked pixels up: in the other frames if there is a state, then in the atlas.

    Args:
        frames: uint8 [T, H, W] palette indices in order of time; masked pixels are not read.
        mask: bool [T, H, W], True = masked.
        level: how much is told, "full", "compact" or "none".
        state: decoded, leading axis T; None at level "none".
        locator: the atlas, and who finds places in it; None = no atlas.
        origin: y and x of the frames' corner in the native picture.
    """
    shape = (frames.shape[0], frames.shape[1], frames.shape[2])
    made = Known(np.zeros(shape, np.uint8), np.zeros(shape, np.float32))
    if state is not None and shape[0] > 1:
        seen = recall(frames, mask, state, game, level, origin)
        made.indices[seen.found], made.trust[seen.found] = seen.indices[seen.found], TRUST
    if locator is None:
        return made
    colours, trust, varying = from_atlas(frames, mask, game, level, state, locator, origin)
    if varying is not None:
        made.mean, surely = varying
        drawn = mask & (made.trust == 0) & (surely > 0)
        made.share = np.where(drawn, np.where(fixed_pixels(game, shape, origin), STATUS_BAR, OBJECT), np.float32(0))
        trust = np.where(drawn, surely, trust)
    take = mask & (made.trust == 0) & (trust > MAYBE)
    if made.share is not None:
        take |= made.share > 0
    made.indices[take], made.trust[take] = colours[take], trust[take]
    return made


def from_atlas(
    frames: np.ndarray,
    mask: np.ndarray,
    game: GameSpec,
    level: str,
    state: GameState | None,
    locator: Locator,
    origin: tuple[int, int] = (0, 0),
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
    """What the atlas says, and how far to trust it, with 0 where something moves or visible pixels contradict it.

    Below level "full" also mean colours uint8 [T, H, W, 3] of what varies (status bars, objects), with trust, 0 where
    there is none.
    """
    shape = (frames.shape[0], frames.shape[1], frames.shape[2])
    atlas = locator.atlas
    told = moving = None
    if state is not None:
        place = Located(np.asarray(state.scene).astype(np.int64), np.asarray(state.camera).astype(np.int64))
        moving = moving_pixels(state, game, level, shape, origin)
        if level == "full" and game.tile_layers:
            told = tile_map(state, game, 0, shape, origin)
    else:
        place = locator.locate(frames, mask, origin)
    colours, trust = atlas.look_up(place.scene, place.camera, game, level, shape, origin, told)
    if state is not None and told is None:
        lost = _contradicted(frames, mask, colours, trust)
        if lost.any():
            colours, trust = other_pages(frames, mask, place, atlas, game, level, SURE, origin)
            lost = _contradicted(frames, mask, colours, trust)
        if lost.any():
            found = locator.locate(frames, mask, origin)
            place = Located(np.where(lost, found.scene, place.scene), np.where(lost, found.camera, place.camera))
            again, sure = atlas.look_up(place.scene, place.camera, game, level, shape, origin)
            colours[lost], trust[lost] = again[lost], sure[lost]
    if told is not None and state is not None:
        assert moving is not None
        drawn, sure = atlas.paint_tiles(told, state, game, origin)
        for some in (trust, sure):
            some[some < SURE] = 0  # the network knows more: which colour of a glowing block it is the turn of
        fitting, likely = complete(frames, mask, told, moving, state, game, atlas, origin)
        for more, trusted in ((drawn, sure), (fitting, likely)):
            better = trusted > trust
            colours[better], trust[better] = more[better], trusted[better]
        trust[fixed_pixels(game, shape, origin)] = 0  # of a status bar only what is told is the same everywhere
    if state is not None and level != "none" and len(game.tile_layers) > 1:
        shown = replace(state, tiles=(state.tiles[0], game.shown_text(state, level), *state.tiles[2:]))
        text = tile_map(shown, game, 1, shape, origin)
        if level == "compact":
            text = _summary(text, state, game, origin)
        drawn, sure = atlas.paint_tiles(text, state, game, origin, 1)
        if level == "full":
            sure[sure < SURE] = 0
        colours[sure > 0], trust[sure > 0] = drawn[sure > 0], sure[sure > 0]
    if told is not None and state is not None:
        drawn, sure, _ = atlas.glow.paint(glowing(state, game), colours, trust >= SURE, game.palette, origin)
        colours[sure >= SURE], trust[sure >= SURE] = drawn[sure >= SURE], sure[sure >= SURE]
    borne_out = _borne_out(frames, mask, colours, (trust >= SURE) if moving is None else (trust >= SURE) & ~moving)
    if told is not None and moving is not None and state is not None:
        drawn, sure, _ = atlas.sprites.paint(
            sprites(state, game), colours, trust >= SURE, game.palette, origin,
            atlas.backdrop(place.scene), atlas.looks.solid(told, state, game, origin),
        )  # fmt: skip
        sure[sure < SURE] = 0
        sure *= _borne_out(frames, mask, drawn, (sure > 0) & moving)
        colours[moving], trust[moving] = drawn[moving], sure[moving]
        trust[trust <= 0.5] = 0  # the network, told as much, draws better than an unlikely layout
        return colours, trust * borne_out, None
    mean, seen = atlas.mean_of_fixed(place.scene, game, shape, origin)
    surely = np.where(seen & (trust < SURE), np.maximum(trust, 0.01), 0)  # below SURE: a mean is no one colour
    if state is not None and moving is not None:
        colours, sure, drawn = atlas.objects.paint(objects(state, game), colours, trust >= SURE, game.palette, origin)
        mean[sure > 0], surely[sure > 0] = drawn[sure > 0], sure[sure > 0]
        trust[moving] = 0
    return colours, trust * borne_out, (mean, surely * borne_out)


def _contradicted(frames: np.ndarray, mask: np.ndarray, colours: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Frames of which a good part looks otherwise than the map: bool [T]."""
    shown = ~mask & (trust >= SURE)
    wrong = (shown & (frames != colours)).sum((1, 2))
    return wrong > (1 - BORNE_OUT) / 2 * np.maximum(shown.sum((1, 2)), ENOUGH)


def _summary(text: np.ndarray, state: GameState, game: GameSpec, origin: tuple[int, int]) -> np.ndarray:
    """Ids of the status bar's characters under the pixels, int16 [T, H, W]; -1 where `compact` does not tell."""
    cell = game.tile_layers[1].cell
    corner = np.asarray(state.tile_xy[1]).astype(int)
    told = np.zeros(text.shape, bool)
    for t in range(len(text)):
        for row, column in game.looks.compact_text:
            y, x = row * cell + corner[t, 1] - origin[0], column * cell + corner[t, 0] - origin[1]
            told[t, max(y, 0) : max(y + cell, 0), max(x, 0) : max(x + cell, 0)] = True
    return np.where(told, text, -1).astype(np.int16)


def _borne_out(frames: np.ndarray, mask: np.ndarray, colours: np.ndarray, claimed: np.ndarray) -> np.ndarray:
    """Whether what is visible around agrees with what is claimed, bool [T, 1, W]: states lie, and so do maps (levels
    that go round in circles, altered games)."""
    shown = ~mask & claimed
    width = frames.shape[2]
    pixels, right = shown.sum(1), (shown & (frames == colours)).sum(1)  # [T, W]
    ends = np.clip(np.arange(width) + NEARBY + 1, 0, width), np.clip(np.arange(width) - NEARBY, 0, width)

    def nearby(counts: np.ndarray) -> np.ndarray:
        total = np.concatenate([np.zeros((len(counts), 1), np.int64), counts.cumsum(1)], 1)
        return total[:, ends[0]] - total[:, ends[1]]

    n, a = nearby(pixels), nearby(right)
    few = n < ENOUGH
    n = np.where(few, pixels.sum(1, keepdims=True), n)
    a = np.where(few, right.sum(1, keepdims=True), a)
    return (a >= BORNE_OUT * n)[:, None]
