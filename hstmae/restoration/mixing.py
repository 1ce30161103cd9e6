"""What is known of masked pixels, put into what the network drew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..atlas.known_pixels import Known
from .result import ATLAS, INPUT, NETWORK, RECALL, Restoration

HINT = 0.85  # share of a hint's colour in what the network draws; more if it is trusted more
LOST = 0.25  # share of one colour in what the network draws of frames of which nothing is known (left-out recordings)
LIKELY = 0.5  # trust from which a palette entry of the atlas counts more than the network's


def sources(mask: np.ndarray, known: Known | None) -> tuple[np.ndarray, np.ndarray]:
    """`method` and `shown` of a Restoration, of masked pixels bool [T, H, W] and what is known of them."""
    method = np.where(mask, np.uint8(NETWORK), np.uint8(INPUT))
    if known is None:
        return method, ~mask
    likely = known.found | (
        known.hint if known.share is None else np.where(known.share > 0, known.trust > LIKELY, known.hint)
    )
    method[mask & likely] = ATLAS
    if known.recalled is None:
        return method, ~mask
    method[mask & known.recalled] = RECALL
    return method, ~mask | known.recalled


def add_known(result: Restoration, known: Known, palette: np.ndarray, frames: np.ndarray) -> None:
    """Put what is known into `frames`, integer [t], which the network has drawn, in place."""
    assert result.indices is not None
    sure = None if result.confidence is None else result.confidence[frames]
    part = Restoration(result.rgb[frames], result.indices[frames], sure)
    there = known.of(frames)
    mix(part, there, palette)
    result.rgb[frames], result.indices[frames] = part.rgb, part.indices
    if result.confidence is not None and part.confidence is not None:
        part.confidence[there.found] = there.trust[there.found]
        result.confidence[frames] = part.confidence


def soften(result: Restoration, known: Known, mask: np.ndarray, mean: np.ndarray, frames: np.ndarray) -> None:
    """Without a state, draw `frames`, integer [t], the nearer to one colour the less of them is known, in place: where
    the place is not found, the network draws some other one.

    Args:
        mask: bool [T, H, W], what was masked; mean: float [3], RGB of what is visible.
    """
    for t in frames.tolist():
        alone = mask[t] & (known.trust[t] == 0)
        if known.share is not None:
            alone &= known.share[t] == 0
        share = LOST * alone.sum() / max(int(mask[t].sum()), 1)
        drawn = (1 - share) * result.rgb[t][alone] + share * mean
        result.rgb[t][alone] = np.rint(drawn).astype(np.uint8)


def mix(result: Restoration, known: Known, palette: np.ndarray) -> None:
    """Let hints have their share of what the network drew, in place."""
    assert result.indices is not None
    trust = known.trust
    if known.mean is not None and known.share is not None:
        where = (known.share > 0) & ~known.found
        share = known.share[where][:, None]
        both = share * known.mean[where] + (1 - share) * result.rgb[where]
        result.rgb[where] = np.rint(both).astype(np.uint8)
        likely = trust[where] > LIKELY
        result.indices[where] = np.where(likely, known.indices[where], result.indices[where])
        if result.confidence is not None:
            result.confidence[where] = np.where(likely, trust[where], result.confidence[where])
        known = replace(known, trust=np.where(where, 0, trust))
    where = known.hint
    trust, entry = known.trust[where], known.indices[where]
    share = np.maximum(trust, HINT)[:, None]
    result.rgb[where] = np.rint(share * palette[entry] + (1 - share) * result.rgb[where]).astype(np.uint8)
    if result.confidence is not None:
        result.confidence[where] = np.where(
            result.indices[where] == entry, np.maximum(result.confidence[where], trust), trust
        )
    result.indices[where] = entry
