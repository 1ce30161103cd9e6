"""Any film that is written is there again when it is read: every sample, and every fact, or it was told."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from films import packets_of, random_planes, sound_film, written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hstmae.errors import UsageError
from hstmae.film.codecs import CONTAINERS, FilmOptions, plan
from hstmae.film.facts import Chapter, FilmFacts
from hstmae.film.layout import layout_of
from hstmae.film.orientation import Orientation
from hstmae.film.reading import FilmReader, colours_of
from hstmae.film.writing import write_film

ONE, LAST = 1 << 16, 1 << 30
EIGHT = [Orientation(t, x, y) for t in (False, True) for x in (False, True) for y in (False, True)]
RATES = [Fraction(n, d) for n, d in ((24, 1), (25, 1), (30, 1), (60, 1), (24000, 1001), (30000, 1001), (60000, 1001),
                                     (15, 1), (25, 2), (601, 10))]  # fmt: skip
BASES = [Fraction(1, 90_000), Fraction(1, 1000), Fraction(1, 12_800), Fraction(1001, 30_000)]
COLOURS = [("unspecified",) * 3, ("bt709",) * 3, ("smpte170m", "smpte170m", "smpte170m"),
           ("bt470bg", "bt470bg", "smpte170m"), ("bt2020nc", "bt2020", "smpte2084"),
           ("bt2020nc", "bt2020", "arib-std-b67"), ("smpte240m", "smpte240m", "smpte240m")]  # fmt: skip
FORMATS = {
    ".mp4": ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "rgb24"],
    ".mov": ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "rgba", "rgb48le"],
    ".mkv": ["yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuv410p", "yuva420p", "yuva444p10le", "gray",
             "gray10le", "gray12le", "gray16le", "yuv420p12le", "yuv444p16le", "rgb24", "rgba", "gbrp10le", "gbrap12le",
             "rgb48le", "nv12"],
}  # fmt: skip


@st.composite
def films(draw: st.DrawFn) -> tuple[str, FilmFacts]:
    """(suffix, facts) of a film of a few frames."""
    suffix = draw(st.sampled_from(sorted(FORMATS)))
    form = draw(st.sampled_from(FORMATS[suffix]))
    layout = layout_of(form)
    odd = suffix == ".mkv" or draw(st.booleans())
    odd = odd and layout.across < 2  # which FFV1 cannot keep
    step = (1, 1) if odd and suffix != ".mov" else (1 << layout.down, 1 << layout.across)
    height, width = (draw(st.integers(18 // s, 40 // s)) * s for s in step)
    rate, base = draw(st.sampled_from(RATES)), draw(st.sampled_from(BASES))
    base = base if rate * base <= Fraction(1, 2) else BASES[0]  # a unit of time that tells frames apart
    count = draw(st.integers(2, 6))
    times = [round(k / rate / base) for k in range(count)]
    if draw(st.booleans()):  # a pause, a hurry, a late beginning
        gaps = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
        least = max(1, round(Fraction(3, 1000) / base))  # two frames in one millisecond are a case of their own
        times = [sum(gaps[:k]) * least for k in range(count)]
    matrix, primaries, transfer = draw(st.sampled_from(COLOURS)) if layout.kind == "yuv" else COLOURS[0]
    turned = draw(st.sampled_from(EIGHT))
    chapters = tuple(
        Chapter(Fraction(k), Fraction(k + 1), {"title": f"Part {k}"}) for k in range(draw(st.integers(0, 2)))
    )
    return suffix, FilmFacts(
        width=width, height=height, pixel_format=form, bits=layout.bits, alpha=layout.alpha, matrix=matrix,
        primaries=primaries, transfer=transfer,
        full_range=draw(st.sampled_from([None, False, True])) if layout.kind == "yuv" else None,
        sample_aspect=draw(st.sampled_from([None, Fraction(1), Fraction(4, 3), Fraction(8, 9)])) if suffix != ".mkv"
        else None,
        display_matrix=turned.matrix, rate=rate, time_base=base, times=tuple(times),
        end=times[-1] + max(1, round(1 / rate / base)), chapters=chapters,
        metadata=draw(st.sampled_from([{}, {"title": "A film", "comment": "of two words"}])),
    )  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=films(), seed=st.integers(0, 99))
def test_what_goes_in_comes_out(
    made: tuple[str, FilmFacts], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    suffix, facts = made
    path, layout = tmp_path_factory.mktemp("film") / f"a{suffix}", layout_of(facts.pixel_format)
    size = (facts.height, facts.width)
    samples = [random_planes(layout, size, seed + k) for k in range(len(facts.times))]
    colours = colours_of(facts, layout)
    coded = plan(path, layout, size, FilmOptions(lossless=True))
    told = write_film(path, list(zip(facts.times, samples, strict=True)), facts, colours, coded)
    film = FilmReader(path)
    frames = list(film.frames())
    assert not film.damage and len(frames) == len(samples) and film.layout == layout
    for frame, planes in zip(frames, samples, strict=True):
        for found, stored in zip(frame.planes, planes, strict=True):
            np.testing.assert_array_equal(found, stored)
        shown = facts.orientation.upright(colours.rgb(planes))
        np.testing.assert_array_equal(film.rgb(frame), shown)
    now = film.facts
    assert (now.width, now.height, now.bits, now.alpha) == (facts.width, facts.height, facts.bits, facts.alpha)
    assert now.orientation == facts.orientation and (now.sample_aspect or 1) == (facts.sample_aspect or 1)
    assert [(c.start, c.end, c.metadata) for c in now.chapters] == [
        (c.start, c.end, c.metadata) for c in facts.chapters
    ]
    assert {k.lower(): v for k, v in now.metadata.items()}.items() >= facts.metadata.items()
    if layout.kind == "yuv":
        assert now.colour_matrix == facts.colour_matrix and film.colours.full == colours.full
        for name in ("primaries", "transfer"):
            assert getattr(facts, name) in ("unspecified", getattr(now, name))
    off = [abs(a * now.time_base - b * facts.time_base) for a, b in zip(now.times, facts.times, strict=True)]
    rounded = [line for line in told if line.startswith("the times of frames are rounded")]
    if suffix == ".mkv":
        assert max(off) <= Fraction(1, 2000) and bool(rounded) == bool(max(off))
    else:
        assert max(off) == 0 and now.end * now.time_base == facts.end * facts.time_base
    assert [line for line in told if not line.startswith(("the times of", "the last frame"))] == []
    restored_changes_only_what_is_masked(path, film, seed)


def restored_changes_only_what_is_masked(path: Path, film: FilmReader, seed: int) -> None:
    """The film again with one place painted: visible pixels, samples and all facts are those of the first one."""
    rng, out = np.random.default_rng(seed), path.with_name(f"b{path.suffix}")
    height, width = film.facts.upright_size
    mask = np.zeros((height, width), bool)
    top, left = int(rng.integers(height // 2)), int(rng.integers(width // 2))
    mask[top : top + int(rng.integers(1, height)), left : left + int(rng.integers(1, width))] = True
    mask |= rng.random(mask.shape) < 0.02
    paint = np.broadcast_to(rng.integers(0, 256, 3).astype(np.uint8), (height, width, 3))
    frames = [(frame.time, film.pasted(frame, paint, mask)) for frame in film.frames()]
    facts = film.facts
    coded = plan(out, film.layout, (facts.height, facts.width), FilmOptions(lossless=True))
    told = write_film(out, frames, facts, film.colours, coded, path)
    assert [line for line in told if not line.startswith("the last frame")] == []
    again = FilmReader(out)
    for old, new, (_, planes) in zip(film.frames(), again.frames(), frames, strict=True):
        np.testing.assert_array_equal(again.rgb(new)[~mask], film.rgb(old)[~mask])
        assert all(np.array_equal(a, b) for a, b in zip(new.planes, planes, strict=True))
    same = replace(again.facts, end=facts.end, metadata=facts.metadata, stream_metadata=facts.stream_metadata)
    assert replace(same, rate=facts.rate, chapters=facts.chapters) == facts and again.facts.chapters == facts.chapters


@pytest.mark.parametrize("turned", EIGHT)
def test_all_eight_ways_of_lying(turned: Orientation) -> None:
    picture = np.arange(6).reshape(2, 3)
    assert Orientation.of(turned.matrix) == turned
    np.testing.assert_array_equal(turned.stored(turned.upright(picture)), picture)
    a, b, _, c, d = turned.matrix[:5] if turned.matrix else (ONE, 0, 0, 0, ONE)
    shown = turned.upright(picture)
    places = {}
    for row in range(2):
        for column in range(3):  # by the definition: x' = ax + cy, y' = bx + dy
            places[(b * column + d * row) // ONE, (a * column + c * row) // ONE] = picture[row, column]
    low = min(k[0] for k in places), min(k[1] for k in places)
    for (row, column), value in places.items():
        assert shown[row - low[0], column - low[1]] == value


@pytest.mark.parametrize("suffix", sorted(set(CONTAINERS) - {".m4v"}))
def test_every_kind_of_file_keeps_or_tells(suffix: str, tmp_path: Path) -> None:
    """Sound, subtitles, attached files, cover, chapters, words, aspect, turning: what is not there was told."""
    source, out = sound_film(tmp_path / "a.mkv"), tmp_path / f"b{suffix}"
    reader = FilmReader(source)
    facts = replace(reader.facts, display_matrix=(0, ONE, 0, -ONE, 0, 0, 0, 0, LAST), sample_aspect=Fraction(4, 3))
    size = (facts.height, facts.width)
    coded = plan(out, reader.layout, size, FilmOptions())
    frames = [(frame.time, frame.planes) for frame in reader.frames()]
    told = " | ".join(write_film(out, frames, facts, reader.colours, coded, source))
    now = FilmReader(out).facts
    assert len(now.times) == 15
    assert now.orientation == facts.orientation or "turned" in told
    assert now.sample_aspect == Fraction(4, 3) or "aspect 4/3" in told
    assert len(now.chapters) == 2 or "chapters cannot" in told
    assert now.metadata.get("title") == "My film" or "title" in told
    there = [(s.kind, s.language if s.kind == "audio" else "") for s in now.streams]
    for stream in facts.streams:
        kept = (stream.kind, stream.language if stream.kind == "audio" else "") in there
        assert (
            kept
            or f"{stream}: cannot be held" in told
            or f"{stream}: is not found" in told
            or (stream.kind in ("audio",) and "metadata language" in told)
        )
    copied = {data for track in packets_of(source) for _, data in track}
    copied |= {
        b"\0\0",
        *(len(data).to_bytes(2, "big") + data for data in copied if data.startswith(b"word")),
    }  # mov_text
    assert all(data in copied for track in packets_of(out) for _, data in track)


def test_times_that_no_container_can_tell_apart_are_told(tmp_path: Path) -> None:
    told: list[str] = []
    written(tmp_path / "a.mkv", times=(0, 1, 2, 90), time_base=Fraction(1, 90_000), lost=told)
    film = FilmReader(tmp_path / "a.mkv")
    assert [frame.time for frame in film.frames()] == [0, 1, 2, 3] and not film.damage
    assert any("rounded" in line for line in told)
    with pytest.raises(UsageError, match="varying times"):
        written(tmp_path / "a.avi", times=(0, 10, 400, 410))


def test_facts_go_through_json() -> None:
    import json

    facts = FilmFacts(
        64, 48, "yuv420p10le", 10, matrix="bt709", full_range=True, sample_aspect=Fraction(4, 3),
        display_matrix=EIGHT[5].matrix, rate=Fraction(30000, 1001), time_base=Fraction(1, 90_000),
        times=(-3003, 0, 3003, 6006, 9000), end=12_012, chapters=(Chapter(Fraction(1, 3), Fraction(1), {"a": "x"}),),
    )  # fmt: skip
    assert FilmFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts
    assert facts.durations == (3003, 3003, 3003, 2994, 3012)
