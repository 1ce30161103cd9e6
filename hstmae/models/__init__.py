"""The HST-MAE model family."""

from typing import TYPE_CHECKING

from . import zoo
from .inputs import MaskedClips
from .mae import HSTMAE
from .zoo import build_model, load_pretrained, save_pretrained

if TYPE_CHECKING:
    from .zoo import VARIANTS

__all__ = ["HSTMAE", "VARIANTS", "MaskedClips", "build_model", "load_pretrained", "save_pretrained"]


def __getattr__(name: str) -> object:
    if name == "VARIANTS":
        return zoo.VARIANTS
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
