"""Recordings in every form that settings of FCEUX, other systems and other programs leave them in."""

from __future__ import annotations

from pathlib import Path

import fceux_files as fceux
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.data.clips.dataset import ClipDataset
from hstmae.data.sources.base import Problem, SourceFrame
from hstmae.data.sources.smb.colours import nes_colours
from hstmae.data.sources.smb.dataset import SmbEpisode
from hstmae.data.sources.smb.listing import list_episodes
from hstmae.data.sources.smb.names import frame_name
from hstmae.data.sources.smb.tail import read_metadata
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.data.store.writer import Packing
from hstmae.games import get_game
from hstmae.games.smb.overscan import find_corner

GAME = get_game("smb")
FRAMES = fceux.sample(16)
FAST = Packing(level=1)


def recorded(episode: SmbEpisode) -> tuple[list[SourceFrame], list[Problem]]:
    problems: list[Problem] = []
    return list(episode.recorded(problems.append, {})), problems


def written(folder: Path, make, rows: slice = slice(None), columns: slice = slice(None), tail: bool = True) -> Path:
    """The sample's frames as `make` writes a picture, in a folder of the recorder's name."""
    files = ((name, make(pixels[rows, columns]) + (after if tail else b"")) for name, pixels, after in FRAMES)
    return fceux.write(folder / fceux.SAMPLE.name / "recorded_heldout3000_e0_1-1_fail", files)


@pytest.mark.parametrize("lines", [slice(None), fceux.LINES], ids=["240", "224"])
@pytest.mark.parametrize("table", fceux.TABLES)
@pytest.mark.parametrize("form", fceux.FORMS)
def test_every_kind_of_picture_has_the_same_colours(tmp_path: Path, form: str, table: str, lines: slice) -> None:
    colours = fceux.TABLES[table]
    (episode,) = list_episodes(written(tmp_path, lambda pixels: fceux.FORMS[form](pixels, colours), lines))
    frames, problems = recorded(episode)
    assert problems == [] and len(frames) == len(FRAMES)
    for frame, (name, pixels, tail) in zip(frames, FRAMES, strict=True):
        np.testing.assert_array_equal(frame.pixels, pixels[lines])
        assert frame.palette is not None and frame.state is not None
        used = np.unique(pixels)
        np.testing.assert_array_equal(frame.palette[used], colours[used])
        assert frame.corner == ((0, 0) if lines.start is None else (8, 0))
        assert frame.state.tobytes() == read_metadata(tail).ram
        assert frame.number == int(frame_name(name)["frame"])  # type: ignore[index]


@pytest.mark.parametrize("bits", [5, 6])
def test_colours_that_lost_their_last_bits_are_known(tmp_path: Path, bits: int) -> None:
    shift = 8 - bits
    for table in fceux.TABLES.values():
        coarse = table >> shift << shift
        for _, pixels, _ in FRAMES[::8]:
            found, _ = nes_colours(_decoded(fceux.rgb(pixels, coarse)))
            np.testing.assert_array_equal(found, pixels)


def _decoded(data: bytes):
    from hstmae.data.sources.png import read_png

    return read_png(data, (240, 256))


def test_pictures_in_no_known_colours_are_refused(tmp_path: Path) -> None:
    odd = np.random.default_rng(0).integers(0, 256, (64, 3), np.uint8)
    for form in ("rgb", "few colours", "base 0"):
        (episode,) = list_episodes(written(tmp_path / form, lambda pixels: fceux.FORMS[form](pixels, odd)))  # noqa: B023
        frames, problems = recorded(episode)
        if form == "base 0":  # by the numbers of its entries
            assert len(frames) == len(FRAMES)
        else:
            assert frames == [] and all(problem.left_out for problem in problems)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 16), st.integers(0, 40), st.integers(0, 140), st.integers(0, 20))
def test_what_a_smaller_picture_shows_is_found_by_its_status_bar(top: int, below: int, left: int, right: int) -> None:
    _, pixels, _ = FRAMES[0]
    part = pixels[top : 240 - below, left : 256 - right]
    assert find_corner(part, (240, 256)) == (top, left)


def test_cut_pictures_without_a_status_bar() -> None:
    _, pixels, _ = FRAMES[0]
    assert find_corner(pixels[24:], (240, 256)) is None
    blank = np.zeros((240, 256), np.uint8)
    assert find_corner(blank, (240, 256)) == (0, 0)
    assert find_corner(blank[fceux.LINES], (240, 256)) == (8, 0)
    assert find_corner(blank[:232], (240, 256)) is None
    assert find_corner(np.zeros((480, 512), np.uint8), (240, 256)) is None


@pytest.mark.parametrize(
    ("rows", "columns"), [(slice(0, 232), slice(None)), (slice(8, 240), slice(None)), (slice(None), slice(8, 248))]
)
def test_other_settings_of_the_lines_and_columns(tmp_path: Path, rows: slice, columns: slice) -> None:
    make = lambda pixels: fceux.indexed(pixels, fceux.FCEUX)  # noqa: E731
    (episode,) = list_episodes(written(tmp_path, make, rows, columns))
    frames, problems = recorded(episode)
    assert problems == [] and {frame.corner for frame in frames} == {(rows.start or 0, columns.start or 0)}


def test_a_cut_that_nothing_tells_of_is_refused_by_name(tmp_path: Path) -> None:
    make = lambda pixels: fceux.indexed(pixels, fceux.FCEUX)  # noqa: E731
    (episode,) = list_episodes(written(tmp_path, make, slice(30, 230)))
    frames, problems = recorded(episode)
    assert frames == [] and "256x200 pixels: neither 256x240 nor FCEUX's 256x224" in problems[0].reason


def _stored(tmp_path: Path, lines: slice) -> EpisodeStore:
    source = written(tmp_path / "in", lambda pixels: fceux.indexed(pixels, fceux.FCEUX), lines)
    preprocess(source, tmp_path / "out", workers=1, packing=FAST)
    return EpisodeStore(tmp_path / "out")


def test_what_was_cut_off_is_no_part_of_a_clip(tmp_path: Path) -> None:
    whole, cut = _stored(tmp_path / "a", slice(None)), _stored(tmp_path / "b", fceux.LINES)
    assert (cut.info(0).size, cut.info(0).corner, whole.info(0).corner) == ((224, 256), (8, 0), (0, 0))
    assert cut.verify() == [] and cut.info(0).content_hash != whole.info(0).content_hash
    kind = {"clip": 4, "stride": 2, "crop": (208, 224), "flip": 0.5}
    small, large = ClipDataset(cut, **kind), ClipDataset(whole, **kind)
    for start, x in ((0, 0), (5, 32), (9, 7)):
        one, other = small.clip(0, start, (3, x)), large.clip(0, start, (11, x))
        np.testing.assert_array_equal(one.frames, other.frames)
        assert (one.origin, one.size) == (other.origin, other.size) == ((11, x), (240, 256))
    for index in range(20):
        one = small.random(index)
        draw = small.draw(index)
        other = large._one(
            type(draw)(0, draw.start, (draw.origin[0] + 8, draw.origin[1]), draw.with_context, draw.flip)
        )
        np.testing.assert_array_equal(one.frames, other.frames)
        assert one.origin == other.origin and one.state is not None and other.state is not None
        for mine, its in zip(one.state.arrays(), other.state.arrays(), strict=True):
            np.testing.assert_array_equal(mine, its)
    assert small.batch(0, 3).size.tolist() == [[240, 256]] * 3  # type: ignore[union-attr]


def test_an_atlas_learns_nothing_of_what_was_cut_off(tmp_path: Path) -> None:
    from hstmae.atlas.learning.learn import build_atlas

    whole, cut = (build_atlas(_stored(tmp_path / n, lines), GAME, (), stride=2)
                  for n, lines in (("a", slice(None)), ("b", fceux.LINES)))  # fmt: skip
    for area, world in whole.maps.items():
        other = cut.maps[area]
        assert not other.kinds[:8].any() and not other.kinds[232:].any()
        np.testing.assert_array_equal(other.colours[8:232], world.colours[8:232])


# Where the files lie
