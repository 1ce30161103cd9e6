"""How much each number and each block of a trained model matters, measured on clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...config import RunConfig
from ...data.clips.clip import BatchSource
from ...models.blocks import WindowBlock
from ...models.decoder import DecoderBlock
from ..masks.curriculum import mask_source
from ..run.step import step_losses


def importance(
    model: nn.Module, clips: BatchSource, config: RunConfig, batches: int, skipping: int
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Measure on clips as `config` draws them for training, all state levels mixed.

    Args:
        batches: how many the scores of numbers are summed over; skipping: how many each block is left out of.
    Returns:
        for every parameter the sum of ``(weight * gradient)^2``, the squared change of the loss were it zero, to first
        order (https://arxiv.org/abs/1906.10771); for every block, by its name, by how much the loss grows without it.
    """
    masks, train = mask_source(config), config.train

    def loss(step: int) -> Tensor:
        batch = clips.batch(step, train.batch)
        torch.manual_seed(step)
        return step_losses(model, batch, masks.draw(batch, step), train, config.model.head, config.model.clip_colours)[
            0
        ]

    parameters = dict(model.named_parameters())
    scores = {name: torch.zeros_like(p) for name, p in parameters.items()}
    for step in range(batches):
        model.zero_grad(set_to_none=True)
        loss(step).backward()
        for name, parameter in parameters.items():
            if parameter.grad is not None:
                scores[name] += (parameter.detach() * parameter.grad).square()
    model.zero_grad(set_to_none=True)
    with torch.no_grad():
        whole = [float(loss(step)) for step in range(skipping)]
        blocks = {}
        for name, block in model.named_modules():
            if isinstance(block, WindowBlock | DecoderBlock):
                with _skipped(block):
                    blocks[name] = sum(float(loss(step)) - whole[step] for step in range(skipping)) / skipping
    return scores, blocks


@contextmanager
def _skipped(block: nn.Module) -> Iterator[None]:
    """Within it a block gives back what it is given."""
    forward: Callable[..., Any] = block.forward
    block.forward = lambda x, *_, **__: x  # type: ignore[method-assign]
    try:
        yield
    finally:
        block.forward = forward  # type: ignore[method-assign]
