"""What learns: model, averaged weights, optimiser and masks, the step that changes them, and their saved form."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ...config import RunConfig, to_dict
from ...data.clips.clip import ClipBatch
from ...errors import CheckpointError
from ...limits import FSDP, check_run
from ...models import build_model
from ...models.cubes import grid_size
from ..averaging import WeightAverage
from ..losses.auxiliary import auxiliary_losses
from ..losses.distillation import distillation
from ..masks.curriculum import mask_source
from ..masks.inputs import StepInputs, seed_of
from . import parallel
from .distributed import World, passes_of, rank_device, some_clips, some_inputs
from .optim import build_optimizer, lr_at
from .setup import choose_amp, choose_device
from .step import step_losses

MODEL = 2  # stream of a step's seed: what the model itself draws (drop path)


class Learner:
    """One model in training on one rank; a function of its configuration alone, on CPU to the last bit."""

    def __init__(self, config: RunConfig, model: nn.Module | None = None, world: World | None = None) -> None:
        """
        Args:
            config: the run.
            model: train this module instead of a fresh `build_model(config.model)`.
            world: the ranks that train together; None = this one alone.
        Raises:
            ConfigError: values that cannot be trained with, or a device that is not there.
        """
        check_run(config)
        self.config, train, self.world = config, config.train, world or World()
        self.passes = passes_of(train.batch, train.micro_batch, self.world)
        self.device = rank_device(choose_device(train.device), self.world)
        self.amp = choose_amp(train.amp, self.device)
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high")  # what autocast leaves in float32 runs on tensor cores as well
        if train.threads > 0:
            torch.set_num_threads(train.threads)
        torch.manual_seed(seed_of(train.seed))
        self.model = (model or build_model(config.model)).to(self.device).train()
        self.parameters = sum(p.numel() for p in self.model.parameters())
        self.average = WeightAverage(self.model, train.ema)
        self.sharded = self.world.size > 1 and train.parallel == FSDP
        if train.checkpoint_activations:
            parallel.recompute_activations(self.model)
        if train.compile:
            self.model.compile()
        self.net: nn.Module = self.model  # what is called in a step
        if self.sharded:
            parallel.shard(self.model, self.world, self.device)
            parallel.shard(self.average.model, self.world, self.device)
        elif self.world.size > 1:
            self.net = parallel.replicate(self.model)
        self.optimizer = build_optimizer(self.model, train)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.amp == torch.float16)
        self.masks = mask_source(config)
        self.auxiliary = auxiliary_losses(config)
        self.distillation = distillation(config)
        if self.distillation is not None:
            self.distillation.to(self.device)
        self.step = 0  # optimiser steps done
        self.best: float | None = None
        self.drawn: tuple[StepInputs, tuple[int, int]]  # newest step's, of all ranks, and (rows, columns) of units

    def advance(self, batch: ClipBatch) -> dict[str, Tensor]:
        """One optimiser step.

        Args:
            batch: this rank's clips of the step, on its device.
        Returns:
            Raw terms of these clips, detached, on the device.
        """
        train = self.config.train
        for group in self.optimizer.param_groups:
            group["lr"] = lr_at(self.step, train)
        self.optimizer.zero_grad(set_to_none=True)
        inputs = self.masks.draw(self.world.gather_batch(batch), self.step)
        self.drawn = inputs, grid_size(*batch.frames.shape[2:4])
        losses: list[Tensor] = []
        found = []
        for number in range(self.passes):
            found.append(self._add_gradients(batch, inputs, number, losses.append if self.masks.observes else None))
        if losses:
            self.masks.observe(inputs, self.world.gather(torch.cat(losses)))
        terms = {name: torch.stack([some[name].float() for some in found]).mean(0) for name in found[0]}
        self.scaler.unscale_(self.optimizer)
        limit = train.clip_grad if train.clip_grad > 0 else math.inf
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), limit, foreach=True)
        if not self.scaler.is_enabled():  # with loss scaling an overflow is expected now and then; that step is skipped
            terms["grad_norm"] = parallel.whole(norm.detach(), True).to(self.device)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.average.update(self.model, self.step)
        self.step += 1
        return terms

    def _add_gradients(self, batch: ClipBatch, inputs: Any, number: int, observe: Any) -> dict[str, Tensor]:
        """Forward and backward pass number `number` of a step; gradients are exchanged in the last one."""
        train, piece = self.config.train, self.world.rank * self.passes + number
        # The first piece draws as a step that is one piece always has.
        torch.manual_seed(seed_of(train.seed, self.step, MODEL, *([piece] if piece else [])))
        count = len(batch) // self.passes
        mine = slice(number * count, (number + 1) * count)
        drawn = slice(piece * count, (piece + 1) * count)
        with parallel.without_exchange(
            self.net, number < self.passes - 1
        ):  # around the forward pass, too: DDP prepares there
            with torch.autocast(self.device.type, dtype=self.amp, enabled=self.amp is not None):
                clips, given, model = some_clips(batch, mine), some_inputs(inputs, drawn), self.config.model
                loss, terms = step_losses(
                    self.net, clips, given, train, model.head, model.clip_colours, observe, self.auxiliary,
                    self.distillation,
                )  # fmt: skip
            self.scaler.scale(loss / self.passes).backward()
        return terms

    def payload(self) -> dict[str, Any]:
        """All that training depends on, as plain data and whole tensors. Every rank must call it."""
        self.world.join_marks(self.model)
        for own, other in zip(self.average.model.buffers(), self.model.buffers(), strict=True):
            own.copy_(other)
        parts = {
            "model": self.model.state_dict(),
            "ema": self.average.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        if self.sharded:
            parts = parallel.whole(parts, self.world.first)
        return {
            "step": self.step,
            "config": to_dict(self.config),
            **parts,
            "scaler": self.scaler.state_dict(),
            "masks": self.masks.state_dict(),
            "auxiliary": self.auxiliary.state_dict() if self.auxiliary else {},
            "best": self.best,
        }

    def restore(self, payload: dict[str, Any]) -> None:
        """Continue from a payload. Raises CheckpointError where it does not fit the model."""
        wanted = [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
        try:
            parallel.load_whole(self.model, payload["model"])
            parallel.load_whole(self.average.model, payload["ema"])
            parallel.load_whole_optimizer(self.optimizer, payload["optimizer"])
            if payload.get("masks"):
                self.masks.load_state_dict(payload["masks"])
            if self.auxiliary and payload.get("auxiliary"):
                self.auxiliary.load_state_dict(payload["auxiliary"])
        except (RuntimeError, ValueError, KeyError) as problem:
            name = self.config.model.name
            raise CheckpointError(f"the checkpoint to resume does not fit model {name}: {problem}") from None
        for group, values in zip(self.optimizer.param_groups, wanted, strict=True):
            group.update(values)  # the configuration decides, also where it was changed since
        if self.scaler.is_enabled() and payload["scaler"]:
            self.scaler.load_state_dict(payload["scaler"])
        self.step, self.best = payload["step"], payload["best"]
