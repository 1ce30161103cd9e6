"""Masked PSNR of held-back clips while training: the number by which the best checkpoint is chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from ...data.clips.clip import Clip, collate
from ...errors import DataError
from ...models.cubes import DEPTH, grid_size, take_cubes, to_cubes
from ...models.inputs import MaskedClips
from ...models.masking import hidden_cubes, tube_visible
from ...models.state import FULL
from ..losses.reconstruction import exact_colours, posterior_mean, target_colours
from ..masks.inputs import seed_of
from .progress import psnr

RATIO = 0.9  # of the units, tube mask


@torch.no_grad()
def validate(
    model: nn.Module, clips: Sequence[Clip], device: torch.device, seed: int, head: str = "palette", level: int = FULL
) -> dict[str, float]:
    """Restore every hidden cube of `clips` (whole frames, tube mask at 90 %, with the state where there is one).

    Masks depend on `seed` and the clip's position in the list only, so results of different steps compare.

    Args:
        model: called as in training; its mode is left as it is.
        clips: at least one.
        head: what the model answers: "palette" for logits, "rgb" for colours.
        level: how much of the state the model is told: 0 none, 1 compact, 2 full.
    Returns:
        `psnr_masked`, dB of the squared error pooled over all hidden pixels (posterior-mean colour, or the colour
        clipped to 0 .. 1), and `exact_match`, the share of them whose most probable palette entry, or whose colour
        rounded to 8 bits, is the true one.
    Raises:
        DataError: true-colour clips for a palette head.
    """
    error = exact = 0.0
    pixels = 0
    for position, clip in enumerate(clips):
        batch = collate([clip]).to(device)
        if batch.palette is None and head == "palette":
            raise DataError("a palette head cannot be validated on true-colour clips; set model.head=rgb")
        time, height, width = batch.frames.shape[1:4]
        units = math.prod(grid_size(height, width))
        generator = torch.Generator().manual_seed(seed_of(seed, position))
        visible = tube_visible(1, units, RATIO, generator).to(device)
        queries = hidden_cubes(visible, units, time // DEPTH)
        told = None if batch.state is None else torch.full((1,), level, device=device)
        given = MaskedClips(batch.frames, visible, batch.state, told, batch.origin, batch.size)
        out = model(given, queries).float()
        target = take_cubes(to_cubes(batch.frames), queries)
        truth = target_colours(target, batch.palette)
        count = truth.numel() // 3
        if head == "rgb":
            colours = out.clamp(0, 1)
            exact += count * float(exact_colours(colours, truth))
        else:
            assert batch.palette is not None
            colours = posterior_mean(out, batch.palette)
            exact += float((out.argmax(-1) == target).sum())
        error += float((colours - truth).square().sum(dtype=torch.float64)) / 3
        pixels += count
    return {"psnr_masked": psnr(error / pixels), "exact_match": exact / pixels}
