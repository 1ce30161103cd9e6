"""From a network's answer to pictures: the one place where restoration runs the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..models.adaptive import ClipPalette, mean_colours
from ..models.cubes import CUBE, DEPTH, from_cubes, to_cubes
from ..models.inputs import MaskedClips
from .result import Restoration

if TYPE_CHECKING:
    from ..models.fast.head import FastHead

CUBES_AT_ONCE = 1024  # cubes decoded per forward pass; 64 palette entries x 512 pixels x 4 bytes = 128 KiB each
FAST_CUBES_AT_ONCE = 8192  # with a FastHead, which keeps no logits

SNAP = 0.9  # probability from which a colour of the clip is taken as it is, instead of the mean

Model = Callable[..., Tensor]


def read_out(logits: Tensor, palette: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits float [..., K] and palette [K, 3] -> colour uint8 [..., 3], entry uint8 [...], confidence [...]."""
    probability = logits.float().softmax(-1)
    confidence, entry = probability.max(-1)
    colour = (probability @ palette.to(probability)).round().clamp(0, 255)
    return colour.to(torch.uint8), entry.to(torch.uint8), confidence


def read_adaptive(logits: Tensor, palette: ClipPalette) -> tuple[Tensor, Tensor]:
    """Logits [B, Q, ..., K] -> colours uint8 [B, Q, ..., 3] and the probability of the likeliest, float32 [B, Q, ...].

    The colour is the posterior mean, or where one colour of the clip is all but certain, that one exactly.
    """
    sure, entry = logits.float().softmax(-1).max(-1)
    exact = torch.stack([own[e] for own, e in zip(palette.colours, entry, strict=True)])
    return torch.where(sure[..., None] >= SNAP, exact, rounded(mean_colours(logits, palette))), sure


def rounded(colours: Tensor) -> Tensor:
    """Colours float [...] around 0 .. 1 -> uint8 [...], as a picture file stores them."""
    return (colours.float() * 255).round().clamp(0, 255).to(torch.uint8)


@torch.inference_mode()
def reconstruct(
    model: Model,
    clips: MaskedClips,
    queries: Tensor,
    palette: Tensor | None,
    *,
    rgb_head: bool = False,
    cubes_at_once: int | None = None,
    fast: FastHead | None = None,
) -> Restoration:
    """Let the network draw the cubes of `queries`: a batch of clips (leading axis B).

    Of all other cubes the entries are the input's, and colours are 0.

    Args:
        model: called as the contract of HSTMAE.forward says; in eval mode.
        clips: what it is given; every index inside the palette. With a palette of its own for a head "adaptive".
        queries: int64 [B, Q] flat cubes to draw.
        palette: uint8 [K, 3] or [B, K, 3], colours of the indices; None for RGB frames.
        rgb_head: the network answers with colours instead of logits over the palette.
        cubes_at_once: bound on the cubes of one forward pass, and so on memory.
        fast: `FastHead.of(model)`: the same pictures sooner, in float32.
    """
    frames = clips.frames
    batch, time, height, width = frames.shape[:4]
    palettes = None if palette is None else palette if palette.ndim == 3 else palette[None].expand(batch, -1, -1)
    cubes = height // CUBE * (width // CUBE) * (time // DEPTH)
    parts = [torch.zeros(batch, cubes, DEPTH, CUBE, CUBE, 3, dtype=torch.uint8, device=frames.device)]
    if clips.palette is not None:
        parts.append(torch.ones(parts[0].shape[:-1], device=frames.device))
    elif not rgb_head:
        entries = to_cubes(frames).flatten(1, 2).clone()
        parts += [entries, torch.ones(entries.shape, device=frames.device)]
    if cubes_at_once is None:
        cubes_at_once = CUBES_AT_ONCE if fast is None else FAST_CUBES_AT_ONCE
    for some in queries.split(max(1, cubes_at_once // batch), dim=1):
        drawn: list[tuple[Tensor, ...]]
        if fast is not None:
            made = fast.paint(fast.model.decode(clips, some), palettes)
            assert made.colour is not None and made.confidence is not None
            drawn = list(zip(made.colour, made.entry, made.confidence, strict=True))
        elif clips.palette is not None:
            drawn = list(zip(*read_adaptive(model(clips, some), clips.palette), strict=True))
        elif rgb_head:
            drawn = [(colours,) for colours in rounded(model(clips, some))]
        else:
            assert palettes is not None
            drawn = [read_out(one, colours) for one, colours in zip(model(clips, some), palettes, strict=True)]
        for b, arrays in enumerate(drawn):
            for part, array in zip(parts, arrays, strict=True):
                part[b, some[b]] = array

    def whole(cubes: Tensor) -> np.ndarray:
        return np.asarray(from_cubes(cubes.unflatten(1, (-1, time // 2)), (height, width)).cpu().numpy())

    if clips.palette is not None:
        return Restoration(whole(parts[0]), None, whole(parts[1]))
    if rgb_head:
        return Restoration(whole(parts[0]), None, None)
    rgb, indices, confidence = (whole(part) for part in parts)
    return Restoration(rgb, indices, confidence)
