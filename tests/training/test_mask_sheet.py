"""`hstmae inspect --masks`: the sheet of what a run's masks hide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hstmae import cli
from hstmae.bundled import SAMPLES
from hstmae.config import CurriculumConfig, DataConfig, RunConfig, TrainConfig, save_config, to_dict
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.writer import Packing
from hstmae.models.checkpoint import LAST, save_checkpoint
from hstmae.training.masks.curriculum import mask_source
from hstmae.training.run.mask_sheet import SEEN, mask_sheet

TRAIN = TrainConfig(steps=30, batch=2, curriculum=CurriculumConfig(enabled=True, anchors=0.05))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masks") / "store"
    preprocess(SAMPLES / "sample_session", folder, workers=1, packing=Packing(level=1), val_fraction=0)
    return folder


def config(store: Path, train: TrainConfig = TRAIN) -> RunConfig:
    return RunConfig(data=DataConfig(store=str(store), clip=4), train=train)


def framed(sheet: Image.Image) -> int:
    """Pixels in the colour that seen units are framed with, the legend's square left out."""
    return int((np.asarray(sheet)[100:] == SEEN).all(-1).sum())


def test_the_command_draws_every_phase(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_config(config(Path("elsewhere")), tmp_path / "run.yaml")
    out = tmp_path / "masks.png"
    assert cli.main(["inspect", str(store), "--masks", str(tmp_path / "run.yaml"), "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    with Image.open(out) as sheet:
        assert sheet.width > 4 * 224 and sheet.height > 7 * 224  # 5 moments, damage, anchors
    off = tmp_path / "off.png"
    parts = ["inspect", str(store), "--masks", str(tmp_path / "run.yaml"), "--set", "train.curriculum.enabled=false"]
    assert cli.main([*parts, "--out", str(off)]) == 0
    with Image.open(off) as sheet:
        assert 4 * 224 < sheet.height < 6 * 224


def test_as_many_units_are_framed_as_are_seen(store: Path) -> None:
    """60 pixels for each: the border of 16x16."""
    train = TrainConfig(mask_ratios=(0.9,))
    assert framed(mask_sheet(config(store, train))) == 4 * 4 * 20 * 60


def test_what_the_predictor_has_learned_is_drawn(store: Path, tmp_path: Path) -> None:
    run = config(store)
    masks = mask_source(run)
    learned = {name: torch.randn(value.shape, dtype=value.dtype) for name, value in masks.state_dict().items()}
    learned["gram"] = learned["gram"] @ learned["gram"].T * 1000
    learned["moment"] = learned["moment"] * 1000
    assert np.array_equal(mask_sheet(run), mask_sheet(run))
    other = mask_sheet(run, learned)
    assert not np.array_equal(mask_sheet(run), other)
    save_checkpoint({"step": 3, "config": to_dict(run), "masks": learned}, tmp_path / LAST)
    out = tmp_path / "masks.png"
    assert cli.main(["inspect", "--masks", str(tmp_path), "--out", str(out)]) == 0
    with Image.open(out) as sheet:
        assert np.array_equal(sheet.convert("RGB"), other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--masks", "{config}"], "--out FILE.png"),
        (["--masks", "{config}", "--out", "{folder}/masks.mp4"], "--out FILE.png"),
        (["--masks", "{folder}/missing.yaml", "--out", "{folder}/a.png"], "no such configuration"),
        (["--masks", "{config}", "--set", "train.curriculum.forget=2", "--out", "{folder}/a.png"], "curriculum.forget"),
        (["--masks", "{config}", "--set", "data.store={folder}/none", "--out", "{folder}/a.png"], "none"),
        (["--out", "{folder}/a.png"], "name a store"),
        (["{store}", "--set", "train.batch=3"], "--masks"),
    ],
)
def test_bad_requests_are_one_clear_error(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    save_config(config(store), tmp_path / "run.yaml")
    names = {"config": tmp_path / "run.yaml", "folder": tmp_path, "store": store}
    assert cli.main(["inspect", *(argument.format(**names) for argument in arguments)]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*.png"))
