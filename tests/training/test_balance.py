"""Contributions that stay what they are configured to be, and the losses beside the reconstruction in a run."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from training_fakes import HELD_BACK, MemoryClips, TinyModel, make_config, make_state

from hstmae.config import ModelConfig
from hstmae.errors import ConfigError
from hstmae.models.checkpoint import LAST, load_checkpoint, load_resume
from hstmae.training.losses.auxiliary import auxiliary_losses
from hstmae.training.losses.balance import LossBalance, Term
from hstmae.training.masks.inputs import StepInputs, draw_inputs
from hstmae.training.run.step import step_losses
from hstmae.training.run.trainer import Trainer

YES, NO = torch.tensor(True), torch.tensor(False)
SHARES = {"spatial": 0.3, "temporal": 0.2, "state": 0.1}


def noisy(value: float, generator: torch.Generator) -> Tensor:
    return torch.tensor(value * math.exp(0.2 * float(torch.randn((), generator=generator))), requires_grad=True)


def test_contributions_stay_within_a_tenth_while_magnitudes_drift_a_hundredfold() -> None:
    balance, generator, steps = LossBalance(SHARES), torch.Generator().manual_seed(0), 2000
    added: dict[str, list[float]] = {name: [] for name in SHARES}
    mains: list[float] = []
    for step in range(steps):
        done = step / steps
        main = noisy(5 * 100**-done, generator)
        values = {
            "spatial": noisy(3e-3 * 100**done, generator),  # the wrong way
            "temporal": noisy(40 * 100**-done, generator),
            "state": noisy(0.7 * (1 + 99 * (done > 0.5)), generator),  # all at once
        }
        total, raw = balance.combine(main, {name: Term(value, YES) for name, value in values.items()})
        slopes = torch.autograd.grad(total, list(values.values()))
        for (name, value), slope in zip(values.items(), slopes, strict=True):
            assert raw[name].item() == value.item() and not raw[name].requires_grad
            added[name].append(float(slope) * value.item())
        mains.append(main.item())
        rest = sum(float(slope) * value.item() for slope, value in zip(slopes, values.values(), strict=True))
        assert total.item() == pytest.approx(main.item() + rest, rel=1e-4)
    for name, share in SHARES.items():
        for begin in range(0, steps, 250):
            if not (name == "state" and begin == 1000):  # a jump takes some steps to be followed
                part = slice(begin, begin + 250)
                assert sum(added[name][part]) / sum(mains[part]) == pytest.approx(share, rel=0.1), (name, begin)


def test_fixed_weights_would_not_keep_them() -> None:
    """The same drift with the weights of the first step: contributions are off by orders of magnitude."""
    first, last = 0.3 * 5 / 3e-3, (3e-3 * 100) / (5 / 100)
    assert first * last > 100 * 0.3


def test_absent_terms_add_nothing_and_keep_their_magnitude() -> None:
    balance = LossBalance({"state": 0.1})
    _, raw = balance.combine(torch.tensor(2.0), {"state": Term(torch.tensor(8.0), YES)})
    assert raw["state"] == 8
    for _ in range(50):
        told = torch.tensor(123.0, requires_grad=True)
        total, raw = balance.combine(torch.tensor(2.0), {"state": Term(told, NO)})
        assert total.item() == 2 and torch.autograd.grad(total, told)[0] == 0
        assert raw["state"].item() == pytest.approx(8, rel=1e-5)
    total, _ = balance.combine(torch.tensor(2.0), {"state": Term(torch.tensor(8.0), YES)})
    assert total.item() == pytest.approx(2 + 0.1 * 2, rel=1e-5)


def test_before_anything_told_it_a_term_is_zero_and_finite() -> None:
    balance = LossBalance({"state": 0.1})
    total, raw = balance.combine(torch.tensor(2.0), {"state": Term(torch.tensor(0.0), NO)})
    assert total == 2 and raw["state"] == 0
    total, _ = balance.combine(torch.tensor(2.0), {"state": Term(torch.tensor(0.0), YES)})
    assert total == 2


def test_a_step_that_is_not_finite_does_not_spoil_the_next() -> None:
    balance = LossBalance({"state": 0.1})
    balance.combine(torch.tensor(2.0), {"state": Term(torch.tensor(4.0), YES)})
    bad, _ = balance.combine(torch.tensor(math.inf), {"state": Term(torch.tensor(math.nan), YES)})
    assert not bad.isfinite()
    total, _ = balance.combine(torch.tensor(2.0), {"state": Term(torch.tensor(4.0), YES)})
    assert total.item() == pytest.approx(2.2, rel=1e-5)


def test_state_continues_bit_by_bit_and_another_set_of_terms_is_refused() -> None:
    def run(balance: LossBalance, steps: range) -> list[float]:
        return [
            float(balance.combine(torch.tensor(1.0 + s), {n: Term(torch.tensor(2.0 * s), YES) for n in SHARES})[0])
            for s in steps
        ]

    one, two, three = LossBalance(SHARES), LossBalance(SHARES), LossBalance(SHARES)
    whole = run(one, range(20))
    begun = run(two, range(9))
    three.load_state_dict(two.state_dict())
    assert begun + run(three, range(9, 20)) == whole
    with pytest.raises(ValueError, match="2 losses, got running sums of 3"):
        LossBalance({"a": 1.0, "b": 1.0}).load_state_dict(one.state_dict())


def test_shares_of_zero_are_no_losses_at_all() -> None:
    assert auxiliary_losses(make_config("unused")) is None


@pytest.mark.parametrize(
    ("train", "model", "told"),
    [
        ({"spatial_loss": -0.1}, ModelConfig(), r"train\.spatial_loss must be"),
        ({"temporal_loss": 11.0}, ModelConfig(), r"train\.temporal_loss must be"),
        ({"state_loss": 0.1}, ModelConfig(), r"model\.state_alignment=true"),
        ({"state_loss": 0.1}, ModelConfig(game="generic", head="rgb", state_alignment=True), "set it to 0"),
    ],
)
def test_bad_shares_are_named(train: dict[str, float], model: ModelConfig, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        auxiliary_losses(replace(make_config("unused", **train), model=model))


def inputs_of(level: list[int] | None = None) -> StepInputs:
    drawn = draw_inputs(MemoryClips().batch(0, 3).frames, False, make_config("u").train, torch.Generator())
    return replace(drawn, level=None if level is None else torch.tensor(level))


def test_a_step_adds_the_terms_at_their_shares_and_logs_them_raw() -> None:
    config = make_config("unused", spatial_loss=0.3, temporal_loss=0.2)
    auxiliary, model, batch = auxiliary_losses(config), TinyModel().eval(), MemoryClips().batch(0, 3)
    assert auxiliary is not None
    plain, before = step_losses(model, batch, inputs_of(), config.train)
    loss, terms = step_losses(model, batch, inputs_of(), config.train, auxiliary=auxiliary)
    assert set(terms) == set(before) | {"seams", "regions", "temporal"}
    assert loss.item() == pytest.approx(1.5 * plain.item(), rel=1e-5)  # the first step: magnitudes are its own values
    assert all(terms[name].item() == pytest.approx(before[name].item(), rel=1e-6) for name in before if name != "loss")
    assert all(0 < terms[name] < 1 and not terms[name].requires_grad for name in ("seams", "regions", "temporal"))
    (with_terms,) = torch.autograd.grad(loss, model.out.weight)
    (without,) = torch.autograd.grad(plain, model.out.weight)
    assert (with_terms - without).abs().max() > 0.01 * without.abs().max()


def test_emphasis_changes_the_loss_and_not_the_raw_terms() -> None:
    config, model, batch = make_config("unused"), TinyModel().eval(), MemoryClips().batch(0, 3)
    with_state = replace(batch, state=make_state(3))
    assert with_state.state is not None
    with_state.state.boxes[:, :, 0] = torch.tensor([5, 0, 0, 64, 64])
    losses = []
    for clips, strength in ((batch, 0.0), (batch, 3.0), (with_state, 3.0)):
        loss, terms = step_losses(model, clips, inputs_of([2, 2, 2]), replace(config.train, emphasis=strength))
        losses.append((loss.item(), terms["ce"].item(), terms["mse"].item()))
    assert losses[0][1:] == losses[1][1:] == losses[2][1:]
    assert abs(losses[1][0] - losses[0][0]) > 1e-3
    assert losses[2][0] == pytest.approx(losses[0][0], rel=1e-5)  # a box over all of the picture: all pixels alike


def run(out: Path, resume: bool = False, max_steps: int = 0, **train: object) -> None:
    config = make_config(out, spatial_loss=0.3, temporal_loss=0.2, steps=16, val_every=16, checkpoint_every=16, **train)
    trainer = Trainer(config, MemoryClips(), HELD_BACK, model=TinyModel(), say=lambda _: None)
    trainer.fit(load_resume(out, print)[0] if resume else None, max_steps)


def test_a_run_with_all_losses_resumes_bit_by_bit(tmp_path: Path) -> None:
    run(tmp_path / "one")
    run(tmp_path / "two", max_steps=7)
    run(tmp_path / "two", resume=True)
    one, two = (load_checkpoint(tmp_path / name / LAST) for name in ("one", "two"))
    assert all(torch.equal(one["model"][key], two["model"][key]) for key in one["model"])
    assert one["auxiliary"].keys() == {"sums", "counts"}
    assert all(torch.equal(one["auxiliary"][key], two["auxiliary"][key]) for key in one["auxiliary"])
    assert one["auxiliary"]["counts"].min() > 0
