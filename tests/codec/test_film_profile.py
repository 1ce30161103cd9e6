"""Films in .hst files: the very file comes back, any frame is reached, damage costs what it hits."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")

from film_kinds import FRAMES, KINDS, make  # noqa: E402

from hstmae.cli import main  # noqa: E402
from hstmae.codec.container.chunks import FILM, GOP, REST  # noqa: E402
from hstmae.codec.session.reader import HstReader  # noqa: E402
from hstmae.codec.session.recover import recover  # noqa: E402
from hstmae.codec.session.verifying import verify_file  # noqa: E402
from hstmae.film.reading import FilmReader  # noqa: E402


def run(*words: object) -> int:
    return main([str(word) for word in words])


def frames_of(path: Path) -> list[np.ndarray]:
    reader = FilmReader(path)
    return [reader.rgb(frame) for frame in reader.frames()]


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.fixture
def film(films, request) -> Path:
    """A film of the kind asked for."""
    path = films / request.param
    return path if path.exists() else make(path)


every_kind = pytest.mark.parametrize("film", KINDS, indirect=True)
one_kind = pytest.mark.parametrize("film", ["closed.mp4"], indirect=True)
two_kinds = pytest.mark.parametrize("film", ["closed.mp4", "open.mkv"], indirect=True)


@every_kind
def test_a_film_comes_back_as_the_very_file_and_any_frame_is_reached(film, tmp_path, capsys):
    out = tmp_path / "x.hst"
    assert run("encode", film, out, "--gop", 10) == 0
    assert "kept as they are (--profile video)" in capsys.readouterr().out
    with HstReader(out) as reader:
        wanted = frames_of(film)
        assert len(reader) == len(wanted)
        for k in [*range(len(wanted)), 40, 3, 59, 11, 12, 13, 0, 30]:
            np.testing.assert_array_equal(reader[k].rgb, wanted[k])
        assert reader.film(0).times == FilmReader(film).facts.times
        packets = sum(len(reader.groups.parts(0, k).streams["PICT"]) for k in range(len(reader.entries[0].gops)))
    assert packets <= film.stat().st_size
    assert out.stat().st_size < 1.02 * film.stat().st_size + 6000  # that the film tells what it is, twice, is all
    assert verify_file(out).problems == ()
    assert run("decode", out, tmp_path / f"again{film.suffix}", "--to", "film") == 0
    assert (tmp_path / f"again{film.suffix}").read_bytes() == film.read_bytes()


@two_kinds
def test_another_container_takes_the_packets_as_they_are(film, tmp_path, capsys):
    run("encode", film, tmp_path / "x.hst")
    other = tmp_path / ("copy.mkv" if film.suffix == ".mp4" else "copy.mp4")
    assert run("decode", tmp_path / "x.hst", other, "--to", "film") == 0
    assert "nothing was coded anew" in capsys.readouterr().out
    for a, b in zip(frames_of(film), frames_of(other), strict=True):
        np.testing.assert_array_equal(a, b)
    facts = FilmReader(other).facts
    assert [stream.kind for stream in facts.streams] == [s.kind for s in FilmReader(film).facts.streams]
    assert facts.metadata.get("title", facts.metadata.get("TITLE")) == "a film"


@one_kind
def test_frames_of_a_film_become_a_new_one_with_its_sound(film, tmp_path, capsys):
    run("encode", film, tmp_path / "x.hst")
    assert run("decode", tmp_path / "x.hst", tmp_path / "part.mp4", "--to", "mp4", "--frames", "10:40") == 0
    assert "coded anew, lossy" in capsys.readouterr().out
    facts = FilmReader(tmp_path / "part.mp4").facts
    assert len(facts.times) == 30 and facts.constant_rate == Fraction(30000, 1001)
    assert [stream.kind for stream in facts.streams] == ["audio"]
    assert facts.matrix != "unspecified" and facts.full_range is False


def test_varying_times_are_kept_by_both_profiles(films, tmp_path):
    film = make(films / "deep.mkv", varying=True).rename(films / "varying.mkv")
    wanted = FilmReader(film).facts
    assert wanted.constant_rate is None
    run("encode", film, tmp_path / "x.hst")
    assert (
        run("encode", film, tmp_path / "y.hst", "--profile", "lossless", "--allow-loss", "depth,colours,streams") == 0
    )
    for name in ("x.hst", "y.hst"):
        with HstReader(tmp_path / name) as reader:
            assert reader.film(0).times == wanted.times
        assert run("decode", tmp_path / name, tmp_path / f"{name}.mkv", "--to", "film") == 0
        assert FilmReader(tmp_path / f"{name}.mkv").facts.times == wanted.times


@pytest.mark.parametrize(
    ("film", "kinds"),
    [("closed.mp4", "colours,streams"), ("deep.mkv", "depth,colours,streams"), ("clear.mov", "alpha")],
    indirect=["film"],
)
def test_lossless_refuses_what_it_would_lose_and_names_it(film, kinds, tmp_path, capsys):
    out = tmp_path / "x.hst"
    assert run("encode", film, out, "--profile", "lossless") == 2
    error = capsys.readouterr().err
    assert "--profile video keeps all of it" in error and not out.exists()
    assert all(kind in error for kind in kinds.split(","))
    if kinds == "alpha":
        return  # this film is opaque, which its format does not tell
    assert run("encode", film, out, "--profile", "lossless", "--allow-loss", kinds) == 0
    said = capsys.readouterr().out
    assert "not kept" in said and "problems  0" not in said
    with HstReader(out) as reader:
        assert {f"lost_{kind}" for kind in kinds.split(",")} <= dict(reader.episodes()[0].notes).keys()
        for k, wanted in enumerate(frames_of(film)):
            np.testing.assert_array_equal(reader[k].rgb, wanted)


def test_a_film_of_rgb_pictures_alone_is_lossless_without_asking(films, tmp_path, capsys):
    film = films / "own.avi"
    film = film if film.exists() else make(film)
    assert run("encode", film, tmp_path / "x.hst", "--profile", "lossless") == 0
    assert "problems  0" in capsys.readouterr().out


@two_kinds
def test_damage_costs_the_frames_it_hits(film, tmp_path, capsys):
    """Of an open group the frames before its key frame go with the group before it; the rest of the file stays."""
    out = tmp_path / "x.hst"
    run("encode", film, out, "--gop", 10)
    with HstReader(out) as reader:
        offset, header = reader.entries[0].gops[2]
        after = reader.groups.film(0).group(3).table
        total, groups = len(reader), len(reader.entries[0].gops)
    lead = int(after.places[0]) if after.before else 0
    data = bytearray(out.read_bytes())
    data[offset + 40 + header.length // 2] ^= 1
    out.write_bytes(data)
    assert verify_file(out).problems
    saved = recover(out, tmp_path / "saved.hst")
    assert (saved.groups, saved.frames) == (groups - 1, total - header.frames)
    wanted = frames_of(film)
    kept = [k for k in range(total) if not header.first <= k < header.first + header.frames + lead]
    with HstReader(tmp_path / "saved.hst") as reader:
        numbers = {reader.entries[0].gops[0][1].first: 0}
        rows = {
            n: r for r, n in enumerate(k for k in range(total) if not header.first <= k < header.first + header.frames)
        }
        assert numbers == {0: 0}
        for k in kept:
            np.testing.assert_array_equal(reader[rows[k]].rgb, wanted[k])
            assert reader[rows[k]].number == k
    assert run("decode", tmp_path / "saved.hst", tmp_path / "png", "--to", "png", "--frames", "0:10") == 0
    assert (tmp_path / "png" / "f000009.png").exists()


@one_kind
@pytest.mark.parametrize("kind", [FILM, REST, GOP])
def test_the_file_is_never_given_back_with_a_part_missing(film, kind, tmp_path, capsys):
    out = tmp_path / "x.hst"
    run("encode", film, out, "--gop", 10)
    with HstReader(out) as reader:
        places = [place for place in reader.contents.table if place[1].kind == kind]
    data = bytearray(out.read_bytes())
    for offset, _ in places[-1:] if kind != FILM else places:
        data[offset + 30] ^= 1
    out.write_bytes(data)
    capsys.readouterr()
    code = run("decode", out, tmp_path / "again.mp4", "--to", "film")
    said = capsys.readouterr()
    if code == 0:
        assert "coded anew" in said.out and "not kept" in said.out
    else:
        assert code == 2 and not (tmp_path / "again.mp4").exists()
    assert run("verify", out) == 2


@two_kinds
def test_an_interrupted_run_is_gone_on_with(film, tmp_path):
    whole = tmp_path / "whole.hst"
    run("encode", film, whole, "--gop", 10)
    data = whole.read_bytes()
    for cut in range(16, len(data), len(data) // 7):
        (tmp_path / "x.hst.part").write_bytes(data[:cut])
        assert run("encode", film, tmp_path / "x.hst", "--gop", 10) == 0
        assert (tmp_path / "x.hst").read_bytes() == data
        (tmp_path / "x.hst").unlink()


@one_kind
def test_memory_and_buttons_beside_a_film_go_along(film, tmp_path):
    rng = np.random.default_rng(4)
    state, actions = rng.integers(0, 256, (FRAMES, 5), np.uint8), rng.integers(0, 256, FRAMES, np.uint8)
    np.savez(tmp_path / "side.npz", state=state, actions=actions)
    assert run("encode", film, tmp_path / "x.hst", "--side", tmp_path / "side.npz", "--gop", 10) == 0
    with HstReader(tmp_path / "x.hst") as reader:
        part = reader.read(0, [50, 3, 4])
        np.testing.assert_array_equal(part.state, state[[50, 3, 4]])
        np.testing.assert_array_equal(part.actions, actions[[50, 3, 4]])


@one_kind
def test_from_one_file_into_another(film, tmp_path):
    run("encode", film, tmp_path / "x.hst")
    assert run("encode", tmp_path / "x.hst", tmp_path / "y.hst") == 0
    assert run("decode", tmp_path / "y.hst", tmp_path / "z.mp4", "--to", "film") == 0
    assert (tmp_path / "z.mp4").read_bytes() == film.read_bytes()


def test_a_film_that_is_cut_off_keeps_what_there_is(films, tmp_path, capsys):
    film = films / "open.mkv"
    data = (film if film.exists() else make(film)).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) * 2 // 3])
    assert run("encode", cut, tmp_path / "x.hst") == 0
    assert run("decode", tmp_path / "x.hst", tmp_path / "again.mkv", "--to", "film") == 0
    assert (tmp_path / "again.mkv").read_bytes() == cut.read_bytes()


@pytest.mark.parametrize("options", [["--resize", "32"], ["--stride", "2"]])
@one_kind
def test_profile_video_is_for_films_as_they_are(film, options, tmp_path, capsys):
    assert run("encode", film, tmp_path / "x.hst", "--profile", "video", *options) == 2
    assert "keeps films as they are" in capsys.readouterr().err


@one_kind
def test_a_film_goes_through_pipes(film, tmp_path, capfdbinary):
    run("encode", film, tmp_path / "x.hst")
    capfdbinary.readouterr()
    assert run("decode", tmp_path / "x.hst", "-", "--to", "film") == 0
    assert capfdbinary.readouterr().out == film.read_bytes()
    assert run("decode", tmp_path / "x.hst", "-", "--to", "film", "--frames", "1:3") == 2
    assert run("decode", tmp_path / "x.hst", "-", "--to", "png") == 2


@one_kind
def test_a_film_from_stdin_is_the_very_film(film, tmp_path, monkeypatch):
    import io
    import sys

    class Pipe:
        buffer = io.BytesIO(film.read_bytes())

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdin", Pipe())
    assert run("encode", "-", tmp_path / "x.hst") == 0
    assert run("decode", tmp_path / "x.hst", tmp_path / "y.mp4", "--to", "film") == 0
    assert (tmp_path / "y.mp4").read_bytes() == film.read_bytes()
