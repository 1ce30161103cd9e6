"""TensorBoard files of a run: what is in them, and that a resumed run does not tell a step twice."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from training_fakes import COLOURS, FRAMES, HELD_BACK, SIDE, MemoryClips, TinyModel, make_config

from hstmae.config import ModelConfig, RunConfig
from hstmae.models.checkpoint import LAST, load_checkpoint
from hstmae.models.cubes import to_cubes
from hstmae.models.inputs import MaskedClips
from hstmae.restoration.restorer import Restorer
from hstmae.training.masks.inputs import StepInputs
from hstmae.training.run.trainer import Trainer
from hstmae.training.run.watch import DECODED, HIDDEN, SCALE, SEEN, mask_picture, restoration_picture, tensorboard


def trainer(config: RunConfig, watched: bool = True) -> Trainer:
    result = Trainer(config, MemoryClips(), HELD_BACK, model=TinyModel(), say=lambda _: None)  # type: ignore[arg-type]
    if watched:
        result.observers += tensorboard(config, HELD_BACK, result.device, print)
        assert result.observers
    return result


def test_resumed_run_tells_every_step_once(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="extra 'logs'")
    config = make_config(tmp_path / "run", steps=40, checkpoint_every=20, val_every=20)
    trainer(config).fit(max_steps=20)
    early = load_checkpoint(tmp_path / "run" / LAST)
    trainer(config).fit(early, max_steps=40)
    trainer(config).fit(early)  # as after a kill: once more from step 20
    events = accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    steps = {name: [event.step for event in events.Scalars(name)] for name in events.Tags()["scalars"]}
    assert steps["train/loss"] == steps["train/lr"] == [10, 20, 30, 40]
    assert steps["val/psnr_masked"] == [20, 40]
    assert {name: [image.step for image in events.Images(name)] for name in events.Tags()["images"]} == {
        "train/masks": [20, 40], "val/masked_restored_true_0": [20, 40], "val/masked_restored_true_1": [20, 40]
    }  # fmt: skip
    assert events.Images("val/masked_restored_true_0")[0].width == 3 * SIDE


def test_watching_changes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="extra 'logs'")
    for name, watched in (("seen", True), ("unseen", False)):
        trainer(make_config(tmp_path / name, steps=10, val_every=5), watched).fit()
    one, two = (load_checkpoint(tmp_path / name / LAST)["model"] for name in ("seen", "unseen"))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_missing_package_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    said: list[str] = []
    assert tensorboard(make_config(tmp_path), [], torch.device("cpu"), said.append) == []
    assert len(said) == 1 and "hstmae[logs]" in said[0]
    assert tensorboard(make_config(tmp_path, tensorboard=False), [], torch.device("cpu"), said.append) == []
    assert len(said) == 1  # switched off, there is nothing to say


def test_mask_picture_shows_what_is_hidden_and_decoded() -> None:
    inputs = StepInputs(0.5, torch.tensor([[0, 3]]), torch.tensor([[3]]), None)  # cube 3 is unit 1 in slice 1 of 2
    picture = mask_picture(inputs, (2, 2), 2)
    assert picture.shape == (2 * SCALE, 3 * SCALE)  # a gap follows every clip
    assert picture[::SCALE, ::SCALE][:, :2].tolist() == [[SEEN, DECODED], [HIDDEN, SEEN]]


def test_restoration_picture_keeps_what_is_seen() -> None:
    clip = HELD_BACK[0]

    def black(_: MaskedClips, queries: torch.Tensor) -> torch.Tensor:
        return 50.0 * torch.nn.functional.one_hot(torch.full((*queries.shape, 2, 16, 16), 3), COLOURS)

    picture = restoration_picture(Restorer(black, ModelConfig(), recall=False), clip, 0, 0)
    masked, restored, true = np.split(picture, 3, axis=1)
    assert clip.palette is not None
    assert np.array_equal(true, clip.palette[clip.frames[FRAMES // 2]])
    hidden = (restored != true).any(-1)
    assert hidden.any() and (restored[hidden] == clip.palette[3]).all() and (masked[hidden] == HIDDEN).all()
    units = to_cubes(torch.from_numpy(np.repeat((masked == true).all(-1)[None, None], 2, 1)))
    assert units.flatten(2).all(-1).sum() == 2  # of 16 at 90 %


def test_record_tells_command_and_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/hstmae", "train", "--out", "a run"])
    trainer(make_config(tmp_path / "run", steps=1), watched=False).fit()
    record = yaml.safe_load((tmp_path / "run" / "run.yaml").read_text())
    assert record["command"] == "hstmae train --out 'a run'"
    assert len(record["gpus"]) == torch.cuda.device_count()
    assert record["config"]["train"]["mask_ratios"] == [0.5, 0.75] and "git_commit" in record
