from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from hstmae.config import TrainConfig
from hstmae.training.averaging import WeightAverage, ema_decay
from hstmae.training.run.optim import build_optimizer, lr_at, parameter_groups, peak_lr

CONFIG = TrainConfig(steps=1000, absolute_lr=1e-3, warmup=0.1, min_lr=0.01)


def test_base_rate_scales_with_the_batch() -> None:
    assert peak_lr(TrainConfig(lr=1.5e-4, batch=512)) == pytest.approx(3e-4)
    assert peak_lr(TrainConfig(lr=1.5e-4, batch=512, absolute_lr=7e-4)) == 7e-4


def test_schedule_values() -> None:
    assert lr_at(0, CONFIG) == pytest.approx(1e-5)
    assert lr_at(49, CONFIG) == pytest.approx(5e-4)
    assert lr_at(99, CONFIG) == lr_at(100, CONFIG) == pytest.approx(1e-3)
    middle = 100 + (999 - 100) / 2
    halfway = (lr_at(math.floor(middle), CONFIG) + lr_at(math.ceil(middle), CONFIG)) / 2
    assert halfway == pytest.approx((1e-3 + 1e-5) / 2, rel=1e-6)
    assert lr_at(999, CONFIG) == lr_at(5000, CONFIG) == pytest.approx(1e-5)
    rates = [lr_at(step, CONFIG) for step in range(1000)]
    assert rates[:100] == sorted(rates[:100]) and rates[100:] == sorted(rates[100:], reverse=True)


@pytest.mark.parametrize(
    "config", [TrainConfig(steps=1), TrainConfig(steps=1, warmup=0), TrainConfig(steps=2, warmup=1)]
)
def test_schedule_of_very_short_runs(config: TrainConfig) -> None:
    assert all(0 < lr_at(step, config) <= peak_lr(config) for step in range(config.steps))


def test_average_warms_up_to_its_limit() -> None:
    assert ema_decay(0, 0.9999) == 0
    assert ema_decay(999, 0.9999) == pytest.approx(1 - 1000**-0.75)
    assert ema_decay(10**9, 0.9999) == 0.9999
    assert ema_decay(50, 0.0) == 0


def test_average_follows_the_rule_and_copies_buffers() -> None:
    model = nn.BatchNorm1d(2)
    average = WeightAverage(model, 0.9)
    expected = None
    for step in range(5):
        with torch.no_grad():
            model.weight.fill_(float(step * step + 1))
            model.running_mean.fill_(float(step))
        average.update(model, step)
        decay = ema_decay(step, 0.9)
        expected = model.weight.detach().clone() if expected is None else decay * expected + (1 - decay) * model.weight
        assert torch.allclose(average.model.weight, expected)
        assert torch.equal(average.model.running_mean, model.running_mean)
    assert not average.model.training and not average.model.weight.requires_grad and model.weight.requires_grad


class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.norm = nn.LayerNorm(3)
        self.table = nn.Embedding(4, 3)
        self.gate = nn.Parameter(torch.zeros(()))
        self.absent = nn.Parameter(torch.zeros(2, 3))
        self.frozen = nn.Parameter(torch.zeros(3, 3), requires_grad=False)

    def no_weight_decay(self) -> set[str]:
        return {"absent"}


def test_only_weight_matrices_decay() -> None:
    model = Parts()
    decayed, rest = parameter_groups(model, 0.05)
    assert decayed["weight_decay"] == 0.05 and rest["weight_decay"] == 0
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {names[id(p)] for p in decayed["params"]} == {"linear.weight"}
    assert {names[id(p)] for p in rest["params"]} == {
        "linear.bias", "norm.weight", "norm.bias", "table.weight", "gate", "absent",
    }  # fmt: skip


def test_decay_shrinks_exactly_the_decayed_group() -> None:
    model = Parts()
    optimizer = build_optimizer(model, TrainConfig(absolute_lr=0.1, weight_decay=0.5))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert torch.allclose(model.linear.weight, before["linear.weight"] * (1 - 0.1 * 0.5))
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters() if name != "linear.weight")
