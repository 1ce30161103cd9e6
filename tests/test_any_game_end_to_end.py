"""Footage of any game through the real commands: a film, and a recorded environment, from preprocess to evaluate."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from hstmae.cli import main
from hstmae.data.sources.base import SourceFrame
from hstmae.data.store.reader import EpisodeStore
from hstmae.data.store.recording import record_into_store
from hstmae.film.reading import FilmReader
from hstmae.inference import job as restoring
from hstmae.restoration.clips import MARGIN
from hstmae.restoration.restorer import Restorer

STEPS = 3
MODEL = {
    "name": "test-rgb",
    "head": "rgb",
    "dims": [16, 16, 16, 16],
    "depths": [1, 1, 1, 1],
    "head_dim": 16,
    "decoder_dim": 16,
    "decoder_depth": 1,
    "decoder_head_dim": 16,
    "state_dim": 16,
}
TRAIN = {"batch": 1, "steps": 20, "queries": 8, "val_every": STEPS, "val_clips": 1, "checkpoint_every": STEPS}


class Play:
    """A ball that moves as its memory says, recorded like an environment: pictures 42x52, no multiple of 16."""

    level, outcome, fps = "", "cut", 60.0

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size

    def signature(self) -> list[list[object]]:
        return [["play", self.name, self.size]]

    def frames(self, report: object = None, notes: object = None, known: object = ()) -> Iterator[SourceFrame]:
        for t in range(self.size):
            memory = np.zeros(128, np.uint8)
            memory[:2] = (3 * t) % 40, (5 * t) % 30
            yield SourceFrame(t + 1, picture(int(memory[0]), int(memory[1])), None, memory, t % 4)


def picture(x: int, y: int) -> np.ndarray:
    rows, cols = np.mgrid[:42, :52]
    out = np.stack([rows * 5, cols * 4, (rows // 8 + cols // 8) % 2 * 90 + 40], -1).astype(np.uint8)
    out[y : y + 10, x : x + 10] = (250, 240, 20)
    return out


def film(path: Path, frames: int) -> None:
    av = pytest.importorskip("av", reason="films need PyAV: pip install 'hstmae[video]'")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(30))
        stream.width, stream.height, stream.pix_fmt = 52, 42, "yuv420p"
        for t in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(2 * t % 40, t % 30), format="rgb24")))
        container.mux(stream.encode())


def trained(store: Path, game: str, folder: Path, stride: int) -> Path:
    config = {"model": {**MODEL, "game": game}, "train": TRAIN, "data": {"clip": 4, "stride": stride, "workers": 0}}
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    command = ["train", "--config", str(folder / "run.yaml"), "--data", str(store), "--out", str(folder / "run")]
    assert main([*command, "--max-steps", str(STEPS)]) == 0
    return folder / "run"


def changed_only_where_hidden(folder: Path, truth: np.ndarray, first: int) -> None:
    """The same 16x16 positions differ in all frames, and no other pixel does."""
    after = np.stack(
        [np.asarray(Image.open(folder / f"f{first + t:06d}.png").convert("RGB")) for t in range(len(truth))]
    )
    differs = (after != truth).any(-1)
    touched = differs.any(0)
    grid = np.zeros((48, 64), bool)
    grid[:42, :52] = touched
    units = grid.reshape(3, 16, 4, 16).any((1, 3))
    assert units.sum() == 6  # half of the 12 positions
    hidden = units.repeat(16, 0).repeat(16, 1)[:42, :52]
    assert not differs[:, ~hidden].any() and differs[:, hidden].mean() > 0.9


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A store of a recorded environment, and a model trained on it for a few steps."""
    folder = tmp_path_factory.mktemp("played")
    plays = [Play("a", 20), Play("b", 20)]
    record_into_store(plays, folder / "store", game="atari", kind="made")
    return folder / "store", trained(folder / "store", "atari", folder, 4)


def test_a_film_from_preprocess_to_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "films").mkdir()
    for name in ("a", "b"):
        film(tmp_path / "films" / f"{name}.mp4", 10)
    store = tmp_path / "store"
    command = ["preprocess", "--input_dir", str(tmp_path / "films"), "--output_dir", str(store), "--workers", "1"]
    assert main([*command, "--game", "generic", "--val-fraction", "0.5"]) == 0
    assert main(["inspect", str(store), "--out", str(tmp_path / "sheet.png")]) == 0
    source = str(tmp_path / "films" / "b.mp4")
    assert main(["inspect", source, "--game", "generic", "--out", str(tmp_path / "clip.mp4"), "--frames", "3"]) == 0
    run = trained(store, "generic", tmp_path, 2)
    command = ["restore", source, "--game", "generic", "--mask", "tube:0.5", "--checkpoint", str(run)]
    assert main([*command, "--out", str(tmp_path / "out"), "--json", str(tmp_path / "r.json")]) == 0
    truth = EpisodeStore(store).read("b", range(10)).frames
    changed_only_where_hidden(tmp_path / "out", truth, 0)
    options = ["--out", str(tmp_path / "b.mp4"), "--lossless", "--frames", "2:8", "--json", str(tmp_path / "f.json")]
    assert main([*command, *options]) == 0
    made, first = FilmReader(tmp_path / "b.mp4"), FilmReader(Path(source))
    assert made.facts.times == first.facts.times[:6] and made.facts.pixel_format == "yuv420p"
    shown = [np.asarray(Image.open(tmp_path / "out" / f"f{t:06d}.png")).astype(int) for t in range(2, 8)]
    drawn = [made.rgb(frame) for frame in made.frames()]
    assert max(np.abs(a - b).mean() for a, b in zip(shown, drawn, strict=True)) < 12  # colours of 4 pixels together
    report = json.loads((tmp_path / "f.json").read_text())
    assert report["frames"] == 6
    assert report["notes"] == ["b.mp4: does not state its colour matrix: smpte170m is taken, by its size"]
    assert main([*command, *options]) == 2 and "is there already" in capsys.readouterr().err
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["frames"] == 10 and report["problems"] == [] and 3 < report["psnr_masked"] < 40
    command = ["evaluate", "--checkpoint", str(run), "--clip", "4", "--clips", "2", "--json", str(tmp_path / "e.json")]
    assert main([*command, "--test_data", str(store), "--ratio", "0.5"]) == 0
    measured = json.loads((tmp_path / "e.json").read_text())
    assert measured["state"] == "none" and measured["psnr_masked_argmax"] is None and measured["clips"] == 2
    assert {"mode_colour", "mean_colour", "nearest_pixel"} <= set(measured["baselines"])
    assert "mean_colour" in capsys.readouterr().out


def test_a_recorded_environment_from_clips_to_evaluate(played: tuple[Path, Path], tmp_path: Path) -> None:
    store, run = played
    assert main(["inspect", str(store), "--out", str(tmp_path / "sheet.png")]) == 0
    assert np.asarray(Image.open(tmp_path / "sheet.png")).std() > 10
    command = ["restore", str(store), "--game", "atari", "--mask", "tube:0.5", "--checkpoint", str(run)]
    assert main([*command, "--out", str(tmp_path / "out"), "--compare"]) == 0
    truth = np.stack([frame.pixels for frame in Play("a", 20).frames()])
    changed_only_where_hidden(tmp_path / "out" / "a", truth, 1)
    assert len(list((tmp_path / "out" / "b" / "compare").iterdir())) == 20
    command = ["evaluate", "--checkpoint", str(run), "--clip", "4", "--clips", "2", "--test_data", str(store)]
    assert main([*command, "--json", str(tmp_path / "e.json")]) == 0
    assert json.loads((tmp_path / "e.json").read_text())["state"] == "full"


def test_breakout_is_recorded_and_restored(tmp_path: Path) -> None:
    pytest.importorskip("ale_py", reason="ale-py is not installed (pip install 'hstmae[record]')")
    store = tmp_path / "store"
    command = ["record", "--env", "ALE/Breakout-v5", "--frames", "14", "--episodes", "2", "--out", str(store)]
    assert main(command) == 0
    run = trained(store, EpisodeStore(store).game, tmp_path, 4)
    command = ["restore", str(store), "--mask", "tube:0.5", "--checkpoint", str(run)]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    opened = EpisodeStore(store)
    assert opened.game == "atari2600-breakout" and opened[0].palette is not None
    before, name = opened[0].palette[opened[0].frames[3]], opened.info(0).name
    file = tmp_path / "out" / name / f"f{opened[0].frame_numbers[3]:06d}.png"
    after = np.asarray(Image.open(file).convert("RGB"))
    assert 0.3 < (before == after).all(-1).mean() < 0.99


def options(played: tuple[Path, Path], out: Path) -> list[str]:
    store, run = played
    return ["restore", str(store), "--checkpoint", str(run), "--out", str(out), "--mask"]


def test_an_interrupted_run_goes_on_and_ends_the_same(
    played: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Restorer, "stretch", lambda self, size: (8, MARGIN * self.game.stride))
    command = options(played, tmp_path / "out")
    assert main([*options(played, tmp_path / "whole"), "tube:0.5", "--json", str(tmp_path / "whole.json")]) == 0
    stretch, done = restoring._restore_stretch, []

    def until(count: int):
        def run(*args: object) -> None:
            if len(done) == count:
                raise KeyboardInterrupt
            done.append(args[2])
            stretch(*args)  # type: ignore[arg-type]

        return run

    monkeypatch.setattr(restoring, "_restore_stretch", until(4))
    assert main([*command, "tube:0.5"]) == 130
    assert not (tmp_path / "out").exists() and "same command again" in capsys.readouterr().err
    (kept,) = (p for p in tmp_path.iterdir() if p.name.startswith(".out"))
    half = kept / "b" / ".f000020.tmp-1-2.png"  # what a killed process leaves
    half.write_bytes(b"half")
    monkeypatch.setattr(restoring, "_restore_stretch", until(-1))
    assert main([*command, "tube:0.5", "--json", str(tmp_path / "out.json")]) == 0
    assert "going on after 28 frames" in capsys.readouterr().err  # 20 of a, 8 of b
    assert len(done) == 6  # three stretches each, none twice
    for file in sorted(p for p in (tmp_path / "whole").rglob("*") if p.is_file()):
        again = tmp_path / "out" / file.relative_to(tmp_path / "whole")
        assert again.read_bytes() == file.read_bytes()
    assert len(list((tmp_path / "out").rglob("*"))) == len(list((tmp_path / "whole").rglob("*")))
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("whole", "out"))
    assert {**one, "out": ""} == {**two, "out": ""}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "out.json", "whole", "whole.json"]


def test_another_job_does_not_go_on_with_what_is_left(
    played: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = options(played, tmp_path / "out")
    stretch = restoring._restore_stretch

    def second_fails(*args: object) -> None:
        if (tmp_path / "seen").exists():
            raise OSError(28, os.strerror(28))
        (tmp_path / "seen").write_bytes(b"")
        stretch(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(restoring, "_restore_stretch", second_fails)
    assert main([*command, "tube:0.5"]) == 2  # the disk is full
    assert "same command again" in capsys.readouterr().err
    monkeypatch.setattr(restoring, "_restore_stretch", stretch)
    assert main([*command, "tube:0.25"]) == 0
    assert "going on" not in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "seen"]
