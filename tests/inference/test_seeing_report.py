"""A film of before and after, and a report."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from films import sound_film, written
from PIL import Image
from seen_pages import SIZE, parsed, pictures, restore, scrolling

from hstmae.bundled import SAMPLES
from hstmae.film.reading import FilmReader
from hstmae.inference.showing.before_after import LINE
from hstmae.inference.showing.figures import EXAMPLES, ReportSink
from hstmae.inference.sinks import RestoredFrame
from hstmae.pictures.true_colour import RgbPicture
from hstmae.restoration.anything import AnythingRestorer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return pictures(tmp_path)


@pytest.mark.parametrize("out", ["out.mkv", "out"])
@pytest.mark.parametrize("times", [(), (0, 40, 110, 120, 200, 400, 450, 470, 500)])
def test_before_and_after_at_the_times_of_the_film(out: str, times: tuple[int, ...], tmp_path: Path) -> None:
    source, pair = tmp_path / "a.mkv", tmp_path / "b.mkv"
    written(source, size=(39, 47), fmt="yuv444p", times=times, time_base=Fraction(1, 1000))
    words = (source, "--rect", "4,4,10,8", "--out", tmp_path / out, "--before-after", pair)
    assert restore(*words) == 0
    before, after = FilmReader(source), FilmReader(pair)
    assert after.facts.times == before.facts.times and after.facts.width % 2 == after.facts.height % 2 == 0
    for old, new in zip(before.frames(), after.frames(), strict=True):
        left = after.rgb(new)[LINE : LINE + 78, :94]
        wanted = before.rgb(old).repeat(2, 0).repeat(2, 1)
        assert np.abs(left.astype(int) - wanted).mean() < 40  # noise, in 4:2:0
        assert after.rgb(new)[:LINE].max() > 150  # the labels


def test_before_and_after_of_a_part_with_the_restored_right(folder: Path, tmp_path: Path) -> None:
    truth = scrolling()
    words = (folder, "--rect", "20,4,12,12@4-5", "--frames", "3:9", "--out", tmp_path / "out")
    assert restore(*words, "--before-after", tmp_path / "b.apng", "--fps", "12") == 0
    film = FilmReader(tmp_path / "b.apng")
    frames = [film.rgb(frame) for frame in film.frames()]
    assert len(frames) == 6 and float(film.facts.constant_rate or 0) == pytest.approx(12, abs=0.01)
    width = 2 * SIZE[1]
    for t, frame in enumerate(frames, 3):
        made = np.array(Image.open(tmp_path / "out" / f"{t}.png").convert("RGB"))
        left, right = frame[LINE : LINE + 80, :width], frame[LINE : LINE + 80, width + 4 : 2 * width + 4]
        np.testing.assert_array_equal(left[::2, ::2], truth[t])
        np.testing.assert_array_equal(right[::2, ::2], made)


def test_before_and_after_shows_one_sequence(folder: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "both").mkdir()
    for name in ("a", "b"):
        shutil.copytree(folder, tmp_path / "both" / name)
    words = (tmp_path / "both", "--rect", "1,1,4,4", "--out", tmp_path / "out")
    assert restore(*words, "--before-after", tmp_path / "b.gif") == 2 and "--report shows" in capsys.readouterr().err
    assert restore(*words, "--report", tmp_path / "r.html") == 0
    assert parsed(tmp_path / "r.html").text.count("Over time") == 2


@pytest.mark.parametrize("out", ["out", "out.mkv"])
def test_a_report_holds_all_it_needs(out: str, folder: Path, tmp_path: Path) -> None:
    named = folder.rename(tmp_path / "<script>alert(1)&'\"")
    words = (named, "--rect", "8,4,20,12@2-9", "--lost", "6", "--out", tmp_path / out, "--report", tmp_path / "r.html")
    assert restore(*words) == 0
    page = parsed(tmp_path / "r.html")
    assert "<script>alert(1)" in page.text and "by motion recall" in page.text
    assert "8 of 12" in page.text and "frame 6" in page.text and len(page.asked) >= 5 * min(8, EXAMPLES)
    assert (tmp_path / "r.html").stat().st_size < 300_000
    assert not list((tmp_path / out).glob(".*")) if out == "out" else True


def test_a_report_within_the_output(folder: Path, tmp_path: Path) -> None:
    words = (folder, "--rect", "8,4,20,12@2-9", "--out", tmp_path / "out", "--report", tmp_path / "out" / "report.html")
    assert restore(*words) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*(f"{t}.png" for t in range(12)), "report.html"}
    parsed(tmp_path / "out" / "report.html")


def test_a_report_of_a_model_with_what_was_hidden(tmp_path: Path) -> None:
    words = (SAMPLES / "sample_session", "--mask", "tube:0.9:1", "--frames", "0:2", "--out", tmp_path / "out")
    assert restore(*words, "--report", tmp_path / "r.html") == 0
    text = parsed(tmp_path / "r.html").text
    assert "by model hst-mae-nano" in text and "dB" in text and "error x2" in text and "atlas" in text


def test_a_film_of_before_and_after_and_a_report_after_an_interruption(tmp_path: Path, monkeypatch) -> None:
    """The run ends in the middle; the second one makes what one run would have made."""
    from hstmae.inference import job

    monkeypatch.setattr(job, "STEP", 0.0)
    monkeypatch.setattr(AnythingRestorer, "stretch", lambda self, size: (4, 8))
    sound_film(tmp_path / "a.mkv")
    words = (tmp_path / "a.mkv", "--rect", "4,4,10,8", "--mode", "exact")
    made = {}
    for name, stop in (("whole", 99), ("again", 6)):
        place = tmp_path / name
        place.mkdir()
        more = ("--out", place / "o.mkv", "--before-after", place / "b.mkv", "--report", place / "r.html")
        seen = 0
        add = job.RestoreSummary.add

        def counted(self, *args: object, stop: int = stop, add=add) -> None:
            nonlocal seen
            seen += 1
            if seen == stop:
                raise KeyboardInterrupt
            add(self, *args)

        monkeypatch.setattr(job.RestoreSummary, "add", counted)
        code = restore(*words, *more)
        monkeypatch.setattr(job.RestoreSummary, "add", add)
        if stop < 99:
            assert code == 130 and not list(place.glob("[!.]*"))
            assert restore(*words, *more) == 0
        page = (place / "r.html").read_text().replace(str(place), "")
        films = [FilmReader(place / film) for film in ("o.mkv", "b.mkv")]  # whose files hold random numbers
        made[name] = [[film.rgb(frame).tobytes() for frame in film.frames()] for film in films], page
        assert {path.name for path in place.iterdir()} == {"o.mkv", "b.mkv", "r.html"}
    assert made["whole"] == made["again"]


def frame_at(position: int, sure: float = 0.5) -> RestoredFrame:
    rgb, mask = np.full((8, 8, 3), position % 256, np.uint8), np.zeros((8, 8), bool)
    mask[2:4] = True
    confidence = np.where(mask, np.float32(sure), np.float32(1))
    picture = RgbPicture(rgb, np.zeros((8, 8), bool))
    method = np.where(mask, np.uint8(1), np.uint8(0))
    return RestoredFrame(position, f"{position}.png", picture, mask, False, rgb, rgb, confidence, method, ~mask)


@pytest.mark.parametrize(("first", "count"), [(0, 100), (96, 4), (1001, 333), (5, 1)])
def test_pictures_of_a_report_lie_evenly_and_do_not_depend_on_order(first: int, count: int, tmp_path: Path) -> None:
    positions = np.arange(first, first + count)
    found = []
    for k, order in enumerate((positions, positions[::-1], np.random.default_rng(0).permutation(positions))):
        sink = ReportSink(tmp_path / str(k))
        for n, position in enumerate(order.tolist()):
            if n == count // 2:  # a run that goes on
                sink.settle()
                sink = ReportSink(tmp_path / str(k))
            sink.write(frame_at(position, 0.1 if position == first + count // 3 else 0.5))
        found.append([example.position for example in sink.examples()])
        assert [one.position for one in sink.figures()] == positions.tolist()
    assert found[0] == found[1] == found[2] and first + count // 3 in found[0]
    assert min(count, EXAMPLES) <= len(found[0]) <= EXAMPLES + 1
    if count > EXAMPLES:
        gaps = np.diff([first, *found[0], first + count])
        assert gaps.max() <= count / 2


def test_a_line_that_was_cut_off_costs_nothing(tmp_path: Path) -> None:
    sink = ReportSink(tmp_path / "r")
    for t in range(3):
        sink.write(frame_at(t))
    lines = tmp_path / "r" / "frames.jsonl"
    lines.write_bytes(lines.read_bytes()[:-7])
    again = ReportSink(tmp_path / "r")
    for t in (2, 3):
        again.write(frame_at(t))
    assert [one.position for one in again.figures()] == [0, 1, 2, 3]
