"""The game's memory thinned to what its pictures depend on, so that a stream need not carry the rest.

Bytes that no picture reads become 0. Bytes that are read, but say nothing at the moment (the tile of a sprite that is
not shown, the position of an enemy that is not there) keep the value they had, which costs nothing to code. Sprites
that a game moves through the list of sprites from frame to frame, so that they flicker, are put back to one place of
it where that changes no picture: so they are found where they were before.
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
        if hints.sprite_turn is not None:
            sprites = _turned_back(game, sprites, state)
        hidden = sprites[..., 0] >= hints.first_hidden_line
        sprites[..., 0][hidden] = 255
        _hold(sprites[..., 1:], hidden)
        out[:, fields[hints.sprite_list]] = sprites.reshape(len(out), -1)
    if hints.slots:
        idle = out[:, fields[hints.slots[0]]] == 0
        for name in hints.slots[1:]:
            _hold(out[:, fields[name]], idle)
    return out


def _turned_back(game: GameSpec, sprites: np.ndarray, state: np.ndarray) -> np.ndarray:
    """The lists of sprites uint8 [T, N, 4] as if they had been written from their home on; frames in which another
    order would show, or that say something else than `CoderHints.sprite_turn` expects, stay as they are."""
    assert game.coding.sprite_turn is not None
    address, first, home = game.coding.sprite_turn
    out, head = sprites.copy(), first // 4
    count = sprites.shape[1] - head
    for t, place in enumerate(state[:, address].tolist()):
        turn, odd = divmod((place - home) % (4 * count), 4)
        if not turn or odd or not first <= place < 4 * sprites.shape[1]:
            continue
        at = np.concatenate([np.arange(head), head + (np.arange(count) - turn) % count])  # new place of each
        if not _order_shows(game, sprites[t], at):
            out[t][at] = sprites[t]
    return out


def _order_shows(game: GameSpec, sprites: np.ndarray, at: np.ndarray) -> bool:
    """Whether a picture may look otherwise when sprites uint8 [N, 4] stand at places `at` [N] of the list: the first
    one of the list lies in front, and of those that share a line only the first few are shown."""
    shown = np.flatnonzero(sprites[:, 0] < game.coding.first_hidden_line)
    line, x = sprites[shown, 0].astype(np.int32), sprites[shown, 3].astype(np.int32)
    swapped = np.triu(at[shown][:, None] > at[shown][None], 1)
    close = np.abs(line[:, None] - line[None]) < game.sprite_size
    if (swapped & close & (np.abs(x[:, None] - x[None]) < game.sprite_size)).any():
        return True
    if not (swapped & close).any():
        return False
    lines = line[:, None] + np.arange(game.sprite_size)
    full = np.bincount(lines.ravel(), minlength=1) > (game.looks.sprites_per_line or len(sprites))
    crowded = full[lines].any(1)
    return bool((swapped & close & crowded[:, None] & crowded[None]).any())


def _hold(values: np.ndarray, idle: np.ndarray) -> None:
    """Replace idle entries by those of the frame before, in place; values [T, N, ...], idle bool [T, N]."""
    values[0][idle[0]] = 0
    for t in range(1, len(values)):
        values[t][idle[t]] = values[t - 1][idle[t]]


def _numbers(state: GameState) -> np.ndarray:
    """All of a decoded state as rows of numbers, float64 [T, ...]."""
    return np.concatenate([np.asarray(a, np.float64).reshape(len(a), -1) for a in state.arrays()], 1)
