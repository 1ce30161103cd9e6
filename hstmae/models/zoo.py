"""Named variants, and models as folders: config.json + model.safetensors."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from ..atomic import write_bytes, write_text
from ..config import ModelConfig, from_dict, to_dict
from ..errors import CheckpointError, ConfigError
from .mae import HSTMAE

VARIANTS: dict[str, ModelConfig] = {
    "hst-mae-nano": ModelConfig(),
    "hst-mae-tiny": ModelConfig(
        name="hst-mae-tiny",
        dims=(96, 192, 288, 384),
        head_dim=96,
        decoder_dim=256,
        state_dim=256,
        texture_dim=24,
        pixel_dim=64,
    ),
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
    ):
        if head < 8 or head % 2 or any(d < 1 or d % head for d in dims):
            raise ConfigError(
                f"model.{what} {dims} must be multiples of an even head dimension of 8 or more, got {head}"
            )
    if config.head != "palette":
        raise ConfigError(f"model.head must be 'palette', got '{config.head}'")
    if min(*config.depths, config.decoder_depth) < 1:
        raise ConfigError("model.depths and model.decoder_depth must be at least 1")


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
    """The folder of a model: a path, or a bundled name in $HSTMAE_MODELS, ./checkpoints or the repository."""
    places = [Path(name)]
    if os.environ.get("HSTMAE_MODELS"):
        places.append(Path(os.environ["HSTMAE_MODELS"]) / name)
    places += [Path("checkpoints") / name, Path(__file__).resolve().parents[2] / "checkpoints" / name]
    for place in places:
        if (place / "config.json").is_file():
            return place
    looked = ", ".join(str(p) for p in places)
    raise CheckpointError(f"no model '{name}': no config.json in {looked}")


def load_pretrained(name: str | Path) -> HSTMAE:
    """A trained model in evaluation mode, from a folder or a bundled name.

    Raises:
        CheckpointError: missing or damaged files, or weights that do not fit the configuration.
    """
    folder = find_model(name)
    try:
        config = from_dict(ModelConfig, json.loads((folder / "config.json").read_text()), str(folder / "config.json"))
        model = build_model(config)
        weights = load_tensors((folder / "model.safetensors").read_bytes())
        model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in weights.items()})
    except CheckpointError:
        raise
    except ConfigError as error:
        raise CheckpointError(f"{folder}: {error}") from error
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{folder}: cannot load the model ({reason}); fetch or train it again") from error
    return model.eval()
