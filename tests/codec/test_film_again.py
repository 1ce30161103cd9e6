"""Films coded anew at an asked quality: every group has it, sound stays, and what gets no smaller stays as it is."""

import math
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")

from film_kinds import make  # noqa: E402

from hstmae.cli import main  # noqa: E402
from hstmae.codec.film.again import coded_again  # noqa: E402
from hstmae.codec.session.reader import HstReader  # noqa: E402
from hstmae.codec.session.verifying import verify_file  # noqa: E402
from hstmae.errors import DataError  # noqa: E402
from hstmae.film.facts import FilmFacts  # noqa: E402
from hstmae.film.reading import FilmReader  # noqa: E402


def run(*words: object) -> int:
    return main([str(word) for word in words])


def worst(source: Path, made: Path, gop: int) -> float:
    """PSNR of the worst group, of the samples, in dB."""
    pairs = list(zip(FilmReader(source).frames(), FilmReader(made).frames(), strict=True))
    errors = [
        np.concatenate([(x.astype(float) - y).ravel() ** 2 for x, y in zip(a.planes, b.planes, strict=True)]).mean()
        for a, b in pairs
    ]
    groups = [np.mean(errors[k : k + gop]) for k in range(0, len(errors), gop)]
    peak = (1 << FilmReader(source).layout.bits) - 1
    return 10 * math.log10(peak**2 / max(*groups, 1e-9))


@pytest.fixture(scope="module")
def rich(tmp_path_factory) -> Path:
    """A film with sound whose packets take much, in which some groups are far harder than others."""
    path, r = tmp_path_factory.mktemp("rich") / "rich.mp4", np.random.default_rng(0)
    scene = r.integers(0, 256, (96, 400, 3)).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "4", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        sound = container.add_stream("aac", rate=44100)
        for k in range(60):
            picture = scene[:, 3 * k : 3 * k + 128].copy() if 16 <= k < 40 else np.full((96, 128, 3), 2 * k, np.uint8)
            picture[20:40, k : k + 20] = 200
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        for k in range(100):
            wave = (np.sin(np.arange(k * 1024, k * 1024 + 1024) / 20) * 9000).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 44100, k * 1024
            container.mux(sound.encode(frame))
        container.mux([*stream.encode(), *sound.encode()])
    return path


@pytest.mark.parametrize(("codec", "quality"), [("h264", 24), ("h264", 41), ("vp9", 33), ("av1", 33)])
def test_every_group_has_the_quality_and_no_bytes_are_wasted(
    rich: Path, tmp_path: Path, quality: float, codec: str
) -> None:
    encoders = {"h264": "libx264", "vp9": "libvpx-vp9", "av1": "libsvtav1"}
    if encoders[codec] not in av.codecs_available:
        pytest.skip(f"PyAV has no {encoders[codec]} here")
    shares: list[float] = []
    made = coded_again(rich, tmp_path, quality, 16, shares.append, codec)
    assert worst(rich, made.path, 16) == pytest.approx(made.least, abs=1e-6) and made.least >= quality
    assert made.least < quality + 2 and made.path.stat().st_size < rich.stat().st_size
    assert 0.5 < sum(shares) <= 1 + 1e-6 and max(shares) < 0.02
    assert [frame.key for frame in FilmReader(made.path).frames()] == [k % 16 == 0 for k in range(60)]
    assert FilmReader(made.path).facts.codec == codec
    assert [p.name for p in tmp_path.iterdir()] == ["rich.mp4"]


def test_a_film_in_a_file(rich: Path, tmp_path: Path, capsys) -> None:
    out, again = tmp_path / "x.hst", tmp_path / "again.mp4"
    side = {"actions": np.arange(60, dtype=np.uint8)}
    film = tmp_path / "rich.mp4"
    film.write_bytes(rich.read_bytes())
    np.savez(film.with_suffix(".npz"), **side)
    assert run("encode", film, out, "--profile", "video", "--quality", 33, "--gop", 16) == 0
    told = capsys.readouterr().out
    assert "coded anew by H.264" in told and "60 frames in" in told  # all are told of
    assert out.stat().st_size < 0.7 * film.stat().st_size and verify_file(out).problems == ()
    with HstReader(out) as reader:
        assert len(reader) == 60 and len(reader.entries[0].gops) == 4
        facts: FilmFacts = reader.film(0)
        assert [stream.kind for stream in facts.streams] == ["audio"]
        assert facts.times == FilmReader(film).facts.times
        np.testing.assert_array_equal(reader.episode(0).actions, side["actions"])
        seen = reader[37].rgb
    assert run("decode", out, again, "--to", "film") == 0
    assert worst(film, again, 16) >= 33
    reader_again = FilmReader(again)
    np.testing.assert_array_equal(seen, [reader_again.rgb(f) for f in reader_again.frames()][37])
    first = out.read_bytes()
    assert run("encode", film, out, "--profile", "video", "--quality", 33, "--gop", 16, "--overwrite") == 0
    assert out.read_bytes() == first
    assert "60 frames in" in capsys.readouterr().out


SOME = ("closed.mp4", "open.mkv", "sound.webm", "deep.mkv", "clear.mov", "stream.ts", "packed.wmv")


@pytest.mark.parametrize("name", SOME)
def test_any_film_has_the_quality_or_stays_as_it_is(name: str, tmp_path: Path, capsys) -> None:
    film, out = make(tmp_path / name), tmp_path / "x.hst"
    assert run("encode", film, out, "--profile", "video", "--quality", 30, "--gop", 10) == 0
    told = capsys.readouterr().out
    assert ("coded anew by H.264:" in told) != ("kept as it is" in told)
    own = "kept as it is" in told or film.suffix in (".mp4", ".mov", ".mkv")
    again = tmp_path / f"again{film.suffix if own else '.mkv'}"
    assert run("decode", out, again, "--to", "film") == 0
    if "kept as it is" in told:
        assert again.read_bytes() == film.read_bytes()
    else:
        assert worst(film, again, 10) >= 30
        a, b = ([float(t * f.time_base) for t in f.times] for f in (FilmReader(film).facts, FilmReader(again).facts))
        assert b == pytest.approx(a, abs=0.001)  # of which .mkv has no parts


def test_a_quality_that_takes_more_than_the_film_itself(rich: Path, tmp_path: Path) -> None:
    poor = coded_again(rich, tmp_path, 24, 16, lambda share: None).path
    (tmp_path / "more").mkdir()
    with pytest.raises(DataError, match="own packets take no more"):
        coded_again(poor, tmp_path / "more", 55, 16, lambda share: None)


def test_options_that_do_not_go_together(rich: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "x.hst"
    for words in (["--profile", "lossless", "--quality", 30], ["--profile", "video", "--bitrate", 30],
                  ["--profile", "video", "--quality", "exact"], ["--profile", "video", "--quality", 70],
                  ["--profile", "video", "--codec", "av1"]):  # fmt: skip
        assert run("encode", rich, out, *words) == 2 and "quality" in capsys.readouterr().err
        assert not out.exists()
