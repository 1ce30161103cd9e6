"""Configurations and weights of earlier versions: their keys are read, passed over, or read as the key of today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from hstmae.codec.neural.model import CodecConfig
from hstmae.config import ModelConfig, RunConfig, TrainConfig, apply_overrides, from_dict, load_config, to_dict
from hstmae.configio import load_yaml
from hstmae.errors import ConfigError
from hstmae.models import build_model, load_pretrained
from hstmae.models.checkpoint import save_checkpoint
from hstmae.models.zoo import VARIANTS
from hstmae.training.run.setup import initial_model

CODEC = {"codec_dim": 128, "codec_depth": 4, "codec_head_dim": 32}  # sizes of a decoder that no model has had
# config.json as the bundled models were first published with.
NANO: dict[str, Any] = {
    "name": "hst-mae-nano", "game": "smb", "head": "palette", "dims": [48, 96, 144, 192], "depths": [2, 2, 4, 1],
    "head_dim": 48, "temporal_windows": [2, 4, 8, 8], "decoder_dim": 128, "decoder_depth": 4, "decoder_head_dim": 32,
    "mlp_ratio": 4.0, "drop_path": 0.0, "colour_dim": 8, "state_dim": 128, "texture_dim": 16, "pixel_dim": 48,
    "code_dim": 32, "places": "scene", "state_alignment": False, "qk_norm": False, **CODEC,
}  # fmt: skip
TINY = NANO | {
    "name": "hst-mae-tiny", "dims": [96, 192, 288, 384], "head_dim": 96, "decoder_dim": 256, "state_dim": 256,
    "texture_dim": 24, "pixel_dim": 64, "codec_dim": 192,
}  # fmt: skip
CODEC_NANO = {
    "name": "hst-codec-nano", "model": {k: v for k, v in NANO.items() if k != "places"}, "latent": 64, "stages": 6,
    "codes": 512, "channels": 12, "rotation": True,
}  # fmt: skip
SMALL: dict[str, Any] = {
    "dims": (16, 32, 48, 64), "depths": (1, 1, 1, 1), "head_dim": 16, "decoder_dim": 32, "decoder_depth": 1,
    "decoder_head_dim": 16, "state_dim": 16, "texture_dim": 4, "pixel_dim": 8, "code_dim": 4,
}  # fmt: skip


def test_published_configurations_still_say_the_same_models() -> None:
    assert from_dict(ModelConfig, NANO) == VARIANTS["hst-mae-nano"]
    assert from_dict(ModelConfig, TINY) == VARIANTS["hst-mae-tiny"]
    codec = from_dict(CodecConfig, CODEC_NANO)
    assert codec == CodecConfig() and codec.model.places == "area"  # what its place memory was trained with


def test_a_model_folder_with_retired_keys_loads_alike(tmp_path: Path) -> None:
    model = build_model("hst-mae-nano", **SMALL)
    model.save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    written = json.loads(file.read_text())
    assert not CODEC.keys() & written.keys()
    file.write_text(json.dumps(written | CODEC))
    again = load_pretrained(tmp_path)
    assert again.config == model.config
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in again.state_dict().items())
    file.write_text(json.dumps(written | {"codex_dim": 128}))
    with pytest.raises(Exception, match="codex_dim"):  # a key that never was one is still refused
        load_pretrained(tmp_path)


def test_a_run_file_is_read_and_written_by_the_names_of_today(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("model: {codec_dim: 384, codec_head_dim: 64}\ntrain:\n  things: 4\n  batch: 2\n")
    config = load_config(file, ["train.things=6"])
    assert config == RunConfig(train=TrainConfig(batch=2, moving_cubes=6.0))
    assert load_config(file).train.moving_cubes == 4
    assert "things" not in to_dict(config)["train"]
    file.write_text("things: 3.0\n")
    assert load_yaml(TrainConfig, file).moving_cubes == 3


def test_a_key_by_both_names_and_an_override_without_effect_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    for lines in ("things: 4, moving_cubes: 4", "moving_cubes: 4, things: 4"):
        file.write_text(f"train: {{{lines}}}\n")
        with pytest.raises(ConfigError, match=r"train\.things is train\.moving_cubes by its earlier name"):
            load_config(file)
    with pytest.raises(ConfigError, match=r"model\.codec_dim.*no longer a key; leave it out"):
        apply_overrides(RunConfig, {}, ["model.codec_dim=64"])
    file.write_text("train: {things: many}\n")
    with pytest.raises(ConfigError, match=r"train\.moving_cubes must be a number"):
        load_config(file)


def test_a_training_file_with_retired_keys_starts_a_run(tmp_path: Path) -> None:
    model = build_model("hst-mae-nano", **SMALL)
    config = to_dict(RunConfig(model=model.config))
    config["model"] |= CODEC
    config["train"]["things"] = config["train"].pop("moving_cubes")
    file = tmp_path / "run.pth"
    save_checkpoint({"step": 3, "config": config, "ema": model.state_dict(), "best": None}, file)
    again = initial_model(str(file), model.config)
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in again.state_dict().items())
    assert from_dict(RunConfig, config).train.moving_cubes == 1
