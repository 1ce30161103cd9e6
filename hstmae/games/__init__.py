"""Games: `get_game("smb")` gives the GameSpec that data, models and codec read."""

from ..errors import GameError
from .spec import GameSpec, StateField, TileLayer
from .state import GameState

__all__ = ["GameSpec", "GameState", "StateField", "TileLayer", "game_names", "get_game"]


def _registry() -> dict[str, type[GameSpec]]:
    from .atari import Atari
    from .generic import Generic
    from .smb import SuperMarioBros

    return {"atari": Atari, "generic": Generic, "smb": SuperMarioBros}


def game_names() -> list[str]:
    return sorted(_registry())


def get_game(name: str) -> GameSpec:
    """The GameSpec of a registered game. Raises GameError for an unknown name."""
    registry = _registry()
    if name not in registry:
        raise GameError(f"unknown game '{name}'; known: {', '.join(sorted(registry))}")
    return registry[name]()
