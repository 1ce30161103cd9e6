"""State tokens: the `compact` numbers of a game as positioned embeddings that visual tokens attend to."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...games import GameSpec, GameState

NONE, COMPACT, FULL = 0, 1, 2  # how much of the state a sample may use
LEVELS = ("none", "compact", "full")


@dataclass
class StateTokens:
    """tokens [B, M, C], position [B, M, 3] (slice, y and x in cubes, native), valid bool [B, M]."""

    tokens: Tensor
    position: Tensor
    valid: Tensor


class StateEncoder(nn.Module):
    """One MLP per kind of token. A learned null token is always a key, so that attention is defined without any state.

    A game without state has no kinds: its null token is a constant zero.
    """

    def __init__(self, game: GameSpec, dim: int):
        super().__init__()
        kinds, features = len(game.token_names), game.token_features
        self.has_tokens = kinds > 0
        if not self.has_tokens:
            self.register_buffer("null", torch.zeros(dim), persistent=False)
            return
        self.inner = nn.Parameter(torch.randn(kinds, features, dim) * features**-0.5)
        self.bias = nn.Parameter(torch.zeros(kinds, dim))
        self.outer = nn.Linear(dim, dim)
        self.null = nn.Parameter(torch.randn(dim) * 0.02)

    def forward(self, state: GameState | None, level: Tensor) -> StateTokens:
        """state with [B, T, K, F] tokens, level int64 [B] -> StateTokens with M = 1 + T * K, 1 without state."""
        b = len(level)
        null = self.null.expand(b, 1, -1)
        at = torch.zeros(b, 1, 3, device=null.device)
        valid = torch.ones(b, 1, dtype=torch.bool, device=null.device)
        if state is None or not self.has_tokens:
            return StateTokens(null, at, valid)
        t, k = state.tokens.shape[1:3]
        x = torch.einsum("btkf,kfc->btkc", state.tokens.to(null.dtype), self.inner) + self.bias
        x = self.outer(torch.nn.functional.gelu(x)).flatten(1, 2)
        time = torch.arange(t, device=x.device)[None, :, None, None].expand(b, t, k, 1) / 2
        place = torch.cat([time, state.token_xy.flip(-1) / 16], -1).flatten(1, 2)
        used = state.token_valid.flatten(1, 2) & (level >= COMPACT)[:, None]
        return StateTokens(torch.cat([null, x], 1), torch.cat([at, place], 1), torch.cat([valid, used], 1))
