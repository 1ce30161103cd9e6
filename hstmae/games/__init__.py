"""Games: `get_game("smb")` gives the GameSpec that data, models and codec read; `register` adds one."""

from .hints import CoderHints, ConsoleLooks
from .registry import game_names, get_game, register, use_game
from .spec import GameSpec, StateField, TileLayer
from .state import GameState

__all__ = [
    "CoderHints",
    "ConsoleLooks",
    "GameSpec",
    "GameState",
    "StateField",
    "TileLayer",
    "game_names",
    "get_game",
    "register",
    "use_game",
]
