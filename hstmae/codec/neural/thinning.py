"""The game's memory thinned to what its pictures depend on, so that a stream need not carry the rest.

Bytes that no picture reads become 0. Bytes that are read, but say nothing at the moment (the tile of a sprite that is
not shown, the position of an enemy that is not there) keep the value they had, which costs nothing to code.
"""

import numpy as np

from ...games import GameSpec, GameState


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
        numbers = _numbers(game.decode_for_coding(rows, None))
        kept |= (numbers[:-1] != numbers[-1]).any(1)
    return kept


def thin(game: GameSpec, state: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Memory of T frames in order, uint8 [T, S], without what does not show: uint8 [T, S].

    Args:
        kept: bool [S], see `read_bytes`.
    """
    out = np.where(kept, state, 0).astype(np.uint8)
    hints = game.coding
    fields = {f.name: slice(f.address, f.address + f.count) for f in game.fields}
    if hints.sprite_list:
        sprites = out[:, fields[hints.sprite_list]].reshape(len(out), -1, 4)
        hidden = sprites[..., 0] >= hints.first_hidden_line
        sprites[..., 0][hidden] = 255
        _hold(sprites[..., 1:], hidden)
        out[:, fields[hints.sprite_list]] = sprites.reshape(len(out), -1)
    if hints.slots:
        idle = out[:, fields[hints.slots[0]]] == 0
        for name in hints.slots[1:]:
            _hold(out[:, fields[name]], idle)
    return out


def _hold(values: np.ndarray, idle: np.ndarray) -> None:
    """Replace idle entries by those of the frame before, in place; values [T, N, ...], idle bool [T, N]."""
    values[0][idle[0]] = 0
    for t in range(1, len(values)):
        values[t][idle[t]] = values[t - 1][idle[t]]


def _numbers(state: GameState) -> np.ndarray:
    """All of a decoded state as rows of numbers, float64 [T, ...]."""
    return np.concatenate([np.asarray(a, np.float64).reshape(len(a), -1) for a in state.arrays()], 1)
