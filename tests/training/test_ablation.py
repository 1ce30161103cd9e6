"""benchmarks/ablation.py: runs that differ in one thing, are not repeated, and end in one table."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from tiny_store import OPTIONS, make_store

VARIANTS = "baseline,rgb-head"


@pytest.fixture(scope="module")
def ablation() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "ablation.py"
    spec = importlib.util.spec_from_file_location("ablation", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    base = tmp_path_factory.mktemp("ablation")
    fixed = ["--store", str(make_store(base)), "--out", str(base / "runs"), "--steps", "2", "--clips", "1"]
    return [*fixed, *OPTIONS, "--set", "train.steps=2"]


def test_finished_runs_are_kept_and_tabulated(
    ablation: ModuleType, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = Path(words[3])
    assert ablation.main([*words, "--seeds", "0", "--variants", VARIANTS]) == 0
    results = {path.parent.parent.name: path for path in out.glob("*/seed-0/result.json")}
    assert sorted(results) == sorted(VARIANTS.split(","))
    kept = {path.name for path in results["baseline"].parent.iterdir()}
    assert kept == {"metrics.jsonl", "model", "result.json", "run.yaml"}
    before = {name: path.stat().st_mtime_ns for name, path in results.items()}
    assert ablation.main([*words, "--seeds", "0,1", "--variants", VARIANTS]) == 0
    assert {name: path.stat().st_mtime_ns for name, path in results.items()} == before  # not trained again
    rows = {row["variant"]: row for row in json.loads((out / "ablation.json").read_text())["rows"]}
    assert {name: row["seeds"] for name, row in rows.items()} == {"baseline": [0, 1], "rgb-head": [0, 1]}
    assert rows["baseline"]["full"]["psnr_masked"]["std"] > 0 and "new level" in rows["baseline"]
    one = [json.loads((out / name / "seed-1" / "result.json").read_text()) for name in ("rgb-head", "baseline")]
    two = [json.loads(results[name].read_text()) for name in ("rgb-head", "baseline")]
    gains = [a["measures"]["full"]["psnr_masked"] - b["measures"]["full"]["psnr_masked"] for a, b in (one, two)]
    assert rows["rgb-head"]["full"]["psnr_masked_gain"]["mean"] == pytest.approx(sum(gains) / 2)
    assert (out / "ablation.md").read_text() in capsys.readouterr().out

    other = ["--seeds", "0", "--variants", "baseline", "--set", "train.batch=3"]
    assert ablation.main([*words, *other]) == 2  # results of other settings are not mixed in
    assert "other settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "message"),
    [(["--variants", "nothing"], "unknown: nothing"), (["--set", "train.nothing=1"], "train.nothing")],
)
def test_what_does_not_exist_is_said_at_the_start(
    ablation: ModuleType, words: list[str], capsys: pytest.CaptureFixture[str], extra: list[str], message: str
) -> None:
    assert ablation.main([*words, *extra]) == 2
    assert message in capsys.readouterr().err
