"""State alignment: the error of the state that is predicted from visual tokens alone."""

from __future__ import annotations

from torch import Tensor

from ...games import GameState
from .balance import Term


def alignment_loss(predicted: Tensor, state: GameState, blind: Tensor) -> Term:
    """Squared error of the predicted `compact` state: mean over the tokens in use and their features, plus the mean
    over all tokens of the error of "in use".

    Only clips at state level `none` count: with a state, the regions that visual tokens carry from the first layer on
    already hold where player and enemies are, and the prediction would copy them.

    Args:
        predicted: float [B, T, K, F + 1], see `StateAlignment`.
        state: the true one, with leading axes [B, T].
        blind: bool [B], clips at state level `none`.
    """
    predicted = predicted.float()
    used = state.token_valid & blind[:, None, None]
    features = (predicted[..., :-1] - state.tokens).square().mean(-1)
    presence = (predicted[..., -1] - state.token_valid.float()).square() * blind[:, None, None]
    clip = presence[0].numel()
    value = (features * used).sum() / used.sum().clamp_min(1) + presence.sum() / (clip * blind.sum()).clamp_min(1)
    return Term(value, blind.any())
