"""Masked PSNR of held-back clips while training: the number by which the best checkpoint is chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from ..data.dataset import Clip, collate
from ..errors import DataError
from ..models.cubes import DEPTH, grid_size, take_cubes, to_cubes
from ..models.masking import hidden_cubes, tube_visible
from ..models.state import FULL
from .losses import posterior_mean, true_colours
from .progress import psnr
from .step import seed_of

RATIO = 0.9  # of the units, tube mask


@torch.no_grad()
def validate(model: nn.Module, clips: Sequence[Clip], device: torch.device, seed: int) -> dict[str, float]:
    """Restore every hidden cube of `clips` (whole frames, tube mask at 90 %, full state where there is one).

    Masks depend on `seed` and the clip's position in the list only, so results of different steps compare.

    Args:
        model: called as in training; its mode is left as it is.
        clips: at least one.
    Returns:
        `psnr_masked`, dB of the squared error pooled over all hidden pixels (posterior-mean colour, RGB 0-255), and
        `exact_match`, the share of them whose most probable colour is the true one.
    """
    error = exact = 0.0
    pixels = 0
    for position, clip in enumerate(clips):
        batch = collate([clip]).to(device)
        if batch.palette is None:
            raise DataError("validation needs palette footage; this store holds RGB frames")
        _, time, height, width = batch.frames.shape
        units = math.prod(grid_size(height, width))
        generator = torch.Generator().manual_seed(seed_of(seed, position))
        visible = tube_visible(1, units, RATIO, generator).to(device)
        queries = hidden_cubes(visible, units, time // DEPTH)
        level = None if batch.state is None else torch.full((1,), FULL, device=device)
        logits = model(batch.frames, visible, queries, state=batch.state, level=level, origin=batch.origin).float()
        target = take_cubes(to_cubes(batch.frames), queries)
        colours = posterior_mean(logits, batch.palette)
        error += float((colours - true_colours(target, batch.palette)).square().sum(dtype=torch.float64)) / 3
        exact += float((logits.argmax(-1) == target).sum())
        pixels += target.numel()
    return {"psnr_masked": psnr(error / pixels), "exact_match": exact / pixels}
