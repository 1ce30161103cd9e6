"""Films of a palette game brought back to its own pixels: any size, place, codec; and what is not that game refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hstmae.bundled import find
from hstmae.data.sources.base import Problem
from hstmae.data.sources.film import FilmEpisode
from hstmae.data.sources.finding import find_sources
from hstmae.data.sources.snapped import Snapper
from hstmae.data.sources.video import VideoOptions
from hstmae.errors import DataError
from hstmae.games import get_game

SMB = get_game("smb")
NATIVE = SMB.native_size


@pytest.fixture(scope="module")
def session() -> np.ndarray:
    """uint8 [T, 240, 256], frames of the bundled session."""
    from hstmae.data.sources.base import as_episode

    _, (episode, *_) = find_sources(find(Path("assets/sample_session")), SMB, VideoOptions())
    frames = list(episode.frames(lambda problem: None, {}))[::24]
    return as_episode(episode, frames, SMB, {}).frames[:4]


def film_of(
    frames: np.ndarray, size: tuple[int, int], how: Image.Resampling, border: tuple[int, int], colours: np.ndarray
) -> list[np.ndarray]:
    """RGB frames of entries, scaled to (height, width), with black borders above and beside."""
    films = []
    for entries in frames:
        picture = Image.fromarray(colours[entries]).resize((size[1], size[0]), how)
        below = border[0] + 12 * (border[0] > 0)  # not in the middle: there 224 lines might as well be dark 240
        films.append(np.pad(np.asarray(picture), ((border[0], below), (border[1],) * 2, (0, 0))))
    return films


def same_colours(made: np.ndarray, truth: np.ndarray) -> float:
    return float((SMB.palette[made] == SMB.palette[truth]).all(-1).mean())


SHARP, SOFT, CUBIC = Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC


@pytest.mark.parametrize(
    ("size", "how", "border", "lines", "share"),
    [
        ((240, 256), SHARP, (0, 0), 240, 1),
        ((224, 256), SHARP, (20, 40), 224, 1),
        ((480, 512), SHARP, (0, 101), 240, 1),
        ((672, 768), SHARP, (30, 0), 224, 1),
        ((360, 384), SOFT, (0, 0), 240, 0.99),
        ((480, 640), SOFT, (0, 0), 240, 0.99),
        ((448, 597), CUBIC, (0, 21), 224, 0.97),
        ((240, 320), CUBIC, (0, 0), 240, 0.93),  # a native pixel is hardly more than a film's: borders are lost
    ],
)
def test_scaled_pictures_come_back(
    session: np.ndarray,
    size: tuple[int, int],
    how: Image.Resampling,
    border: tuple[int, int],
    lines: int,
    share: float,
) -> None:
    shown = session[:2, 8:232] if lines == 224 else session[:2]
    films = film_of(shown, size, how, border, SMB.palette)
    snapper = Snapper(films * 15, SMB)
    assert (snapper.place.rows, snapper.place.columns) == (lines, 256)
    assert snapper.corner == ((8, 0) if lines == 224 else (0, 0))
    for film, truth in zip(films, shown, strict=True):
        entries, off = snapper.entries(film)
        assert same_colours(entries, truth) >= share
        assert off < 6


def test_another_table_of_colours_is_met(session: np.ndarray) -> None:
    other = np.round(SMB.palette.astype(int) // 4 * 255 / 63).astype(np.uint8)
    films = film_of(session[:3], NATIVE, Image.Resampling.NEAREST, (0, 0), other)
    snapper = Snapper(films * 15, SMB)
    entries, _ = snapper.entries(films[0])
    assert same_colours(entries, session[0]) == 1
    own = snapper.own_colours(films[0], entries, np.ones(NATIVE, bool))
    sky = session[0, 60, 128]
    assert np.abs(own[sky] - other[sky]).max() < 0.5


def test_what_is_hidden_does_not_tell_colours_and_masks_reach_their_neighbours(session: np.ndarray) -> None:
    films = film_of(session[:3], (480, 512), Image.Resampling.BILINEAR, (0, 10), SMB.palette)
    snapper = Snapper(films * 15, SMB)
    mask = np.zeros(films[0].shape[:2], bool)
    mask[100:140, 110:150] = True
    hidden = snapper.native_mask(mask)
    assert np.array_equal(np.argwhere(hidden)[[0, -1]], [[49, 49], [70, 70]])  # one more on each side: borders blend
    painted = films[0].copy()
    painted[mask] = (255, 0, 255)
    before, after = snapper.entries(films[0])[0], snapper.entries(painted, hidden)[0]
    assert (before == after)[~hidden].mean() > 0.999
    assert not snapper.native_mask(np.zeros_like(mask)).any()


def test_shown_again_it_is_the_film(session: np.ndarray) -> None:
    films = film_of(session[:3], (480, 512), Image.Resampling.NEAREST, (0, 12), SMB.palette)
    snapper = Snapper(films * 15, SMB)
    entries, _ = snapper.entries(films[1])
    assert np.array_equal(snapper.shown(SMB.palette[entries], films[1]), films[1])


@pytest.mark.parametrize("kind", ["noise", "gradient", "other game", "too small"])
def test_another_film_is_refused(session: np.ndarray, kind: str) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:240, :256]
    if kind == "noise":
        films = [rng.integers(0, 256, (240, 256, 3), np.uint8) for _ in range(3)]
    elif kind == "gradient":
        films = [np.stack([x, y, (x + y) // 2 + k], -1).astype(np.uint8) for k in range(3)]
    elif kind == "other game":  # its pixels are larger than half of this game's, and of other colours
        films = [rng.integers(0, 256, (105, 80, 3), np.uint8).repeat(3, 0).repeat(4, 1) for _ in range(3)]
    else:
        films = film_of(session[:3], (120, 128), Image.Resampling.BILINEAR, (0, 0), SMB.palette)
    with pytest.raises(DataError, match="256x240 or 256x224"):
        Snapper(films * 15, SMB)


@pytest.mark.parametrize(("size", "crf", "share"), [((240, 256), 18, 0.95), ((480, 640), 23, 0.97)])
def test_compressed_films_become_episodes_of_the_game(
    session: np.ndarray, tmp_path: Path, size: tuple[int, int], crf: int, share: float
) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=60, options={"crf": str(crf)})
        stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
        for frame in film_of(session, size, Image.Resampling.BILINEAR, (0, 0), SMB.palette):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    _, (episode,) = find_sources(path, SMB, VideoOptions())
    assert isinstance(episode, FilmEpisode)
    problems: list[Problem] = []
    frames = list(episode.frames(problems.append, {}))
    assert len(frames) == len(session) and frames[0].pixels.shape == NATIVE
    assert np.mean([same_colours(f.pixels, t) for f, t in zip(frames, session, strict=True)]) > share
    assert [p for p in problems if "brought back to 256x240" in p.reason and not p.left_out]
