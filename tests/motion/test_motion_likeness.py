"""Places that no frame shows are drawn from other parts of the picture that look alike, wherever these are."""

from __future__ import annotations

import numpy as np
import pytest

from hstmae.motion.likeness import CLOSE, Likeness, centred, distances
from hstmae.motion.scene import Points, Scene
from hstmae.restoration.anything import AnythingRestorer

HEIGHT, WIDTH = 72, 120


def drawn(rng: np.random.Generator, width: int) -> np.ndarray:
    """uint8 [HEIGHT, width, 3]: shapes of few colours."""
    colours = rng.integers(0, 256, (5, 3)).astype(np.uint8)
    cells = rng.integers(0, 5, (HEIGHT // 6, -(-width // 6)))
    return colours[cells.repeat(6, 0).repeat(6, 1)[:, :width]]


def mirrored(rng: np.random.Generator, axis: float) -> np.ndarray:
    """A picture whose column x is its column 2 * axis - x where there is one."""
    picture = drawn(rng, WIDTH)
    other = np.rint(2 * axis - np.arange(WIDTH)).astype(int)
    own = np.flatnonzero((other >= 0) & (other < WIDTH) & (other < np.arange(WIDTH)))
    picture[:, own] = picture[:, other[own]]
    return picture


def repeated(rng: np.random.Generator, period: int, down: int) -> np.ndarray:
    """A picture that is again the same `period` pixels across and `down` pixels below."""
    tile = drawn(rng, period)
    parts = [np.roll(tile, down * k, 0) for k in range(-(-WIDTH // period))]
    return np.ascontiguousarray(np.concatenate(parts, 1)[:, :WIDTH])


def offered(picture: np.ndarray, hidden: np.ndarray, which: str) -> float:
    """How many hidden pixels are rightly shown by one of the ways in which a frame is found to be like itself."""
    seen = np.where(hidden[..., None], np.uint8(0), picture)
    scene = Scene(seen[None].repeat(2, 0), hidden[None].repeat(2, 0))
    own = scene.frames[0]
    likeness = Likeness(scene, 0, own.colours, own.seen > 0, distances(seen, ~hidden, scene.soft))
    points, right = Points.of(hidden), np.zeros(int(hidden.sum()), bool)
    for move in getattr(likeness, which):
        colour, evidence = move.shown(scene, points)
        truth = picture.reshape(-1, 3)[points.place].astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
        right |= (evidence[:, 0] > 0) & (colour == truth)
    return float(right.mean())


@pytest.mark.parametrize("axis", [WIDTH / 2 - 0.5, 47.0, 70.5])
def test_a_mirrored_picture_is_found_around_any_axis(axis: float) -> None:
    hidden = np.zeros((HEIGHT, WIDTH), bool)
    hidden[20:44, 74:92] = True
    assert offered(mirrored(np.random.default_rng(1), axis), hidden, "mirrored") > 0.97


@pytest.mark.parametrize("axis", [WIDTH / 2 - 0.5, 61.0])
def test_a_picture_that_is_mirrored_top_to_bottom_is_found(axis: float) -> None:
    hidden = np.zeros((HEIGHT, WIDTH), bool)
    hidden[20:44, 74:92] = True
    picture = mirrored(np.random.default_rng(6), axis).transpose(1, 0, 2)
    assert offered(np.ascontiguousarray(picture), hidden.T, "mirrored") > 0.97


@pytest.mark.parametrize(("period", "down"), [(WIDTH // 2, 0), (34, 0), (CLOSE + 8, 0), (48, 18)])
def test_a_pattern_is_found_at_any_distance(period: int, down: int) -> None:
    hidden = np.zeros((HEIGHT, WIDTH), bool)
    hidden[24:44, 50:70] = True
    assert offered(repeated(np.random.default_rng(2), period, down), hidden, "repeated") > 0.97


def test_noise_is_like_itself_nowhere() -> None:
    rng = np.random.default_rng(3)
    picture, known = rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8), np.ones((HEIGHT, WIDTH), bool)
    assert distances(picture, known, False) == centred(WIDTH)
    assert distances(picture, ~known, False) == centred(WIDTH)


def test_a_logo_on_a_mirrored_picture_is_drawn_from_its_other_side() -> None:
    rng = np.random.default_rng(4)
    frames = mirrored(rng, WIDTH / 2 - 0.5)[None].repeat(24, 0)
    for t in range(len(frames)):
        frames[t, 60:66, 4 * t : 4 * t + 6] = 255  # something moves, too
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, 10:40, 70:100] = True
    made = AnythingRestorer().restore(np.where(mask[..., None], np.uint8(0), frames), mask)
    assert (made.rgb[mask] == frames[mask]).all(-1).mean() > 0.9
    assert made.shown is not None
    assert made.shown[mask].mean() < 0.05  # no frame shows it


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (9, 9)])
def test_small_pictures_have_no_likeness_to_look_for(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    frames = rng.integers(0, 3, (6, *size, 3)).astype(np.uint8)
    mask = np.zeros(frames.shape[:3], bool)
    mask[:, : max(1, size[0] // 2), : max(1, size[1] // 2)] = True
    mask[0] &= size != (1, 1)
    made = AnythingRestorer().restore(np.where(mask[..., None], np.uint8(0), frames), mask)
    np.testing.assert_array_equal(made.rgb[~mask], frames[~mask])
