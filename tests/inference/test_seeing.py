"""What people see of a restoration: where each pixel comes from, a preview, a film of before and after, a report."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from films import sound_film, written
from PIL import Image

from hstmae import cli
from hstmae.bundled import SAMPLES
from hstmae.film.reading import FilmReader
from hstmae.inference.showing.before_after import LINE
from hstmae.inference.showing.figures import EXAMPLES, ReportSink
from hstmae.inference.showing.preview import Damaged, duration
from hstmae.inference.showing.sources import WORDS
from hstmae.inference.sinks import RestoredFrame
from hstmae.pictures.true_colour import RgbPicture
from hstmae.restoration.anything import AnythingRestorer
from hstmae.restoration.result import METHODS, SURROUNDINGS

SIZE = (40, 56)


def scrolling(count: int = 12, step: int = 2) -> np.ndarray:
    """uint8 [T, H, W, 3]: a landscape of few colours that moves to the left."""
    rng = np.random.default_rng(3)
    world = rng.integers(0, 5, (SIZE[0] // 4, 40)).repeat(4, 0).repeat(4, 1)
    colours = rng.integers(0, 256, (5, 3)).astype(np.uint8)
    return np.stack([colours[world[:, step * t : step * t + SIZE[1]]] for t in range(count)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for t, picture in enumerate(scrolling()):
        Image.fromarray(picture).save(tmp_path / "in" / f"{t}.png")
    return tmp_path / "in"


def restore(*words: object) -> int:
    return cli.main(["restore", *map(str, words)])


class _Tags(HTMLParser):
    """What a page asks for, and whether its tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.asked += [value or "" for name, value in attrs if name in ("src", "href", "data", "action")]
        if tag in ("div", "svg", "figure", "ul", "style", "g"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("div", "svg", "figure", "ul", "style", "g"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(path: Path) -> _Tags:
    page = _Tags()
    page.feed(path.read_text(encoding="utf-8"))
    assert not page.open
    for one in page.asked:
        assert one.startswith("data:image/"), one[:60]
        Image.open(io.BytesIO(base64.b64decode(one.partition(",")[2]))).load()
    assert not re.search(r"https?://|@import|<script|<link", path.read_text(encoding="utf-8"))
    return page


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
    for t in range(2, 10):
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
    words = (SAMPLES / "sample_session", "--mask", "tube:0.9:1", "--frames", "0:6", "--out", tmp_path / "out")
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


def test_frames_of_a_preview_are_spread_over_all_that_is_damaged() -> None:
    assert Damaged([[1, 2, 3, 4], [], [7, 8]]).spread(3) == [[2, 4], [], [8]]
    assert Damaged([[1, 2], [5]]).spread(9) == [[1, 2], [5]]
    assert Damaged([[], list(range(90, 100))]).spread(1) == [[], [95]]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.1, "1 s"), (89, "89 s"), (100, "2 min"), (5000, "83 min"), (7300, "2 h 02 min")]
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
