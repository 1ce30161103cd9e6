"""State alignment: visual tokens say, before they are told, what the state says."""

from __future__ import annotations

from torch import Tensor

from ...games import GameState
from .balance import Term


def alignment_loss(said: Tensor, state: GameState, untold: Tensor) -> Term:
    """Squared error of the predicted `compact` state: mean over the tokens in use and their features of
    ``(said - true)^2``, plus the mean over all tokens of ``(said in use - in use)^2``.

    Predicting what a game's memory says judges visual representations in https://arxiv.org/abs/1906.08226. Only clips
    that the model sees at state level `none` count: with a state, the regions that visual tokens carry from the first
    layer on already say where player and enemies are, and the prediction would copy them.

    Args:
        said: float [B, T, K, F + 1], see `StateAlignment`.
        state: the true one, with leading axes [B, T].
        untold: bool [B], clips of which the model is told nothing.
    """
    said = said.float()
    used = state.token_valid & untold[:, None, None]
    features = (said[..., :-1] - state.tokens).square().mean(-1)
    presence = (said[..., -1] - state.token_valid.float()).square() * untold[:, None, None]
    clip = presence[0].numel()
    value = (features * used).sum() / used.sum().clamp_min(1) + presence.sum() / (clip * untold.sum()).clamp_min(1)
    return Term(value, untold.any())
