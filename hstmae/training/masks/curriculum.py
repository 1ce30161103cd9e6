"""What each training step hides: one neutral rule for the whole run, or masks that grow harder in three phases.

Everything is a function of (configuration, seed, step) and the batch, except what the adversary has learned so far;
that small state is part of a checkpoint, so a resumed run draws the same masks.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...config import CurriculumConfig, RunConfig, TrainConfig
from ...data.clips.clip import ClipBatch
from ...games import GameSpec, get_game
from ...limits import check_curriculum
from ...masks.damage import SHAPES
from ...models.cubes import DEPTH, from_cubes, grid_size, to_cubes
from ...models.masking import damaged_visible, scored_visible
from .inputs import StepInputs, choose_queries, draw_inputs, draw_queries, draw_state, seed_of
from .loss_predictor import LossPredictor, unit_features
from .unit_scores import change, information, moving_cubes, semantics

DRAW = 1  # stream of a step's seed that masks, queries and levels are drawn from
EASY, NEUTRAL, HARD = 1, 2, 3  # phases
_SHAPES = {name: draw for name, draw in SHAPES.items() if name != "lost frames"}  # those hide whole slices


class StepMasks:
    """Draws the inputs of every step. Without a state of its own it takes any: that of masks which were used before."""

    observes = False  # whether `observe` is to be called

    def draw(self, batch: ClipBatch, step: int) -> StepInputs:
        """Inputs of step number `step` (from 0) on the device of the batch."""
        raise NotImplementedError

    def observe(self, inputs: StepInputs, losses: Tensor) -> None:
        """Learn from the loss of each decoded cube, float [B, Q], of the step drawn last."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises KeyError or ValueError where `state` does not fit."""


def mask_source(config: RunConfig) -> StepMasks:
    """The masks that a run's configuration asks for.

    Raises:
        ConfigError: values that make no masks, named by their key.
    """
    if config.train.curriculum.enabled:
        return Curriculum(config)
    return NeutralMasks(config.train, get_game(config.model.game))


class NeutralMasks(StepMasks):
    """Random tubes at `mask_ratios`, the same from the first step to the last."""

    def __init__(self, config: TrainConfig, game: GameSpec | None = None) -> None:
        self._config = config
        self._game = game if config.moving_cubes != 1.0 else None

    def draw(self, batch: ClipBatch, step: int) -> StepInputs:
        moving = None if self._game is None else moving_cubes(batch, self._game)
        generator = _generator(self._config, step)
        return draw_inputs(batch.frames, batch.state is not None, self._config, generator, moving)


@dataclass(frozen=True)
class Moment:
    """Where a step stands in the curriculum."""

    phase: int  # EASY, NEUTRAL or HARD
    ratio: float  # share of the units that is hidden
    factor: float  # CL-MAE's: 1 = the masks are the model's partner, 0 = neutral, -1 = its adversary
    state_full: float  # probabilities of the state levels
    state_compact: float


def moment_at(config: CurriculumConfig, step: int, steps: int) -> Moment:
    """The schedule: a function of the share of the run that is done.

    Easy masks fade from partner to neutral while the ratio rises to that of phase 2; after the neutral phase the
    adversary grows from neutral to full strength and the ratio to its last value. Ratios are rounded to hundredths, so
    that a run sees a dozen different shapes.
    """
    done = min(step / max(steps, 1), 1.0)
    first, second = config.phases
    low, middle, high = config.ratios
    if done < first:
        share = done / first
        phase, ratio, factor = EASY, low + share * (middle - low), 1 - share
    elif done < second:
        phase, ratio, factor = NEUTRAL, middle, 0.0
    else:
        share = (done - second) / max(1 - second, 1e-9)
        phase, ratio, factor = HARD, middle + share * (high - middle), 0 - share
    return Moment(phase, round(ratio, 2), factor, config.state_full[phase - 1], config.state_compact[phase - 1])


class Curriculum(StepMasks):
    """Phase 1 hides units without detail, phase 2 any, phase 3 also those that move or are predicted to fail.

    In every phase some steps hide shapes of damage instead, and some show whole slices and nothing of the others.

    Raises:
        ConfigError: values that make no curriculum, named by their key.
    """

    observes = True

    def __init__(self, config: RunConfig) -> None:
        check_curriculum(config.train.curriculum)
        self._train, self._config = config.train, config.train.curriculum
        self._sprite_size = get_game(config.model.game).sprite_size
        self._predictor = LossPredictor(self._config.forget)
        self._features: Tensor | None = None  # of the step drawn last
        self._slices = 0

    def draw(self, batch: ClipBatch, step: int) -> StepInputs:
        generator = _generator(self._train, step)
        now = moment_at(self._config, step, self._train.steps)
        frames = batch.frames
        grid, self._slices = grid_size(*frames.shape[2:4]), frames.shape[1] // DEPTH
        detail, moved = information(frames), change(frames)
        meant = semantics(moved, batch.state, batch.origin, grid, self._sprite_size)
        self._features = features = unit_features(detail, moved, meant, grid, batch.origin)
        chance = torch.rand((), generator=generator).item()
        if chance < self._config.anchors and self._slices > self._config.anchor_slices:
            inputs = self._anchors(frames, generator)
        elif self._config.anchors <= chance < self._config.anchors + self._config.damage:
            inputs = self._damage(frames, generator)
        else:
            inputs = self._tubes(frames, now, detail, meant, features, generator)
        if batch.state is None:
            return inputs
        shares = replace(self._train, state_full=now.state_full, state_compact=now.state_compact)
        return draw_state(inputs, len(frames), shares, generator)

    def observe(self, inputs: StepInputs, losses: Tensor) -> None:
        if self._features is None:
            raise RuntimeError("observe() belongs to the step drawn last, and none has been drawn")
        self._predictor.update(self._features, inputs.queries // self._slices, losses)

    def state_dict(self) -> dict[str, Any]:
        return self._predictor.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._predictor.load_state_dict(state)

    def _tubes(
        self, frames: Tensor, now: Moment, detail: Tensor, meant: Tensor, features: Tensor, generator: torch.Generator
    ) -> StepInputs:
        """Tubes by the scores of the phase; in the last one each clip has a rule of its own, in fixed proportions."""
        batch = len(frames)
        kinds = ["easy" if now.phase == EASY else "neutral"] * batch
        scores, bias = detail.double(), [-self._config.sharpness * now.factor] * batch
        if now.phase == HARD:
            failing = self._predictor.predict(features)
            place = torch.randperm(batch, generator=generator) + torch.rand((), generator=generator)
            neutral, semantic = self._config.random, self._config.random + self._config.semantic
            for clip, at in enumerate((place / batch).tolist()):
                if at < neutral:
                    kinds[clip], bias[clip] = "neutral", 0.0
                elif at < semantic:
                    kinds[clip], bias[clip] = "semantic", self._config.sharpness
                    scores[clip] = meant[clip].double()
                else:
                    kinds[clip], bias[clip] = "adversarial", -self._config.sharpness * now.factor
                    scores[clip] = failing[clip]
        sharpness = torch.tensor(bias, dtype=torch.float64, device=frames.device)[:, None]
        visible = scored_visible(scores, now.ratio, sharpness, generator)
        queries = draw_queries(frames, visible, self._train, generator)
        return StepInputs(now.ratio, visible, queries, None, kinds=tuple(kinds))

    def _damage(self, frames: Tensor, generator: torch.Generator) -> StepInputs:
        """Units that blocks, scratches or a logo touch, filled up at random to an exact number."""
        ratios = self._config.damage_ratios
        ratio = ratios[int(torch.randint(len(ratios), (), generator=generator))]
        names, masks = list(_SHAPES), []
        kinds = [names[int(torch.randint(len(names), (), generator=generator))] for _ in frames]
        size = (frames.shape[1], frames.shape[2], frames.shape[3])
        for kind in kinds:  # a shape touches many more units than it has pixels in
            share = ratio * (0.1 + 0.4 * torch.rand((), generator=generator).item())
            masks.append(_SHAPES[kind](size, share, generator))
        visible = damaged_visible(torch.stack(masks), ratio, generator).to(frames.device)
        queries = draw_queries(frames, visible, self._train, generator)
        return StepInputs(ratio, visible, queries, None, kinds=tuple(kinds))

    def _anchors(self, frames: Tensor, generator: torch.Generator) -> StepInputs:
        """A few slices are whole, the others blank: lost frames between clean ones."""
        cubes = to_cubes(frames)
        batch, units, slices = cubes.shape[:3]
        order = torch.rand(batch, slices, generator=generator).argsort(1).to(frames.device)
        lost = order[:, self._config.anchor_slices :].sort(1).values  # [B, L]
        blank = torch.zeros(batch, slices, dtype=torch.bool, device=frames.device).scatter_(1, lost, True)
        shown = cubes.masked_fill(blank.view(batch, 1, slices, *[1] * (cubes.ndim - 3)), 0)
        every = torch.arange(units, device=frames.device)
        hidden = (every[:, None] * slices + lost[:, None]).flatten(1)
        kept = round(self._train.decoder_keep * hidden.shape[1])
        count = min(kept, self._train.queries or kept)
        queries = choose_queries(cubes, hidden, count, self._train.hard_queries, generator)
        seen = from_cubes(shown, (frames.shape[2], frames.shape[3]))
        return StepInputs(lost.shape[1] / slices, every.expand(batch, -1), queries, None, seen, ("anchors",) * batch)


def _generator(config: TrainConfig, step: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(config.seed, step, DRAW))
