"""The report of an evaluation: its figures are those of `evaluate`, its pictures are there, nothing is half written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from test_evaluate import Clips, StatePainter

from hstmae.config import ModelConfig
from hstmae.errors import UsageError
from hstmae.evaluation.decibels import psnr
from hstmae.evaluation.evaluate import EvaluateOptions, Measured, evaluate
from hstmae.evaluation.metrics import MetricSums
from hstmae.evaluation.report import Sheet, write_report
from hstmae.evaluation.truth import Truth
from hstmae.inference.predictor import Predictor
from hstmae.masks.damage import NAMES, damages

PREDICTOR = Predictor(StatePainter(), ModelConfig(), recall=False)


class Noisy(Clips):
    """As Clips, but clip k has 8 k pixels per frame that no state tells."""

    def clip(self, episode: int, start: int):  # type: ignore[no-untyped-def]
        clip = super().clip(episode, start)
        clip.frames[:, 20, : 8 * episode] = 0x11
        return clip


def test_the_report_holds_what_evaluate_measures(tmp_path: Path) -> None:
    options, ticks = EvaluateOptions(ratio=0.75), []
    report = write_report(
        PREDICTOR, Noisy(5), options, tmp_path / "r", {"split": "val"}, (0.5, 0.75), lambda n: ticks.append(n)
    )
    plain = evaluate(PREDICTOR, Noisy(5), options)
    assert all(report[key] == value for key, value in plain.items())
    assert list(report["ratios"]) == ["0.5", "0.75"] and sum(ticks) == 5 * (2 + len(NAMES))
    assert report["ratios"]["0.5"]["psnr_masked"] == evaluate(PREDICTOR, Noisy(5), EvaluateOptions(0.5))["psnr_masked"]
    low, high = report["psnr_interval"]
    assert low < report["psnr_masked"] < high
    order = [row["psnr_masked"] for row in report["best_median_worst"]]
    assert order == sorted(order, reverse=True) and order[0] == 100.0 and order[1] == report["psnr_masked_median"]
    assert sum(r["pixels"] for r in report["regions"].values()) == pytest.approx(1)
    assert sum(r["error"] for r in report["regions"].values()) == pytest.approx(1)
    assert json.loads((tmp_path / "r/report.json").read_text())["damage"].keys() == set(NAMES)
    text = (tmp_path / "r/report.md").read_text()
    assert "| 50% |" in text and "| 75% |" in text and all(name in text for name in NAMES)
    assert {p.name for p in (tmp_path / "r").iterdir()} == {
        "report.md", "report.json", "regions.png", "ratios.png", "clips.png"
    }  # fmt: skip
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_errors_by_region_add_up() -> None:
    rng = np.random.default_rng(0)
    truth, made = rng.integers(0, 256, (2, 3, 32, 32, 3), np.uint8)
    hidden, regions = rng.random((3, 32, 32)) < 0.5, rng.integers(0, 3, (3, 32, 32))
    sheet = Sheet(("a", "b", "c", "never"))
    sheet.add(Measured(0, truth, made, hidden, regions))
    sums = MetricSums()
    sums.add(Truth(truth, None, hidden), made, similarity=False)
    assert sheet.errors[:, 0].sum() == pytest.approx(sums.error) and sheet.errors[:, 1].sum() == hidden.sum()
    part = hidden & (regions == 1)
    error = ((truth.astype(float) - made) ** 2)[part].mean()
    assert sheet.regions()["b"]["psnr_masked"] == pytest.approx(psnr(error)) and "never" not in sheet.regions()


def test_damage_of_a_name_is_what_is_measured() -> None:
    report = evaluate(PREDICTOR, Noisy(2), EvaluateOptions(damage="logo"))
    assert report["mask"] == "logo"
    assert report["masked_pixels"] == 2 * damages((4, 64, 64))["logo"].sum()
    with pytest.raises(UsageError, match="damage must be one of"):
        EvaluateOptions(damage="coffee")


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "mine.txt").touch()
    with pytest.raises(UsageError, match="not empty"):
        write_report(PREDICTOR, Noisy(1), EvaluateOptions(), tmp_path / "old", {})
    with pytest.raises(UsageError, match="between 0 and 1"):
        write_report(PREDICTOR, Noisy(1), EvaluateOptions(), tmp_path / "r", {}, (0.5, 1.5))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match="figures"):
        write_report(PREDICTOR, Noisy(1), EvaluateOptions(), tmp_path / "r", {})
    assert [p.name for p in tmp_path.iterdir()] == ["old"]
    assert [p.name for p in (tmp_path / "old").iterdir()] == ["mine.txt"]
