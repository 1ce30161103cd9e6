"""`hstmae train` with a configuration of the codec: a few steps, then a model that packs and unpacks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hstmae import cli
from hstmae.codec.container.gop import Gop
from hstmae.codec.neural.profile import NeuralProfile
from hstmae.codec.neural.statecoder import TABLES
from hstmae.data.store.reader import EpisodeStore

SETTINGS = (
    *("gop=16", "stride=2", "clip=8", "batch=1", "steps=2", "first_clips=3", "plain=20", "queries=32", "coded=8"),
    *("table_groups=4", "log_every=1", "told=0.9"),  # `told`: as earlier versions named it
)


def test_two_steps_and_the_model_they_leave(sample_store: EpisodeStore, tmp_path: Path) -> None:
    command = ["train", "--config", "configs/codec_nano.yaml", "--data", str(sample_store.path)]
    for setting in SETTINGS:
        command += ["--set", f"train.{setting}"]
    assert cli.main([*command, "--out", str(tmp_path / "run")]) == 0
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert all(np.isfinite(line["state_psnr"]) and line["pool"] > 0 for line in lines)
    model = tmp_path / "run" / "model"
    assert (model / TABLES).is_file()
    profile = NeuralProfile(model, quality=30)
    assert 700 < int(profile.model.kept.sum()) < 900  # bytes of the memory that pictures depend on
    part = sample_store.read(0, range(0, 8), ("frames", "state", "actions"))
    gop = Gop.of(part)
    decoded = profile.decode(profile.encode(gop), gop.shape)
    assert decoded.frames.shape == gop.frames.shape and float((decoded.frames == gop.frames).mean()) > 0.9
    assert decoded.actions is not None and (decoded.actions == part.actions).all()
