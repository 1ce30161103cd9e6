"""What a run needs before its first step: a configuration that makes sense, a device, and data."""

from collections.abc import Callable, Iterable, Sized
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...config import DataConfig, ModelConfig, RunConfig, from_dict
from ...data.clips.clip import BatchSource, Clip
from ...data.clips.dataset import ClipDataset
from ...data.clips.prefetch import Prefetcher
from ...data.clips.resident import ResidentClips
from ...data.store.reader import EpisodeStore
from ...errors import CheckpointError, ConfigError, DataError, StoreError
from ...games import get_game
from ...models import build_model, load_pretrained
from ...models.checkpoint import load_checkpoint
from ...models.cubes import CUBE
from ...models.growing import grow, why_not
from ...models.zoo import mismatch
from ..masks.curriculum import all_shares
from .distributed import RankClips, World
from .optim import OPTIMIZERS
from .parallel import DDP, FSDP
from .records import store_hash

VAL_SPLIT = "val"


def check_config(config: RunConfig) -> None:
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
        "train.parallel": (train.parallel in (DDP, FSDP), f"{DDP} or {FSDP}"),
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
        "train.threads": (train.threads >= 0, "0 (all) or above"),
        "train.mask_ratios": (all_shares(train.mask_ratios), "one or more shares between 0 and 1"),
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


def choose_device(name: str) -> torch.device:
    """The device `name` stands for; "auto" is CUDA where there is one, else the CPU.

    Raises:
        ConfigError: no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, ValueError) as problem:
        raise ConfigError(f"configuration: train.device {name!r} cannot be used here: {problem}") from None
    return device


def choose_amp(name: str, device: torch.device) -> torch.dtype | None:
    """Autocast type: "auto" is bf16 on CUDA and none elsewhere; "fp16" (with loss scaling) needs CUDA.

    Raises:
        ConfigError: an unknown name, or fp16 without CUDA.
    """
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else None
    if name == "fp16" and device.type != "cuda":
        raise ConfigError("configuration: train.amp fp16 needs CUDA; use off or bf16")
    choices = {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}
    if name not in choices:
        raise ConfigError(f"configuration: train.amp must be auto, off, bf16 or fp16, got {name!r}")
    return choices[name]


def open_data(config: RunConfig) -> tuple[ClipDataset, list[Clip], dict[str, Any]]:
    """Open the configured store.

    Returns:
        The training clips, a fixed list of at most `val_clips` whole-frame clips of split "val", and details about the
        store for the run's record.
    Raises:
        StoreError: the store is missing or damaged, or has nothing to train on.
        DataError: its pictures are smaller than one cube.
        ConfigError: the store is of another game than the model, or holds out other levels than the configuration.
    """
    data, seed = config.data, config.train.seed
    path = Path(data.store)
    store = EpisodeStore(path)
    check_game(store, config.model)
    infos = [store.info(i) for i in range(len(store))]
    counts = {split: sum(info.split == split for info in infos) for split in ("train", VAL_SPLIT, "val_level")}
    if not counts["train"]:
        raise StoreError(f"{path}: no episode is in split 'train' ({counts}); preprocess with fewer held out")
    leaked = sorted({info.level for info in infos if info.split == "train"} & set(data.val_levels))
    if leaked:
        raise ConfigError(
            f"configuration: data.val_levels holds out {', '.join(leaked)}, but {path} has it among the training "
            f"episodes; run `hstmae preprocess` again with --val-levels {','.join(data.val_levels)}"
        )
    train = _clips(store, "train", data, data.crop, seed)
    validation: list[Clip] = []
    if counts[VAL_SPLIT] and config.train.val_clips:
        whole = _clips(store, VAL_SPLIT, data, 0, seed)
        validation = [whole.clip(*place) for place in whole.sequential(config.train.val_clips, seed)]
    return train, validation, {"store": data.store, "store_sha256": store_hash(path), "episodes": counts}


def place_clips(
    clips: BatchSource, config: RunConfig, device: torch.device, say: Callable[[str], None]
) -> tuple[BatchSource, int]:
    """Load the store onto the device where `data.resident` and its memory allow it. The clips are the same either way.

    Returns:
        What gives batches, and how many threads are to prepare them.
    Raises:
        DataError: `data.resident` is "on", and the store does not fit.
    """
    wanted = config.data.resident
    if wanted == "off" or not isinstance(clips, ClipDataset) or (wanted == "auto" and device.type != "cuda"):
        return clips, config.data.workers
    try:
        resident = ResidentClips(clips, device)
    except DataError as problem:
        if wanted == "on":
            raise
        say(f"clips are read from files: {problem}")
        return clips, config.data.workers
    say(f"{resident.frames} frames kept on {device}: {resident.bytes / 2**30:.2f} GiB")
    return resident, 0


def batches_from(clips: BatchSource, workers: int, step: int, batch: int, world: World) -> Prefetcher:
    """This rank's part of every batch from `step` on."""
    return Prefetcher(RankClips(clips, world), batch // world.size, step, workers)


def epoch_steps(clips: BatchSource, batch: int) -> float:
    """Steps after which as many clips were drawn as there are different ones; 0 where they are endless."""
    return len(clips) / batch if isinstance(clips, Sized) else 0.0


def check_game(store: EpisodeStore, model: ModelConfig) -> None:
    """Raise ConfigError unless the store holds pictures of the kind that the model is for."""
    if store.game != model.game:
        raise ConfigError(
            f"configuration: model.game is '{model.game}', but {store.path} holds game '{store.game}'; "
            f"set model.game={store.game}" + ("" if len(get_game(store.game).palette) else " and model.head=rgb")
        )
    indexed = len(get_game(store.game).palette) > 0
    for info in store.infos():
        if (info.palette is not None) != indexed:
            kinds = ("true-colour", "palette") if indexed else ("palette", "true-colour")
            raise ConfigError(
                f"{store.path}: episode {info.name} has {kinds[0]} pictures, but game '{store.game}' is trained on "
                f"{kinds[1]} ones; preprocess it as another game" + (" (--game generic)" if indexed else "")
            )


def crop_size(sizes: Iterable[tuple[int, int]], crop: int) -> tuple[int, int]:
    """Height and width of the clips: at most `crop` (0 = no limit), as far as every picture reaches, in whole cubes.

    Raises:
        DataError: a picture is smaller than a cube.
    """
    sizes = list(sizes)
    for size in sizes:
        if min(size) < CUBE:
            raise DataError(f"pictures of {size[0]}x{size[1]} are too small: a model needs {CUBE}x{CUBE} or more")
    height, width = (min(side) for side in zip(*sizes, strict=True))
    limit = crop or max(height, width)
    return min(height, limit) // CUBE * CUBE, min(width, limit) // CUBE * CUBE


def _clips(store: EpisodeStore, split: str, data: DataConfig, crop: int, seed: int) -> ClipDataset:
    size = crop_size((info.size for info in store.infos() if info.split == split), crop)
    changes = ("forget", "early", "flip", "palette_jitter") if split == "train" else ()
    shares: dict[str, Any] = {name: getattr(data, name) for name in changes}
    return ClipDataset(store, splits=(split,), clip=data.clip, stride=data.stride, crop=size, seed=seed, **shares)


def initial_model(source: str, config: ModelConfig) -> nn.Module:
    """A model of `config` with the weights of `source`: a training `.pth` (the averaged ones), a folder or a name.

    One of half the width is grown, and answers as before (`hstmae.models.growing`).

    Raises:
        CheckpointError: `source` is missing or damaged, or its weights do not fit `config`.
    """
    if source.endswith(".pth"):
        payload = load_checkpoint(Path(source))
        weights, made = payload["ema"], from_dict(ModelConfig, payload["config"]["model"], source)
    else:
        pretrained = load_pretrained(source)
        weights, made = pretrained.state_dict(), pretrained.config
    for key in ("game", "head"):
        if getattr(made, key) != getattr(config, key):
            raise CheckpointError(
                f"{source}: is a model with {key} '{getattr(made, key)}', and the run's model.{key} is "
                f"'{getattr(config, key)}'; start from one of the same {key}, or without --init"
            )
    model = build_model(config)
    if made.places != config.places:  # what was remembered has other addresses: begin with nothing
        fresh = model.state_dict()
        weights = weights | {k: fresh[k] for k in ("head.memory.entries.weight", "head.memory.trained") if k in fresh}
    if problems := mismatch(model.state_dict(), weights):
        if why := why_not(made, config):
            problems += [f"and to grow it, {why}"]
        elif not mismatch(build_model(made).state_dict(), weights):
            return grow(weights, made, config)
        raise CheckpointError(f"{source}: its weights do not fit model {config.name} ({'; '.join(problems)})")
    model.load_state_dict(weights)
    return model
