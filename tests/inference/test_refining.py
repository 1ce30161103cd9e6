"""`restore --refine`: once for a run, kept when it is gone on with, and told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hstmae import cli
from hstmae.bundled import SAMPLES
from hstmae.inference import refining
from hstmae.motion.combiner import load_combiner
from hstmae.motion.refining import Learned
from hstmae.restoration.anything import AnythingRestorer


def pictures(folder: Path, count: int = 6) -> Path:
    folder.mkdir()
    tiles = np.random.default_rng(0).integers(0, 256, (4, 12, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    for k in range(count):
        Image.fromarray(tiles[:, 3 * k : 3 * k + 48]).save(folder / f"{k}.png")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_where_nothing_is_learned_nothing_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["restore", str(pictures(tmp_path / "in")), "--rect", "10,6,16,12", "--out"]
    assert cli.main([*words, str(tmp_path / "one")]) == 0
    assert cli.main([*words, str(tmp_path / "two"), "--refine", "0.02"]) == 0
    assert "refined: not kept" in capsys.readouterr().err
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_what_was_learned_stays_when_a_run_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, used = [], []
    layers = tuple((weight * 1.5, bias) for weight, bias in load_combiner().layers)

    def fake(combiner, *_) -> Learned:
        calls.append(combiner)
        return Learned(type(combiner)(layers, combiner.bias), 1.0, 5)

    class Watched(AnythingRestorer):
        def restore(self, *args, **more):
            used.append(self.combiner)
            if len(used) == 1:
                raise KeyboardInterrupt
            return super().restore(*args, **more)

    monkeypatch.setattr(refining, "refine", fake)
    monkeypatch.setattr("hstmae.restoration.anything.AnythingRestorer", Watched)
    words = ["restore", str(pictures(tmp_path / "in")), "--rect", "10,6,16,12", "--out", str(tmp_path / "out")]
    assert cli.main([*words, "--refine", "1"]) == 130
    assert cli.main([*words, "--refine", "1"]) == 0
    assert len(used) == 2 and all(np.array_equal(c.layers[0][0], layers[0][0]) for c in used)
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".png"} and len(calls) <= 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([str(SAMPLES / "sample_masked.png")], "--game generic"),
        (["in", "--rect", "1,1,4,4", "--preview", "1"], "leave one of them out"),
        (["in", "--rect", "1,1,4,4", "--refine", "0"], "above 0"),
    ],
)
def test_where_it_does_not_fit_it_is_refused(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["restore", "--refine", "1", *words, "--out", "out"]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "out").exists()
