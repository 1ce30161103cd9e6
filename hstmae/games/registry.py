"""Which games there are: the package's own, those of installed packages, and files of the user's.

An installed package adds games by entry points of the group "hstmae.games" (name = "module:Class"). A file adds the
GameSpec classes written in it, when the environment variable HSTMAE_GAMES names it (several are separated as in PATH)
or a command is given it in place of a game's name. What a store or a model says is only ever looked up by name: it
cannot make a file run.
"""

from __future__ import annotations

import inspect
import os
import sys
from functools import lru_cache
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np

from ..errors import GameError
from .checking import watch
from .pyxel.game import sized
from .spec import GameSpec

GROUP = "hstmae.games"
VARIABLE = "HSTMAE_GAMES"

_registered: dict[str, type[GameSpec]] = {}


def _own() -> dict[str, type[GameSpec]]:
    from .atari import Atari, Breakout, Pong
    from .atari_games import GAMES
    from .nes.game import Nes
    from .smb.game import SuperMarioBros
    from .true_colour import Generic

    own: tuple[type[GameSpec], ...] = (Atari, Breakout, Generic, Nes, Pong, SuperMarioBros, *GAMES)
    return {game.name: game for game in own}


def game_names() -> list[str]:
    """All names that `get_game` knows. Raises GameError for a file in HSTMAE_GAMES that cannot be used."""
    return sorted({*_own(), *_registered, *_from_files(), *(point.name for point in entry_points(group=GROUP))})


def get_game(name: str) -> GameSpec:
    """The GameSpec of a known game; "pyxel-WIDTHxHEIGHT" is that of programs with such pictures.

    Raises:
        GameError: an unknown name, or a game that is described wrongly.
    """
    game = _own().get(name) or sized(name) or _registered.get(name) or _from_files().get(name) or _from_package(name)
    if game is None:
        raise GameError(
            f"unknown game '{name}'; known: {', '.join(game_names())}. A game of your own: set {VARIABLE} to its file"
        )
    return game()


def own_game(name: str) -> bool:
    """Whether a game is one of the package's, whose description comes with it."""
    return name in _own() or sized(name) is not None


def register(game: type[GameSpec]) -> type[GameSpec]:
    """Make a game known to this process; usable as a class decorator. Raises GameError where its description is
    incomplete or contradicts itself, or its name belongs to the package."""
    check_game(game)
    watch(game)
    _registered[game.name] = game
    return game


def use_game(text: str) -> str:
    """The name of a game that a user asked for: a name, `file.py` with one game in it, or `file.py:Class`.

    A file is run, and stays known to this process and to those it starts. Raises GameError where it cannot be run, or
    has no such game.
    """
    path, _, wanted = text.rpartition(":") if not text.endswith(".py") else (text, "", "")
    if not path.endswith(".py"):
        return text
    games = {game.__name__: game for game in _load(str(Path(path).resolve())).values()}
    if wanted not in games and (wanted or len(games) != 1):
        raise GameError(f"{path}: choose one of its games, as in {path}:{next(iter(games))}; it has {', '.join(games)}")
    listed = os.environ.get(VARIABLE, "").split(os.pathsep)
    if str(Path(path).resolve()) not in listed:
        os.environ[VARIABLE] = os.pathsep.join([*filter(None, listed), str(Path(path).resolve())])
    return (games[wanted] if wanted else next(iter(games.values()))).name


def check_game(game: type[GameSpec]) -> None:
    """Raises GameError when a class is no usable description of a game; the message says what to add or change."""
    where = f"game {getattr(game, 'name', game.__name__)!r} ({game.__module__}.{game.__qualname__})"
    missing = [name for name in inspect.get_annotations(GameSpec) if not hasattr(game, name)]
    missing += [f"{method}()" for method in sorted(game.__abstractmethods__)]
    if missing:
        raise GameError(f"{where} lacks {', '.join(missing)}")
    if game.name in _own() and game is not _own()[game.name]:
        raise GameError(f"{where}: the name is taken by the package; choose another")
    palette = game.palette
    if palette.dtype != np.uint8 or palette.shape != (len(palette), 3) or len(palette) > 256:
        raise GameError(f"{where}: palette must be uint8 [K, 3] with K up to 256, empty for true colour")
    ids = game.tile_layers[0].ids if game.tile_layers else 0
    if game.tile_regions.shape != (ids,) or (ids and int(game.tile_regions.max()) >= len(game.regions)):
        raise GameError(
            f"{where}: tile_regions must give one of the {len(game.regions)} regions to each of {ids} tiles"
        )
    for layer in game.tile_layers:
        if layer.entries and (layer.cell != 1 or len(layer.entries) != layer.ids):
            raise GameError(
                f"{where}: a layer with entries has cells of one pixel and an entry for each id; '{layer.name}' has "
                f"cells of {layer.cell}, {layer.ids} ids and {len(layer.entries)} entries"
            )


def _from_files() -> dict[str, type[GameSpec]]:
    found: dict[str, type[GameSpec]] = {}
    for path in os.environ.get(VARIABLE, "").split(os.pathsep):
        if path:
            found.update(_load(str(Path(path).resolve())))
    return found


@lru_cache(maxsize=64)
def _load(path: str) -> dict[str, type[GameSpec]]:
    """The games written in a file, by name; the file is run once."""
    name = f"hstmae_game_{Path(path).stem}_{abs(hash(path)):x}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise GameError(f"{path}: expected a Python file that describes a game")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # it is the user's program: anything may happen
        del sys.modules[name]
        raise GameError(f"{path}: cannot be used as a game: {type(error).__name__}: {error}") from None
    written = [value for value in vars(module).values() if inspect.isclass(value) and value.__module__ == name]
    games = [value for value in written if issubclass(value, GameSpec) and "name" in vars(value)]
    if not games:
        raise GameError(f"{path}: no class in it is a GameSpec with a name")
    for game in games:
        check_game(game)
        watch(game)
    return {game.name: game for game in games}


def _from_package(name: str) -> type[GameSpec] | None:
    for point in entry_points(group=GROUP, name=name):
        try:
            game = point.load()
        except Exception as error:  # an installed package of somebody's
            raise GameError(f"game '{name}' of {point.value}: {type(error).__name__}: {error}") from None
        if not (inspect.isclass(game) and issubclass(game, GameSpec)):
            raise GameError(f"game '{name}': {point.value} is no GameSpec class")
        check_game(game)
        watch(game)
        if game.name != name:
            raise GameError(f"game '{name}': {point.value} calls itself '{game.name}'; both must agree")
        return game
    return None
