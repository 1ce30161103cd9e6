"""Running a network whose answer is colours instead of a posterior over a palette."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..games import get_game
from ..games.palette import preferred_entries
from ..games.state import GameState
from ..models.cubes import from_cubes, to_cubes
from ..models.inputs import MaskedClips
from .reconstruct import CUBES_AT_ONCE, STATE_LEVELS, Model


def rounded(colours: Tensor) -> Tensor:
    """Colours float [...] around 0 .. 1 -> uint8 [...], as a picture file stores them."""
    return (colours.float() * 255).round().clamp(0, 255).to(torch.uint8)


@torch.inference_mode()
def reconstruct_colours(
    model: Model,
    frames: Tensor,
    visible: Tensor,
    queries: Tensor,
    palette: Tensor | None = None,
    *,
    state: GameState | None = None,
    level: str = "none",
    origin: Tensor | None = None,
    size: Tensor | None = None,
    cubes_at_once: int = CUBES_AT_ONCE,
) -> np.ndarray:
    """Let a model with head "rgb" draw the cubes of `queries`; all else comes from the input.

    Args:
        model: called as HSTMAE.forward says; in eval mode.
        frames: uint8 [B, T, H, W, 3], or palette entries [B, T, H, W]; H and W multiples of 16, T even. The model never
            reads units that are not visible.
        visible: int64 [B, U] units the model sees.
        queries: int64 [B, Q] flat cubes to draw.
        palette: uint8 [B, K, 3] colours of the entries; None for RGB frames.
        state: decoded state with leading axes [B, T]; None for state level "none".
        level: "none", "compact" or "full".
        origin: int64 [B, 2] (y, x) of the frames inside the native picture; None = (0, 0).
        size: int64 [B, 2] height and width of the native picture; None = see HSTMAE.forward.
        cubes_at_once: bound on the cubes of one forward pass, and so on memory.
    Returns:
        uint8 [B, T, H, W, 3].
    """
    batch, time, height, width = frames.shape[:4]
    coloured = frames
    if palette is not None:
        coloured = torch.stack([p[f.long()] for p, f in zip(palette, frames, strict=True)])
    drawn = to_cubes(coloured).flatten(1, 2).clone()  # [B, N * S, 2, 16, 16, 3]
    told = None if level == "none" else state
    levels = torch.full((batch,), STATE_LEVELS[level], device=frames.device)
    given = MaskedClips(frames, visible, told, levels, origin, size)
    for part in queries.split(max(1, cubes_at_once // batch), dim=1):
        made = rounded(model(given, part))
        for b in range(batch):
            drawn[b, part[b]] = made[b]
    return np.asarray(from_cubes(drawn.unflatten(1, (-1, time // 2)), (height, width)).cpu().numpy())


def nearest_entries(rgb: np.ndarray, palette: np.ndarray, game: str) -> np.ndarray:
    """The palette entry nearest to each colour (squared distance in RGB).

    Args:
        rgb: uint8 [N, 3].
        palette: uint8 [K, 3]; of entries with one colour, the one that software really uses is taken.
        game: whose palette it is.
    Returns:
        uint8 [N].
    """
    order = preferred_entries(palette, get_game(game))
    colours, inverse = np.unique(rgb, axis=0, return_inverse=True)
    distance = ((colours[:, None].astype(np.int32) - palette[order][None].astype(np.int32)) ** 2).sum(-1)
    return order[distance.argmin(1)].astype(np.uint8)[inverse.reshape(-1)]
