"""What one training step draws: which units are hidden, which cubes are decoded, which state the model sees.

Every random choice comes from a generator seeded by (seed, step), so a resumed run repeats them without stored state.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...config import TrainConfig
from ...models.cubes import DEPTH, grid_size, to_cubes
from ...models.masking import gumbel, tube_visible
from ...models.running_cell import running_cell_queries
from ...models.state.tokens import COMPACT, FULL, NONE

CHANGE_BITS = 4.0  # a pixel that changes in time counts as much as this many bits of colour surprise


@dataclass(frozen=True)
class StepInputs:
    """What one step draws."""

    ratio: float  # share of the units (of the slices, where those are what is hidden) that the encoder does not see
    visible: Tensor  # int64 [B, U] units
    queries: Tensor  # int64 [B, Q] flat cubes to decode, none of them seen
    level: Tensor | None  # int64 [B] state level, None without state
    shown: Tensor | None = None  # the frames with what is hidden inside visible units blanked, None where nothing is
    kinds: tuple[str, ...] = ()  # how each clip's mask was made
    lost: Tensor | None = None  # bool [B], clips whose state does not name the map; None = no clip


def seed_of(*parts: int) -> int:
    """A well mixed 63-bit seed of non-negative integers such as (seed, step, stream)."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))


def draw_inputs(
    frames: Tensor, has_state: bool, config: TrainConfig, generator: torch.Generator, moving: Tensor | None = None
) -> StepInputs:
    """Draw mask ratio, visible units, decoded cubes and state levels of one batch.

    Args:
        frames: uint8 [B, T, H, W] palette indices or [B, T, H, W, 3] RGB.
        has_state: whether the clips come with state; if not, `level` is None.
        generator: a CPU generator, so that the draw does not depend on the device.
        moving: bool [B, N * S], see `moving_cubes`; None = no cube is likelier than its detail says.
    Returns:
        StepInputs on the device of `frames`.
    """
    batch, _, height, width = frames.shape[:4]
    rows, columns = grid_size(height, width)
    ratio = config.mask_ratios[int(torch.randint(len(config.mask_ratios), (), generator=generator))]
    visible = tube_visible(batch, rows * columns, ratio, generator).to(frames.device)
    queries = draw_queries(frames, visible, config, generator, moving)
    inputs = StepInputs(ratio, visible, queries, None)
    return draw_state(inputs, batch, config, generator) if has_state else inputs


def draw_queries(
    frames: Tensor, visible: Tensor, config: TrainConfig, generator: torch.Generator, moving: Tensor | None = None
) -> Tensor:
    """The cubes of one batch to decode, int64 [B, Q]: hidden from the encoder, kept by the decoder's running cell
    (`decoder_keep`), and of those a choice (`queries`). Q depends on sizes and configuration alone."""
    grid, slices = grid_size(*frames.shape[2:4]), frames.shape[1] // DEPTH
    kept = running_cell_queries(visible, grid, slices, config.decoder_keep, generator)
    likelier = None if moving is None else 1 + (config.moving_cubes - 1) * moving
    return choose_queries(to_cubes(frames), kept, config.queries, config.hard_queries, generator, likelier)


def draw_state(inputs: StepInputs, batch: int, config: TrainConfig, generator: torch.Generator) -> StepInputs:
    """The same inputs with each clip's state level, and whether its state names the map."""
    device = inputs.visible.device
    level = draw_levels(batch, config, generator).to(device)
    lost = None
    if config.lost > 0:  # a run without it draws the numbers that it always has
        lost = (torch.rand(batch, generator=generator) < config.lost).to(device)
    return replace(inputs, level=level, lost=lost)


def draw_levels(batch: int, config: TrainConfig, generator: torch.Generator) -> Tensor:
    """State level per clip, int64 [B]: full, compact or none with the configured probabilities."""
    draw = torch.rand(batch, generator=generator)
    full, compact = config.state_full, config.state_compact
    return torch.where(draw < full, FULL, torch.where(draw < full + compact, COMPACT, NONE))


def choose_queries(
    cubes: Tensor, hidden: Tensor, count: int, hard: float, generator: torch.Generator, likelier: Tensor | None = None
) -> Tensor:
    """Choose the cubes to decode: a share by detail, the rest uniformly, without replacement.

    Most of a picture is one colour; a uniform choice would spend nearly all decoding on it.

    Args:
        cubes: uint8 [B, N, S, 2, 16, 16] or [B, N, S, 2, 16, 16, 3], every cube of the clips.
        hidden: int64 [B, M], flat indices (unit * S + slice) of cubes that may be chosen.
        count: cubes per clip; 0 or more than M chooses all.
        hard: share (0 .. 1) drawn in proportion to `detail_scores`, flat cubes last.
        likelier: float [B, N * S], factors of the scores; None = 1.
    Returns:
        int64 [B, Q] ascending, a subset of `hidden`.
    """
    if count <= 0 or count >= hidden.shape[1]:
        return hidden
    first = min(count, round(hard * count))
    taken = torch.zeros(hidden.shape, dtype=torch.bool, device=hidden.device)
    if first > 0:
        score = detail_scores(cubes)
        score = (score if likelier is None else score * likelier).gather(1, hidden)
        # Adding Gumbel noise to log weights and keeping the largest draws in proportion to them without replacement.
        key = score.clamp_min(1e-12).log() + gumbel(hidden.shape, generator).float().to(hidden.device)
        taken.scatter_(1, key.topk(first, dim=1).indices, True)
    key = gumbel(hidden.shape, generator).float().to(hidden.device).masked_fill(taken, float("inf"))
    chosen = key.topk(count, dim=1).indices
    return hidden.gather(1, chosen).sort(dim=1).values


def detail_scores(cubes: Tensor) -> Tensor:
    """Detail of each cube, float32 [B, N * S]; 0 for a flat one.

    Palette indices uint8 [B, N, S, 2, 16, 16]: mean over every second row and column of the surprise
    ``-log2 p(colour)``, p being the colour's share of the batch, plus `CHANGE_BITS` times the share of pixels that
    differ from the frame before. RGB [B, N, S, 2, 16, 16, 3]: see `_colour_detail`.
    """
    if cubes.ndim == 7:
        return _colour_detail(cubes)
    some = cubes[..., ::2, ::2].contiguous()
    counts = torch.bincount(some.flatten().int(), minlength=256)
    surprise = -torch.log2((counts + 1) / (counts.sum() + 256))
    bits = surprise[some.flatten(3).int()].mean(-1)
    change = (some[:, :, :, 1] != some[:, :, :, 0]).float().mean((-1, -2))
    change[:, :, 1:] += (some[:, :, 1:, 0] != some[:, :, :-1, 1]).float().mean((-1, -2))
    flat = cubes.flatten(3)
    plain = flat.amax(-1) == flat.amin(-1)
    return (bits + CHANGE_BITS / 2 * change).masked_fill(plain, 0).flatten(1)


def _colour_detail(cubes: Tensor) -> Tensor:
    """Mean absolute change of a channel, in shares of full scale, across, down and from the frame before, of every
    second row and column: RGB cubes [B, N, S, 2, 16, 16, 3] -> float32 [B, N * S]."""
    x = cubes[..., ::2, ::2, :].to(torch.int16)

    def mean(difference: Tensor) -> Tensor:
        return difference.abs().flatten(3).float().mean(-1) / 255

    score = mean(x[..., 1:, :] - x[..., :-1, :]) + mean(x[..., 1:, :, :] - x[..., :-1, :, :])
    score += mean(x[:, :, :, 1] - x[:, :, :, 0]) / 2
    score[:, :, 1:] += mean(x[:, :, 1:, 0] - x[:, :, :-1, 1]) / 2
    return score.flatten(1)
