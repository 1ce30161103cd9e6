from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from training_fakes import HELD_BACK, MemoryClips, TinyModel, make_config

from hstmae.errors import CheckpointError, ConfigError
from hstmae.models.checkpoint import BEST, LAST, PREVIOUS, load_checkpoint, load_resume
from hstmae.models.zoo import load_tensors
from hstmae.training.run.trainer import DivergenceError, RunSummary, Trainer

HELPERS = Path(__file__).parents[1] / "helpers"


def run(out: Path, resume: bool = False, max_steps: int = 0, **train: object) -> tuple[Trainer, RunSummary]:
    trainer = Trainer(make_config(out, **train), MemoryClips(), HELD_BACK, model=TinyModel(), say=lambda _: None)
    return trainer, trainer.fit(load_resume(out, print)[0] if resume else None, max_steps)


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def assert_equal(one: Any, two: Any, where: str = "") -> None:
    """Bit for bit, through nested dicts and lists."""
    assert type(one) is type(two), where
    if isinstance(one, torch.Tensor):
        assert one.dtype == two.dtype and torch.equal(one, two), where
    elif isinstance(one, dict):
        assert one.keys() == two.keys(), where
        for key in one:
            assert_equal(one[key], two[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(two), where
        for position, pair in enumerate(zip(one, two, strict=True)):
            assert_equal(*pair, f"{where}[{position}]")
    else:
        assert one == two, where


def trained(out: Path, name: str = LAST) -> list[Any]:
    """All of a checkpoint that training depends on."""
    payload = load_checkpoint(out / name)
    return [payload[key] for key in ("step", "model", "ema", "optimizer", "best")]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    run(out)
    return out


def test_run_learns_and_leaves_its_record(undisturbed: Path) -> None:
    log = lines(undisturbed)
    train = [line for line in log if "loss" in line]
    validation = [line for line in log if "val_psnr_masked" in line]
    assert train[-1]["loss"] < 0.6 * train[0]["loss"]
    assert train[-1]["psnr_masked"] > train[0]["psnr_masked"] + 3
    assert [line["step"] for line in validation] == [20, 40]
    assert validation[1]["val_psnr_masked"] > validation[0]["val_psnr_masked"]
    assert {"ce", "mse", "exact_match", "grad_norm", "lr", "clips_per_second", "data_share"} <= train[0].keys()
    record = yaml.safe_load((undisturbed / "run.yaml").read_text())
    assert record["config"]["train"]["steps"] == 40 and record["versions"]["torch"] == torch.__version__
    best = load_checkpoint(undisturbed / BEST)
    assert best["step"] == 40 and best["best"] == validation[1]["val_psnr_masked"]
    exported = load_tensors((undisturbed / "model" / "model.safetensors").read_bytes())
    average = load_checkpoint(undisturbed / LAST)["ema"]
    assert exported.keys() == average.keys()
    assert all(torch.allclose(exported[name].float(), average[name].float(), rtol=1e-3, atol=1e-5) for name in average)
    assert sorted(p.name for p in undisturbed.iterdir()) == [
        BEST, LAST, "metrics.jsonl", "model", PREVIOUS, "run.yaml",
    ]  # fmt: skip


def test_stopping_and_resuming_changes_no_bit(undisturbed: Path, tmp_path: Path) -> None:
    for resume, limit in ((False, 7), (True, 20), (True, 33), (True, 0)):
        summary = run(tmp_path, resume, limit)[1]
        assert (summary.step, summary.stopped) == ((limit, "max_steps") if limit else (40, "finished"))
    assert_equal(trained(undisturbed), trained(tmp_path))
    assert_equal(trained(undisturbed, BEST), trained(tmp_path, BEST))
    assert yaml.safe_load((tmp_path / "run.yaml").read_text())["resumed_at"] == [7, 20, 33]


def test_another_seed_gives_other_weights(undisturbed: Path, tmp_path: Path) -> None:
    run(tmp_path, seed=1)
    one, two = (load_checkpoint(out / LAST)["model"]["out.weight"] for out in (undisturbed, tmp_path))
    assert not torch.equal(one, two)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks")
def test_killed_at_random_moments_and_resumed_changes_no_bit(undisturbed: Path, tmp_path: Path) -> None:
    paths = os.pathsep.join([str(HELPERS), str(HELPERS.parents[1])])
    done = subprocess.run(
        [sys.executable, str(HELPERS / "killed_run.py"), str(tmp_path / "run"), str(random_seed()), "2"],
        env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "2"
    assert_equal(trained(undisturbed), trained(tmp_path / "run"))
    assert not [p for p in (tmp_path / "run").iterdir() if p.name.startswith(".")]


def random_seed() -> int:
    """A new one each time, printed so that a failure can be repeated."""
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"killed_run.py seed {seed}")
    return seed


def test_a_flipped_bit_costs_one_interval_only(
    undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, max_steps=15)
    content = bytearray((tmp_path / LAST).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / LAST).write_bytes(content)
    trainer, _ = run(tmp_path, resume=True)
    assert "damaged" in capsys.readouterr().out
    assert yaml.safe_load((tmp_path / "run.yaml").read_text())["resumed_at"] == [10]
    one, two = (load_checkpoint(out / LAST)["model"] for out in (undisturbed, tmp_path))
    assert_equal(one, two)
    assert trainer.step == 40


def test_log_lines_beyond_the_resumed_step_are_dropped(tmp_path: Path) -> None:
    run(tmp_path, max_steps=10)
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 14, "loss": 1.0}\n{"step": 15, "lo')
    run(tmp_path, resume=True, max_steps=20)
    assert [line["step"] for line in lines(tmp_path)] == [5, 10, 10, 15, 20, 20]


class Poisoned(MemoryClips):
    """From a given step on, a palette with a colour that is not a number breaks the squared error."""

    def batch(self, step: int, batch_size: int):  # type: ignore[no-untyped-def]
        batch = super().batch(step, batch_size)
        return replace(batch, palette=torch.full(batch.palette.shape, float("nan"))) if step >= 12 else batch


def test_a_term_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    trainer = Trainer(make_config(tmp_path), Poisoned(), HELD_BACK, model=TinyModel(), say=lambda _: None)
    with pytest.raises(DivergenceError, match=r"term 'loss' became nan at step 13"):
        trainer.fit()
    kept = load_checkpoint(tmp_path / LAST)
    assert 10 <= kept["step"] < 13 and all(value.isfinite().all() for value in kept["model"].values())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_with_a_checkpoint(tmp_path: Path, number: signal.Signals) -> None:
    class Signalling(Trainer):
        def advance(self, batch):  # type: ignore[no-untyped-def]
            if self.step == 12:
                os.kill(os.getpid(), number)
            return super().advance(batch)

    before = signal.getsignal(number)
    summary = Signalling(make_config(tmp_path), MemoryClips(), model=TinyModel(), say=lambda _: None).fit()
    assert summary.stopped == number.name and summary.step == 13
    assert load_checkpoint(tmp_path / LAST)["step"] == 13
    assert (tmp_path / "model" / "config.json").exists() and signal.getsignal(number) == before


def test_time_limit_stops_with_a_checkpoint(tmp_path: Path) -> None:
    summary = run(tmp_path, max_minutes=1e-7)[1]
    assert summary.stopped == "max_minutes" and load_checkpoint(tmp_path / LAST)["step"] == summary.step < 40


def test_resuming_a_finished_run_does_nothing_more(tmp_path: Path) -> None:
    run(tmp_path, steps=5)
    before = (tmp_path / LAST).read_bytes()
    summary = run(tmp_path, resume=True, steps=5)[1]
    assert summary.stopped == "finished" and summary.clips_per_second == 0
    assert (tmp_path / LAST).read_bytes() == before


def test_nothing_held_back_is_said_and_keeps_no_best(tmp_path: Path) -> None:
    said: list[str] = []
    Trainer(make_config(tmp_path, steps=5), MemoryClips(), model=TinyModel(), say=said.append).fit()
    assert any("no validation clips" in line for line in said)
    assert any("peak learning rate 0.02" in line for line in said)
    assert not (tmp_path / BEST).exists()


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    run(tmp_path, max_steps=5)
    payload = load_checkpoint(tmp_path / LAST)
    payload["model"]["out.weight"] = payload["model"]["out.weight"][:5]
    other = Trainer(make_config(tmp_path), MemoryClips(), model=TinyModel(), say=lambda _: None)
    with pytest.raises(CheckpointError, match="does not fit"):
        other.fit(payload)


def test_changed_decay_takes_effect_on_resume(tmp_path: Path) -> None:
    run(tmp_path, max_steps=5)
    trainer, _ = run(tmp_path, resume=True, max_steps=6, weight_decay=0.5)
    assert [group["weight_decay"] for group in trainer.optimizer.param_groups] == [0.5, 0.0]


@pytest.mark.parametrize(
    "key, value",
    [
        ("batch", 0),
        ("ema", 1.0),
        ("mask_ratios", ()),
        ("mask_ratios", (1.0,)),
        ("state_full", 0.9),
        ("hard_queries", 1.5),
        ("device", "tpu9"),
        ("amp", "int8"),
        ("amp", "fp16"),
        ("seed", -1),
    ],
)
def test_impossible_values_are_refused_by_name(tmp_path: Path, key: str, value: object) -> None:
    config = make_config(tmp_path / "run", **{key: value})
    with pytest.raises(ConfigError, match=f"train.{key}|autocast"):
        Trainer(config, MemoryClips(), model=TinyModel())
    assert not (tmp_path / "run").exists()


def test_estimate_writes_nothing(tmp_path: Path) -> None:
    config = make_config(tmp_path / "run")
    result = Trainer(replace(config), MemoryClips(), model=TinyModel(), say=lambda _: None).estimate()
    assert result["clips_per_second"] > 0 and result["seconds_per_step"] > 0 and not (tmp_path / "run").exists()


def test_bf16_autocast_trains_on_the_cpu(tmp_path: Path) -> None:
    run(tmp_path, amp="bf16")
    log = [line for line in lines(tmp_path) if "loss" in line]
    assert log[-1]["loss"] < 0.7 * log[0]["loss"]
