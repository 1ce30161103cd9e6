"""Measure a model on masked clips of a store, beside fillers that see the same pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..atlas.recall import fixed_pixels, moving_pixels
from ..errors import DataError, UsageError
from ..games import GameSpec, GameState
from ..inference.colour_readout import nearest_entries, reconstruct_colours
from ..inference.predictor import Predictor, Restoration, mix
from ..inference.reconstruct import STATE_LEVELS, reconstruct
from ..models.cubes import CUBE, grid_size
from ..models.masking import hidden_cubes, tube_visible, visible_from_pixels
from .colour_baselines import ColourBaselines
from .damages import NAMES, damages
from .fillers import Baselines
from .metrics import MetricSums
from .perceptual import perceptual_fields

if TYPE_CHECKING:
    from ..data.clips.clip import Clip, ClipBatch
    from ..data.clips.dataset import ClipDataset


@dataclass(frozen=True)
class EvaluateOptions:
    """What is measured. `clips` 0 = every clip; `batch` clips go through the network together.

    `inpaint`: OpenCV's inpainting is measured beside the other fillers. `damage`: instead of tubes of `ratio` hide what
    damage of this name hides, see `damages.NAMES`.
    """

    ratio: float = 0.9
    state: str = "full"
    clips: int = 32
    seed: int = 0
    batch: int = 2
    inpaint: bool = False
    damage: str = ""

    def __post_init__(self) -> None:
        if self.damage not in ("", *NAMES):
            raise UsageError(f"damage must be one of {', '.join(NAMES)}, got '{self.damage}'")
        if not 0.0 < self.ratio < 1.0:
            raise UsageError(f"ratio must lie between 0 and 1, got {self.ratio}")
        if self.state not in STATE_LEVELS:
            raise UsageError(f"state must be one of {', '.join(STATE_LEVELS)}, got '{self.state}'")
        if self.clips < 0 or self.batch < 1 or self.seed < 0:
            raise UsageError("clips and seed must be at least 0, batch at least 1")


@dataclass(frozen=True)
class Measured:
    """A clip that was measured: its number, truth and restored colours uint8 [T, H, W, 3] (the latter read where
    `hidden` bool [T, H, W]), and region ids [T, H, W]."""

    number: int
    truth: np.ndarray
    made: np.ndarray
    hidden: np.ndarray
    regions: np.ndarray


def tube_for_clip(units: int, ratio: float, seed: int, number: int) -> torch.Tensor:
    """Visible units int64 [U] of the clip with this number: the same whatever the batch size."""
    mixed = int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0] >> 1)
    return tube_visible(1, units, ratio, torch.Generator().manual_seed(mixed))[0]


def hidden_pixels(visible: torch.Tensor, shape: tuple[int, int, int]) -> np.ndarray:
    """Visible units int64 [U] of a clip [T, H, W] -> bool [T, H, W], True = hidden."""
    frames, height, width = shape
    rows, cols = grid_size(height, width)
    hidden = np.ones(rows * cols, bool)
    hidden[visible.numpy()] = False
    grid = hidden.reshape(rows, cols).repeat(CUBE, 0).repeat(CUBE, 1)
    return np.broadcast_to(grid, (frames, height, width))


def regions_of(
    game: GameSpec, state: GameState | None, shape: tuple[int, int, int], origin: tuple[int, int]
) -> np.ndarray:
    """Region ids [T, H, W] of a crop at `origin` (y, x)."""
    if len(game.regions) == 1:  # nothing is told apart, whatever the size of the pictures
        return np.zeros(shape, np.uint8)
    whole = game.region_map(state, shape[0])
    return whole[:, origin[0] : origin[0] + shape[1], origin[1] : origin[1] + shape[2]]


def sprite_pixels(
    game: GameSpec, state: GameState | None, shape: tuple[int, int, int], origin: tuple[int, int]
) -> np.ndarray | None:
    """Boxes of the hardware sprites in a crop at `origin` (y, x), bool [T, H, W]; None where nothing tells of them."""
    if state is None or not game.sprite_slots:
        return None
    return moving_pixels(state, game, "full", shape, origin)


def evaluate(
    predictor: Predictor,
    dataset: ClipDataset,
    options: EvaluateOptions,
    progress: Callable[[int], object] | None = None,
    watch: Callable[[Measured], object] | None = None,
) -> dict[str, Any]:
    """Hide tubes of clips, let the model draw them, and compare with the truth on hidden pixels.

    Args:
        predictor: the model.
        dataset: where clips come from; state is needed unless `options.state` is "none".
        options: mask ratio, state level, number of clips, seed.
        progress: called with the number of clips finished after each batch.
        watch: called with each clip.
    Returns:
        The report, ready for JSON: figures of the model (see MetricSums), `lpips` and `fid` with reasons, `baselines`,
        and the settings `mask`, `ratio`, `state`, `seed`, `model`.
    Raises:
        DataError: no clip, or clips without the state that is asked for.
        UsageError: a ratio that hides nothing.
    """
    picks = dataset.sequential(options.clips or None, options.seed)
    if not picks:
        raise DataError("no clip to evaluate: the chosen split has no run of frames long enough for one clip")
    sums = MetricSums()
    baselines: ColourBaselines | Baselines = ColourBaselines()
    if not predictor.true_colour:
        baselines = Baselines(predictor.game, options.state, predictor.atlas, options.inpaint)
    for first in range(0, len(picks), options.batch):
        clips = [dataset.clip(episode, start) for episode, start in picks[first : first + options.batch]]
        _evaluate_batch(predictor, clips, first, options, sums, baselines, watch)
        if progress is not None:
            progress(len(clips))
    return {
        **sums.result(),
        **perceptual_fields(),
        "mask": options.damage or "tube",
        "ratio": sums.masked / sums.pixels if options.damage else options.ratio,
        "state": options.state,
        "recall": predictor.recall and options.state != "none",
        "atlas": predictor.recall and predictor.atlas is not None,
        "seed": options.seed,
        "model": predictor.config.name,
        "baselines": baselines.result(),
    }


def _evaluate_batch(
    predictor: Predictor,
    clips: list[Clip],
    first: int,
    options: EvaluateOptions,
    sums: MetricSums,
    baselines: Baselines | ColourBaselines,
    watch: Callable[[Measured], object] | None,
) -> None:
    from ..data.clips.clip import collate

    batch = collate(clips).to(predictor.device)
    if options.state != "none" and batch.state is None:
        raise DataError(f"state level '{options.state}' was asked for, but the footage has no state; use --state none")
    if predictor.true_colour != (batch.palette is None):
        kinds = ("palette", "true-colour") if predictor.true_colour else ("true-colour", "palette")
        raise DataError(f"the store holds {kinds[0]} frames; this model works on {kinds[1]} footage")
    shape = (batch.frames.shape[1], batch.frames.shape[2], batch.frames.shape[3])
    units = math.prod(grid_size(shape[1], shape[2]))
    tubes = [tube_for_clip(units, options.ratio, options.seed, first + i) for i in range(len(clips))]
    visible = torch.stack(tubes)
    if visible.shape[1] == units:
        raise UsageError(f"ratio {options.ratio} of {units} positions is none at all: give a larger one")
    hidden = [hidden_pixels(tube, shape) for tube in tubes]
    if options.damage:
        hidden = [damages(*shape, seed=options.seed + first + i)[options.damage] for i in range(len(clips))]
        parts = []
        for clip, mask in zip(clips, hidden, strict=True):
            visible, _ = visible_from_pixels(torch.from_numpy(mask))
            if predictor.recall and (options.state != "none" or predictor.atlas is not None):
                parts.append(_recall_and_draw(predictor, clip, mask, options.state))
            else:
                parts.append(
                    _draw(predictor, collate([clip]).to(predictor.device), visible[None], mask[None], options.state)
                )
        made = _stack(parts)
    elif predictor.recall and (options.state != "none" or predictor.atlas is not None):
        made = _stack([_recall_and_draw(predictor, c, h, options.state) for c, h in zip(clips, hidden, strict=True)])
    else:
        made = _draw(predictor, batch, visible, np.stack(hidden), options.state)
    for i, clip in enumerate(clips):
        origin = (int(clip.origin[0]), int(clip.origin[1]))
        regions = regions_of(predictor.game, clip.state, shape, origin)
        boxes = sprite_pixels(predictor.game, clip.state, shape, origin)
        sums.add(
            truth=clip.frames,
            indices=None if made.indices is None else made.indices[i],
            rgb=made.rgb[i],
            palette=clip.palette,
            mask=hidden[i],
            regions=regions,
            sprites=boxes,
        )
        if watch is not None:
            truth = clip.frames if clip.palette is None else clip.palette[clip.frames]
            watch(Measured(first + i, truth, made.rgb[i], hidden[i], regions))
        if isinstance(baselines, ColourBaselines):
            baselines.add(clip.frames, hidden[i], regions)
            continue
        assert clip.palette is not None
        camera, scene = (None, None) if clip.state is None else (clip.state.camera, clip.state.scene)
        baselines.add(
            clip.frames, clip.palette, hidden[i], camera, fixed_pixels(predictor.game, shape, origin), regions,
            scene=scene, origin=origin, sprites=boxes,
        )  # fmt: skip


def _recall_and_draw(predictor: Predictor, clip: Clip, hidden: np.ndarray, level: str) -> Restoration:
    """One clip as `Predictor.restore` does it: what other frames show, then the network. Leading axes [1, T]."""
    from ..data.clips.clip import collate

    assert clip.palette is not None
    seen = np.where(hidden, np.uint8(0), clip.frames)
    origin = (int(clip.origin[0]), int(clip.origin[1]))
    known = predictor.known(seen, hidden, None if level == "none" else clip.state, level, origin)
    assert known is not None
    seen[known.found] = known.indices[known.found]
    left = hidden & ~known.found
    if not left.any():
        return Restoration(clip.palette[seen][None], seen[None], None)
    visible, _ = visible_from_pixels(torch.from_numpy(left))
    batch = collate([replace(clip, frames=seen)]).to(predictor.device)
    made = _draw(predictor, batch, visible[None], left[None], level)
    assert made.indices is not None
    mix(Restoration(made.rgb[0], made.indices[0], None), known, clip.palette)
    made.indices[0][known.found] = known.indices[known.found]
    made.rgb[0][known.found] = clip.palette[known.indices[known.found]]
    return made


def _stack(made: list[Restoration]) -> Restoration:
    indices = [m.indices for m in made if m.indices is not None]
    return Restoration(np.concatenate([m.rgb for m in made]), np.concatenate(indices) if indices else None, None)


def _draw(predictor: Predictor, batch: ClipBatch, visible: torch.Tensor, hidden: np.ndarray, level: str) -> Restoration:
    """The hidden cubes of a batch, drawn by the model: arrays with leading axes [B, T]."""
    slices, units = batch.frames.shape[1] // 2, math.prod(grid_size(batch.frames.shape[2], batch.frames.shape[3]))
    queries = hidden_cubes(visible, units, slices).to(predictor.device)
    masked = torch.from_numpy(hidden).to(predictor.device)
    # the network gets frames whose hidden pixels are cleared: what it cannot read it cannot leak
    shown = batch.frames.masked_fill(masked if batch.palette is not None else masked[..., None], 0)
    seen = visible.to(predictor.device)
    told: dict[str, Any] = {"state": batch.state, "level": level, "origin": batch.origin}
    if predictor.config.head != "rgb":
        assert batch.palette is not None
        drawn = reconstruct(predictor.model, shown, seen, queries, batch.palette, **told)
        return Restoration(drawn.rgb, drawn.indices, drawn.confidence)
    rgb = reconstruct_colours(predictor.model, shown, seen, queries, batch.palette, size=batch.size, **told)
    if batch.palette is None:
        return Restoration(rgb, None, None)
    indices = np.zeros(rgb.shape[:-1], np.uint8)
    for i, palette in enumerate(batch.palette.cpu().numpy()):
        indices[i][hidden[i]] = nearest_entries(rgb[i][hidden[i]], palette, predictor.game.name)
    return Restoration(rgb, indices, None)
