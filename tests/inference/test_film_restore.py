"""A film restored as one film: only masked pixels change, and everything else of it is there again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fake_networks import ColourPainter, colour_footage, colour_predictor
from films import broken_at, packets_of, sound_film, written
from PIL import Image

from hstmae import cli
from hstmae.errors import DataError, UsageError
from hstmae.film.codecs import FilmOptions
from hstmae.film.reading import FilmReader
from hstmae.inference.film_sink import FilmSink
from hstmae.inference.footage.opening import open_footage
from hstmae.inference.job import RestoreSummary, restore_footage
from hstmae.inference.kept import KeptPixels
from hstmae.inference.mask_rules import MaskRules

PAINT = np.array([51, 102, 204], np.uint8)  # ColourPainter.COLOUR


def restored(source: Path, out: Path, mask: np.ndarray, lossless: bool = True, **options) -> list[str]:
    """Restores by a painter of one colour; returns what was not kept."""
    Image.fromarray(mask.astype(np.uint8) * 255).save(source.with_name("mask.png"))
    rules = MaskRules([source.with_name("mask.png")])
    (footage,) = open_footage(source, "generic")
    rules.check([footage])
    frames = options.get("frames")
    sink = FilmSink(out, KeptPixels(out.with_name("kept")), footage, FilmOptions(lossless=lossless), 30, frames)
    predictor = colour_predictor(ColourPainter())
    return restore_footage(predictor, footage, rules, "auto", sink, RestoreSummary(), **options)


def block(size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[4:20, 6:30] = True
    return mask


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
@pytest.mark.parametrize("turned", [None, (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)])
def test_only_masked_pixels_change(name: str, turned, tmp_path: Path) -> None:
    source, out = tmp_path / name, tmp_path / f"out-{name}"
    written(source, size=(46, 62), display_matrix=turned, sample_aspect=Fraction(4, 3), matrix="bt709", full_range=True)
    before = FilmReader(source)
    mask = block(before.facts.upright_size)
    lost = restored(source, out, mask, length=4)
    assert lost == []
    after = FilmReader(out)
    frames = list(zip(before.frames(), after.frames(), strict=True))
    assert len(frames) == 9 and before.facts.times == after.facts.times
    for old, new in frames:
        now = after.rgb(new)
        np.testing.assert_array_equal(now[~mask], before.rgb(old)[~mask])
        assert np.abs(now[mask].astype(int) - PAINT).max() <= 2
        own = before.facts.orientation.stored(mask)
        np.testing.assert_array_equal(new.planes[0][~own], old.planes[0][~own])


def test_sound_subtitles_chapters_and_words_stay(tmp_path: Path) -> None:
    source, out = tmp_path / "a.mkv", tmp_path / "b.mkv"
    sound_film(source)
    assert restored(source, out, block((32, 48))) == []
    before, after = FilmReader(source).facts, FilmReader(out).facts
    assert [str(s) for s in after.streams] == [str(s) for s in before.streams] and len(after.streams) == 5
    assert after.chapters == before.chapters and len(after.chapters) == 2
    assert packets_of(out) == packets_of(source) and after.metadata["title"] == "My film"


def test_a_part_of_a_film_begins_at_zero_with_its_own_sound(tmp_path: Path) -> None:
    source, out = tmp_path / "a.mkv", tmp_path / "b.mkv"
    sound_film(source)
    lost = restored(source, out, block((32, 48)), frames=range(5, 11))
    before, after = FilmReader(source), FilmReader(out)
    assert lost == [] and after.facts.times == tuple(t - before.facts.times[5] for t in before.facts.times[5:11])
    old = [frame for frame in before.frames() if 5 <= frame.number < 11]
    for one, other in zip(old, after.frames(), strict=True):
        np.testing.assert_array_equal(after.rgb(other)[~block((32, 48))], before.rgb(one)[~block((32, 48))])
    assert [c.metadata["TITLE" if "TITLE" in c.metadata else "title"] for c in after.facts.chapters] == ["One", "Two"]
    sound = [time for time, _ in packets_of(out)[0]]
    assert -0.03 < min(sound) < 0.02 and 0.2 < max(sound) < 0.24


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    written(source, size=(46, 62))
    mask = block(FilmReader(source).facts.upright_size)
    restored(source, tmp_path / "whole.mp4", mask, length=3)
    noted: list[int] = []

    class Stop(Exception):
        pass

    def note(positions: list[int]) -> None:
        noted.extend(positions)
        raise Stop

    with pytest.raises(Stop):
        restored(source, tmp_path / "again.mp4", mask, length=3, note=note)
    assert len(noted) > 0 and not (tmp_path / "again.mp4").exists()
    restored(source, tmp_path / "again.mp4", mask, length=3, done=set(noted))
    assert (tmp_path / "again.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


@pytest.mark.parametrize(("name", "lossless"), [("f.mp4", False), ("f.mkv", True), ("f.gif", True), ("f.apng", True)])
def test_pictures_become_a_film(name: str, lossless: bool, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    clip, mask = colour_footage(5, (46, 62)) // 64 * 64, block((46, 62))
    for t, picture in enumerate(clip):
        Image.fromarray(picture).save(tmp_path / "in" / f"{t}.png")
    lost = restored(tmp_path / "in", tmp_path / name, mask, lossless)
    film = FilmReader(tmp_path / name)
    assert len(film.facts.times) == 5 and film.facts.constant_rate is not None
    for t, frame in enumerate(film.frames()):
        if lossless:
            np.testing.assert_array_equal(film.rgb(frame)[~mask], clip[t][~mask])
            assert (film.rgb(frame)[mask] == PAINT).all()
        else:
            assert film.facts.matrix == "smpte170m" and film.facts.full_range is False and lost == []
            assert np.abs(film.rgb(frame)[mask].astype(int) - PAINT).mean() < 8


def test_what_cannot_be_is_refused_before_work(tmp_path: Path) -> None:
    written(tmp_path / "a.mkv", fmt="yuv444p16le")
    (footage,) = open_footage(tmp_path / "a.mkv", "generic")
    for name, options, reason in (
        ("b.webm", FilmOptions(lossless=True), "cannot be kept lossless"),
        ("b.mp4", FilmOptions(codec="nonsense"), "--codec nonsense"),
        ("b.webm", FilmOptions(codec="h264"), "--codec h264"),
    ):
        with pytest.raises(UsageError, match=reason):
            FilmSink(tmp_path / name, KeptPixels(tmp_path / "kept"), footage, options, 30)
    with pytest.raises(UsageError, match="0 \\(best\\) to 51"):
        FilmOptions(quality=70)
    with pytest.raises(UsageError, match="leave --quality out"):
        FilmOptions(quality=7, lossless=True)


def test_options_of_the_command_that_do_not_fit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    written(tmp_path / "a.mp4")
    base = ["restore", str(tmp_path / "a.mp4"), "--checkpoint", "hst-mae-nano", "--rect", "0,0,4,4"]
    for options, reason in (
        (["--out", str(tmp_path / "o"), "--lossless"], "--lossless is for a film"),
        (["--out", str(tmp_path / "o.mp4"), "--compare"], "writes pictures"),
        (["--out", str(tmp_path / "o.mp4"), "--start", "soon"], "give seconds"),
        (["--out", str(tmp_path / "o.mp4"), "--frames", "3"], "give A:B"),
        (["--out", str(tmp_path / "o.mp4"), "--quality", "99"], "at most 51"),
    ):
        assert cli.main([*base, *options]) == 2
        assert reason in capsys.readouterr().err and not list(tmp_path.glob("o*"))


def test_damaged_films_keep_what_can_be_read(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.mkv", count=60, fmt="yuv420p")
    (tmp_path / "a.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    restored(tmp_path / "a.mkv", tmp_path / "b.mkv", block((38, 46)))
    (footage,) = open_footage(tmp_path / "a.mkv", "generic")
    count = len(footage.read(0, 99).pictures)
    assert 5 < count < 60 and footage.problems
    assert len(FilmReader(tmp_path / "b.mkv").facts.times) == count


def test_lost_frames_of_a_film_are_restored_whole_or_refused(tmp_path: Path) -> None:
    broken = broken_at(written(tmp_path / "whole.mkv"), 3, "flipped")
    with pytest.raises(DataError, match="frame 3 is damaged"):
        next(open_footage(broken, "generic", strict=True)).read(0, 9)
    (footage,) = open_footage(broken, "generic")
    masked = [bool(picture.missing.all()) for picture in footage.read(0, 99).pictures]
    assert masked == [k == 3 for k in range(9)] and "damaged or missing: 3" in str(footage.problems[0])
    restored(broken, tmp_path / "b.mkv", block((38, 46)))
    frames = list(FilmReader(tmp_path / "b.mkv").frames())
    assert len(frames) == 9 and (FilmReader(tmp_path / "b.mkv").rgb(frames[3]).std((0, 1)) < 2).all()  # painted whole
