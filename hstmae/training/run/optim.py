"""Optimiser and learning-rate schedule. Rates depend on the step alone, so that a run can resume."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ...config import TrainConfig
from ...errors import ConfigError
from ...limits import MUON
from .parallel import blocks_of


def peak_lr(config: TrainConfig) -> float:
    """The absolute learning rate after warm-up: `absolute_lr` where given, else ``lr * batch / 256``."""
    return config.absolute_lr if config.absolute_lr > 0 else config.lr * config.batch / 256


def lr_at(step: int, config: TrainConfig) -> float:
    """Learning rate of optimiser step `step` (0 .. steps - 1): linear warm-up, then half a cosine.

    The warm-up takes ``round(warmup * steps)`` steps and ends at the peak; the last step uses ``min_lr * peak``.
    """
    peak = peak_lr(config)
    warm = round(config.warmup * config.steps)
    if step < warm:
        return peak * (step + 1) / warm
    progress = min(1.0, (step - warm) / max(1, config.steps - 1 - warm))
    floor = config.min_lr * peak
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two AdamW groups: decayed weights, and the rest.

    The rest are vectors and scalars (norms, biases, gates), tables of an `nn.Embedding`, and parameters that
    `model.no_weight_decay()`, where it exists, lists by full name or last component. Frozen ones are left out.
    """
    listed = set(model.no_weight_decay()) if hasattr(model, "no_weight_decay") else set()  # type: ignore[operator]
    tables = {id(p) for m in model.modules() if isinstance(m, nn.Embedding) for p in m.parameters(recurse=False)}
    decayed: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        exempt = parameter.ndim <= 1 or id(parameter) in tables or name in listed or name.rpartition(".")[2] in listed
        (rest if exempt else decayed).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The configured optimiser. AdamW works over `parameter_groups`, in one fused kernel per step on CPU and CUDA.

    Raises:
        ConfigError: Muon is wanted, and this version of torch does not have it.
    """
    groups = parameter_groups(model, config.weight_decay)
    if config.optimizer == MUON:
        return MuonAdamW(groups, hidden_matrices(model), lambda rest: _adamw(rest, config), peak_lr(config))
    return _adamw(groups, config)


def _adamw(groups: list[dict[str, Any]], config: TrainConfig) -> torch.optim.AdamW:
    device = groups[0]["params"][0].device.type
    fused = True if device in ("cpu", "cuda") else None
    return torch.optim.AdamW(groups, lr=peak_lr(config), betas=config.betas, fused=fused)


def hidden_matrices(model: nn.Module) -> set[int]:
    """The ids of the weights of linear layers within transformer blocks."""
    layers = [layer for block in blocks_of(model) for layer in block.modules() if isinstance(layer, nn.Linear)]
    return {id(layer.weight) for layer in layers if layer.weight.requires_grad}


class MuonAdamW(torch.optim.Optimizer):
    """Muon for the matrices between hidden layers, AdamW for everything else, both on the groups and state of this one.

    Muon (https://kellerjordan.github.io/posts/muon/) steps along the nearest orthogonal matrix of the momentum. Its
    steps are scaled to the size of AdamW's (https://arxiv.org/abs/2502.16982), so that one learning rate serves both.

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
