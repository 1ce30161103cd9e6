"""Measure a model on masked clips of a store, beside fillers that see the same pixels."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, UsageError
from ..games.pixels import View
from ..masks.damage import NAMES, damages
from ..masks.tubes import numbered_tube
from ..restoration.clips import STATE_LEVELS, ClipRestorer
from .baselines import Baselines, FillerSums
from .metrics import MetricSums, perceptual_fields
from .truth import Truth

if TYPE_CHECKING:
    from ..data.clips.clip import Clip
    from ..data.clips.dataset import ClipDataset


@dataclass(frozen=True)
class EvaluateOptions:
    """What is measured. `clips` 0 = every clip.

    `inpaint`: OpenCV's inpainting is measured beside the other fillers. `damage`: instead of tubes of `ratio` hide what
    damage of this name hides, see `damages.NAMES`. `perceptual`: folder of the weights of LPIPS and
    FID, which are measured then.
    """

    ratio: float = 0.9
    state: str = "full"
    clips: int = 32
    seed: int = 0
    inpaint: bool = False
    damage: str = ""
    perceptual: str = ""

    def __post_init__(self) -> None:
        if self.damage not in ("", *NAMES):
            raise UsageError(f"damage must be one of {', '.join(NAMES)}, got '{self.damage}'")
        if not 0.0 < self.ratio < 1.0:
            raise UsageError(f"ratio must lie between 0 and 1, got {self.ratio}")
        if self.state not in STATE_LEVELS:
            raise UsageError(f"state must be one of {', '.join(STATE_LEVELS)}, got '{self.state}'")
        if self.clips < 0 or self.seed < 0:
            raise UsageError("clips and seed must be at least 0")


@dataclass(frozen=True)
class Measured:
    """A clip that was measured: its number, truth and restored colours uint8 [T, H, W, 3] (the latter read where
    `hidden` bool [T, H, W]), and region ids [T, H, W]."""

    number: int
    truth: np.ndarray
    made: np.ndarray
    hidden: np.ndarray
    regions: np.ndarray


def evaluate(
    restorer: ClipRestorer,
    dataset: ClipDataset,
    options: EvaluateOptions,
    progress: Callable[[int], object] | None = None,
    watch: Callable[[Measured], object] | None = None,
) -> dict[str, Any]:
    """Hide tubes of clips, restore them, and compare with the truth on hidden pixels.

    Args:
        restorer: the model.
        dataset: where clips come from; state is needed unless `options.state` is "none".
        options: mask ratio, state level, number of clips, seed.
        progress: called with 1 after each clip.
        watch: called with each clip.
    Returns:
        The report, ready for JSON: figures of the model (see MetricSums), `lpips` and `fid` with reasons, `baselines`,
        and the settings `mask`, `ratio`, `state`, `seed`, `model`.
    Raises:
        DataError: no clip, or clips without the state that is asked for.
        UsageError: a ratio that hides nothing.
    """
    picks = clips_of(dataset, options)
    figures = measure(restorer, dataset, options, range(len(picks)), progress, watch)
    return pooled(figures, settings_of(restorer, options))


def clips_of(dataset: ClipDataset, options: EvaluateOptions) -> list[tuple[int, int]]:
    """(episode, start) of the clips that are measured, which are numbered in this order.

    Raises:
        DataError: there is none.
    """
    picks = dataset.sequential(options.clips or None, options.seed)
    if not picks:
        raise DataError("no clip to evaluate: the chosen split has no run of frames long enough for one clip")
    return picks


@dataclass(frozen=True)
class ClipFigures:
    """What was measured of one clip: its number, and sums that are added up in the order of the numbers; for FID the
    features float32 [N, 2048] of its true and of its restored frames."""

    number: int
    model: MetricSums
    fillers: FillerSums
    features: tuple[np.ndarray, np.ndarray] | None = None

    def to_json(self) -> dict[str, Any]:
        texts = [b64encode(part.astype("<f4").tobytes()).decode() for part in self.features or ()]
        return asdict(replace(self, features=None)) | {"features": texts}

    @staticmethod
    def from_json(value: dict[str, Any]) -> ClipFigures:
        """Raises TypeError, KeyError, ValueError or AttributeError for anything else."""
        sums = {str(name): MetricSums(**sums) for name, sums in value["fillers"]["sums"].items()}
        fillers = FillerSums(sums, int(value["fillers"]["found"]))
        parts = [np.frombuffer(b64decode(text), "<f4").reshape(-1, 2048) for text in value.get("features", ())]
        features = (parts[0], parts[1]) if len(parts) == 2 else None
        return ClipFigures(int(value["number"]), MetricSums(**value["model"]), fillers, features)


def measure(
    restorer: ClipRestorer,
    dataset: ClipDataset,
    options: EvaluateOptions,
    numbers: Iterable[int],
    progress: Callable[[int], object] | None = None,
    watch: Callable[[Measured], object] | None = None,
) -> Iterator[ClipFigures]:
    """The figures of the clips of these numbers. Arguments and errors as of `evaluate`."""
    picks = clips_of(dataset, options)
    for number in numbers:
        figures, measured = measure_clip(restorer, dataset.clip(*picks[number]), number, options)
        yield figures
        if watch is not None:
            watch(measured)
        if progress is not None:
            progress(1)


def settings_of(restorer: ClipRestorer, options: EvaluateOptions) -> dict[str, Any]:
    """What the report says of the model and of what was asked for, JSON values, and `indexed` for `pooled`."""
    return {
        "mask": options.damage or "tube",
        "ratio": None if options.damage else options.ratio,  # what the damage hid
        "state": options.state,
        "recall": restorer.recall and options.state != "none",
        "atlas": restorer.recall and restorer.atlas is not None,
        "seed": options.seed,
        "model": restorer.config.name,
        "indexed": restorer.game.indexed,
    }


def pooled(clips: Iterable[ClipFigures], settings: dict[str, Any]) -> dict[str, Any]:
    """The report: see `evaluate`. The clips come in the order of their numbers, so that sums are always the same."""
    sums, fillers, features = MetricSums(), FillerSums(), list[tuple[np.ndarray, np.ndarray]]()
    for clip in clips:
        sums.merge(clip.model)
        fillers.merge(clip.fillers)
        features += [] if clip.features is None else [clip.features]
    distance = None
    if features:
        from .inception import fid

        true, made = (np.concatenate(part) for part in zip(*features, strict=True))
        distance = fid(true, made) if len(true) > 1 else None
    about = {name: value for name, value in settings.items() if name != "indexed"}
    if about["ratio"] is None:
        about["ratio"] = sums.masked / sums.pixels
    return {
        **sums.result(),
        **perceptual_fields(sums, distance),
        **about,
        "baselines": fillers.pooled(settings["indexed"]),
    }


def measure_clip(
    restorer: ClipRestorer, clip: Clip, number: int, options: EvaluateOptions
) -> tuple[ClipFigures, Measured]:
    """Hide a tube of one clip, restore it, and compare. Errors as of `evaluate`."""
    if options.state != "none" and clip.state is None:
        raise DataError(f"state level '{options.state}' was asked for, but the footage has no state; use --state none")
    if restorer.game.indexed == (clip.palette is None):
        kinds = ("true-colour", "palette") if restorer.game.indexed else ("palette", "true-colour")
        raise DataError(f"the store holds {kinds[0]} frames; this model works on {kinds[1]} footage")
    shape = (clip.frames.shape[0], clip.frames.shape[1], clip.frames.shape[2])
    if options.damage:
        hidden = damages(shape, options.seed + number)[options.damage]
    else:
        hidden = numbered_tube(shape, options.ratio, options.seed, number)
    made = restorer.restore_clip(
        clip.frames, hidden, clip.state, level=options.state, palette=clip.palette, origin=clip.origin, size=clip.size,
        clip=shape[0],
    )  # fmt: skip
    view = View(clip.frames, hidden, restorer.game, clip.state, options.state, clip.origin)
    truth = Truth.of(view, clip.palette)
    sums, baselines = MetricSums(), Baselines(restorer.game, options.state, restorer.atlas, options.inpaint)
    sums.add(truth, made.rgb, made.indices)
    features = None
    if options.perceptual:
        from .perceptual import perceive

        seen = perceive(options.perceptual, made.rgb, truth.colours, hidden)
        sums.lpips, sums.lpips_frames, features = seen.lpips, seen.frames, seen.features
    baselines.add(view, truth)
    figures = ClipFigures(number, sums, FillerSums(baselines.sums, baselines.found), features)
    return figures, Measured(number, truth.colours, made.rgb, hidden, view.regions)
