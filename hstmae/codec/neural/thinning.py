"""The game's memory thinned to what its pictures depend on, so that a stream need not carry the rest.

Bytes that no picture reads become 0. Bytes that are read, but say nothing at the moment (the tile of a sprite that is
not shown, the position of an enemy that is not there) keep the value they had, which costs nothing to code.
"""

from __future__ import annotations

import numpy as np

from ...games import GameSpec, GameState

_FIRST_HIDDEN = 239  # OAM line from which a sprite of the NES is below the picture
_SLOT = "enemy_"  # fields of this name have one entry per slot; the first of them says whether it is in use


def read_bytes(game: GameSpec, states: np.ndarray, seed: int = 0) -> np.ndarray:
    """Which bytes of the memory the decoded state depends on, found by changing each of them.

    Args:
        states: uint8 [N, state_size], memories of many different moments.
    Returns:
        bool [state_size].
    """
    rng = np.random.default_rng(seed)
    size = game.state_size
    kept = np.zeros(size, bool)
    for field in game.fields:
        kept[field.address : field.address + field.count] = True
    for base in states:
        rows = np.repeat(base[None], size + 1, 0)
        rows[np.arange(size), np.arange(size)] ^= rng.integers(1, 256, size, dtype=np.uint8)
        numbers = _numbers(game.decode(rows, None))
        kept |= (numbers[:-1] != numbers[-1]).any(1)
    return kept


def thin(game: GameSpec, state: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Memory of T frames in order, uint8 [T, S], without what does not show: uint8 [T, S].

    Args:
        kept: bool [S], see `read_bytes`.
    """
    out = np.where(kept, state, 0).astype(np.uint8)
    fields = {field.name: field for field in game.fields}
    if "oam" in fields:
        oam = fields["oam"]
        sprites = out[:, oam.address : oam.address + oam.count].reshape(len(out), -1, 4)
        hidden = sprites[..., 0] >= _FIRST_HIDDEN
        sprites[..., 0][hidden] = 0xFF
        _hold(sprites[..., 1:], hidden)
        out[:, oam.address : oam.address + oam.count] = sprites.reshape(len(out), -1)
    slots = [field for field in game.fields if field.name.startswith(_SLOT)]
    if slots:
        first = slots[0]
        off = out[:, first.address : first.address + first.count] == 0
        for field in slots[1:]:
            _hold(out[:, field.address : field.address + field.count], off)
    return out


def _hold(values: np.ndarray, idle: np.ndarray) -> None:
    """Replace idle entries by those of the frame before, in place; values [T, N, ...], idle bool [T, N]."""
    values[0][idle[0]] = 0
    for t in range(1, len(values)):
        values[t][idle[t]] = values[t - 1][idle[t]]


def _numbers(state: GameState) -> np.ndarray:
    """All of a decoded state as rows of numbers, float64 [T, ...]."""
    return np.concatenate([np.asarray(a, np.float64).reshape(len(a), -1) for a in state.arrays()], 1)
