"""Films as they come: cover art, several streams, any times, damage, changes of size, alpha, odd ways of lying."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from films import av, broken_at, packets_of, sound_film, written
from PIL import Image

from hstmae.data.sources.video import VideoOptions, find_videos
from hstmae.errors import DataError
from hstmae.film.codecs import FilmOptions, plan
from hstmae.film.reading import FilmReader, UnreadableFilm
from hstmae.film.watching import runs
from hstmae.film.writing import write_film


def shade(value: int, size: tuple[int, int] = (32, 48)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def encoded(stream, pictures: list[np.ndarray], stamps: list[int], base: Fraction) -> list:
    packets = []
    for picture, stamp in zip(pictures, stamps, strict=True):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = stamp, base
        packets += stream.encode(frame)
    return packets + stream.encode()


def test_cover_art_before_the_film_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt, cover.disposition = 16, 16, "rgb24", 1 << 10
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        container.mux(encoded(cover, [shade(9, (16, 16))], [0], Fraction(1)))
        container.mux(encoded(stream, [shade(20 * k) for k in range(10)], list(range(10)), Fraction(1, 25)))
    film = FilmReader(path)
    assert (film.facts.width, film.facts.height, len(list(film.frames()))) == (48, 32, 10)
    assert [s.kind for s in film.facts.streams] == ["cover"] and film.facts.constant_rate == 25
    (episode,) = find_videos(path, VideoOptions())
    assert len(list(episode.frames(lambda problem: None, {}))) == 10


def test_of_several_films_the_default_or_longest_is_read_and_the_others_are_copied(tmp_path: Path) -> None:
    path, out = tmp_path / "a.mkv", tmp_path / "b.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("ffv1", rate=25) for _ in range(3)]
        for stream, size in zip(streams, ((16, 16), (48, 32), (16, 16)), strict=True):
            stream.width, stream.height, stream.pix_fmt, stream.disposition = *size, "yuv420p", 0
        streams[1].disposition = 1
        packets = []
        for stream, value in zip(streams, (10, 100, 200), strict=True):
            size = (stream.height, stream.width)
            packets += encoded(stream, [shade(value, size)] * 5, list(range(5)), Fraction(1, 25))
        container.mux(sorted(packets, key=lambda packet: packet.pts))
    film = FilmReader(path)
    assert film.facts.width == 48 and any("other video streams" in line and "0, 2" in line for line in film.remarks)
    frames = [(frame.time, frame.planes) for frame in film.frames()]
    coded = plan(out, film.layout, (32, 48), FilmOptions(lossless=True))
    assert write_film(out, frames, film.facts, film.colours, coded, path) == []
    assert packets_of(out) == packets_of(path)


@pytest.mark.parametrize("delay", [70, 40, 100, 30])
def test_gifs_of_any_rate(delay: int, tmp_path: Path) -> None:
    pictures = [Image.fromarray(shade(25 * k)) for k in range(9)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=delay)
    film = FilmReader(tmp_path / "a.gif")
    frames = list(film.frames())
    assert [film.rgb(frame)[0, 0, 0] for frame in frames] == [25 * k for k in range(9)] and not film.damage
    assert film.facts.constant_rate == Fraction(1000, delay) and film.facts.durations[-1] * 10 == delay


def test_frames_without_time_stamps_and_negative_ones(tmp_path: Path) -> None:
    written(tmp_path / "a.avi", fmt="rgb24", rate=Fraction(24), time_base=Fraction(1, 24), count=6)
    film = FilmReader(tmp_path / "a.avi")
    assert [frame.time * film.facts.time_base * 24 for frame in film.frames()] == list(range(6))
    sound = sound_film(tmp_path / "b.mkv")
    film = FilmReader(sound)
    assert film.facts.times == tuple(40 * k for k in range(15))
    coded = plan(tmp_path / "c.mp4", film.layout, (32, 48), FilmOptions())
    frames = [(frame.time - 80, frame.planes) for frame in film.frames()]
    told = write_film(tmp_path / "c.mp4", frames, film.facts, film.colours, coded)  # two come before zero: cut there
    cut = FilmReader(tmp_path / "c.mp4")
    assert len(cut.facts.times) == len(list(cut.frames())) == 13 and not cut.damage
    assert "15 frames were written, 13 are found" in told


def test_b_frames_are_shown_in_order(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "3", "qp": "0", "b-adapt": "0"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv444p"
        container.mux(encoded(stream, [shade(12 * k) for k in range(20)], list(range(20)), Fraction(1, 25)))
    film = FilmReader(tmp_path / "a.mp4")
    frames = list(film.frames())
    values = [int(film.rgb(frame)[0, 0, 0]) for frame in frames]
    assert np.abs(np.array(values) - 12 * np.arange(20)).max() <= 2
    assert [frame.time for frame in frames] == list(film.facts.times) and film.facts.constant_rate == 25


def test_alpha_of_vp9_is_read_and_the_film_is_still_turned(tmp_path: Path) -> None:
    turned = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    written(tmp_path / "a.webm", fmt="yuva420p", size=(32, 48), display_matrix=turned)
    film = FilmReader(tmp_path / "a.webm")
    assert film.facts.alpha and film.facts.upright_size == (48, 32)
    alpha = [film.alpha(frame) for frame in film.frames()]
    assert alpha[0].shape == (48, 32) and len(np.unique(alpha[0])) > 100


def test_where_the_size_changes_the_film_ends_and_says_so(tmp_path: Path) -> None:
    parts = []
    for name, size in (("a", (32, 48)), ("b", (48, 64))):
        with av.open(str(tmp_path / f"{name}.h264"), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"qp": "10", "bf": "0"})
            stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
            container.mux(encoded(stream, [shade(30 * k, size) for k in range(5)], list(range(5)), Fraction(1, 25)))
        parts.append((tmp_path / f"{name}.h264").read_bytes())
    (tmp_path / "both.h264").write_bytes(b"".join(parts))
    film = FilmReader(tmp_path / "both.h264")
    assert 1 <= len(list(film.frames())) <= 5
    assert any("64x48" in line and "instead of 48x32" in line for line in film.damage)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_cut_and_flipped_films_keep_what_is_whole(name: str, share: float, tmp_path: Path) -> None:
    path = written(tmp_path / name, fmt="yuv420p", size=(32, 48), count=40)
    before = [frame.planes for frame in FilmReader(path).frames()]
    data = bytearray(path.read_bytes())
    for cut in (True, False):
        damaged = data[: int(len(data) * share)] if cut else bytearray(data)
        if not cut:
            at = int(len(data) * share)
            damaged[at : at + 40] = bytes(40)
        path.write_bytes(damaged)
        try:
            film = FilmReader(path)
            frames = list(film.frames())
        except DataError:
            continue
        assert film.damage or not cut or share > 0.9
        if cut:  # flipped bytes are mended by some decoders without a word
            for frame, old in zip(frames, before, strict=False):
                assert frame.damaged or frame.number > len(frames) - 3 or np.array_equal(frame.planes[0], old[0])


@pytest.mark.parametrize(
    ("codec", "fmt", "key", "how", "after"),
    [
        ("ffv1", "yuv444p", 50, "flipped", range(5, 12)),  # FFmpeg conceals it without a word
        ("ffv1", "bgr0", 1, "flipped", ()),
        ("ffv1", "yuv444p", 4, "zeros", range(5, 8)),
        ("libx264", "yuv420p", 4, "zeros", range(5, 8)),
        ("mpeg4", "yuv420p", 4, "zeros", range(5, 8)),
        ("mjpeg", "yuvj420p", 1, "zeros", ()),
    ],
)
def test_lost_frames_are_there_as_such_and_named(
    codec: str, fmt: str, key: int, how: str, after: Sequence[int], tmp_path: Path
) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"g": str(key), "bf": "0", "slicecrc": "1", "level": "3"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, fmt
        texture = np.random.default_rng(0).integers(0, 256, (48, 120, 3), np.uint8)
        for t in range(12):
            shown = np.ascontiguousarray(texture[:, 3 * t : 3 * t + 64])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        container.mux(stream.encode(None))
    whole = FilmReader(path)
    before = list(whole.frames())
    assert not whole.damage and not any(frame.lost or frame.damaged for frame in before)
    film = FilmReader(broken_at(path, 4, how))
    for _ in range(2):  # each pass has the same frames
        frames = list(film.frames())
        assert [frame.time for frame in frames] == [frame.time for frame in before]
        lost = [frame.number for frame in frames if frame.lost]
        assert lost[0] == 4 and set(after) >= set(lost[1:])  # H.264 shows none before it is whole again
        assert set(after) >= {frame.number for frame in frames if frame.damaged} - {4}
        assert "damaged or missing: 4" in " ".join(film.damage)
        for new, old in zip(frames, before, strict=True):
            same = all(np.array_equal(a, b) for a, b in zip(new.planes, old.planes, strict=True))
            assert same or new.damaged


def test_runs_are_listed() -> None:
    assert runs([3, 7, 8, 9]) == "3, 7-9"
    assert runs(list(range(0, 60, 2))).endswith("22 and 18 more")


@pytest.mark.parametrize("form", ["gray10le", "yuv420p10le", "rgb48le", "yuva420p"])
def test_what_eight_bits_do_not_keep_is_remarked(form: str, tmp_path: Path) -> None:
    written(tmp_path / "a.mkv", fmt=form, sample_aspect=None)
    (episode,) = find_videos(tmp_path / "a.mkv", VideoOptions())
    problems: list = []
    assert len(list(episode.frames(problems.append, {}))) == 9
    said = " ".join(str(problem) for problem in problems)
    assert ("alpha" if form == "yuva420p" else "bits of each channel") in said
    assert not any(problem.left_out for problem in problems)


def test_what_is_no_film(tmp_path: Path) -> None:
    for name, data in (("a.mp4", b""), ("b.mkv", b"no film" * 99), ("c.mov", b"\0" * 400)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UnreadableFilm, match=name):
            FilmReader(tmp_path / name)
    with av.open(str(tmp_path / "sound.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 8000, 0
        container.mux(stream.encode(frame))
    with pytest.raises(UnreadableFilm, match="no pictures"):
        FilmReader(tmp_path / "sound.mkv")
