"""State alignment: predicting the game's state from visual tokens alone."""

import torch
from torch import Tensor, nn

from ...games import GameSpec


class StateAlignment(nn.Module):
    """Predicts the `compact` tokens of every frame from the visual tokens of its slice.

    One learned query per kind of token (player, enemy 0, ...) attends to the visible cubes of a slice, and a linear map
    of the kind predicts the features of its two frames (a probe in https://arxiv.org/abs/1906.08226, here a loss).
    """

    def __init__(self, game: GameSpec, dim: int):
        super().__init__()
        kinds, self.numbers = len(game.token_names), game.token_features + 1
        self.norm = nn.LayerNorm(dim)
        self.queries = nn.Parameter(torch.randn(kinds, dim) * dim**-0.5)
        self.out = nn.Parameter(torch.randn(kinds, dim, 2 * self.numbers) * (0.02 * dim**-0.5))
        self.bias = nn.Parameter(torch.zeros(kinds, 2 * self.numbers))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, U, S, C], visible units before any state has reached them -> [B, 2 S, K, F + 1].

        The last of the F + 1 numbers says whether the token is in use (1) or not (0).
        """
        x = self.norm(x)
        weight = torch.einsum("busc,kc->bksu", x, self.queries).softmax(-1)
        read = torch.einsum("bksu,busc->bskc", weight, x)
        predicted = torch.einsum("bskc,kcn->bskn", read, self.out) + self.bias
        return predicted.unflatten(-1, (2, self.numbers)).transpose(2, 3).flatten(1, 2)
