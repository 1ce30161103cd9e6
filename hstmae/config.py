"""Configuration: frozen dataclasses that YAML files fill in and `--set a.b=c` overrides. One file describes one run."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from .configio import RETIRED, Retired, apply_overrides, from_dict, load_yaml, save_config, to_dict

__all__ = [
    "CurriculumConfig", "DataConfig", "ModelConfig", "RunConfig", "TrainConfig",
    "apply_overrides", "from_dict", "load_config", "load_yaml", "save_config", "to_dict",
]  # fmt: skip


@dataclass(frozen=True)
class ModelConfig:
    """Plain-data description of one HST-MAE variant; `build_model` turns it into a module.

    A cube is 2x16x16 pixels; stage s sees 2x4x4, 2x8x8, 2x16x16 pixels a token, and 2x2 cubes at stage 4.
    """

    name: str = "hst-mae-nano"
    game: str = "smb"  # registered GameSpec: palette, state layers, regions
    head: str = "palette"  # palette: posterior over the game's colours; adaptive: over those of the clip; rgb: colours
    clip_colours: int = 32  # entries of a clip's own palette, for head adaptive
    dims: tuple[int, ...] = (48, 96, 144, 192)  # channels of the four encoder stages
    depths: tuple[int, ...] = (2, 2, 4, 1)  # blocks of the four encoder stages
    head_dim: int = 48  # channels per attention head, encoder
    temporal_windows: tuple[int, ...] = (2, 4, 8, 8)  # slices attending to each other, per stage
    decoder_dim: int = 128
    decoder_depth: int = 4
    decoder_head_dim: int = 32
    mlp_ratio: float = 4.0
    drop_path: float = 0.0  # largest stochastic-depth rate, rising linearly over the blocks
    colour_dim: int = 8  # learned embedding of one palette index at the input
    state_dim: int = 128  # channels of a state token
    texture_dim: int = 16  # channels of a learned tile, sprite or text texel of the state canvas
    pixel_dim: int = 48  # hidden channels per pixel in the palette head
    code_dim: int = 32  # channels of a predicted cell code (what a cell of unknown content looks like)
    places: str = (
        "area"  # what the place memory tells maps apart by: area, scene (never errs); none: there is no such memory
    )
    screen: bool = False  # learned features of every pixel of the screen, for games without tiles that do not scroll
    state_alignment: bool = False  # a head that predicts the state from visual tokens alone, for train.state_loss
    qk_norm: bool = False  # normalise queries and keys of every attention per head (steadier at large widths)


@dataclass(frozen=True)
class DataConfig:
    """Which clips are drawn from which store."""

    store: str = "data/preprocessed"  # folder written by `hstmae preprocess`
    clip: int = 16  # frames per clip, even
    stride: int = 4  # frames between two frames of a clip: 4 at 60 fps, 2 at 30 fps
    crop: int = 224  # side of the random training crop; 0 = whole frames
    val_levels: tuple[str, ...] = ()  # levels kept out of training ("3-2"), reported as unseen levels
    workers: int = 1  # prefetching threads
    resident: str = "auto"  # on | off | auto: keep the whole store in the memory of a GPU (auto: where it fits)
    forget: float = 0.0  # how often a training clip comes without carried context (history), as single pictures do
    early: float = 0.0  # share of training clips drawn from the first frames of a recording, where least is known
    flip: float = 0.0  # share of training clips mirrored left to right; for games without direction and text
    palette_jitter: float = 0.0  # strength, 0 .. 1, of the change of the training clips' RGB colours; indices stay


@dataclass(frozen=True)
class CurriculumConfig:
    """Masks that grow harder over the run, in place of `mask_ratios`, `state_full` and `state_compact` of the run."""

    enabled: bool = False
    phases: tuple[float, float] = (0.3333, 0.6667)  # where phases 1 (easy) and 2 (neutral) end, as shares of the run
    ratios: tuple[float, float, float] = (0.85, 0.9, 0.95)  # at the start, in phase 2, at the end; exact, in hundredths
    sharpness: float = 6.0  # how strictly masks follow their scores: log odds of the lowest against the highest rank
    random: float = 0.5  # share of phase 3's clips that keep neutral masks ...
    semantic: float = 0.25  # ... that hide what the state says moves; the rest hides what is predicted to fail
    damage: float = 0.1  # share of steps with masks shaped like damage, in every phase ...
    damage_ratios: tuple[float, ...] = (0.25, 0.5, 0.75)  # ... and how much they hide
    anchors: float = 0.0  # share of steps that see a few whole slices and nothing of the others ...
    anchor_slices: int = 2  # ... and how many
    forget: float = 0.99  # how much of its statistics the loss predictor keeps per step
    state_full: tuple[float, float, float] = (0.8, 0.7, 0.6)  # probability of full state in each phase ...
    state_compact: tuple[float, float, float] = (0.1, 0.15, 0.2)  # ... and of compact; else none


@dataclass(frozen=True)
class TrainConfig:
    """Optimisation and book-keeping of one run."""

    out: str = "runs/nano"  # run folder: checkpoints, metrics.jsonl, run.yaml
    batch: int = 8  # clips per step, of all ranks together
    micro_batch: int = 0  # most clips in memory at once, on each rank; a step makes as many passes; 0 = any
    steps: int = 10000  # length of the schedule in optimiser steps
    lr: float = 1.5e-4  # base learning rate, multiplied by batch / 256 (the absolute value is printed) ...
    absolute_lr: float = 0.0  # ... unless this is above 0, which is then used as it is
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.05  # not on norms, biases and embeddings
    warmup: float = 0.033  # share of the run; 40 of 1200 epochs
    min_lr: float = 0.01  # last learning rate as a share of the largest
    clip_grad: float = 1.0
    ema: float = 0.9999  # upper bound of the averaging factor, reached by a warm-up
    amp: str = "auto"  # auto | off | bf16 | fp16
    optimizer: str = "adamw"  # adamw | muon: orthogonalised updates for matrices, AdamW for the rest
    parallel: str = "ddp"  # several ranks (torchrun): ddp = a whole model each, fsdp = a share of one each
    checkpoint_activations: bool = False  # compute the blocks twice instead of keeping what the backward pass needs
    compile: bool = False  # torch.compile; pays after minutes of warm-up
    mask_ratios: tuple[float, ...] = (0.9, 0.95)  # drawn per step, exact
    decoder_keep: float = 1.0  # running cell: share (0.25, 0.5, 0.75, 1) of the masked cubes that may be decoded ...
    queries: int = 96  # ... and how many of those are, per clip and step; 0 = all
    hard_queries: float = 0.5  # share of them drawn from cubes with detail instead of uniformly
    moving_cubes: float = 1.0  # how many times likelier it takes cubes with sprites, boxes or a status bar in them
    state_full: float = 0.7  # how often a training clip comes with its full state ...
    state_compact: float = 0.15  # ... the compact one; else none
    lost: float = 0.0  # share of training clips whose state does not tell the map, as on maps that are new
    rgb_loss: float = 0.5  # weight of the error of the posterior-mean colour beside the palette cross-entropy
    emphasis: float = 0.0  # how much more a pixel of an edge, a sprite or a rare colour counts in the reconstruction
    spatial_loss: float = 0.0  # contributions relative to the reconstruction, kept by running weights, 0 = off: ...
    temporal_loss: float = 0.0  # ... spatial consistency, temporal coherence along the camera's motion, ...
    state_loss: float = 0.0  # ... state alignment (needs model.state_alignment)
    teacher: str = ""  # a larger model to learn from beside the truth (name or folder); "" = none ...
    distil: float = 1.0  # ... weight of the divergence from its posterior ...
    similarity: float = 1.0  # ... and of that from which cubes it takes to be alike ...
    teacher_share: float = 0.5  # ... and the share of the decoded cubes that it is asked about
    val_every: int = 500  # steps between validations
    val_clips: int = 16
    checkpoint_every: int = 250
    keep_every: int = 50  # epochs between checkpoints that stay, beside last and best; 0 = none
    export: str = ""  # .pth file for the best averaged weights alone, as for evaluation; "" = none
    tensorboard: bool = True  # event files in the run folder, where the package is installed
    wandb: str = ""  # project of Weights & Biases that figures are sent to; "" = none
    trackio: str = ""  # project of trackio that figures are written to; "" = none
    max_minutes: float = 0.0  # stop after this wall time; 0 = never
    seed: int = 0
    threads: int = 0  # CPU threads; 0 = all
    device: str = "auto"
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)


@dataclass(frozen=True)
class RunConfig:
    """Everything one training run depends on: the record of a run."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


_LIGHT_DECODER = Retired("size of a decoder that no model has had")
RETIRED[ModelConfig] = dict.fromkeys(("codec_dim", "codec_depth", "codec_head_dim"), _LIGHT_DECODER)
RETIRED[TrainConfig] = {"things": Retired("how much likelier cubes with sprites are decoded", now="moving_cubes")}


def load_config(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> RunConfig:
    """Read one run's YAML file, which may hold only what differs from the defaults; then apply `train.lr=3e-4` ...

    Raises:
        ConfigError: missing file, unknown key or wrong type, naming the file, the dotted key and the nearest valid key.
    """
    return load_yaml(RunConfig, path, overrides)
