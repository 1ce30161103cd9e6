"""benchmarks/folds.py: what folds leave out, that nothing of it is in their atlas, and that results are kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import folds
from hstmae.atlas.maps import Atlas
from hstmae.data.sources.smb.dataset_writer import write_smbdataset
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, sample_store: EpisodeStore) -> EpisodeStore:
    """The bundled session as two levels; they are one map."""
    base = tmp_path_factory.mktemp("folds")
    episode = sample_store[0]
    for number, level in enumerate(("1-1", "10-2")):
        write_smbdataset(replace(episode, name=f"a_b_e{number}_{level}_fail", level=level), base / "in")
    preprocess(base / "in", base / "store", workers=1)
    return EpisodeStore(base / "store")


def test_every_level_is_left_out_once(store: EpisodeStore) -> None:
    assert [list(fold.left_out) for fold in folds.folds_of(store, "levels")] == [["1-1"], ["10-2"], []]
    assert [fold.episodes for fold in folds.folds_of(store, "episodes")] == [[0, 1], [], []]


def test_results_are_kept_and_maps_left_out(
    store: EpisodeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(store.path), "--out", str(tmp_path), "--no-network", "--clips", "1", "--stride", "32"]
    folds.main([*words, "--folds", "1", "--states", "compact", "--table", str(tmp_path / "t.md")])
    assert not Atlas.load(tmp_path / "levels-1.npz").maps  # the other level shows the same map
    kept = (tmp_path / "results.jsonl").read_text()
    folds.main([*words, "--folds", "0", "1", "--states", "compact"])
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert (tmp_path / "results.jsonl").read_text().startswith(kept)  # not measured again
    assert [(r["level"], r["state"], r["method"], len(r["clips"])) for r in rows] == [
        (level, "compact", folds.ALONE, 1) for level in ("10-2", "1-1")
    ]
    assert all(0 < r["right"] < r["pixels"] and r["sure_right"] <= r["sure"] for r in rows)
    table = capsys.readouterr().out.splitlines()
    assert table[-1].startswith("| compact | atlas alone | 0, 1 | 2 |") and "| 0 | 1 |" in table[-3]
    assert (tmp_path / "t.md").read_text().count("\n") == 3


def test_the_mean_is_that_of_levels_and_the_worst_is_named() -> None:
    def row(level: str, error: float) -> dict[str, object]:
        sums = {"error": error, "right": 90, "pixels": 100, "sure": 50, "sure_right": 49}
        return {"fold": 0, "level": level, "state": "full", "method": folds.ALONE, **sums}

    cells = folds.figures([row("1-1", 0.0), row("1-2", 650.25)], "full", (0,))
    assert cells[4:] == ["50.00", "40.00 (1-2)", "43.01", "90.0000%", "50.0%", "98.000%"]
