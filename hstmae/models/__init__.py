"""The HST-MAE model family."""

from .inputs import MaskedClips
from .mae import HSTMAE
from .zoo import VARIANTS, build_model, load_pretrained, save_pretrained

__all__ = ["HSTMAE", "VARIANTS", "MaskedClips", "build_model", "load_pretrained", "save_pretrained"]
