"""Learning on the footage itself: what helps with other damage is kept, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from hstmae.motion import refining
from hstmae.motion.combiner import load_combiner, read_combiner, save_combiner
from hstmae.motion.features import COUNT, KINDS, NEAREST, SMOOTH
from hstmae.motion.refining import Example, examples_of, learned
from hstmae.motion.weighing import Rows


def example(damage: int, right: int, pixels: int = 60) -> Example:
    """Two offers for each pixel, the nearest frame's and a smooth one; the one with the number `right` is."""
    rng = np.random.default_rng(damage)
    truth = rng.integers(0, 256, (pixels, 3)).astype(np.uint8)
    kinds = np.tile(np.array([NEAREST, SMOOTH], np.uint8), pixels)
    rgb = np.repeat(truth, 2, 0).astype(np.float32)
    wrong = 2 * np.arange(pixels) + 1 - right
    rgb[wrong] = 255 - rgb[wrong]
    numbers = rng.normal(0, 0.1, (2 * pixels, COUNT)).astype(np.float32)
    numbers[:, : len(KINDS)] = np.eye(len(KINDS))[kinds]
    key = rgb.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    return Example(damage, Rows(np.arange(0, 2 * pixels + 1, 2), rgb, key, kinds, numbers), truth)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refining, "FEWEST", 200)
    monkeypatch.setattr(refining, "STEPS", 100)
    monkeypatch.setattr(refining, "GROUP", 128)


@pytest.mark.parametrize("exact", [False, True])
def test_what_is_right_all_the_time_is_learned(exact: bool, tmp_path) -> None:
    known, told = load_combiner(), []
    found = learned(known, [example(k, 1) for k in range(8)], 60, exact, told.append)
    assert found.gain > 0.5 and not found.reason and found.pixels == 480 and min(told) >= 0
    other = example(99, 1)
    shares = [c.shares(other.rows)[1::2].mean() for c in (known, found.combiner)]
    assert shares[1] > shares[0]
    save_combiner(found.combiner, tmp_path / "a.npz")
    again = read_combiner(tmp_path / "a.npz")
    np.testing.assert_array_equal(again.shares(other.rows), found.combiner.shares(other.rows))


@pytest.mark.parametrize(
    ("examples", "reason"),
    [
        ([example(k, k % 2) for k in range(8)], "did not help"),  # what one half teaches is wrong in the other
        ([example(2 * k, 1) for k in range(8)], "too few"),
        ([], "too few"),
    ],
)
def test_what_does_not_help_elsewhere_is_not_kept(examples: list[Example], reason: str) -> None:
    known = load_combiner()
    found = learned(known, examples, 60)
    assert found.combiner is known and found.gain == 0 and reason in found.reason


def test_hidden_pixels_lie_where_damage_comes_and_goes() -> None:
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (6, 32, 40, 3)).astype(np.uint8)
    still, moving = np.zeros((2, 6, 32, 40), bool)
    still[:, 4:14, 6:20] = True
    assert not list(examples_of(rgb, still, 1))
    for t in range(6):
        moving[t, 2 + 4 * t : 10 + 4 * t, 4:30] = True
    made = list(examples_of(rgb, moving, 1))
    assert made and {e.damage for e in made} == {1} and all(len(e.truth) == len(e.rows.start) - 1 for e in made)
    spoiled = np.where(moving[..., None], 255 - rgb, rgb)
    for one, two in zip(made, examples_of(spoiled, moving, 1), strict=True):
        np.testing.assert_array_equal(one.rows.numbers, two.rows.numbers)
