"""Text of a status bar that nothing tells: what is drawn there is a guess, however sure the network is of it."""

from __future__ import annotations

import numpy as np

from ..atlas.known_pixels import SURE
from ..games.pixels import View


def untold_text(view: View) -> np.ndarray:
    """Hidden pixels of the parts of the picture that do not scroll, whose place no frame shows, and of which the state
    does not say what stands there: bool [T, H, W].

    Args:
        view: of all frames there are; pixels that were looked up elsewhere are not masked any more.
    """
    never_seen = view.mask & view.fixed & view.mask.all(0)
    if view.state is None or not never_seen.any():
        return never_seen
    if view.level == "full" or len(view.game.tile_layers) < 2:
        return np.zeros_like(never_seen)
    return never_seen & ~view.summary_text


def mark_guesses(confidence: np.ndarray, untold: np.ndarray) -> None:
    """Confidence float32 [..., H, W] of untold text becomes 0, in place, but where it is sure.

    The network was never shown the digits, and knows the empty places between them: on sessions held back from training
    six in ten of the pixels that become 0 are right, and 99 in 100 of those that stay (benchmarks/confidence.py).
    """
    confidence[untold & (confidence < SURE)] = 0
