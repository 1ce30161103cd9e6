"""Named variants, and how a model is made from a name, a configuration or a folder."""

from dataclasses import replace
from pathlib import Path

from ..bundled import CONFIGS, SIZES
from ..config import ModelConfig, load_config
from ..errors import ConfigError
from .mae import HSTMAE
from .pretrained import load_tensors, mismatch, save_pretrained

__all__ = ["VARIANTS", "build_model", "load_pretrained", "load_tensors", "mismatch", "save_pretrained"]

VARIANTS: dict[str, ModelConfig] = {
    f"hst-mae-{size}": load_config(CONFIGS / f"mae_{size}.yaml").model for size in SIZES
}  # those of the bundled configurations


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
