"""One training step up to its losses: which units are hidden, which cubes are decoded, which state the model sees.

Every random choice comes from a generator seeded by (seed, step), so a resumed run repeats them without stored state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..config import TrainConfig
from ..data.dataset import ClipBatch
from ..errors import DataError
from ..models.cubes import DEPTH, grid_size, take_cubes, to_cubes
from ..models.masking import hidden_cubes, tube_visible
from ..models.state import COMPACT, FULL, NONE
from .fused import reconstruction_loss

CHANGE_BITS = 4.0  # a pixel that changes in time counts as much as this many bits of colour surprise

Forward = Callable[..., Tensor]


@dataclass(frozen=True)
class StepInputs:
    """What one step draws. `visible` int64 [B, U] units; `queries` int64 [B, Q] flat cubes; `level` int64 [B]."""

    ratio: float
    visible: Tensor
    queries: Tensor
    level: Tensor | None


def seed_of(*parts: int) -> int:
    """A well mixed 63-bit seed of non-negative integers such as (seed, step, stream)."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))


def draw_inputs(frames: Tensor, has_state: bool, config: TrainConfig, generator: torch.Generator) -> StepInputs:
    """Draw mask ratio, visible units, decoded cubes and state levels of one batch.

    Args:
        frames: uint8 [B, T, H, W] palette indices; H and W multiples of 16, T even.
        has_state: whether the clips come with state; if not, `level` is None.
        generator: a CPU generator, so that the draw does not depend on the device.
    Returns:
        StepInputs on the device of `frames`.
    """
    batch, time, height, width = frames.shape
    rows, columns = grid_size(height, width)
    units, slices = rows * columns, time // DEPTH
    ratio = config.mask_ratios[int(torch.randint(len(config.mask_ratios), (), generator=generator))]
    visible = tube_visible(batch, units, ratio, generator).to(frames.device)
    hidden = hidden_cubes(visible, units, slices)
    queries = choose_queries(to_cubes(frames), hidden, config.queries, config.hard_queries, generator)
    level = draw_levels(batch, config, generator).to(frames.device) if has_state else None
    return StepInputs(ratio, visible, queries, level)


def draw_levels(batch: int, config: TrainConfig, generator: torch.Generator) -> Tensor:
    """State level per clip, int64 [B]: full, compact or none with the configured probabilities."""
    draw = torch.rand(batch, generator=generator)
    full, compact = config.state_full, config.state_compact
    return torch.where(draw < full, FULL, torch.where(draw < full + compact, COMPACT, NONE))


def choose_queries(cubes: Tensor, hidden: Tensor, count: int, hard: float, generator: torch.Generator) -> Tensor:
    """Choose the cubes to decode: a share by how much they tell, the rest uniformly, without replacement.

    Most of a picture is one colour; a uniform choice would spend nearly all decoding on it.

    Args:
        cubes: uint8 [B, N, S, 2, 16, 16], every cube of the clips.
        hidden: int64 [B, M], flat indices (unit * S + slice) of cubes that may be chosen.
        count: cubes per clip; 0 or more than M chooses all.
        hard: share (0 .. 1) drawn in proportion to `detail_scores`, flat cubes only once the others are used up.
    Returns:
        int64 [B, Q] ascending, a subset of `hidden`.
    """
    if count <= 0 or count >= hidden.shape[1]:
        return hidden
    first = min(count, round(hard * count))
    taken = torch.zeros(hidden.shape, dtype=torch.bool, device=hidden.device)
    if first > 0:
        score = detail_scores(cubes).gather(1, hidden)
        # Adding Gumbel noise to log weights and keeping the largest draws in proportion to them without replacement.
        key = score.clamp_min(1e-12).log() + _gumbel(hidden, generator)
        taken.scatter_(1, key.topk(first, dim=1).indices, True)
    key = _gumbel(hidden, generator).masked_fill(taken, float("inf"))
    chosen = key.topk(count, dim=1).indices
    return hidden.gather(1, chosen).sort(dim=1).values


def detail_scores(cubes: Tensor) -> Tensor:
    """How much a cube tells: mean over its pixels of the surprise ``-log2 p(colour)``, p being the colour's share of
    the batch, plus `CHANGE_BITS` times the share of pixels that differ from the frame before. 0 for a flat cube.

    Both means are over every second row and column: a quarter of the time, and an estimate is enough.

    Args:
        cubes: uint8 [B, N, S, 2, 16, 16] palette indices.
    Returns:
        float32 [B, N * S].
    """
    some = cubes[..., ::2, ::2].contiguous()
    counts = torch.bincount(some.flatten().int(), minlength=256)
    surprise = -torch.log2((counts + 1) / (counts.sum() + 256))
    bits = surprise[some.flatten(3).int()].mean(-1)
    change = (some[:, :, :, 1] != some[:, :, :, 0]).float().mean((-1, -2))
    change[:, :, 1:] += (some[:, :, 1:, 0] != some[:, :, :-1, 1]).float().mean((-1, -2))
    flat = cubes.flatten(3)
    plain = flat.amax(-1) == flat.amin(-1)
    return (bits + CHANGE_BITS / 2 * change).masked_fill(plain, 0).flatten(1)


def step_losses(
    model: Forward, batch: ClipBatch, inputs: StepInputs, config: TrainConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """Forward pass and losses of one batch over the decoded (hidden) cubes.

    Returns:
        The loss ``CE + rgb_loss * MSE`` with its graph, and detached raw terms: `loss`, `ce` (nats), `mse` (RGB in
        0 .. 1), `exact_match` (share). Hard cubes are over-represented in them; validation measures all cubes.
    """
    if batch.palette is None:
        raise DataError("training needs palette footage; this store holds RGB frames")
    logits = model(
        batch.frames, inputs.visible, inputs.queries, state=batch.state, level=inputs.level, origin=batch.origin
    )
    target = take_cubes(to_cubes(batch.frames), inputs.queries)
    loss, terms = reconstruction_loss(logits, target, batch.palette, config.rgb_loss)
    return loss, {"loss": loss.detach(), **terms}


def _gumbel(like: Tensor, generator: torch.Generator) -> Tensor:
    uniform = torch.rand(like.shape, generator=generator, dtype=torch.float64)
    return -(-uniform.clamp_min(1e-300).log()).log().float().to(like.device)
