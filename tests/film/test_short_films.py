"""Films of fewer frames than an encoder looks ahead, and conversions that several threads could spoil."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from films import random_planes

from hstmae.errors import UsageError
from hstmae.film.codecs import CONTAINERS, FilmOptions, plan
from hstmae.film.facts import FilmFacts
from hstmae.film.layout import frame_of, layout_of, planes_of, reformatted
from hstmae.film.reading import FilmReader, colours_of
from hstmae.film.writing import write_film

ENCODERS = [
    (suffix, name, lossless)
    for suffix, kinds in CONTAINERS.items()
    for lossless, names in enumerate(kinds)
    for name in names
]


@pytest.mark.parametrize(("suffix", "encoder", "lossless"), ENCODERS)
def test_films_of_a_few_frames(suffix: str, encoder: str, lossless: bool, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    layout = layout_of("gbrp" if encoder in ("libx264rgb", "gif", "png", "apng") else "yuv444p")
    try:
        coded = plan(path, layout, (64, 64), FilmOptions(codec=encoder, lossless=bool(lossless)))
    except UsageError:
        pytest.skip(f"{encoder} does not keep such samples in {suffix}")
    for count, ticks in ((1, 1000), (2, 90_000), (3, 12_800), (7, 1000)):
        even, uneven = [1] * count, [3, 1, 1, 2, 1, 5, 1][:count]
        for gaps in [even] if suffix == ".avi" or count == 1 else [even, uneven]:
            step = ticks // 25
            times = tuple(step * sum(gaps[:k]) for k in range(count))
            facts = FilmFacts(
                width=64, height=64, pixel_format=layout.name, bits=8, rate=Fraction(25), time_base=Fraction(1, ticks),
                times=times, end=times[-1] + step,
            )  # fmt: skip
            samples = [random_planes(layout, (64, 64), k) for k in range(count)]
            write_film(path, list(zip(times, samples, strict=True)), facts, colours_of(facts, layout), coded)
            film = FilmReader(path)
            assert len(list(film.frames())) == count and not film.damage
            found = [time * film.facts.time_base for time in film.facts.times]
            assert [time - found[0] for time in found] == [Fraction(time, ticks) for time in times]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt2020nc"])
@pytest.mark.parametrize(
    ("suffix", "encoder"), [(".mp4", "ffv1"), (".mp4", "libx264"), (".mkv", "ffv1"), (".mov", "libx264")]
)
def test_what_colours_mean_is_written(suffix: str, encoder: str, matrix: str, full: bool, tmp_path: Path) -> None:
    path, layout = tmp_path / f"a{suffix}", layout_of("yuv420p")
    facts = FilmFacts(
        width=20, height=18, pixel_format="yuv420p", bits=8, matrix=matrix, full_range=full, rate=Fraction(25),
        time_base=Fraction(1, 1000), times=(0,), end=40,
    )  # fmt: skip
    coded = plan(path, layout, (18, 20), FilmOptions(codec=encoder, lossless=True))
    told = write_film(path, [(0, random_planes(layout, (18, 20), 0))], facts, colours_of(facts, layout), coded)
    assert not told and FilmReader(path).colours == colours_of(facts, layout)


@pytest.mark.parametrize(("form", "there"), [("p010le", "yuv420p10le"), ("nv12", "yuv420p"), ("rgb48le", "gbrp16le")])
def test_no_thread_writes_over_the_rows_of_another(form: str, there: str) -> None:
    layout = layout_of(form)
    assert layout.name == there
    planes = random_planes(layout, (40, 48), 0)
    stored = reformatted(frame_of(planes, layout), form)
    for _ in range(60):
        assert all(map(np.array_equal, planes_of(stored, layout), planes))
