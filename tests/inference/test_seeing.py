"""What people see of a restoration: where each pixel comes from, and a preview."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from seen_pages import SIZE, pictures, restore, scrolling

from hstmae.bundled import SAMPLES
from hstmae.inference.showing.preview import Damaged, duration
from hstmae.inference.showing.sources import WORDS
from hstmae.restoration.anything import AnythingRestorer
from hstmae.restoration.result import METHODS, SURROUNDINGS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return pictures(tmp_path)


@pytest.mark.parametrize(("step", "wanted"), [(0, "still"), (2, "moved")])
def test_where_pixels_come_from_without_a_model(step: int, wanted: str) -> None:
    frames = scrolling(step=step)
    mask = np.zeros(frames.shape[:3], bool)
    mask[5, 8:20, 10:30] = True
    made = AnythingRestorer().restore(frames, mask)
    assert made.method is not None and made.shown is not None and made.confidence is not None
    assert ((made.method > 0) == mask).all() and made.shown[~mask].all()
    names = [METHODS[k] for k in made.method[mask]]
    assert names.count(wanted) + names.count("object") > 0.9 * len(names) and made.shown[mask].mean() > 0.9


def test_what_nobody_shows_is_told_from_what_is_shown() -> None:
    frames = scrolling(step=0)
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, 8:20, 10:30] = True
    made = AnythingRestorer().restore(frames, mask)
    assert made.method is not None and made.shown is not None
    assert not made.shown[mask].any() and (made.method[mask] == SURROUNDINGS).all()


def test_a_model_tells_recall_atlas_and_network() -> None:
    from hstmae.inference.footage.opening import open_footage
    from hstmae.inference.loading import load

    stretch = next(iter(open_footage(SAMPLES / "sample_session", "smb"))).read(0, 6)
    frames = np.stack([picture.pixels for picture in stretch.pictures]).astype(np.uint8)
    mask = np.zeros(frames.shape, bool)
    mask[:, 32:160, 64:192] = True
    mask[3] = True
    restorer = load("hst-mae-nano")
    found = {}
    for level in ("full", "none"):
        made = restorer.restore(frames, mask, state=stretch.state, context=stretch.context, level=level)
        assert made.method is not None and made.shown is not None
        assert ((made.method > 0) == mask).all()
        found[level] = {METHODS[k] for k in np.unique(made.method[mask])}
        assert (made.shown == (~mask | (made.method == METHODS.index("recall")))).all()
    assert found["full"] >= {"recall", "atlas"} and "atlas" in found["none"]
    assert found["full"] | found["none"] <= {"recall", "atlas", "network"}


def test_every_way_has_its_word_and_a_colour_of_its_own() -> None:
    assert [*WORDS] != [] and set(WORDS) == set(METHODS[1:])
    assert len({colour for colour, _ in WORDS.values()}) == len(WORDS)


def test_a_preview_is_one_picture_and_nothing_else(folder: Path, tmp_path: Path, capsys) -> None:
    words = (folder, "--rect", "8,4,20,12@2-9", "--out", tmp_path / "out", "--preview", "3")
    more = ("--report", tmp_path / "r.html", "--before-after", tmp_path / "b.gif", "--json", tmp_path / "j.json")
    assert restore(*words, *more) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out.preview.png", "j.json"}
    told, report = capsys.readouterr().out, json.loads((tmp_path / "j.json").read_text())
    assert "3 of 8 damaged frames" in told and "take about" in told
    assert report["shown"] == [[3, 6, 8]] and report["damaged_frames"] == 8 and report["frames"] == 12
    assert report["seconds_of_all"] > 0
    sheet = Image.open(tmp_path / "out.preview.png")
    assert sheet.width >= 3 * 2 * SIZE[1] and sheet.height >= 3 * 2 * SIZE[0]
    before = (tmp_path / "out.preview.png").read_bytes()
    assert restore(*words) == 2 and "is there already" in capsys.readouterr().err
    assert (tmp_path / "out.preview.png").read_bytes() == before
    assert restore(*words, "--overwrite") == 0
    assert restore(*words[:-2]) == 0 and len(list((tmp_path / "out").iterdir())) == 12


def test_a_preview_shows_what_the_run_makes(folder: Path, tmp_path: Path) -> None:
    words = (folder, "--rect", "8,4,20,12@2-9", "--out", tmp_path / "out", "--confidence")
    assert restore(*words, "--preview", "99") == 0 and restore(*words) == 0
    sheet = np.array(Image.open(tmp_path / "out.preview.png").convert("RGB"))
    for t in (2, 5, 9):
        made = np.array(Image.open(tmp_path / "out" / f"{t}.png").convert("RGB")).repeat(2, 0).repeat(2, 1)
        windows = np.lib.stride_tricks.sliding_window_view(sheet, made.shape)[:, :, 0]
        at = np.argwhere((windows[:, :, 0, 0] == made[0, 0]).all(-1))
        assert any(np.array_equal(windows[y, x], made) for y, x in at)


@pytest.mark.parametrize("name", ["out.mp4", "out", "out.png"])
def test_where_a_preview_goes(name: str, tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    rgba = np.full((*SIZE, 4), 255, np.uint8)
    rgba[4:9, 4:9, 3] = 0
    Image.fromarray(rgba).save(source)
    assert restore(source, "--out", tmp_path / name, "--preview", "1") == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "out.preview.png"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--preview", "0"), "at least 1"),
        (("--preview", "some"), "whole number"),
        (("--preview", "2", "--frames", "5:9"), "none of the 4 frames"),
        (("--report", "r.txt"), "ends in .html"),
        (("--report", "-"), "ends in .html"),
        (("--before-after", "b.png"), "is one film"),
        (("--before-after", "b"), "is one film"),
        (("--report", "out"), "two outputs have this name"),
        (("--before-after", "x.mp4", "--report", "x.mp4"), "two outputs have this name"),
    ],
)
def test_what_cannot_be_is_refused(words, reason: str, folder: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert restore(folder, "--rect", "1,1,4,4@0-2", "--out", "out", *words) == 2
    assert reason in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"in"}


@pytest.mark.parametrize("option", ["--report", "--before-after", "--preview"])
def test_nothing_that_is_there_is_replaced(option: str, folder: Path, tmp_path: Path, capsys) -> None:
    name = {"--report": "r.html", "--before-after": "b.gif", "--preview": "out.preview.png"}[option]
    (tmp_path / name).write_text("mine")
    value = "2" if option == "--preview" else str(tmp_path / name)
    words = (folder, "--rect", "1,1,4,4", "--out", tmp_path / "out", option, value)
    assert restore(*words) == 2 and "is there already" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "mine" and not (tmp_path / "out").exists()
    assert restore(*words, "--overwrite") == 0 and (tmp_path / name).read_bytes() != b"mine"


def test_a_preview_to_stdout_and_a_film_of_one_picture(tmp_path: Path, folder: Path, capsys) -> None:
    base = (folder / "0.png", "--rect", "1,1,4,4")
    assert restore(*base, "--out", "-", "--preview", "1") == 2 and "give it a name" in capsys.readouterr().err
    assert restore(*base, "--out", tmp_path / "o.png", "--before-after", tmp_path / "b.mp4") == 2
    assert "--compare sets pictures side by side" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"in"}


def test_frames_of_a_preview_are_spread_over_all_that_is_damaged() -> None:
    assert Damaged([[1, 2, 3, 4], [], [7, 8]]).spread(3) == [[2, 4], [], [8]]
    assert Damaged([[1, 2], [5]]).spread(9) == [[1, 2], [5]]
    assert Damaged([[], list(range(90, 100))]).spread(1) == [[], [95]]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.1, "1 s"), (89, "89 s"), (100, "2 min"), (5000, "83 min"), (7300, "2 h 02 min")]
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
