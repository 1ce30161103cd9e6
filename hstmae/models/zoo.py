"""Named variants, and how a model is made from a name, a configuration or a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..config import ModelConfig
from ..errors import ConfigError
from .mae import HSTMAE
from .pretrained import find_model, load_tensors, mismatch, save_pretrained

__all__ = ["VARIANTS", "build_model", "find_model", "load_pretrained", "load_tensors", "mismatch", "save_pretrained"]

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
    return HSTMAE(config)


def load_pretrained(name: str | Path) -> HSTMAE:
    """A trained model in evaluation mode: see `HSTMAE.from_pretrained`."""
    return HSTMAE.from_pretrained(name)
