"""Tube masks: the same 16x16 positions hidden in every frame, so that nothing can be copied from the frame before."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError

_SEED_DIGITS = 18  # fits 64 bits
CUBE = 16  # that of hstmae.models.cubes, which is not loaded for this


@dataclass(frozen=True)
class TubeSpec:
    """`tube:RATIO[:SEED]`: hide this share of the 16x16 positions in every frame, drawn by the seed."""

    ratio: float
    seed: int = 0


def parse_tube(text: str) -> TubeSpec | None:
    """`tube:0.9` or `tube:0.9:3` -> TubeSpec; None for anything that does not start with `tube`.

    Raises:
        UsageError: starts with `tube`, but is not a tube mask.
    """
    if text != "tube" and not text.startswith("tube:"):
        return None
    match = re.fullmatch(r"tube:([0-9.eE+-]+)(?::([0-9]+))?", text)
    try:
        ratio = float(match.group(1)) if match else math.nan
    except ValueError:
        ratio = math.nan
    if match is None or not 0.0 < ratio < 1.0 or len(match.group(2) or "") > _SEED_DIGITS:
        raise UsageError(f"mask '{text}': write tube:RATIO or tube:RATIO:SEED with 0 < RATIO < 1, e.g. tube:0.9:7")
    return TubeSpec(ratio, int(match.group(2) or 0))


def tube_mask(size: tuple[int, int], spec: TubeSpec) -> np.ndarray:
    """The tube mask of a picture size: bool [H, W], True = hidden, whole 16x16 positions (cut at the far edges).

    The positions are those of `models.masking.tube_visible` with this seed: PyTorch's generator draws 24 bits of the
    same Mersenne twister.
    """
    height, width = size
    rows, cols = -(-height // CUBE), -(-width // CUBE)
    units = rows * cols
    twister = np.random.RandomState(spec.seed % 2**32)
    order = np.argsort(twister.randint(0, 2**32, units, dtype=np.uint32) & 0xFFFFFF, kind="stable")
    hidden = np.ones(units, bool)
    hidden[order[: units - round(spec.ratio * units)]] = False
    return hidden.reshape(rows, cols).repeat(CUBE, 0).repeat(CUBE, 1)[:height, :width]


def numbered_tube(shape: tuple[int, int, int], ratio: float, seed: int, number: int) -> np.ndarray:
    """The tube mask of the clip with this number in a measurement: bool [T, H, W], a function of the arguments alone.

    Raises:
        UsageError: the ratio hides nothing.
    """
    mixed = int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0] >> 1)
    mask = tube_mask(shape[1:], TubeSpec(ratio, mixed))
    if not mask.any():
        raise UsageError(f"ratio {ratio} hides none of the 16x16 positions: give a larger one")
    return np.broadcast_to(mask, shape)
