"""Masked PSNR of held-back clips while training: the number by which the best checkpoint is chosen."""

from collections.abc import Sequence

import numpy as np

from ...data.clips.clip import Clip
from ...errors import DataError
from ...masks.tubes import numbered_tube
from ...restoration.restorer import Restorer
from ...restoration.result import Restoration
from .progress import psnr

RATIO = 0.9  # of the units, tube mask


def validate(restorer: Restorer, clips: Sequence[Clip], seed: int, level: str = "full") -> dict[str, float]:
    """Restore `clips` (whole frames, tube mask at 90 %, with their state, where there is one, at `level`).

    Masks depend on `seed` and the clip's position in the list only, so results of different steps compare.

    Args:
        restorer: the network, without recall.
        clips: at least one.
    Returns:
        `psnr_masked`, dB of the squared error pooled over all hidden pixels (posterior-mean colour, or the colour of a
        head "rgb", as a picture file stores it), and `exact_match`, the share of them whose most probable palette
        entry, or whose colour, is the true one.
    Raises:
        DataError: true-colour clips for a palette head.
    """
    error = exact = pixels = 0
    for position, clip in enumerate(clips):
        hidden, made = restore_held_back(restorer, clip, seed, position, level=level)
        truth = clip.frames[hidden] if clip.palette is None else clip.palette[clip.frames[hidden]]
        difference = made.rgb[hidden].astype(np.int64) - truth
        error += int((difference * difference).sum())
        if clip.palette is None or made.confidence is None or made.indices is None:
            exact += int((difference == 0).all(-1).sum())
        else:
            exact += int((made.indices[hidden] == clip.frames[hidden]).sum())
        pixels += len(difference)
    return {"psnr_masked": psnr(error / pixels / 3 / 255**2), "exact_match": exact / pixels}


def restore_held_back(
    restorer: Restorer, clip: Clip, seed: int, position: int, wanted: np.ndarray | None = None, level: str = "full"
) -> tuple[np.ndarray, Restoration]:
    """The mask of the validation clip at `position`, bool [T, H, W], and the clip restored (`wanted` frames of it)."""
    if clip.palette is None and restorer.config.head == "palette":
        raise DataError("a palette head cannot be validated on true-colour clips; set model.head=rgb")
    shape = (clip.frames.shape[0], clip.frames.shape[1], clip.frames.shape[2])
    hidden = numbered_tube(shape, RATIO, seed, position)
    made = restorer.restore_clip(
        clip.frames, hidden, clip.state, level=level, palette=clip.palette, origin=clip.origin, size=clip.size,
        clip=shape[0], wanted=wanted,
    )  # fmt: skip
    return hidden, made
