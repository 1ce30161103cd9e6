"""The losses beside the reconstruction, put together: spatial consistency, temporal coherence, state alignment."""

import torch
from torch import Tensor

from ...config import RunConfig
from ...data.clips.clip import ClipBatch
from ...errors import ConfigError
from ...games import GameSpec, GameState, get_game
from ...models.inputs import Places
from ...models.state.tokens import NONE
from ..masks.inputs import StepInputs
from .balance import LossBalance, Term
from .consistency import camera_motion, fixed_cubes, region_loss, seam_loss, temporal_loss
from .neighbours import Neighbourhood, pixel_regions

SEAMS, REGIONS, TEMPORAL, ALIGNMENT = "seams", "regions", "temporal", "alignment"  # as they are logged


class AuxiliaryLosses(LossBalance):
    """Adds the terms to the reconstruction loss, each at its share of it; the running magnitudes are its only state.

    Spatial consistency is two terms, `seams` and `regions`, of half its share each.

    Args:
        game: of the clips.
        spatial, temporal, state: contributions relative to the reconstruction loss; 0 switches one off.
    """

    def __init__(self, game: GameSpec, spatial: float, temporal: float, state: float) -> None:
        shares = {SEAMS: spatial / 2, REGIONS: spatial / 2, TEMPORAL: temporal, ALIGNMENT: state}
        super().__init__({name: share for name, share in shares.items() if share > 0})
        self._game = game
        self.aligns = state > 0  # whether the model is to predict the state

    def add(
        self, loss: Tensor, colours: Tensor, truth: Tensor, aligned: Tensor | None, batch: ClipBatch, inputs: StepInputs
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The whole loss, and every term as it is before weighting.

        Args:
            loss: reconstruction loss, scalar with its graph.
            colours: float [B, Q, 2, 16, 16, 3], restored colours of the decoded cubes in 0 .. 1 (the posterior mean of
                a palette head), with their graph; truth: of the same shape.
            aligned: float [B, T, K, F + 1], the predicted state, where it was asked for.
            batch: the true clips and their state, whatever level of it the model was given.
        Returns:
            The sum with its graph, and detached scalars `seams`, `regions`, `temporal`, `alignment` as far as they are
            switched on; one that is not present in this step is logged by its running magnitude.
        """
        shares, terms, state = self.shares, {}, batch.state
        around = Neighbourhood.of(batch.frames, inputs.visible, inputs.queries, inputs.shown)
        error = colours - truth
        with torch.autocast(colours.device.type, enabled=False):
            if SEAMS in shares:
                terms[SEAMS] = seam_loss(error, around)
            if REGIONS in shares:
                at = Places.of(inputs.queries, around.slices, around.grid[1], batch.origin)
                terms[REGIONS] = region_loss(colours, truth, pixel_regions(self._game, state, at))
            if TEMPORAL in shares:
                shift, joined = camera_motion(state, len(error), batch.frames.shape[1], error.device)
                still = fixed_cubes(self._game, around, batch.origin)
                terms[TEMPORAL] = temporal_loss(error, around, shift, joined, still)
            if ALIGNMENT in shares:
                if aligned is None or state is None or inputs.level is None:
                    graph = (loss if aligned is None else aligned).float().sum()
                    terms[ALIGNMENT] = Term(graph * 0, torch.zeros((), dtype=torch.bool, device=loss.device))
                else:
                    terms[ALIGNMENT] = alignment_loss(aligned, state, inputs.level == NONE)
        return self.combine(loss, terms)


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


def auxiliary_losses(config: RunConfig) -> AuxiliaryLosses | None:
    """The losses beside the reconstruction that a run's configuration asks for, None without any.

    Raises:
        ConfigError: values that make no losses, named by their key.
    """
    train, game = config.train, get_game(config.model.game)
    for key in ("spatial_loss", "temporal_loss", "state_loss"):
        if not 0 <= getattr(train, key) <= 10:
            raise ConfigError(
                f"configuration: train.{key} must be a contribution relative to the reconstruction loss, 0 (off) .. "
                f"10, got {getattr(train, key)!r}"
            )
    if train.state_loss > 0 and not game.token_names:
        raise ConfigError(
            f"configuration: train.state_loss needs a game with state tokens, and '{game.name}' has none; set it to 0"
        )
    if train.state_loss > 0 and not config.model.state_alignment:
        raise ConfigError(
            "configuration: train.state_loss needs a model that predicts the state; set model.state_alignment=true"
        )
    if not train.spatial_loss + train.temporal_loss + train.state_loss:
        return None
    return AuxiliaryLosses(game, train.spatial_loss, train.temporal_loss, train.state_loss)
