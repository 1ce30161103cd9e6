"""What the network works on for a stretch of footage, and the way back to the footage's own pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..data.sources.snapped import Snapper
from ..errors import DataError
from ..games import GameSpec
from .footage.base import Stretch

if TYPE_CHECKING:
    from ..restoration.result import Restoration


FASTEST = 4  # pixels that the camera moves in a frame, about
ALIKE = 0.93  # share of the visible pixels of two frames in a row, above: nothing happened between them


@dataclass(frozen=True)
class RestoredPicture:
    """One restored frame as its footage shows it.

    Attributes:
        pixels: as `Picture.restored` takes them.
        rgb: uint8 [H, W, 3], mean colours.
        confidence, method, shown: [H, W], as of Restoration.
    """

    pixels: np.ndarray
    rgb: np.ndarray
    confidence: np.ndarray | None
    method: np.ndarray | None
    shown: np.ndarray | None


@dataclass(frozen=True)
class NativeFrames:
    """Frames as the game has them: for pictures the pictures themselves.

    Attributes:
        frames: uint8 [T, h, w] palette entries, or [T, h, w, 3].
        mask: bool [T, h, w].
        palette: uint8 [K, 3], None for true colour.
    """

    frames: np.ndarray
    mask: np.ndarray
    palette: np.ndarray | None

    def restored(self, made: Restoration, k: int, t: int) -> RestoredPicture:
        """Frame `t`, which is the k-th of those that were `made`."""
        pixels = made.rgb[k] if made.indices is None else made.indices[k]
        maps = (None if one is None else one[k] for one in (made.confidence, made.method, made.shown))
        return RestoredPicture(pixels, made.rgb[k], *maps)


@dataclass(frozen=True)
class SnappedFrames(NativeFrames):
    """Frames of a film that shows a palette game: snapped to it, and shown as the film would show them.

    Attributes:
        snapper: of the film; films: its frames, uint8 [H, W, 3] each.
    """

    snapper: Snapper
    films: list[np.ndarray]

    def restored(self, made: Restoration, k: int, t: int) -> RestoredPicture:
        assert made.indices is not None
        entries, film = made.indices[k], self.films[t]
        game = self.snapper.game.palette
        own = self.snapper.own_colours(film, entries, ~self.mask[t])
        # The mean colour, moved by how the film shows the likeliest one.
        native = made.rgb[k] + (own - game)[entries]
        shown = self.snapper.shown(native, film)
        y, x = self.snapper.place.owners((film.shape[0], film.shape[1]))
        outside = (y < 0)[:, None] | (x < 0)

        def spread(native: np.ndarray | None, beyond: np.generic) -> np.ndarray | None:
            return None if native is None else np.where(outside, beyond, native[k][y][:, x])

        return RestoredPicture(
            shown, shown, spread(made.confidence, np.float32(1)), spread(made.method, np.uint8(0)),
            spread(made.shown, np.bool_(True)),
        )  # fmt: skip


def native_frames(stretch: Stretch, mask: np.ndarray, game: GameSpec) -> NativeFrames:
    """The frames of a stretch for a model of `game`; `mask` bool [T, H, W] as its pictures are.

    Raises:
        DataError: pictures differ in their palettes, or a visible pixel is not in the game's.
    """
    snapper, pictures = stretch.snapper, stretch.pictures
    if snapper is not None:
        hidden = np.stack([snapper.native_mask(part) for part in mask])
        films = [picture.pixels for picture in pictures]
        frames = np.stack([snapper.entries(film, part)[0] for film, part in zip(films, hidden, strict=True)])
        return SnappedFrames(frames, hidden, game.palette, snapper, films)
    palettes = [np.zeros(0) if picture.palette is None else picture.palette for picture in pictures]
    made = []
    for t, (picture, file) in enumerate(zip(pictures, stretch.files, strict=True)):
        if not np.array_equal(palettes[t], palettes[0]):
            raise DataError(f"{file}: its palette differs from that of {stretch.files[0]}; restore them one by one")
        made.append(picture.shown(mask[t], game, file))
    return NativeFrames(np.stack(made), mask, pictures[0].palette)


def told_frames(stretch: Stretch, native: NativeFrames) -> np.ndarray:
    """Frames whose state is used, bool [T]: also of a picture that no memory belongs to, where as far as both can be
    seen it looks just like the one that its state is of."""
    if stretch.told is None or stretch.state is None:
        return np.ones(len(native.frames), bool)
    told = stretch.told.copy()
    for t in np.flatnonzero(~stretch.told).tolist():
        for k in (t - 1, t + 1):
            if 0 <= k < len(told) and stretch.told[k] and np.array_equal(stretch.state[t], stretch.state[k]):
                seen = ~native.mask[t] & ~native.mask[k]
                told[t] |= bool((native.frames[t][seen] == native.frames[k][seen]).all())
    return told


def near_states(
    stretch: Stretch, native: NativeFrames, told: np.ndarray, game: GameSpec
) -> tuple[np.ndarray, np.ndarray | None]:
    """Which frames without a state of their own look like the next one, moved sideways a little, bool [T]; and the
    states, uint8 [T, S], in which they have a guess (see GameSpec.before)."""
    near, state = np.zeros(len(native.frames), bool), stretch.state
    if stretch.near is None or state is None:
        return near, state
    state = state.copy()
    for t in np.flatnonzero(stretch.near & ~told).tolist():
        follow = state[t + 1 : t + 3]
        if not len(follow):
            continue
        usual = game.moved(follow) if len(follow) > 1 else 0
        alike = {shift: _alike(native, t, shift) for shift in range(usual - FASTEST, usual + FASTEST + 1)}
        shift = max(alike, key=lambda one: (alike[one], -abs(one - usual)))
        if alike[shift] >= ALIKE:
            near[t], state[t] = True, game.before(follow, shift)
    return near, state


def without_blanks(native: NativeFrames, untold: np.ndarray) -> NativeFrames:
    """The frames, of which some of `untold` bool [T] are blank screens: one colour is all that is seen of them, and not
    of the frame beside them at the same places. They are filled with it, and nothing of them is missing."""
    frames, mask = native.frames, native.mask
    for t in np.flatnonzero(untold).tolist():
        seen = ~native.mask[t]
        beside = t + 1 if t + 1 < len(frames) else t - 1
        if not seen.any() or beside < 0 or frames.ndim != 3:
            continue
        first = int(frames[t][seen][0])
        same = seen & ~native.mask[beside]
        if (frames[t][seen] == first).all() and len(np.unique(frames[beside][same])) > 1:
            frames, mask = frames.copy(), mask.copy()
            frames[t], mask[t] = first, False
    return replace(native, frames=frames, mask=mask)


def _alike(native: NativeFrames, t: int, shift: int) -> float:
    """Share of the pixels seen in frame `t` and, `shift` further left, in the next that are equal."""
    width = native.frames.shape[2] - abs(shift)
    here, there = slice(max(shift, 0), max(shift, 0) + width), slice(max(-shift, 0), max(-shift, 0) + width)
    seen = ~native.mask[t, :, here] & ~native.mask[t + 1, :, there]
    equal = native.frames[t, :, here] == native.frames[t + 1, :, there]
    return float(equal[seen].mean()) if seen.any() else 0.0
