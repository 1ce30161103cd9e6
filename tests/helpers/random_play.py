"""Random memory contents decoded like a game's, for tests that need some state and no pictures."""

from __future__ import annotations

import numpy as np
import torch

from hstmae.games import GameState, get_game


def random_state(batch: int, frames: int, seed: int = 0) -> GameState:
    """A batch of decoded random states [B, T, ...] of Super Mario Bros., with columns partly known."""
    game = get_game("smb")
    rng = np.random.default_rng(seed)
    states = []
    for _ in range(batch):
        ram = np.repeat(rng.integers(0, 256, (1, 2048), np.uint8), frames, 0)
        ram[:, 0x71C] = (int(ram[0, 0x71C]) + 5 * np.arange(frames)) % 256  # a moving camera
        ram[:, 0x6A1:0x6AE] %= 0xC8
        context = game.context(ram, np.arange(frames))
        context[:, ::2] = 0x10
        states.append(game.decode(ram, context))
    return GameState.stack(states, lambda arrays: torch.from_numpy(np.stack(arrays)))
