"""Named variants, and models as folders: config.json + model.safetensors."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ..atomic import write_bytes, write_text
from ..bundled import CHECKPOINTS, find_checkpoint, names
from ..config import ModelConfig, from_dict, to_dict
from ..errors import CheckpointError, ConfigError
from ..games import get_game
from .mae import HSTMAE

_WIDTHS = ("colour_dim", "state_dim", "texture_dim", "pixel_dim", "code_dim")

_BASE = ModelConfig(
    name="hst-mae-base",
    dims=(768, 1024, 1280, 1408),
    depths=(2, 2, 2, 1),
    head_dim=64,
    decoder_dim=1024,
    decoder_head_dim=64,
    drop_path=0.1,
    state_alignment=True,
    state_dim=256,
    texture_dim=32,
    pixel_dim=96,
    code_dim=64,
    codec_dim=384,
    codec_head_dim=64,
    places="scene",
)

VARIANTS: dict[str, ModelConfig] = {
    "hst-mae-nano": ModelConfig(places="scene"),
    "hst-mae-tiny": ModelConfig(
        name="hst-mae-tiny",
        dims=(96, 192, 288, 384),
        head_dim=96,
        decoder_dim=256,
        state_dim=256,
        texture_dim=24,
        pixel_dim=64,
        codec_dim=192,
        places="scene",
    ),
    "hst-mae-small": ModelConfig(
        name="hst-mae-small",
        dims=(128, 256, 416, 576),
        depths=(2, 2, 6, 1),
        head_dim=32,
        decoder_dim=384,
        decoder_head_dim=64,
        state_dim=256,
        texture_dim=24,
        pixel_dim=64,
        codec_dim=256,
        codec_head_dim=64,
        places="scene",
    ),
    "hst-mae-base": _BASE,
    "hst-mae-large": replace(_BASE, name="hst-mae-large", depths=(6, 4, 10, 2), decoder_dim=1344, drop_path=0.2),
}


def build_model(config: ModelConfig | str, **changes: object) -> HSTMAE:
    """A model with fresh weights, from a config or a variant's name; `changes` replace single fields.

    Raises:
        ConfigError: unknown name, or sizes that do not fit each other.
    """
    if isinstance(config, str):
        if config not in VARIANTS:
            raise ConfigError(f"unknown model '{config}'; known: {', '.join(VARIANTS)}")
        config = VARIANTS[config]
    config = replace(config, **changes)  # type: ignore[arg-type]
    check(config)
    return HSTMAE(config)


def check(config: ModelConfig) -> None:
    """Raises ConfigError where widths and heads do not fit."""
    if not len(config.dims) == len(config.depths) == len(config.temporal_windows) == 4:
        raise ConfigError("model.dims, model.depths and model.temporal_windows need four entries, one per stage")
    for what, dims, head in (
        ("dims", config.dims, config.head_dim),
        ("decoder_dim", (config.decoder_dim,), config.decoder_head_dim),
        ("codec_dim", (config.codec_dim,), config.codec_head_dim),
    ):
        if head < 8 or head % 2 or any(d < 1 or d % head for d in dims):
            raise ConfigError(
                f"model.{what} {dims} must be multiples of an even head dimension of 8 or more, got {head}"
            )
    if config.head not in ("palette", "rgb"):
        raise ConfigError(f"model.head must be 'palette' or 'rgb', got '{config.head}'")
    if config.head == "palette" and not len(get_game(config.game).palette):
        raise ConfigError(f"model.head: the game '{config.game}' has no palette; set model.head=rgb")
    for what in ("depths", "decoder_depth", "codec_depth", "temporal_windows", *_WIDTHS):
        value = getattr(config, what)
        if min(value if isinstance(value, tuple) else (value,)) < 1:
            raise ConfigError(f"model.{what} must be at least 1, got {value}")
    if min(int(dim * config.mlp_ratio) for dim in (*config.dims, config.decoder_dim, config.codec_dim)) < 1:
        raise ConfigError(f"model.mlp_ratio {config.mlp_ratio} leaves no hidden channels; 4 is usual")
    if not 0 <= config.drop_path < 1:
        raise ConfigError(f"model.drop_path must be a probability, 0 .. 1, 1 excluded, got {config.drop_path}")


def save_pretrained(
    weights: dict[str, Tensor], config: ModelConfig, folder: str | Path, dtype: torch.dtype = torch.float16
) -> None:
    """Write a model folder; each file appears whole or not at all, the weights before the config that names them."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: (v.to(dtype) if v.is_floating_point() else v).contiguous().cpu() for k, v in weights.items()}
    write_bytes(folder / "model.safetensors", save_tensors(tensors, metadata={"format": "pt"}))
    write_text(folder / "config.json", json.dumps(to_dict(config), indent=2) + "\n")


def find_model(name: str | Path) -> Path:
    """The folder of a model: a path, a name in $HSTMAE_MODELS or ./checkpoints, a bundled name, or a hub id.

    A hub id is "owner/name" and is looked up on the Hugging Face Hub when no folder has that name.

    Raises:
        CheckpointError: nothing of that name, or a hub id without huggingface_hub or that cannot be fetched.
    """
    places = [Path(name)]
    if os.environ.get("HSTMAE_MODELS"):
        places.append(Path(os.environ["HSTMAE_MODELS"]) / name)
    places += [Path("checkpoints") / name, find_checkpoint(name)]
    for place in places:
        if (place / "config.json").is_file():
            return place
    if re.fullmatch(r"[\w-][\w.-]*/[\w.-]*[\w-]", str(name)) and not places[0].exists():
        return _from_hub(str(name))
    looked = ", ".join(dict.fromkeys(str(p) for p in places))
    raise CheckpointError(f"no model '{name}': no config.json in {looked}; bundled: {names(CHECKPOINTS)}")


def _from_hub(name: str) -> Path:
    """Fetch (or find in its cache) the files of a model on the Hugging Face Hub."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise CheckpointError(
            f"no folder '{name}'; to fetch a model of that name from the Hugging Face Hub: pip install 'hstmae[hub]'"
        ) from None
    try:
        folder = Path(snapshot_download(name, allow_patterns=["config.json", "model.safetensors", "atlas.npz"]))
    except Exception as error:
        raise CheckpointError(f"cannot fetch '{name}' from the Hugging Face Hub ({_first_line(error)})") from error
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"'{name}' on the Hugging Face Hub is no HST-MAE model: it has no config.json")
    return folder


def load_pretrained(name: str | Path) -> HSTMAE:
    """A trained model in evaluation mode, from a folder, a bundled name or a hub id.

    Raises:
        CheckpointError: missing or damaged files, or weights that do not fit the configuration; the message names the
            first keys that are missing, too many or of another shape.
    """
    folder = find_model(name)
    try:
        config = from_dict(ModelConfig, json.loads((folder / "config.json").read_text()), str(folder / "config.json"))
        model = build_model(config)
        weights = load_tensors((folder / "model.safetensors").read_bytes())
    except ConfigError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    except Exception as error:
        raise CheckpointError(
            f"{folder}: cannot load the model ({_first_line(error)}); fetch or train it again"
        ) from error
    problems = mismatch(model.state_dict(), weights)
    if problems:
        raise CheckpointError(
            f"{folder}: model.safetensors does not fit config.json ({'; '.join(problems)}); "
            "restore the config.json it was saved with, or train the model again"
        )
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in weights.items()})
    return model.eval()


def mismatch(wanted: dict[str, Tensor], found: dict[str, Tensor], named: int = 3) -> list[str]:
    """What keeps `found` from being loaded as `wanted`: a phrase for each kind, with the first `named` keys."""
    missing = [k for k in wanted if k not in found]
    unexpected = [k for k in found if k not in wanted]
    shapes = [
        f"{k} {list(found[k].shape)} instead of {list(wanted[k].shape)}"
        for k in wanted
        if k in found and found[k].shape != wanted[k].shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
    return [
        f"{len(keys)} {kind}: {', '.join(keys[:named])}{' ...' if len(keys) > named else ''}"
        for kind, keys in kinds.items()
        if keys
    ]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
