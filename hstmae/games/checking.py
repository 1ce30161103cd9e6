"""Whether what a description says of memory fits what it says of itself: an error names the first thing that does not.

Games of users alone are looked at, each time they decode memory: what depends on the memory shows at any moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import wraps
from typing import Any

import numpy as np

from ..errors import GameError
from .spec import GameSpec
from .state import GameState


def watch(game: type[GameSpec]) -> None:
    """From now on `decode` of the class raises GameError where its result does not fit the class."""
    made = game.decode
    if getattr(made, "watched", False):
        return

    @wraps(made)
    def decode(self: GameSpec, state: np.ndarray, context: np.ndarray | None) -> GameState:
        found = made(self, state, context)
        wrong = next(_problems(self, found, len(state)), "")
        if wrong:
            raise GameError(f"game '{self.name}': decode() gives {wrong}")
        return found

    decode.watched = True  # type: ignore[attr-defined]
    game.decode = decode  # type: ignore[method-assign]


def _problems(game: GameSpec, s: GameState, t: int) -> Iterator[str]:
    """What is wrong with the state of `t` frames, in words that go on with "gives"."""
    layers = game.tile_layers
    for name, found in (("tiles", s.tiles), ("tile_xy", s.tile_xy)):
        if len(found) != len(layers):
            yield f"{len(found)} arrays as {name}; tile_layers has {len(layers)} layers"
            return
    shapes: list[tuple[str, Any, tuple[int | None, ...]]] = []
    for layer, tiles, xy in zip(layers, s.tiles, s.tile_xy, strict=True):
        shapes += [(f"tiles of layer '{layer.name}'", tiles, (t, layer.rows, layer.cols))]
        shapes += [(f"tile_xy of layer '{layer.name}'", xy, (t, 2))]
    tokens = len(game.token_names)
    shapes += [("sprites", s.sprites, (t, game.sprite_slots, 4)), ("globals", s.globals, (t, game.globals_count))]
    shapes += [(name, getattr(s, name), (t,)) for name in ("camera", "area", "scene")]
    shapes += [("tokens", s.tokens, (t, tokens, game.token_features if tokens else None))]
    shapes += [("token_xy", s.token_xy, (t, tokens, 2)), ("token_valid", s.token_valid, (t, tokens))]
    shapes += [("boxes", s.boxes, (t, None, 5))]
    for name, array, shape in shapes:
        got = np.shape(array)
        if len(got) != len(shape) or any(want not in (None, have) for want, have in zip(shape, got, strict=True)):
            wanted = ", ".join("any" if side is None else str(side) for side in shape)
            yield f"{name} of shape {list(got)}, expected [{wanted}]"
    for layer, tiles in zip(layers, s.tiles, strict=True):
        if wrong := _outside(tiles, layer.ids):
            yield f"tile {wrong} in layer '{layer.name}', which has ids 0 to {layer.ids - 1}"
    sprites = np.asarray(s.sprites)
    shown = sprites[sprites[..., 1] < game.native_size[0]] if sprites.size else sprites.reshape(0, 4)
    if wrong := _outside(shown[:, 2], game.sprite_tiles):
        yield f"a sprite of tile {wrong}; sprite_tiles is {game.sprite_tiles}"
    if wrong := _outside(np.asarray(s.boxes)[..., 0], len(game.regions)):
        yield f"a box of region {wrong}; regions has {len(game.regions)}, counted from 0"


def _outside(numbers: Any, count: int) -> str:
    """The first number that is not 0 to `count` - 1, "" where there is none."""
    flat = np.asarray(numbers).ravel()
    wrong = flat[(flat < 0) | (flat >= count)]
    return str(int(wrong[0])) if len(wrong) else ""
