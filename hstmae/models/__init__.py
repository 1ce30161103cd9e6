"""The HST-MAE model family."""

from .mae import HSTMAE
from .zoo import VARIANTS, build_model, load_pretrained, save_pretrained

__all__ = ["HSTMAE", "VARIANTS", "build_model", "load_pretrained", "save_pretrained"]
