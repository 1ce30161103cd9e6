"""Subtitles of text in containers that take another form of it: words and times stay, and it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from films import av, sound_film

from hstmae.film.copying import copy_film
from hstmae.film.reading import FilmReader
from hstmae.film.subtitles import recoded

assert av


def words(path: Path) -> list[tuple[float, bytes]]:
    """Time and text of every subtitle that shows something."""
    reader = FilmReader(path)
    (place,) = (k for k, stream in enumerate(reader.facts.streams) if stream.kind == "subtitle")
    codec = reader.facts.streams[place].codec
    with av.open(str(path)) as container:
        (stream,) = container.streams.subtitles
        found = [(p.pts * p.time_base, bytes(p)) for p in container.demux(stream) if p.size]
    made = [(round(float(time), 2), recoded(data, codec, "subrip")[0]) for time, data in found]
    return [(time, text) for time, text in made if text]


def test_text_goes_from_container_to_container(tmp_path: Path) -> None:
    source = sound_film(tmp_path / "a.mkv", "aac")
    lines = words(source)
    assert [text for _, text in lines] == [b"word 0", b"word 1"]
    told = copy_film(source, tmp_path / "b.mp4")
    assert any("subtitles (subrip, eng): this kind of file holds such text as mov_text" in line for line in told)
    assert words(tmp_path / "b.mp4") == lines
    told = copy_film(tmp_path / "b.mp4", tmp_path / "c.mkv")
    assert any("mov_text" in line and "as subrip" in line for line in told)
    (first, one), (second, other) = words(tmp_path / "c.mkv")
    assert [one, other] == [b"word 0", b"word 1"] and second - first == pytest.approx(0.25, abs=0.002)
    (kept,) = (s for s in FilmReader(tmp_path / "c.mkv").facts.streams if s.kind == "subtitle")
    assert kept.codec == "subrip" and kept.language == "eng"
    assert any("subtitles" in line and "left out" in line for line in copy_film(source, tmp_path / "d.avi"))


@pytest.mark.parametrize(
    ("data", "codec", "form", "made"),
    [
        (b"\0\5Hello", "mov_text", "subrip", (b"Hello", False)),
        (b"\0\5Hello\0\0\0\x0cstyl\0\0\0\0", "mov_text", "subrip", (b"Hello", True)),
        (b"\0\0", "mov_text", "subrip", (b"", False)),
        (b"<i>a</i> < b", "subrip", "mov_text", (b"\0\5a < b", True)),
        ("<b>\u00fc</b>".encode(), "mov_text", "subrip", (b"", False)),
        (b"3,0,Default,,0,0,0,,{\\i1}Oh, no{\\i0}\\Nyes", "ass", "subrip", (b"Oh, no\nyes", True)),
        (b"<v Ann>Hi", "webvtt", "mov_text", (b"\0\2Hi", True)),
        (b"plain", "subrip", "webvtt", (b"plain", False)),
    ],
)
def test_packets(data: bytes, codec: str, form: str, made: tuple[bytes, bool]) -> None:
    if data.startswith(b"<b>"):
        data, made = len(data).to_bytes(2, "big") + data, (data, False)
    assert recoded(data, codec, form) == made
