"""Averaged weights."""

import copy

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


def ema_decay(step: int, limit: float) -> float:
    """Averaging factor of update `step` (0 for the first): ``min(limit, 1 - (step + 1)^-0.75)``.

    Starts at 0, so the first update copies the weights, and forgets the first steps quickly: .9944 at 1,000 updates,
    .999 at 10,000.
    """
    return max(0.0, min(limit, 1 - (step + 1) ** -0.75))


class WeightAverage:
    """Exponential moving average of a model's float32 weights; `model` is the averaged copy, ready for use."""

    def __init__(self, model: nn.Module, limit: float) -> None:
        """Args: model: what is averaged. limit: upper bound of the averaging factor, 0 .. 1; 0 follows the model."""
        self.limit = limit
        self.model = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Fold in the weights after optimiser step `step`; buffers are copied."""
        weight = 1 - ema_decay(step, self.limit)
        mine: list[Tensor] = [local(p) for p in self.model.parameters()]
        others = [local(p.detach()) for p in model.parameters()]
        torch._foreach_lerp_(mine, others, weight)
        for own, other in zip(self.model.buffers(), model.buffers(), strict=True):
            own.copy_(other)


def local(tensor: Tensor) -> Tensor:
    """This rank's part of a tensor; all of it where it is not sharded."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
