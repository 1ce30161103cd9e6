"""The real command with a small model of the real kind on a small store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_store import make_store

from hstmae.cli import main
from hstmae.data.store.reader import EpisodeStore
from hstmae.inference.loading import load
from hstmae.models import load_pretrained
from hstmae.models.checkpoint import LAST, load_checkpoint


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("store")
    made = make_store(base, episodes=6)
    splits = [info.split for info in EpisodeStore(made).infos()]
    assert {"train", "val", "val_level"} == set(splits)
    return made


@pytest.fixture(scope="module")
def config(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "short.yaml"
    path.write_text(
        "model: {dims: [16, 32, 48, 64], depths: [1, 1, 1, 1], head_dim: 16, decoder_dim: 64, decoder_depth: 2,"
        " decoder_head_dim: 16, state_dim: 32, texture_dim: 8, pixel_dim: 16, code_dim: 8, places: scene}\n"
        f"data: {{store: {store}, clip: 4, stride: 2, crop: 64, val_levels: [3-2]}}\n"
        "train: {batch: 2, steps: 12, absolute_lr: 3e-2, warmup: 0.1, ema: 0.8, queries: 8, val_every: 6,"
        " val_clips: 1, checkpoint_every: 3, mask_ratios: [0.5], threads: 1, device: cpu}\n"
    )
    return path


@pytest.fixture(scope="module")
def finished(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    assert main(["train", "--config", str(config), "--out", str(out), "--json", str(out.parent / "summary.json")]) == 0
    return out


def test_training_the_real_model_lowers_the_loss(finished: Path) -> None:
    lines = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    validation = [line["val_psnr_masked"] for line in lines if "val_psnr_masked" in line]
    assert sum(losses[-2:]) / 2 < 0.7 * losses[0]  # of two clips each, so they differ much from step to step
    assert len(validation) == 2
    summary = json.loads((finished.parent / "summary.json").read_text())
    assert summary["step"] == 12 and summary["stopped"] == "finished"
    assert summary["best_psnr_masked"] == max(validation) and summary["validation"]["psnr_masked"] == validation[1]


def test_exported_model_is_the_average_of_the_last_step(finished: Path) -> None:
    model = load_pretrained(finished / "model")
    average = load_checkpoint(finished / LAST)["ema"]
    assert all(torch.allclose(v, average[k], rtol=1e-3, atol=1e-5) for k, v in model.state_dict().items())


@pytest.mark.parametrize("source", ["last.pth", "model"])
def test_weights_of_another_run_can_be_the_start(config: Path, finished: Path, tmp_path: Path, source: str) -> None:
    words = ["train", "--config", str(config), "--out", str(tmp_path / "run"), "--init", str(finished / source)]
    assert main([*words, "--set", "train.absolute_lr=1e-9", "--max-steps", "1"]) == 0
    start = load_checkpoint(tmp_path / "run" / LAST)["model"]
    average = load_checkpoint(finished / LAST)["ema"]
    assert all(torch.allclose(start[name], average[name], rtol=1e-3, atol=1e-5) for name in average)


def test_dry_run_writes_nothing(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--config", str(config), "--out", str(tmp_path / "run"), "--dry-run"]) == 0
    assert "clips per second" in capsys.readouterr().out and not (tmp_path / "run").exists()


def test_what_cannot_be_done_is_said_with_exit_2(
    config: Path, store: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ["--out", str(tmp_path / "run")]
    cases = [
        ([], "--config"),
        (["--config", str(config), "--out", str(finished)], "already holds a run"),
        (["--config", str(config), "--resume", str(finished), "--init", "x"], "only one"),
        (["--config", str(config), *other, "--max-steps", "-1"], "--max-steps"),
        (["--resume", str(tmp_path)], "neither last.pth"),
        (["--resume", "auto"], "--config"),
        (["--resume", str(finished), "--set", "model.decoder_dim=32"], "model.decoder_dim"),
        (["--config", str(config), *other, "--set", "data.val_levels=1-1"], "--val-levels 1-1"),
        (["--config", str(config), *other, "--data", str(tmp_path / "none")], "none"),
        (["--config", str(config), *other, "--init", str(tmp_path / "none.pth")], "no such checkpoint"),
        (["--config", str(config), *other, "--set", "train.batch=0"], "train.batch"),
    ]
    for words, message in cases:
        assert main(["train", *words]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_changes_on_resume_are_reported(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--resume", str(finished / LAST), "--out", str(tmp_path / "longer")]
    assert main([*words, "--set", "train.steps=14"]) == 0
    assert "train.steps 12 -> 14" in capsys.readouterr().out
    assert load_checkpoint(tmp_path / "longer" / LAST)["step"] == 14


def test_stopped_and_resumed_command_gives_the_same_weights(config: Path, finished: Path, tmp_path: Path) -> None:
    auto = ["train", "--config", str(config), "--out", str(tmp_path / "run"), "--resume", "auto"]
    for words, step in ((auto, 4), (["train", "--resume", str(tmp_path / "run")], 7)):
        assert main([*words, "--max-steps", str(step)]) == 0
        assert load_checkpoint(tmp_path / "run" / LAST)["step"] == step
    assert main([*auto, "--init", "no such model, which only a start would need"]) == 0
    one, two = load_checkpoint(finished / LAST), load_checkpoint(tmp_path / "run" / LAST)
    assert one["step"] == two["step"] == 12
    for part in ("model", "ema"):
        assert all(torch.equal(value, two[part][name]) for name, value in one[part].items())


def test_best_weights_alone_are_a_checkpoint_for_use(config: Path, tmp_path: Path, capsys) -> None:  # type: ignore
    export = tmp_path / "weights" / "mae_best.pth"
    words = ["train", "--config", str(config), "--out", str(tmp_path / "run")]
    assert main([*words, "--export", str(export), "--max-steps", "6"]) == 0
    best = load_checkpoint(tmp_path / "run" / "best.pth")["ema"]
    used = load(export, "cpu").model.state_dict()
    assert best.keys() == used.keys() and all(torch.equal(value, used[name]) for name, value in best.items())
    assert export.stat().st_size < 0.3 * (tmp_path / "run" / "best.pth").stat().st_size
    capsys.readouterr()
    assert main(["train", "--resume", str(export)]) == 2
    assert "weights alone" in capsys.readouterr().err
    assert main([*words[:-1], str(tmp_path / "next"), "--init", str(export), "--max-steps", "1"]) == 0
    assert main([*words[:-1], str(tmp_path / "other"), "--export", "weights.bin"]) == 2
    assert "train.export" in capsys.readouterr().err
