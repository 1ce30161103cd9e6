"""Restoring without a model: the game's own one where the footage shows a game, else motion recall."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from films import sound_film
from PIL import Image

from hstmae import cli
from hstmae.bundled import SAMPLES
from hstmae.film.reading import FilmReader
from hstmae.games import get_game


def test_a_film_of_anything_becomes_a_film(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "a.mkv", tmp_path / "b.mkv"
    sound_film(source)
    before = FilmReader(source)
    height, width = before.facts.upright_size
    mask = np.zeros((height, width), np.uint8)
    mask[4:14, 6:24] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    words = ["restore", str(source), "--mask", str(tmp_path / "mask.png"), "--out", str(out), "--lossless"]
    assert cli.main(words) == 0
    told = capsys.readouterr().err
    assert "by motion recall" in told and "no game that a bundled model knows" in told
    after = FilmReader(out)
    assert after.facts.times == before.facts.times
    assert [stream.kind for stream in after.facts.streams] == [stream.kind for stream in before.facts.streams]
    for old, new in zip(before.frames(), after.frames(), strict=True):
        np.testing.assert_array_equal(after.rgb(new)[mask == 0], before.rgb(old)[mask == 0])


def test_the_bundled_model_is_taken_for_its_game(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["restore", str(SAMPLES / "sample_masked.png"), "--out", str(tmp_path / "out")]
    assert cli.main(words) == 0
    assert "by model hst-mae-nano" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["pictures", "with memory"])
def test_another_game_in_its_colours_is_not_taken_for_it(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    game = get_game("smb")
    rng = np.random.default_rng(1)
    tiles = rng.choice([0x0F, 0x22, 0x1A, 0x36, 0x17, 0x30], (16, 8, 8))
    picture = game.palette[tiles[rng.integers(0, 16, (30, 34))].swapaxes(1, 2).reshape(240, 272)]
    shown = [np.ascontiguousarray(picture[:, 2 * k : 2 * k + 256]) for k in range(6)]
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for k, rgb in enumerate(shown):
        Image.fromarray(rgb).save(source / f"{k}.png")
        if kind == "with memory":  # as a recorder of another game of the console appends it
            tail = b"RAM\0" + bytes(game.state_size)
            (source / f"{k}.png").write_bytes((source / f"{k}.png").read_bytes() + tail)
    words = ["restore", str(source), "--rect", "20,50,32,32@2", "--out", str(out)]
    assert cli.main(words) == 0
    assert "by motion recall" in capsys.readouterr().err
    made = np.array(Image.open(sorted(out.rglob("*.png"))[2]))
    mask = np.zeros((240, 256), bool)
    mask[50:82, 20:52] = True
    np.testing.assert_array_equal(made[~mask], shown[2][~mask])


def test_pictures_of_something_else_in_the_same_kind_of_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (30, 32, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    for k in range(3):
        Image.fromarray(np.roll(picture, k, 1)).save(tmp_path / "in" / f"{k}.png")
    words = ["restore", str(tmp_path / "in"), "--rect", "20,30,16,16", "--out", str(tmp_path / "out")]
    assert cli.main(words) == 0
    assert "by motion recall" in capsys.readouterr().err
    made = np.stack([np.array(Image.open(tmp_path / "out" / f"{k}.png")) for k in range(3)])
    truth = np.stack([np.roll(picture, k, 1) for k in range(3)])
    mask = np.zeros((240, 256), bool)
    mask[30:46, 20:36] = True
    np.testing.assert_array_equal(made[:, ~mask], truth[:, ~mask])


def test_what_is_asked_for_is_not_second_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound_film(tmp_path / "a.mkv")
    words = ["restore", str(tmp_path / "a.mkv"), "--rect", "1,1,4,4", "--out", str(tmp_path / "b.mkv")]
    assert cli.main([*words, "--game", "smb"]) == 2
    assert "leave out --game and --checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "b.mkv").exists()
    assert cli.main([*words, "--game", "generic"]) == 0
    assert "no model of 'generic' is needed" in capsys.readouterr().err


@pytest.mark.parametrize("mode", ["psnr", "exact"])
def test_both_modes_through_one_picture_of_which_something_is_transparent(mode: str, tmp_path: Path) -> None:
    rgba = np.zeros((40, 50, 4), np.uint8)
    rgba[..., :3], rgba[..., 3] = (10, 200, 30), 255
    rgba[10:20, 10:20] = 0
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert cli.main(["restore", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--mode", mode]) == 0
    made = np.array(Image.open(tmp_path / "out" / "a.png").convert("RGB"))
    assert (made == (10, 200, 30)).all()


def test_pytorch_is_not_loaded_for_it(tmp_path: Path) -> None:
    sound_film(tmp_path / "a.mkv")
    words = ["restore", str(tmp_path / "a.mkv"), "--rect", "1,1,4,4", "--out", str(tmp_path / "b.mkv")]
    code = f"import sys; from hstmae import cli; assert cli.main({words!r}) == 0; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_where_nothing_is_seen_nothing_is_sure() -> None:
    from hstmae.inference.no_network import NoNetwork
    from hstmae.restoration.anything import AnythingRestorer

    for frames in (1, 3):
        mask = np.ones((frames, 32, 48), bool)
        made = AnythingRestorer().restore(np.zeros((frames, 32, 48, 3), np.uint8), mask)
        assert made.confidence is not None and (made.confidence == 0).all()
        made = NoNetwork("atari2600").restore(np.zeros((frames, 32, 48), np.uint8), mask)
        assert made.confidence is not None and (made.confidence < 0.98).all()
