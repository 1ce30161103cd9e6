"""Codec training through the command line: a few steps on a small store, and a model that codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_store import make_store

from hstmae.cli import main
from hstmae.codec.container.gop import Gop
from hstmae.codec.neural.profile import NeuralProfile
from hstmae.config import ModelConfig, to_dict
from hstmae.data.store.reader import EpisodeStore
from hstmae.models.zoo import build_model

MODEL = ModelConfig(
    dims=(16, 32, 48, 64), head_dim=16, depths=(1, 1, 1, 1), decoder_dim=32, decoder_depth=1, decoder_head_dim=16,
    state_dim=32, texture_dim=4, pixel_dim=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("codec_training")
    make_store(base)
    torch.manual_seed(0)
    build_model(MODEL).save_pretrained(base / "mae")
    model = json.dumps({k: v for k, v in to_dict(MODEL).items()})
    (base / "codec.yaml").write_text(
        f"codec: {{name: tiny, latent: 8, stages: 2, codes: 16, model: {model}}}\n"
        f"train: {{init: {base}/mae, out: {base}/run, gop: 4, clip: 4, stride: 2, batch: 2, steps: 3, queries: 12, "
        "coded: 6, first_clips: 2, plain: 8, warmup: 1, table_groups: 8, log_every: 1, restart_every: 2, threads: 1}\n"
    )
    return base


def store_of(base: Path) -> str:
    return str(next(p for p in base.rglob("meta.json")).parent)


@pytest.fixture(scope="module")
def trained(setting: Path) -> Path:
    """The same folder with a finished run in it."""
    command = ["train", "--config", str(setting / "codec.yaml"), "--data", store_of(setting)]
    assert main([*command, "--json", str(setting / "j.json")]) == 0
    return setting


def test_a_run_trains_writes_and_codes(trained: Path) -> None:
    setting = trained
    lines = [json.loads(line) for line in (setting / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert all(0 < share <= 1 for share in lines[-1]["used"]) and len(lines[-1]["perplexity"]) == 2
    assert json.loads((setting / "j.json").read_text())["step"] == 3
    folder = setting / "run" / "model"
    profile = NeuralProfile(folder)
    assert 300 < int(profile.model.kept.sum()) < 1200 and len(set(profile.model.prior.tolist())) > 3
    gop = Gop.of(EpisodeStore(store_of(setting))[0].take(slice(0, 4)))
    made = profile.decode(profile.encode(gop), gop.shape)
    assert made.frames.shape == gop.frames.shape and made.actions is not None
    assert np.array_equal(made.actions, gop.actions)


def test_a_codec_model_can_be_trained_on(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    setting = trained
    config, folder = str(setting / "codec.yaml"), setting / "run" / "model"
    more = ["--config", config, "--data", store_of(setting), "--init", str(folder), "--out", str(setting / "more")]
    assert main(["train", *more, "--max-steps", "1", "--set", "train.table_groups=0"]) == 0
    assert (setting / "more" / "model" / "model.safetensors").is_file()
    assert main(["train", *more, "--set", "codec.latent=9"]) == 2
    assert "section codec is not the configuration" in capsys.readouterr().err
    assert main(["train", "--config", config, "--dry-run"]) == 2
