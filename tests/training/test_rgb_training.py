"""The real command on true-colour footage: pictures of sizes that are no whole cubes, from folder to checkpoint."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hstmae.bundled import CONFIGS
from hstmae.cli import main
from hstmae.config import DataConfig, ModelConfig, RunConfig
from hstmae.data.clips.clip import Clip
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import ConfigError, DataError
from hstmae.models import load_pretrained
from hstmae.models.checkpoint import LAST, load_checkpoint
from hstmae.models.cubes import take_cubes, to_cubes
from hstmae.models.inputs import MaskedClips
from hstmae.restoration.restorer import Restorer
from hstmae.training.run.setup import crop_size, open_data
from hstmae.training.run.validation import validate

SMALL = {
    "data.clip": 4, "data.crop": 48, "model.dims": "[16,32,48,64]", "model.head_dim": 16, "model.depths": "[1,1,2,1]",
    "model.decoder_dim": 32, "model.decoder_depth": 2, "model.decoder_head_dim": 16, "train.batch": 4,
    "train.steps": 20, "train.absolute_lr": 5e-3, "train.ema": 0.8, "train.queries": 8, "train.val_every": 10,
    "train.val_clips": 2, "train.checkpoint_every": 10, "train.mask_ratios": "[0.8]", "train.threads": 1,
    "train.device": "cpu",
}  # fmt: skip
OPTIONS = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]


def moving_pattern(seed: int, size: tuple[int, int], frames: int = 14) -> np.ndarray:
    """A coloured ramp with a bright square that moves two pixels a frame: uint8 [T, H, W, 3]."""
    y, x = np.indices(size)
    pictures = np.stack([np.stack([4 * x, 5 * y, 40 + 2 * (x + y)], -1)] * frames).clip(0, 255).astype(np.uint8)
    for t in range(frames):
        left = (5 * seed + 2 * t) % (size[1] - 10)
        pictures[t, 8 + seed : 18 + seed, left : left + 10] = (250, 240, 30)
    return pictures


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("videos")
    for seed in range(6):
        folder = base / "in" / f"film-{seed}"
        folder.mkdir(parents=True)
        for t, picture in enumerate(moving_pattern(seed, (40, 70) if seed % 2 else (50, 61))):
            Image.fromarray(picture).save(folder / f"{t:03}.png")
    preprocess(base / "in", base / "out", game="generic", workers=1, val_fraction=0.4)
    splits = {info.split for info in EpisodeStore(base / "out").infos()}
    assert splits == {"train", "val"}
    return base / "out"


@pytest.fixture(scope="module")
def words(store: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The shipped configuration on the small store, with a model that trains in seconds."""
    config = CONFIGS / "mae_nano_rgb.yaml"
    return ["train", "--config", str(config), "--data", str(store), *OPTIONS]


@pytest.fixture(scope="module")
def finished(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    assert main([*words, "--out", str(out)]) == 0
    return out


def test_twenty_steps_lower_the_loss_and_leave_a_model(finished: Path) -> None:
    lines = [json.loads(line) for line in (finished / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == [10, 20]
    assert steps[1]["loss"] < 0.8 * steps[0]["loss"]
    for line in steps:
        assert line["loss"] == pytest.approx(line["charbonnier"] + 0.5 * line["mse"], rel=0.05)
        assert 0 <= line["exact_match"] <= 1
    validation = [line["val_psnr_masked"] for line in lines if "val_psnr_masked" in line]
    assert len(validation) == 2 and validation[1] > validation[0]
    model = load_pretrained(finished / "model")
    assert (model.config.game, model.config.head) == ("generic", "rgb")


def test_resumed_run_is_the_undisturbed_one(words: list[str], finished: Path, tmp_path: Path) -> None:
    assert main([*words, "--out", str(tmp_path / "run"), "--max-steps", "10"]) == 0
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0
    one, two = load_checkpoint(finished / LAST), load_checkpoint(tmp_path / "run" / LAST)
    assert one["step"] == two["step"] == 20
    assert all(torch.equal(one["model"][name], two["model"][name]) for name in one["model"])


def test_weights_of_an_earlier_run_are_a_start(words: list[str], finished: Path, tmp_path: Path) -> None:
    options = ["--out", str(tmp_path / "run"), "--init", str(finished / "model"), "--max-steps", "1"]
    assert main([*words, *options, "--set", "train.absolute_lr=1e-9"]) == 0
    start, average = load_checkpoint(tmp_path / "run" / LAST)["model"], load_checkpoint(finished / LAST)["ema"]
    assert all(torch.allclose(start[name], average[name], rtol=2e-3, atol=1e-4) for name in average)


def test_what_does_not_fit_is_said_with_exit_2(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = [
        (["--set", "model.game=smb", "--set", "model.head=palette"], "model.game is 'smb', but"),
        (["--set", "model.game=atari"], "set model.game=generic and model.head=rgb"),
        (["--set", "model.head=palette"], "set model.head=rgb"),
        (["--init", "hst-mae-nano"], "is a model with game 'smb', and the run's model.game is 'generic'"),
    ]
    for more, message in cases:
        assert main([*words, "--out", str(tmp_path / "run"), *more]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_crops_are_the_largest_whole_cubes_that_every_picture_has(store: Path) -> None:
    config = RunConfig(ModelConfig(game="generic", head="rgb"), DataConfig(store=str(store), clip=4, stride=2))
    clips, held_back, _ = open_data(config)
    corners = set()
    for step in range(30):
        batch = clips.batch(step, 4)
        assert batch.frames.shape == (4, 4, 32, 48, 3) and batch.palette is None and batch.state is None
        assert batch.size is not None
        columns = (batch.origin, batch.size, batch.indices, batch.frames.numpy())
        for origin, size, indices, frames, name in zip(
            *(column.tolist() for column in columns[:3]), columns[3], batch.episodes, strict=True
        ):
            seed = int(name[-1])
            assert size == ([40, 70] if seed % 2 else [50, 61])
            assert origin[0] + 32 <= size[0] and origin[1] + 48 <= size[1]
            corners.add((*size, *origin))
            pictures = moving_pattern(seed, tuple(size))[indices][:, origin[0] :, origin[1] :]
            assert np.array_equal(frames, pictures[:, :32, :48])
    assert len({y for h, _, y, _ in corners if h == 40}) == 9  # all that fit: 0 .. 8
    assert all(clip.frames.shape[1:3] in ((32, 64), (48, 48), (32, 48)) for clip in held_back)


def test_crop_size() -> None:
    assert crop_size([(210, 160)], 224) == (208, 160)
    assert crop_size([(210, 160)], 0) == (208, 160)
    assert crop_size([(240, 256)], 224) == (224, 224)
    assert crop_size([(240, 256)], 0) == (240, 256)
    assert crop_size([(720, 50), (31, 1280)], 64) == (16, 48)
    with pytest.raises(DataError, match="15x1280"):
        crop_size([(720, 50), (15, 1280)], 64)


def test_a_store_of_another_kind_is_refused(store: Path) -> None:
    config = RunConfig(ModelConfig(), DataConfig(store=str(store), clip=4))
    with pytest.raises(ConfigError, match=r"model\.game is 'smb', but .* holds game 'generic'"):
        open_data(config)
    with pytest.raises(ConfigError, match="'atari'"):
        open_data(replace(config, model=ModelConfig(game="atari", head="rgb")))


class Answers(torch.nn.Module):
    """The true colours of the wanted cubes, moved by `error`: nothing is restored, only validation is measured."""

    def __init__(self, truth: np.ndarray, error: float) -> None:
        super().__init__()
        self.truth, self.error = torch.from_numpy(truth)[None], error

    def forward(self, _: MaskedClips, queries: torch.Tensor) -> torch.Tensor:
        return take_cubes(to_cubes(self.truth), queries) / 255 + self.error


def measure(frames: np.ndarray, error: float, head: str = "rgb") -> dict[str, float]:
    clips = [Clip(frames, None, (0, 0), None, "film", np.arange(len(frames)), frames.shape[1:3])]
    restorer = Restorer(Answers(frames, error), ModelConfig(game="generic", head=head), fast=False)
    return validate(restorer, clips, 0)


@pytest.mark.parametrize(("error", "exact"), [(0.0, 1.0), (0.4 / 255, 1.0), (0.05, 0.0), (-0.05, 0.0)])
def test_validation_of_colours(error: float, exact: float) -> None:
    frames = moving_pattern(1, (48, 64), 4).clip(20, 230)  # so that nothing is clipped
    result = measure(frames, error)
    step = round(abs(error) * 255)  # colours are measured as a picture file stores them
    expected = 120 if step == 0 else -20 * math.log10(step / 255)
    assert result["psnr_masked"] == pytest.approx(expected, abs=0.01) and result["exact_match"] == exact
    with pytest.raises(DataError, match=r"model\.head=rgb"):
        measure(frames, error, "palette")


def test_validation_clips_colours_to_what_can_be_shown() -> None:
    frames = np.full((2, 32, 32, 3), 255, np.uint8)
    assert measure(frames, 0.7) == {"psnr_masked": 120, "exact_match": 1}
