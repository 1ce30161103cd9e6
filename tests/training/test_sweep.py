"""Sweeps: trials are ordinary runs, a killed sweep goes on, bad proposals and falling behind are results as well."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_store import SMALL, make_store

from hstmae.bundled import CONFIGS
from hstmae.cli import main
from hstmae.config import load_config
from hstmae.errors import ConfigError, UsageError
from hstmae.models.checkpoint import LAST, load_checkpoint
from hstmae.training.sweep.spec import load_sweep

SPACE = {
    "train.absolute_lr": {"log": [1e-3, 1e-2]},
    "train.queries": {"int": [4, 8]},
    "masks": {"options": {"half": {"train.mask_ratios": [0.5]}, "most": {"train.mask_ratios": [0.75]}}},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("sweep"))


def sweep_file(folder: Path, **changes: object) -> Path:
    (folder / "run.yaml").write_text("train: {out: unused}\n")
    fixed = {key: yaml.safe_load(str(value)) for key, value in SMALL.items()}
    fixed |= {"train.val_every": 4, "train.checkpoint_every": 4}
    data = {"config": "run.yaml", "set": fixed, "trials": 2, "prune_after": 0, "space": SPACE, **changes}
    (folder / "sweep.yaml").write_text(yaml.safe_dump(data))
    return folder / "sweep.yaml"


def results(out: Path) -> dict:
    return json.loads((out / "results.json").read_text())


def words(file: Path, out: Path, store: Path, *more: str) -> list[str]:
    return ["train", "--sweep", str(file), "--out", str(out), "--data", str(store), *more]


def test_interrupted_sweep_ends_as_an_undisturbed_one(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna", reason="extra 'sweep'")
    from hstmae.training.run.trainer import Trainer
    from hstmae.training.sweep import sweep

    file = sweep_file(tmp_path)
    assert main(words(file, tmp_path / "one", store, "--json", str(tmp_path / "one.json"))) == 0
    one = results(tmp_path / "one")
    assert json.loads((tmp_path / "one.json").read_text()) == one
    assert [row["state"] for row in one["trials"]] == ["complete"] * 2
    assert one["trials"][0]["params"] != one["trials"][1]["params"]
    best = max(one["trials"], key=lambda row: row["psnr_masked"])
    assert one["best"] == best["number"]
    config = load_config(tmp_path / "one" / "best.yaml")
    assert config.train.absolute_lr == best["params"]["train.absolute_lr"]
    assert config.train.mask_ratios == {"half": (0.5,), "most": (0.75,)}[best["params"]["masks"]]
    assert "| complete |" in (tmp_path / "one" / "results.md").read_text()
    lines = (tmp_path / "one" / best["folder"] / "metrics.jsonl").read_text().splitlines()
    assert best["psnr_masked"] == json.loads(lines[-1])["val_psnr_masked"]

    def killed(self: Trainer, resume: object = None, max_steps: int = 0) -> None:
        fit(self, resume, max_steps=3)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr("hstmae.training.sweep.report.plot", lambda *_: None)  # once is enough
    fit = Trainer.fit
    monkeypatch.setattr(Trainer, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        sweep.run_sweep(load_sweep(file, [f"data.store={store}"]), tmp_path / "two")
    assert load_checkpoint(tmp_path / "two" / "trial-000" / LAST)["step"] == 3
    monkeypatch.setattr(Trainer, "fit", fit)
    assert main(words(file, tmp_path / "two", store)) == 0
    two = results(tmp_path / "two")
    for row, other in zip(one["trials"], two["trials"], strict=True):
        assert {k: row[k] for k in ("params", "psnr_masked", "step", "state")} == {
            k: other[k] for k in ("params", "psnr_masked", "step", "state")
        }
    capsys.readouterr()
    assert main(words(file, tmp_path / "two", store)) == 0  # nothing left to do
    assert results(tmp_path / "two") == two
    other = sweep_file(tmp_path, seed=7)
    assert main(words(other, tmp_path / "two", store)) == 2
    assert "another sweep" in capsys.readouterr().err


def test_trials_of_a_round_are_chosen_before_any_of_them_ends(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at a time, and one that is left: whichever ends first, the same are tried, also after an interruption."""
    pytest.importorskip("optuna", reason="extra 'sweep'")
    from optuna.trial import TrialState

    from hstmae.training.sweep import sweep

    monkeypatch.setattr("hstmae.training.sweep.report.plot", lambda *_: None)
    spec = load_sweep(sweep_file(tmp_path, trials=3), [f"data.store={store}"])
    rounds: list[list[int]] = []

    def at_once(order: int) -> Any:
        def ended(work: Any, numbers: list[int], *, workers: int) -> list[Any]:
            rounds.append(numbers)
            if order < 0 and len(rounds) == 3:  # of the second sweep the first round: it is interrupted
                raise KeyboardInterrupt
            assert workers == len(numbers)
            found = {number: sweep._Ended(TrialState.COMPLETE, 10.0 + number) for number in numbers[::order]}
            return [found[number] for number in numbers]

        return ended

    tried = []
    for order, name in ((1, "one"), (-1, "two")):
        monkeypatch.setattr(sweep, "run_all", at_once(order))
        for _ in range(2):
            with contextlib.suppress(KeyboardInterrupt):
                sweep.run_sweep(spec, tmp_path / name, say=lambda _: None, workers=2)
        rows = results(tmp_path / name)["trials"]
        assert [row["state"] for row in rows] == ["complete"] * 3
        tried.append([row["params"] for row in rows])
    assert tried[0] == tried[1] and rounds == [[0, 1], [2], [0, 1], [0, 1], [2]]
    trials = sweep._next_round(sweep._open_study(spec, tmp_path / "three"), spec, tmp_path / "three", 2)
    assert [trial.params for trial in trials] == tried[0][:2]
    (ended,) = sweep._run_trial(spec, tmp_path / "three", None, 2, 1, lambda count: None)
    assert ended.state == TrialState.COMPLETE and ended.value is not None


def test_a_trial_that_falls_behind_is_pruned_and_a_bad_one_told(store: Path, tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna", reason="extra 'sweep'")
    # Trials with a useless learning rate first, then the others: only the order of proposals is arranged here.
    good, bad = {"train.absolute_lr": "0.01"}, {"train.absolute_lr": "0.000000001"}
    space = {
        "kind": {"options": {"good": good, "bad": bad, "wrong": {"train.state_full": 0.9, "train.state_compact": 0.1}}},
        "train.state_compact": {"choices": [0.1, 0.15]},
    }
    file = sweep_file(tmp_path, trials=3, prune_after=1, space=space)
    out = tmp_path / "out"
    from hstmae.training.sweep import sweep

    spec = load_sweep(file, [f"data.store={store}", "train.steps=8", "train.val_every=4"])
    study = sweep._open_study(spec, out)
    for kind, compact in (("good", "0.1"), ("bad", "0.1"), ("wrong", "0.15")):
        study.enqueue_trial({"kind": kind, "train.state_compact": compact})
    enqueued = study.get_trials()
    assert all(trial.state == optuna.trial.TrialState.WAITING for trial in enqueued)
    rows = sweep.run_sweep(spec, out, say=lambda _: None)["trials"]
    assert [row["state"] for row in rows] == ["complete", "pruned", "fail"]
    assert rows[1]["step"] == 4 and rows[1]["psnr_masked"] < rows[0]["psnr_masked"]
    assert "state_compact" in rows[2]["reason"] and rows[2]["psnr_masked"] is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {"train.absolut_lr": {"log": [1e-3, 1e-2]}}}, "did you mean 'train.absolute_lr'"),
        ({"space": {"train.batch": {"log": [1e-3]}}}, "two numbers"),
        ({"space": {"train.lr": {"log": [0, 1]}}}, "above 0"),
        ({"space": {"train.batch": {"int": [0, 4]}}}, "train.batch must be above 0"),
        ({"space": {"train.batch": {"float": [1.5, 4]}}}, "space, train.batch"),
        ({"space": {"train.decoder_keep": {"choices": [0.5, 0.6]}}}, "train.decoder_keep"),
        ({"space": {"masks": {"options": {"a": {"train.nothing": 1}}}}}, "train.nothing"),
        ({"space": {}}, "space must list"),
        ({"trials": 0}, "trials"),
        ({"trails": 3}, "unknown key 'trails'"),
        ({"set": {"train.nothing": 1}}, "train.nothing"),
        ({"config": "none.yaml"}, "no such configuration"),
    ],
)
def test_mistakes_in_the_file_are_said_before_training(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError) as problem:
        load_sweep(sweep_file(tmp_path, **changes))
    assert message in str(problem.value)


def test_options_that_make_no_sense_together_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(sweep_file(tmp_path))
    for more, message in ((["--resume", "x"], "--resume"), (["--dry-run"], "--dry-run"), ([], "--out")):
        assert main(["train", "--sweep", file, *more]) == 2
        assert message in capsys.readouterr().err
    import sys

    from hstmae.training.sweep import sweep

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError, match=r"hstmae\[sweep\]"):
        sweep.run_sweep(load_sweep(Path(file)), tmp_path / "out")


def test_the_example_is_valid(root: Path) -> None:
    spec = load_sweep(CONFIGS / "sweep_example.yaml")
    assert {parameter.kind for parameter in spec.space} == {"log", "float", "choices", "options"}
