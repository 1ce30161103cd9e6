"""The same step by other means: recomputed activations, clips from memory, half precision, another optimiser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rank_run import SMALL, SmbClips, train
from test_distributed import REAL
from training_fakes import MemoryClips, TinyModel, make_config

from hstmae.bundled import SAMPLES
from hstmae.config import DataConfig, RunConfig
from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.clips.resident import ResidentClips
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import ConfigError, DataError
from hstmae.models import build_model
from hstmae.models.checkpoint import LAST, load_checkpoint
from hstmae.training.run.distributed import World
from hstmae.training.run.learner import Learner
from hstmae.training.run.setup import epoch_steps, place_clips
from hstmae.training.run.trainer import Trainer

CURRICULUM = make_config("unused").train.curriculum
SAMPLE = SAMPLES / "sample_session"


def gradients(**changes: bool) -> tuple[dict[str, torch.Tensor], int]:
    """Of one step of a small model with drop path, and how often its blocks computed."""
    config = replace(make_config("unused", batch=2, queries=4, **changes), model=replace(SMALL, drop_path=0.5))
    torch.manual_seed(0)
    model = build_model(config.model)
    calls = []
    for block in model.encoder.stages[0]:
        block.norm1.register_forward_hook(lambda *_: calls.append(1))
    learner = Learner(config, model)
    learner.advance(SmbClips().batch(0, 2))
    return {n: p.grad for n, p in learner.model.named_parameters() if p.grad is not None}, len(calls)


def test_recomputed_activations_give_the_same_gradients() -> None:
    kept, once = gradients()
    recomputed, twice = gradients(checkpoint_activations=True)
    assert twice == 2 * once
    assert kept.keys() == recomputed.keys() and len(kept) > 50
    assert all(torch.allclose(kept[name], recomputed[name], rtol=1e-4, atol=1e-7) for name in kept)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> ClipDataset:
    store = tmp_path_factory.mktemp("store")
    preprocess(SAMPLE, store, workers=1)
    return ClipDataset(EpisodeStore(store), clip=4, stride=2, crop=64, seed=3, forget=0.3)


def test_clips_from_memory_train_the_same(clips: ClipDataset, tmp_path: Path) -> None:
    said: list[str] = []
    for wanted in ("on", "off"):
        run = make_config(tmp_path / wanted, steps=4, batch=2, queries=4, curriculum=replace(CURRICULUM, enabled=True))
        config = RunConfig(SMALL, DataConfig(clip=4, crop=64, resident=wanted), run.train)
        trainer = Trainer(config, clips, say=said.append)
        assert isinstance(trainer.clips, ResidentClips) == (wanted == "on")
        trainer.fit()
    one, two = (load_checkpoint(tmp_path / name / LAST)["model"] for name in ("on", "off"))
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    assert sum("96 frames kept on cpu" in line for line in said) == 1
    assert any(f"an epoch is {len(clips) / 2:.4g} steps" in line for line in said)


def test_clips_that_do_not_fit_are_read_from_files(clips: ClipDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hstmae.data.clips.resident.free_bytes", lambda device: 1000)
    said: list[str] = []
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    config = RunConfig(data=DataConfig(workers=3))
    assert place_clips(clips, config, cuda, said.append) == (clips, 3)
    assert "read from files" in said[0] and "GiB" in said[0]
    assert place_clips(clips, config, cpu, said.append) == (clips, 3)  # files are in memory anyway
    with pytest.raises(DataError, match="GiB are free"):
        place_clips(clips, RunConfig(data=DataConfig(resident="on")), cpu, said.append)
    assert len(said) == 1 and epoch_steps(clips, 2) == len(clips) / 2 and epoch_steps(SmbClips(), 2) == 0


def test_checkpoints_of_every_so_many_epochs_stay(clips: ClipDataset, tmp_path: Path) -> None:
    batch = len(clips) // 2  # two steps and a bit are an epoch
    config = replace(make_config(tmp_path, steps=5, batch=batch, micro_batch=16, queries=1, keep_every=1), model=SMALL)
    config = replace(config, data=DataConfig(clip=4, crop=64))
    Trainer(config, clips, say=lambda _: None).fit()
    kept = {p.name: load_checkpoint(p)["step"] for p in tmp_path.glob("epoch-*.pth")}
    assert kept == {"epoch-0001.pth": -(-len(clips) // batch), "epoch-0002.pth": -(-2 * len(clips) // batch)}


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this version of torch has no Muon")
def test_muon_trains_and_resumes_to_the_last_bit(tmp_path: Path) -> None:
    muon = [*REAL, "train.optimizer=muon"]
    train(tmp_path / "whole", "real", 0, muon, World())
    train(tmp_path / "parts", "real", 2, muon, World())
    train(tmp_path / "parts", "real", 0, muon, World())
    train(tmp_path / "adamw", "real", 0, REAL, World())
    one, two, other = (load_checkpoint(tmp_path / name / LAST) for name in ("whole", "parts", "adamw"))
    assert all(torch.equal(value, two["model"][name]) for name, value in one["model"].items())
    matrix, table = "decoder.blocks.0.mlp.0.weight", "decoder.mask_token"
    assert not torch.equal(one["model"][matrix], other["model"][matrix])
    assert one["model"][table].shape == other["model"][table].shape
    assert any("momentum_buffer" in state for state in one["optimizer"]["state"].values())
    assert any("exp_avg" in state for state in one["optimizer"]["state"].values())


def test_muon_needs_hidden_matrices() -> None:
    with pytest.raises(ConfigError, match=r"no transformer block|needs torch 2\.9"):
        Learner(make_config("unused", optimizer="muon"), TinyModel())


def test_the_model_is_compiled_once_and_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That its graph is whole is tested with the models."""
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **_: compiled.append(self))
    for name, more in (("plain", []), ("compiled", ["train.compile=true"])):
        train(tmp_path / name, "fake", 2, ["train.val_every=100", *more], World())
        assert len(compiled) == (name == "compiled")


def test_half_precision_scales_losses_and_skips_overflows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hstmae.training.run.learner.choose_amp", lambda name, device: torch.float16)
    learner = Learner(make_config(tmp_path, micro_batch=2, absolute_lr=3e-3), TinyModel())
    losses = [float(learner.advance(MemoryClips().batch(step, 4))["loss"]) for step in range(30)]
    assert losses[-1] < 0.8 * losses[0] and learner.scaler.get_scale() >= 1024
    before, scale = learner.model.out.weight.detach().clone(), learner.scaler.get_scale()
    learner.model.out.weight.register_hook(lambda grad: grad * float("inf"))
    learner.advance(MemoryClips().batch(30, 4))
    assert torch.equal(before, learner.model.out.weight) and learner.scaler.get_scale() == scale / 2
