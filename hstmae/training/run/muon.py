"""Muon for the matrices between hidden layers, AdamW for everything else, behind the face of one optimiser.

Muon (https://kellerjordan.github.io/posts/muon/) steps along the nearest orthogonal matrix of the momentum. Its steps
are scaled to the size of AdamW's (https://arxiv.org/abs/2502.16982), so that one learning rate serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ...errors import ConfigError
from .parallel import blocks_of


def hidden_matrices(model: nn.Module) -> set[int]:
    """The ids of the weights of linear layers within transformer blocks."""
    layers = [layer for block in blocks_of(model) for layer in block.modules() if isinstance(layer, nn.Linear)]
    return {id(layer.weight) for layer in layers if layer.weight.requires_grad}


class MuonAdamW(torch.optim.Optimizer):
    """Two optimisers over one model, which work on the parameter groups and the state of this one.

    Args:
        groups: parameter groups with a `weight_decay` each; hidden: ids of the parameters that Muon takes.
        rest: makes the optimiser of the other parameters from their groups.
    Raises:
        ConfigError: this version of torch has no Muon.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        hidden: set[int],
        rest: Callable[[list[dict[str, Any]]], torch.optim.Optimizer],
        lr: float,
    ) -> None:
        if not hasattr(torch.optim, "Muon"):
            raise ConfigError(f"train.optimizer muon needs torch 2.9 or later, this is {torch.__version__}; use adamw")
        if not hidden:
            raise ConfigError("train.optimizer muon: the model has no transformer block whose weights it could take")
        parts: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
        for group in groups:
            for part, mine in zip(parts, (False, True), strict=True):
                if chosen := [p for p in group["params"] if (id(p) in hidden) == mine]:
                    part.append({**group, "params": chosen})
        self.inner = (rest(parts[0]), torch.optim.Muon(parts[1], lr=lr, adjust_lr_fn="match_rms_adamw"))
        super().__init__([group for inner in self.inner for group in inner.param_groups], {})
        self._share()

    def _share(self) -> None:
        first = len(self.inner[0].param_groups)
        for inner, groups in zip(self.inner, (self.param_groups[:first], self.param_groups[first:]), strict=True):
            inner.param_groups, inner.state = groups, self.state

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for inner in self.inner:
            inner.step()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Raises ValueError where groups or sizes do not fit."""
        super().load_state_dict(state_dict)
        self._share()
