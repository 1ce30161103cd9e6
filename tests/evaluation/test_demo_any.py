"""`hstmae demo --any`: the bundled film of a game that no model knows."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hstmae import cli
from hstmae.bundled import SAMPLES
from hstmae.evaluation.fillers import median_in_time, nearest_in_time, simple_fillers
from hstmae.pictures.animated import Animated

FILES = {"side_by_side.png", "report.html", "metrics.json"}


def demo(out: Path, *words: str) -> int:
    return cli.main(["demo", "--any", "--frames", "5", "--out", str(out), *words])


def test_the_sample_is_small_and_free() -> None:
    path = SAMPLES / "platformer.png"
    film = Animated(path)
    assert len(film) == 96 and film.rate == 30 and path.stat().st_size < 300_000
    words = (SAMPLES / "README.md").read_text()
    assert "Takashi Kitao" in words and "Permission is hereby granted, free of charge" in words


@pytest.mark.parametrize("with_av", [True, False])
def test_figures_and_pictures(with_av: bool, tmp_path: Path, monkeypatch, capsys) -> None:
    if not with_av:
        real = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "av" else real(name, *a))
    assert demo(tmp_path / "out", "--json", str(tmp_path / "j.json")) == 0
    film = "before_after.mp4" if with_av else "before_after.gif"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*FILES, film}
    figures = json.loads((tmp_path / "j.json").read_text())
    assert figures == json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert [one["damage"] for one in figures["damages"]] == ["lost blocks", "scratches", "logo", "lost frames"]
    told = capsys.readouterr().out
    for one in figures["damages"]:
        assert one["fillers"][one["best_filler"]] == max(one["fillers"].values()) and len(one["fillers"]) == 5
        assert 0 < one["hidden"] < 1 and f"{one['psnr']:.2f} dB" in told
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<h2>") == 4 and "of 4 are better than the best simple filler" in page
    Image.open(tmp_path / "out" / "side_by_side.png").load()
    assert demo(tmp_path / "out") == 2 and "is not empty" in capsys.readouterr().err


def test_a_film_of_ones_own_and_the_own_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for t in range(5):
        picture = np.random.default_rng(t // 3).integers(0, 255, (24, 32, 3)).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / "in" / f"{t}.png")
    for _ in range(2):
        assert cli.main(["demo", "--any", "--input", "in"]) == 0
    assert {path.name for path in (tmp_path / "out" / "demo_any").iterdir()} >= FILES
    assert not (tmp_path / "out" / "demo").exists()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--ratio", "0.5"), "leave --ratio out"),
        (("--state", "none"), "leave --state out"),
        (("--checkpoint", "hst-mae-tiny"), "leave --checkpoint out"),
        (("--atlas", "none"), "leave --atlas out"),
        (("--input_image", "assets/sample_masked.png"), "leave --input_image out"),
        (("--input", "assets/sample_masked.png"), "needs 4 or more"),
        (("--frames", "3"), "needs 4 or more"),
    ],
)
def test_what_cannot_be_is_refused(words: tuple[str, ...], reason: str, tmp_path: Path, capsys) -> None:
    assert demo(tmp_path / "out", *words) == 2
    assert reason in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_fillers_over_time_one_pixel_at_a_time() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (7, 6, 5, 3)).astype(np.uint8)
    mask = rng.random((7, 6, 5)) < 0.6
    mask[:, 2, 2] = True
    near, middle = nearest_in_time(frames, mask), median_in_time(frames, mask)
    for t, y, x in np.argwhere(mask):
        seen = np.flatnonzero(~mask[:, y, x])
        if not len(seen):
            np.testing.assert_array_equal(near[t, y, x], middle[t, y, x])
            continue
        nearest = min(seen.tolist(), key=lambda s, t=t: (abs(s - t), s))
        np.testing.assert_array_equal(near[t, y, x], frames[nearest, y, x])
        values = np.sort(frames[seen, y, x], 0)
        np.testing.assert_array_equal(middle[t, y, x], values[(len(seen) - 1) // 2])
    for _, made in simple_fillers(frames, mask):
        np.testing.assert_array_equal(made[~mask], frames[~mask])


def test_fillers_do_not_look_under_the_mask() -> None:
    rng = np.random.default_rng(1)
    frames, other = (rng.integers(0, 256, (5, 8, 9, 3)).astype(np.uint8) for _ in range(2))
    mask = rng.random((5, 8, 9)) < 0.5
    mask[3] = True
    changed = np.where(mask[..., None], other, frames)
    for (name, a), (_, b) in zip(simple_fillers(frames, mask), simple_fillers(changed, mask), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)
