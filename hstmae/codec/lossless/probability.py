"""Constant integer tables of the lossless coder, the same on every machine: made without binary floating point."""

from decimal import Decimal, localcontext
from functools import lru_cache

import numpy as np

REACH = 3072  # logits run from -REACH to REACH - 1, in 1/256
LARGEST = 2839  # logit of 65535/65536

# How far a probability moves towards a new bit (1/65536), and how much an input counts (1/256), by bits seen so far.
RATE = np.array([65536 * 10 // d for d in (16, 26, 36, 47, 60, 75, 90, 110, 140, 180, 240, 320, 480, 720, 1100, 1600)])
RATE = RATE.astype(np.int32)
TRUST = np.array([0, 110, 150, 180, 200, 215, 225, 235, 240, 245, 250, 253, 256, 256, 256, 256], np.int32)


@lru_cache(maxsize=1)
def squash_table() -> np.ndarray:
    """uint16 [2 * REACH]: 65536 / (1 + exp(-x / 256)) for x = -REACH .. REACH - 1, within 1 .. 65535."""
    with localcontext() as context:
        context.prec = 24  # exp() of the decimal module is correctly rounded everywhere
        step, value = (Decimal(-1) / 256).exp(), (Decimal(REACH) / 256).exp()
        out = np.empty(2 * REACH, np.uint16)
        for i in range(2 * REACH):
            out[i] = min(max(int(Decimal(65536) / (1 + value) + Decimal("0.5")), 1), 65535)
            value *= step
    return out


@lru_cache(maxsize=1)
def stretch_table() -> np.ndarray:
    """int16 [65536]: the smallest logit whose probability is at least p, within -LARGEST .. LARGEST."""
    found = np.searchsorted(squash_table(), np.arange(65536), side="left") - REACH
    return np.clip(found, -LARGEST, LARGEST).astype(np.int16)
