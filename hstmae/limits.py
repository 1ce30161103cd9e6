"""What values of a configuration make sense: ranges, what goes together, and how large a model may be.

Everything is checked before anything of a configuration's size is made, and without PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .config import CurriculumConfig, ModelConfig, RunConfig
from .errors import ConfigError
from .games import get_game

CUBE = 16  # that of hstmae.models.cubes, which is not loaded for this
OPTIMIZERS = ADAMW, MUON = "adamw", "muon"
PARALLEL = DDP, FSDP = "ddp", "fsdp"
MOST_PARAMETERS = 10**10  # of a model: twenty times those of the largest variant

Ranges = Mapping[str, tuple[float, float]]  # of numbers, or of all numbers of a list, both ends included
_COUNT, _FRAMES, _STEPS, _SHARE = (0, 2**20), (1, 4096), (0, 10**9), (0, 1)
_WIDTHS = ("clip_colours", "colour_dim", "state_dim", "texture_dim", "pixel_dim", "code_dim")
MODEL: Ranges = {
    **dict.fromkeys(("dims", "decoder_dim"), (1, 2**14)),
    **dict.fromkeys(("depths", "decoder_depth"), (1, 512)),
    **dict.fromkeys(("head_dim", "decoder_head_dim"), (8, 2**12)),
    **dict.fromkeys(_WIDTHS, (1, 2**12)),
    **{"temporal_windows": (1, 4096), "mlp_ratio": (0, 64)},
}
DATA: Ranges = {
    **{"clip": _FRAMES, "stride": (1, 10**6), "crop": (0, 2**16), "workers": (0, 1024)},
    **dict.fromkeys(("forget", "early", "flip", "palette_jitter"), _SHARE),
}
TRAIN: Ranges = {
    **dict.fromkeys(("batch", "micro_batch", "queries", "val_clips"), _COUNT),
    **dict.fromkeys(("steps", "val_every", "checkpoint_every", "keep_every"), _STEPS),
    **{"seed": (0, 2**32 - 1), "threads": (0, 4096), "clip_grad": (0, 10**9), "moving_cubes": (0, 10**6)},
    **dict.fromkeys(("lr", "absolute_lr", "weight_decay"), (0, 1000)),
    **dict.fromkeys(
        ("rgb_loss", "emphasis", "spatial_loss", "temporal_loss", "state_loss", "distil", "similarity"), (0, 10**6)
    ),
    **dict.fromkeys(("lost", "hard_queries", "state_full", "state_compact", "teacher_share"), _SHARE),
}
CURRICULUM: Ranges = {"anchor_slices": (1, 2048), "sharpness": (0, 1000)}


def check_ranges(part: Any, ranges: Ranges, prefix: str) -> None:
    """Raise ConfigError, naming `prefix` and the key, for the first value of `part` outside of its range."""
    for key, (least, most) in ranges.items():
        value = getattr(part, key)
        for number in value if isinstance(value, tuple) else (value,):
            if not least <= number <= most:
                raise ConfigError(f"{prefix}{key} must be at least {least} and at most {most}, got {value!r}")


def check_model(config: ModelConfig) -> None:
    """Raises ConfigError where values are out of range or do not go together, or the model would be too large."""
    if not len(config.dims) == len(config.depths) == len(config.temporal_windows) == 4:
        raise ConfigError("model.dims, model.depths and model.temporal_windows need four entries, one per stage")
    check_ranges(config, MODEL, "model.")
    for what, dims, head in (
        ("dims", config.dims, config.head_dim),
        ("decoder_dim", (config.decoder_dim,), config.decoder_head_dim),
    ):
        if head < 8 or head % 2 or any(d < 1 or d % head for d in dims):
            raise ConfigError(
                f"model.{what} {dims} must be multiples of an even head dimension of 8 or more, got {head}"
            )
    if config.head not in ("palette", "adaptive", "rgb"):
        raise ConfigError(f"model.head must be 'palette', 'adaptive' or 'rgb', got '{config.head}'")
    if config.head == "adaptive" and len(get_game(config.game).palette):
        raise ConfigError(f"model.head: the game '{config.game}' has a palette of its own; set model.head=palette")
    if config.head == "palette" and not len(get_game(config.game).palette):
        raise ConfigError(f"model.head: the game '{config.game}' has no palette; set model.head=rgb, or adaptive")
    if config.screen and (config.head != "palette" or get_game(config.game).tile_layers):
        raise ConfigError(
            f"model.screen is for palette heads and games without tiles; set it to false for '{config.game}'"
        )
    if min(int(dim * config.mlp_ratio) for dim in (*config.dims, config.decoder_dim)) < 1:
        raise ConfigError(f"model.mlp_ratio {config.mlp_ratio} leaves no hidden channels; 4 is usual")
    if not 0 <= config.drop_path < 1:
        raise ConfigError(f"model.drop_path must be a probability, 0 .. 1, 1 excluded, got {config.drop_path}")
    if (least := least_parameters(config)) > MOST_PARAMETERS:
        raise ConfigError(
            f"model: dims {config.dims} and depths {config.depths} make a model of more than {least / 1e9:,.0f} "
            f"thousand million parameters; at most {MOST_PARAMETERS / 1e9:.0f} are allowed"
        )


def least_parameters(config: ModelConfig) -> int:
    """Fewer parameters than a model has: those of its blocks' attention and hidden layers alone."""
    widths = [*zip(config.depths, config.dims, strict=True), (config.decoder_depth, config.decoder_dim)]
    return int(sum(depth * width**2 * (4 + 2 * config.mlp_ratio) for depth, width in widths))


def check_run(config: RunConfig) -> None:
    """Raise ConfigError, naming the key, for values that have the right type and yet cannot be trained with."""
    train, data = config.train, config.data
    rules = {
        "data.clip": (data.clip > 0 and data.clip % 2 == 0, "an even number of frames above 0"),
        "data.stride": (data.stride > 0, "above 0"),
        "data.crop": (data.crop >= 0 and data.crop % CUBE == 0, f"0 or a multiple of {CUBE}"),
        "data.flip": (0 <= data.flip <= 1, "a share, 0 .. 1"),
        "data.palette_jitter": (0 <= data.palette_jitter <= 1, "a strength, 0 .. 1"),
        "data.workers": (data.workers >= 0, "0 (none) or above"),
        "data.resident": (data.resident in ("auto", "on", "off"), "auto, on or off"),
        "train.out": (bool(train.out), "a folder"),
        "train.batch": (train.batch > 0, "above 0"),
        "train.micro_batch": (train.micro_batch >= 0, "0 (the whole batch) or above"),
        "train.optimizer": (train.optimizer in OPTIMIZERS, " or ".join(OPTIMIZERS)),
        "train.parallel": (train.parallel in PARALLEL, " or ".join(PARALLEL)),
        "train.keep_every": (train.keep_every >= 0, "0 (none) or above"),
        "train.export": (not train.export or train.export.endswith(".pth"), "a file that ends in .pth"),
        "train.steps": (train.steps > 0, "above 0"),
        "train.lr": (train.lr > 0, "above 0"),
        "train.absolute_lr": (train.absolute_lr >= 0, "0 or above"),
        "train.betas": (all(0 <= b < 1 for b in train.betas), "two numbers in 0 .. 1, 1 excluded"),
        "train.weight_decay": (train.weight_decay >= 0, "0 or above"),
        "train.warmup": (0 <= train.warmup <= 1, "a share of the run, 0 .. 1"),
        "train.min_lr": (0 <= train.min_lr <= 1, "a share of the peak, 0 .. 1"),
        "train.clip_grad": (train.clip_grad >= 0, "0 (off) or above"),
        "train.ema": (0 <= train.ema < 1, "in 0 .. 1, 1 excluded"),
        "train.hard_queries": (0 <= train.hard_queries <= 1, "a share, 0 .. 1"),
        "train.queries": (train.queries >= 0, "0 (all) or above"),
        "train.lost": (0 <= train.lost <= 1, "a share, 0 .. 1"),
        "train.emphasis": (train.emphasis >= 0, "0 (off) or above"),
        "train.rgb_loss": (train.rgb_loss >= 0, "0 or above"),
        "train.val_every": (train.val_every > 0, "above 0"),
        "train.val_clips": (train.val_clips >= 0, "0 (no validation) or above"),
        "train.checkpoint_every": (train.checkpoint_every > 0, "above 0"),
        "train.max_minutes": (train.max_minutes >= 0, "0 (no limit) or above"),
        "train.seed": (train.seed >= 0, "0 or above"),
        "train.teacher_share": (0 < train.teacher_share <= 1, "a share above 0, at most 1"),
        "train.teacher": (
            not train.teacher or (config.model.head == "palette" and not train.state_loss),
            "empty for heads other than palette, and where train.state_loss is above 0",
        ),
        "train.threads": (train.threads >= 0, "0 (all) or above"),
        "train.mask_ratios": (_all_shares(train.mask_ratios), "one or more shares between 0 and 1"),
        "train.moving_cubes": (
            train.moving_cubes == 1 or (train.moving_cubes >= 0 and not train.curriculum.enabled),
            "0 or more, and 1 with a curriculum, which draws cubes its own way",
        ),
        "train.state_full": (
            min(train.state_full, train.state_compact) >= 0 and train.state_full + train.state_compact <= 1,
            f"a probability, at most 1 together with train.state_compact ({train.state_compact})",
        ),
    }
    for key, (fine, wanted) in rules.items():
        section, name = key.split(".")
        if not fine:
            raise ConfigError(f"configuration: {key} must be {wanted}, got {getattr(getattr(config, section), name)!r}")
    parts = ((data, DATA, "data."), (train, TRAIN, "train."), (train.curriculum, CURRICULUM, "train.curriculum."))
    for part, ranges, prefix in parts:
        check_ranges(part, ranges, f"configuration: {prefix}")
    if train.decoder_keep not in (0.25, 0.5, 0.75, 1.0):
        raise ConfigError(f"configuration: train.decoder_keep must be 0.25, 0.5, 0.75 or 1, got {train.decoder_keep!r}")
    if train.curriculum.enabled:
        check_curriculum(train.curriculum)


def _all_shares(values: Sequence[float]) -> bool:
    """Whether there are values, each between 0 and 1."""
    return bool(values) and all(0 < value < 1 for value in values)


def check_curriculum(config: CurriculumConfig) -> None:
    """Raise ConfigError, naming the key, for the first value that makes no curriculum."""
    shares = {name: getattr(config, name) for name in ("random", "semantic", "damage", "anchors")}
    rules = [
        ("phases", 0 < config.phases[0] <= config.phases[1] <= 1, "two rising shares of the run, above 0"),
        ("ratios", _all_shares(config.ratios), "three shares between 0 and 1"),
        ("sharpness", config.sharpness >= 0, "0 or above"),
        *((name, 0 <= share <= 1, "a share, 0 .. 1") for name, share in shares.items()),
        ("semantic", config.random + config.semantic <= 1, "at most 1 together with random"),
        ("anchors", config.damage + config.anchors <= 1, "at most 1 together with damage"),
        ("damage_ratios", _all_shares(config.damage_ratios), "one or more shares between 0 and 1"),
        ("anchor_slices", config.anchor_slices > 0, "above 0"),
        ("forget", 0 < config.forget <= 1, "above 0 and at most 1"),
    ]
    for phase, (full, compact) in enumerate(zip(config.state_full, config.state_compact, strict=True), 1):
        fine = min(full, compact) >= 0 and full + compact <= 1
        rules.append(("state_full", fine, f"probabilities, at most 1 together with state_compact (phase {phase})"))
    for name, fine, wanted in rules:
        if not fine:
            key, value = f"train.curriculum.{name}", getattr(config, name)
            raise ConfigError(f"configuration: {key} must be {wanted}, got {value!r}")
