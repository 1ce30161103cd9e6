"""Maps that lead back: a game may set its camera back some pages while the picture goes on as it was.

What stands there then is what stands those pages further on, until new columns are drawn. Which of a map's pages is
shown in a column of the world is decided by the visible pixels around it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..games.pixels import View
from .maps import Atlas, Located

PAGES = (-2, -1, *range(1, 9))  # pages further on that are tried
_AROUND = 48  # columns to either side that are evidence for a column
_WORSE = 4  # right pixels that a wrong one outweighs
_LEAD = 64  # right pixels by which another page must be better than the state's own


def other_pages(view: View, place: Located, atlas: Atlas, sure: float) -> tuple[np.ndarray, np.ndarray]:
    """`Atlas.look_up` of a clip, each column of the world on the page that fits best.

    Args:
        place: what the state tells.
        sure: trust from which the atlas counts as evidence.
    Returns:
        (uint8 [T, H, W] palette entries, float32 [T, H, W] trust).
    """
    colours, trust = atlas.look_up(place, view)
    if not view.game.looks.maze_step:
        return colours, trust
    column = place.camera[:, None] + np.arange(view.shape[2])  # [T, W]
    column = column - column.min()
    best = _score(view, colours, trust >= sure, column) + _LEAD
    for page in PAGES:
        more, trusted = atlas.look_up(replace(place, camera=place.camera + page * view.game.looks.maze_step), view)
        score = _score(view, more, trusted >= sure, column)
        better = score > best
        here = np.broadcast_to(better[column][:, None], view.shape)
        colours[here], trust[here] = more[here], trusted[here]
        best = np.maximum(best, score)
    return colours, trust


def _score(view: View, colours: np.ndarray, claimed: np.ndarray, column: np.ndarray) -> np.ndarray:
    """How well claims fit around each column of the world: int64 [columns]."""
    shown = ~view.mask & claimed
    right = shown & (view.frames == colours)
    value = (right.sum(1) - _WORSE * (shown & ~right).sum(1)).astype(np.int64)  # [T, W]
    total = np.zeros(int(column.max()) + 1, np.int64)
    np.add.at(total, column.ravel(), value.ravel())
    summed = np.concatenate([[0], total.cumsum()])
    at = np.arange(len(total))
    return summed[np.minimum(at + _AROUND + 1, len(total))] - summed[np.maximum(at - _AROUND, 0)]
