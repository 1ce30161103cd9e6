"""Learning from a larger model, what matters in it, and the command that makes a light one, in several calls."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rank_run import SMALL, SmbClips
from tiny_store import OPTIONS, make_store
from training_fakes import make_config

import hstmae
from hstmae.cli import main
from hstmae.errors import ConfigError
from hstmae.limits import check_run
from hstmae.models import build_model, load_pretrained
from hstmae.models.inputs import MaskedClips
from hstmae.models.masking import tube_visible
from hstmae.training.lightening import lighten as steps
from hstmae.training.lightening.importance import importance
from hstmae.training.losses.distillation import DISTIL, SIMILARITY, Distillation


def clips(batch: int = 2) -> tuple[MaskedClips, torch.Tensor]:
    some = SmbClips().batch(0, batch)
    visible = tube_visible(batch, 16, 0.5, torch.Generator().manual_seed(0))
    queries = torch.arange(0, 32, 2).expand(batch, -1)
    queries = queries[:, ~torch.isin(queries[0] // 2, visible)] if batch == 1 else queries
    return MaskedClips(some.frames, visible, some.state), queries


def test_a_student_that_is_the_teacher_has_nothing_to_learn() -> None:
    torch.manual_seed(0)
    teacher, other = build_model(SMALL).eval(), build_model(SMALL).eval()
    given, queries = clips()
    loss = Distillation(teacher, 2.0, 3.0, 0.5)
    for student, equal in ((teacher, True), (other, False)):
        logits, decoded = student(given, queries, features=True)
        total, terms = loss.add(torch.ones(()), logits, decoded, given, queries)
        assert bool(max(terms[DISTIL], terms[SIMILARITY]) < 1e-6) is equal
        assert float(total.detach()) == pytest.approx(
            1 + 2 * float(terms[DISTIL]) + 3 * float(terms[SIMILARITY]), rel=1e-5
        )
    total.backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in other.parameters())
    assert all(p.grad is None for p in teacher.parameters())


def test_importance_finds_what_does_nothing() -> None:
    config = replace(make_config("unused", batch=2, queries=8), model=SMALL)
    torch.manual_seed(0)
    model = build_model(SMALL)
    first = model.encoder.stages[0][0]
    with torch.no_grad():
        model.decoder.blocks[0].mlp[2].weight[:, 3] = 0
        for last in (first.proj, first.mlp[2]):  # a block that gives back what it was given
            last.weight.zero_()
            last.bias.zero_()
    scores, blocks = importance(model, SmbClips(), config, 2, 1)
    assert scores["decoder.blocks.0.mlp.2.weight"][:, 3].sum() == 0 < scores["decoder.blocks.0.mlp.2.weight"].sum()
    assert blocks["encoder.stages.0.0"] == 0 and any(change != 0 for change in blocks.values())
    assert blocks.keys() == {n for n, m in model.named_modules() if type(m).__name__.endswith("Block")}


def test_a_teacher_that_cannot_teach_is_refused() -> None:
    config = make_config("unused")
    for changes in ({"teacher": "x", "state_loss": 0.1}, {"teacher_share": 0.0}, {"distil": -1.0}):
        with pytest.raises(ConfigError, match=r"train\.(teacher|distil)"):
            check_run(replace(config, train=replace(config.train, **changes)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("store"))


def test_light_models_are_made_and_gone_on_with(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(steps, "BATCHES", 1)
    monkeypatch.setattr(steps, "SKIPPING", 1)
    words = dict(zip(OPTIONS[1::2], OPTIONS[1::2], strict=True))
    model = [w for w in words if w.startswith("model.")]
    Path("t.yaml").write_text("")
    assert main(["train", "--config", "t.yaml", "--data", str(store), "--out", "t", *OPTIONS, "--max-steps", "1"]) == 0
    shutil.copy(hstmae.bundled.CHECKPOINTS / "hst-mae-nano" / "atlas.npz", "t/model")
    small = ["model.name=light", "model.dims=[16,16,32,32]", "model.decoder_dim=16", "model.pixel_dim=4",
             "model.places=none", "model.mlp_ratio=2"]  # fmt: skip
    sets = [w for one in [*(w for w in words if w not in model), *model, *small] for w in ("--set", one)]
    line = ["lighten", "--config", "t.yaml", "--teacher", "t/model", "--data", str(store), *sets]
    assert main([*line, "--out", "a", "--max-steps", "1", "--weights", "fp16"]) == 0
    weights = Path("a", "model", "model.safetensors")
    size, before = weights.stat().st_size, load_pretrained("a/pruned").state_dict()
    assert main([*line, "--out", "a", "--json", "a.json", "--max-steps", "2"]) == 0
    assert capsys.readouterr().out.count("measuring what matters") == 1  # the second call did not
    result = json.loads(Path("a.json").read_text())
    names = list(result["figures"])
    assert names[:2] == ["teacher", "pruned"] and "step 2 of 4, int8" in names[-1] and result["stopped"] == "max_steps"
    assert weights.stat().st_size < 0.7 * size
    assert any(not torch.equal(before[k], v) for k, v in load_pretrained("a/run/model").state_dict().items())
    card = Path("a/model/README.md").read_text()
    assert "**Lost.**" in card and "int8" in card and "dB at `compact`" in card and "torch" in card
    loaded = hstmae.load("a/model")
    assert loaded.config.name == "light" and loaded.atlas is not None and loaded.model.head.memory is None
    assert main([*line, "--out", "c", "--set", "model.decoder_dim=64"]) == 2
    assert "decoder_dim must be at most 32" in capsys.readouterr().err and not Path("c", "run").exists()
