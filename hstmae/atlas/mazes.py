"""Maps that lead back: a game may set its camera back some pages while the picture goes on as it was.

What stands there then is what stands those pages further on, until new columns are drawn. Which of a map's pages is
shown in a column of the world is decided by the visible pixels around it.
"""

from __future__ import annotations

import numpy as np

from ..games import GameSpec
from .maps import Atlas, Located

PAGES = range(-2, 9)  # pages further on that are tried
_AROUND = 48  # columns to either side that are evidence for a column
_WORSE = 4  # right pixels that a wrong one outweighs
_LEAD = 64  # right pixels by which another page must be better than the state's own


def other_pages(
    frames: np.ndarray,
    mask: np.ndarray,
    place: Located,
    atlas: Atlas,
    game: GameSpec,
    level: str,
    sure: float,
    origin: tuple[int, int] = (0, 0),
) -> tuple[np.ndarray, np.ndarray]:
    """`Atlas.look_up` of a clip, each column of the world on the page that fits best.

    Args:
        frames: uint8 [T, H, W] palette indices; masked pixels are not read.
        mask: bool [T, H, W], True = masked.
        place: what the state tells.
        sure: trust from which the atlas counts as evidence.
        origin: y and x of the frames' corner in the native picture.
    Returns:
        (uint8 [T, H, W] palette entries, float32 [T, H, W] trust).
    """
    shape = (frames.shape[0], frames.shape[1], frames.shape[2])
    colours, trust = atlas.look_up(place.scene, place.camera, game, level, shape, origin)
    if not game.looks.maze_step:
        return colours, trust
    column = place.camera[:, None] + np.arange(shape[2])  # [T, W]
    column = column - column.min()
    best = _score(frames, mask, colours, trust >= sure, column) + _LEAD
    for page in PAGES:
        if not page:
            continue
        more, trusted = atlas.look_up(
            place.scene, place.camera + page * game.looks.maze_step, game, level, shape, origin
        )
        if not trusted.any():
            continue
        score = _score(frames, mask, more, trusted >= sure, column)
        better = score > best
        here = np.broadcast_to(better[column][:, None], shape)
        colours[here], trust[here] = more[here], trusted[here]
        best = np.maximum(best, score)
    return colours, trust


def _score(
    frames: np.ndarray, mask: np.ndarray, colours: np.ndarray, claimed: np.ndarray, column: np.ndarray
) -> np.ndarray:
    """How well claims fit around each column of the world: int64 [columns]."""
    shown = ~mask & claimed
    right = shown & (frames == colours)
    value = (right.sum(1) - _WORSE * (shown & ~right).sum(1)).astype(np.int64)  # [T, W]
    total = np.zeros(int(column.max()) + 1, np.int64)
    np.add.at(total, column.ravel(), value.ravel())
    summed = np.concatenate([[0], total.cumsum()])
    at = np.arange(len(total))
    return summed[np.minimum(at + _AROUND + 1, len(total))] - summed[np.maximum(at - _AROUND, 0)]
