"""Named variants, and how a model is made from a name, a configuration or a folder."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..bundled import CONFIGS, SIZES
from ..config import ModelConfig, load_config
from ..errors import ConfigError
from .mae import HSTMAE
from .pretrained import load_tensors, mismatch, save_pretrained

__all__ = ["VARIANTS", "build_model", "load_pretrained", "load_tensors", "mismatch", "save_pretrained"]

if TYPE_CHECKING:
    VARIANTS: dict[str, ModelConfig]


@cache
def variants() -> dict[str, ModelConfig]:
    """Those of the bundled configurations, by name."""
    return {f"hst-mae-{size}": load_config(CONFIGS / f"mae_{size}.yaml").model for size in SIZES}


def __getattr__(name: str) -> dict[str, ModelConfig]:
    if name != "VARIANTS":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return variants()  # read when they are asked for: a model that is loaded brings its own configuration


def build_model(config: ModelConfig | str, **changes: object) -> HSTMAE:
    """A model with fresh weights, from a config or a variant's name; `changes` replace single fields.

    Raises:
        ConfigError: unknown name, or sizes that do not fit each other.
    """
    if isinstance(config, str):
        known = variants()
        if config not in known:
            raise ConfigError(f"unknown model '{config}'; known: {', '.join(known)}")
        config = known[config]
    config = replace(config, **changes)  # type: ignore[arg-type]
    return HSTMAE(config)


def load_pretrained(name: str | Path) -> HSTMAE:
    """A trained model in evaluation mode: see `HSTMAE.from_pretrained`."""
    return HSTMAE.from_pretrained(name)
