"""What a run needs before its first step: a device, and data."""

from collections.abc import Callable, Iterable, Sized
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...codec.session.as_store import HstStore
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
from ...models.pretrained import check_weights
from ...models.zoo import mismatch
from .distributed import RankClips, World
from .records import store_hash

VAL_SPLIT = "val"


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
    store = open_store(path)
    check_game(store, config.model)
    infos = store.infos()
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
    digest = store_hash(path) if isinstance(store, EpisodeStore) else store.hash
    validation: list[Clip] = []
    if counts[VAL_SPLIT] and config.train.val_clips:
        whole = _clips(store, VAL_SPLIT, data, 0, seed)
        validation = [whole.clip(*place) for place in whole.sequential(config.train.val_clips, seed)]
    return (
        train,
        validation,
        {
            "store": data.store,
            "store_sha256": digest,
            "episodes": counts,
        },
    )


def open_store(path: Path) -> EpisodeStore | HstStore:
    """The store at `path`, or the .hst file, which clips are read from without unpacking it. Raises StoreError or
    CodecError where it is none."""
    return HstStore(path) if path.suffix.lower() == ".hst" else EpisodeStore(path)


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


def check_game(store: EpisodeStore | HstStore, model: ModelConfig) -> None:
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


def _clips(store: EpisodeStore | HstStore, split: str, data: DataConfig, crop: int, seed: int) -> ClipDataset:
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
        try:
            weights, made = payload["ema"], from_dict(ModelConfig, payload["config"]["model"], source)
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{source}: does not hold a model of this program ({error!r})") from error
        check_weights(weights, 0, source)
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
