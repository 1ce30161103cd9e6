"""Pictures that are late: a game that does not finish its work in time shows the picture before once more.

Its memory has gone on meanwhile: the camera is up to some pixels further. Consoles that scroll by a split of the screen
have not split it yet, so the status bar is shown scrolled, too. What is visible tells which frames these are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..games.pixels import View
from ..games.state import GameState
from .maps import LEVELS, Atlas, Located

_STRANGE = 0.05  # share of the visible pixels that look otherwise than the state says, from which it is looked into ...
_BETTER = 4  # ... and how many times fewer it must be in a picture of another place
_LEAST = 128  # visible pixels
_SURE = 0.9  # trust in what the map shows


def in_time(view: View, atlas: Atlas) -> View:
    """The view with a state that tells what late frames show; the same one where there are none.

    Args:
        view: of level "full" or "compact", or without a state, which is returned as it is.
    """
    game = view.game
    if view.state is None or not game.looks.late_by or len(game.tile_layers) < 2:
        return view
    state, found = view.state, np.full(view.shape[0], -1)
    wrong, seen = _wrong(view, Located.of_state(state), atlas)
    strange = (wrong > _STRANGE * seen) & (seen >= _LEAST)
    for t in np.flatnonzero(strange).tolist():
        part = view.take(np.array([t]))
        place = Located.of_state(part.needed_state())
        places = [replace(place, camera=place.camera - by) for by in range(game.looks.late_by + 1)]
        tried = [int(_wrong(part, one, atlas)[0][0]) for one in places]
        best = int(np.argmin(tried))
        if best and _BETTER * tried[best] <= tried[0]:
            found[t] = best
    if view.level == "full":
        found = np.where(found < 0, _scrolled_bars(view, atlas), found)
    return view if (found < 0).all() else View(
        view.frames, view.mask, game, _shown(state, found, game.native_size[1]), view.level, view.origin
    )  # fmt: skip


def _some(state: GameState, t: int) -> GameState:
    return state.map(lambda array: array[t : t + 1])


def _wrong(view: View, place: Located, atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """Visible pixels of the level, where nothing moves, that are not as the map shows them, and all: int64 [T] each."""
    shown = ~view.mask & ~view.fixed & ~view.moving
    wrong, seen = np.zeros((2, view.shape[0]), np.int64)
    sure = atlas.trust[LEVELS.index(view.level)] > _SURE
    for t in range(len(wrong)):
        world = atlas.maps.get(int(place.scene[t]))
        if world is None:
            continue
        y, x = np.nonzero(shown[t][view.inside])
        colours = view.frames[t][y, x]
        y += int(place.camera_y[t]) + view.origin[0]
        x += int(place.camera[t]) + view.origin[1]
        height, width = world.colours.shape
        there = np.flatnonzero((y >= 0) & (y < height) & (x >= 0) & (x < width))
        at = y[there] * width + x[there]
        known = sure[world.kinds.reshape(-1)[at]]
        wrong[t] = (known & (world.colours.reshape(-1)[at] != colours[there])).sum()
        seen[t] = known.sum()
    return wrong, seen


def _scrolled_bars(view: View, atlas: Atlas) -> np.ndarray:
    """0 for frames whose status bar is not where it belongs, but where it were if it scrolled, else -1: int64 [T]."""
    made = np.full(view.shape[0], -1)
    bar = ~view.mask & view.fixed & ~view.moving
    if not bar.any():
        return made
    state = view.needed_state()
    wrong, seen = _wrong_text(view, bar, atlas)
    for t in np.flatnonzero((wrong > 2 * _STRANGE * seen) & (seen >= _LEAST)).tolist():
        shown = _shown(_some(state, t), np.zeros(1, np.int64), view.game.native_size[1])
        part = View(view.frames[[t]], view.mask[[t]], view.game, shown, view.level, view.origin)
        fewer, still = _wrong_text(part, bar[[t]], atlas)
        if still[0] and _BETTER * fewer[0] * seen[t] <= wrong[t] * still[0]:
            made[t] = 0
    return made


def _wrong_text(view: View, bar: np.ndarray, atlas: Atlas) -> tuple[np.ndarray, np.ndarray]:
    """As `_wrong`, of the status bar's characters."""
    drawn, trust = atlas.paint_tiles(view.shown_text(), view, 1)
    shown = bar & (trust > _SURE)
    return (shown & (view.frames != drawn)).sum((1, 2)), shown.sum((1, 2))


def _shown(state: GameState, by: np.ndarray, width: int) -> GameState:
    """The state with the camera of late frames `by` pixels further left, int64 [T], -1 = in time; a screen is two
    pictures of `width` side by side, the bar in the first one."""
    late = by >= 0
    back = np.where(late, by, 0)
    camera = np.asarray(state.camera) - back.astype(np.asarray(state.camera).dtype)
    grid, bar = (np.array(corner) for corner in state.tile_xy[:2])
    grid[:, 0] += back.astype(grid.dtype)
    scroll = np.asarray(camera).astype(np.int64) % (2 * width)
    bar[:, 0] = np.where(late, np.where(scroll < width, -scroll, 2 * width - scroll), bar[:, 0])
    return replace(state, camera=camera, tile_xy=(grid, bar, *state.tile_xy[2:]))
