"""How sure a restoration is: text that nothing tells is never sure, files and summary say so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hstmae.atlas.known_pixels import SURE
from hstmae.bundled import SAMPLES
from hstmae.cli import main
from hstmae.data.episode import Episode
from hstmae.games import get_game
from hstmae.games.pixels import View
from hstmae.inference.job import RestoreSummary
from hstmae.inference.loading import load
from hstmae.inference.predictor import Predictor
from hstmae.restoration.untold import mark_guesses, untold_text

BAR = 32  # rows of the status bar


@pytest.fixture(scope="module")
def session(sample_store) -> Episode:
    return sample_store.read(0, range(4))


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load("hst-mae-nano", "cpu")


def view_of(session: Episode, mask: np.ndarray, level: str) -> View:
    game = get_game("smb")
    state = None if level == "none" else game.decode(session.state, session.context)
    return View(session.frames, mask, game, state, level)


def test_text_that_no_frame_shows_is_told_by_the_state_alone(session: Episode) -> None:
    mask = np.zeros(session.frames.shape, bool)
    mask[:, :48] = True
    assert untold_text(view_of(session, mask, "none"))[:, :BAR].all()
    assert not untold_text(view_of(session, mask, "none"))[:, BAR:].any()  # what scrolls is no text
    assert not untold_text(view_of(session, mask, "full")).any()
    partly = untold_text(view_of(session, mask, "compact"))
    assert partly[:, 24:32, 24:72].all()  # the score
    assert not partly[:, 24:32, 208:232].any()  # the timer
    mask[2, :BAR, :128] = False  # one frame shows half of it
    told = untold_text(view_of(session, mask, "none"))
    assert not told[:, :BAR, :128].any() and told[:, :BAR, 128:].all()


def test_guesses_are_marked_unless_they_are_sure() -> None:
    confidence = np.array([[0.3, 0.97, SURE, 1.0], [0.3, 0.97, SURE, 1.0]], np.float32)
    mark_guesses(confidence, np.array([[True] * 4, [False] * 4]))
    assert confidence[0].tolist() == pytest.approx([0, 0, SURE, 1])
    assert confidence[1].tolist() == pytest.approx([0.3, 0.97, SURE, 1])


@pytest.mark.parametrize("level", ["none", "full"])
def test_what_is_restored_does_not_depend_on_the_marks(
    session: Episode, predictor: Predictor, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = np.zeros(session.frames.shape, bool)
    mask[:, :BAR] = True

    def restored():  # type: ignore[no-untyped-def]
        return predictor.restore(session.frames, mask, session.palette, session.state, session.context, level=level)

    marked = restored()
    monkeypatch.setattr("hstmae.restoration.clips.mark_guesses", lambda *_: None)
    plain = restored()
    assert np.array_equal(marked.rgb, plain.rgb) and np.array_equal(marked.indices, plain.indices)
    assert (marked.confidence[~mask] == 1).all()
    guessed = (marked.confidence == 0) & mask
    if level == "full":
        assert not guessed.any() and np.array_equal(marked.confidence, plain.confidence)
    else:
        digits = slice(24, 32), slice(24, 72)
        assert guessed[(slice(None), *digits)].mean() > 0.3  # the rest is where no digit has a pixel
        right = marked.indices == session.frames
        assert right[guessed].mean() < 0.9 < right[mask & (marked.confidence >= SURE)].mean()
        assert (plain.confidence[guessed] > 0).all() and (plain.confidence[guessed] < SURE).all()


def test_the_summary_counts_what_is_sure_and_what_is_guessed() -> None:
    summary = RestoreSummary()
    mask = np.array([[True, True, True, False]])
    summary.add(mask, np.array([[1.0, 0.5, 0.0, 1.0]], np.float32))
    summary.add(mask)  # of a model that says nothing
    assert (summary.masked, summary.rated, summary.sure, summary.guessed) == (6, 3, 1, 1)
    assert RestoreSummary.from_json(json.loads(json.dumps(summary.to_json()))) == summary


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Two frames of the bundled session as plain pictures without memory, and a mask that hides the status bar."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for path in sorted((SAMPLES / "sample_session").rglob("*.png"))[:2]:
        Image.open(path).save(folder / f"{path.name.split('_f')[1].split('_')[0]}.png")
    mask = np.zeros((240, 256), np.uint8)
    mask[:BAR] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return folder


def test_confidence_files_and_the_summary_say_what_is_a_guess(frames: Path, tmp_path: Path, capsys) -> None:  # type: ignore
    out = tmp_path / "out"
    words = ["restore", str(frames), "--mask", str(tmp_path / "mask.png"), "--out", str(out), "--confidence"]
    assert main([*words, "--json", str(tmp_path / "report.json")]) == 0
    report, told = json.loads((tmp_path / "report.json").read_text()), capsys.readouterr().out
    files = sorted((out / "confidence").iterdir())
    assert [file.name for file in files] == sorted(file.name for file in frames.iterdir())
    maps = np.stack([np.asarray(Image.open(file)) for file in files])
    assert maps.dtype == np.uint8 and (maps[:, BAR:] == 255).all()
    assert report["guessed_text_pixels"] == (maps[:, :BAR] == 0).sum() > 1000
    assert report["sure_share"] == pytest.approx((maps[:, :BAR] >= int(255 * SURE)).mean(), abs=0.01)
    assert report["sure_from"] == SURE
    assert f"sure of {report['sure_share']:.1%} of them" in told and "its digits are guesses" in told
    restored = np.asarray(Image.open(out / files[0].name).convert("RGB"))
    assert restored.shape == (240, 256, 3)
    assert main([*words, "--overwrite", "--state", "none"]) == 0
    assert np.array_equal(np.asarray(Image.open(out / "confidence" / files[0].name)), maps[0])


def test_without_the_option_no_files_are_written(frames: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["restore", str(frames), "--mask", str(tmp_path / "mask.png"), "--out", str(out)]) == 0
    assert not (out / "confidence").exists()


def test_one_picture_on_stdout_goes_without_them(frames: Path, tmp_path: Path, capsys) -> None:  # type: ignore
    assert main(["restore", str(frames), "--mask", str(tmp_path / "mask.png"), "--out", "-", "--confidence"]) == 2
    assert "needs a folder" in capsys.readouterr().err
