"""HST-MAE: restores masked or damaged game footage from what is left of it and from the game's own state.

    import hstmae
    model = hstmae.load("hst-mae-nano")
    restored = model.restore(frames, mask, state=state)

Importing the package loads no PyTorch; using `load`, `Episode` or `EpisodeStore` loads what they need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data.episode import Episode
    from .data.store.reader import EpisodeStore
    from .inference.loading import load

__version__ = "0.1.0"
__all__ = ["Episode", "EpisodeStore", "__version__", "load"]

_HOME = {"load": ".inference.loading", "Episode": ".data.episode", "EpisodeStore": ".data.store.reader"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'hstmae' has no attribute '{name}'")
    value = getattr(import_module(_HOME[name], __name__), name)
    globals()[name] = value  # the next access does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
