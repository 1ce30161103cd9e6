"""From a model's logits to pictures: the one place where evaluation and restoration run the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..games.state import GameState
from ..models.cubes import from_cubes, to_cubes
from ..models.inputs import MaskedClips

if TYPE_CHECKING:
    from ..models.fast.head import FastHead

STATE_LEVELS = {"none": 0, "compact": 1, "full": 2}
CUBES_AT_ONCE = 1024  # cubes decoded per forward pass; 64 palette entries x 512 pixels x 4 bytes = 128 KiB each
FAST_CUBES_AT_ONCE = 8192  # with a FastHead, which keeps no logits

Model = Callable[..., Tensor]


@dataclass
class Reconstruction:
    """A batch of clips in which the queried cubes come from the model and all else from the input.

    Attributes:
        indices: uint8 [B, T, H, W], the most probable palette entry.
        rgb: uint8 [B, T, H, W, 3], the posterior mean colour, rounded as a picture file stores it.
        confidence: float32 [B, T, H, W], probability of the most probable entry; 1 outside the queried cubes.
    """

    indices: np.ndarray
    rgb: np.ndarray
    confidence: np.ndarray


def read_out(logits: Tensor, palette: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits float [..., K] and palette [K, 3] -> entry uint8 [...], colour uint8 [..., 3], confidence [...]."""
    probability = logits.float().softmax(-1)
    confidence, entry = probability.max(-1)
    colour = (probability @ palette.to(probability)).round().clamp(0, 255)
    return entry.to(torch.uint8), colour.to(torch.uint8), confidence


@torch.inference_mode()
def reconstruct(
    model: Model,
    frames: Tensor,
    visible: Tensor,
    queries: Tensor,
    palette: Tensor,
    *,
    state: GameState | None = None,
    level: str = "none",
    origin: Tensor | None = None,
    cubes_at_once: int | None = None,
    head: FastHead | None = None,
) -> Reconstruction:
    """Let the model draw the cubes of `queries`.

    Args:
        model: called as the contract of HSTMAE.forward says; in eval mode.
        frames: uint8 [B, T, H, W], every index inside the palette; H and W multiples of 16, T even. The model never
            reads units that are not visible.
        visible: int64 [B, U] units the model sees.
        queries: int64 [B, Q] flat cubes to draw.
        palette: uint8 [K, 3] colours of the indices, or [B, K, 3].
        state: decoded state with leading axes [B, T]; None for state level "none".
        level: "none", "compact" or "full".
        origin: int64 [B, 2] (y, x) of the frames inside the native picture; None = (0, 0).
        cubes_at_once: bound on the cubes of one forward pass, and so on memory.
        head: `FastHead.of(model)`: the same pictures sooner, in float32.
    """
    batch, time, height, width = frames.shape
    palettes = palette if palette.ndim == 3 else palette[None].expand(batch, -1, -1)
    entries = to_cubes(frames).flatten(1, 2).clone()  # [B, N * S, 2, 16, 16]
    colours = torch.stack([p.index_select(0, e.flatten().int()) for p, e in zip(palettes, entries, strict=True)])
    colours = colours.view(*entries.shape, 3)
    sureness = torch.ones(entries.shape, device=frames.device)
    told = None if level == "none" else state
    levels = torch.full((batch,), STATE_LEVELS[level], device=frames.device)
    given = MaskedClips(frames, visible, told, levels, origin)
    if cubes_at_once is None:
        cubes_at_once = CUBES_AT_ONCE if head is None else FAST_CUBES_AT_ONCE
    for part in queries.split(max(1, cubes_at_once // batch), dim=1):
        if head is not None:
            made = head.paint(head.model.decode(given, part), palettes)
            assert made.colour is not None and made.confidence is not None
            painted = list(zip(made.entry, made.colour, made.confidence, strict=True))
        else:
            logits = model(given, part)
            painted = [read_out(one, colours_of) for one, colours_of in zip(logits, palettes, strict=True)]
        for b, (entry, colour, confidence) in enumerate(painted):
            entries[b, part[b]], colours[b, part[b]], sureness[b, part[b]] = entry, colour, confidence

    def whole(x: Tensor) -> np.ndarray:
        shaped = x.unflatten(1, (-1, time // 2))
        return np.asarray(from_cubes(shaped, (height, width)).cpu().numpy())

    return Reconstruction(whole(entries), whole(colours), whole(sureness))
