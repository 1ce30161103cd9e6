"""Pictures that were enlarged are found out by what they show, and by nothing less."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.live.colours import Colours
from hstmae.live.enlarged import Enlarged


def noise(seed: int, height: int, width: int, depth: tuple[int, ...] = ()) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, (height, width, *depth), np.uint8)


def large(picture: np.ndarray, times: int) -> np.ndarray:
    return picture.repeat(times, 0).repeat(times, 1)


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(40, 60), st.integers(40, 60), st.sampled_from([(), (3,)]), st.integers(0, 99))
def test_own_size_and_back(times: int, height: int, width: int, depth: tuple[int, ...], seed: int) -> None:
    small, found = noise(seed, height, width, depth), Enlarged()
    blank = np.zeros((height * times, width * times, *depth), np.uint8)
    assert found.own(blank) is blank  # of which nothing can be said
    assert np.array_equal(found.own(large(small, times)), small) and found.times == times
    assert np.array_equal(found.own(blank), blank[::times, ::times])  # now it can
    other = large(small, times).copy()
    other[1, 1] += 1
    assert np.array_equal(found.own(other), other if times > 1 else small + (other - large(small, times)))
    assert found.times == 1 and found.own(other) is other


@settings(max_examples=20)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=5), st.integers(0, 99))
def test_colours_become_a_palette_that_grows_until_there_are_too_many(counts: list[int], seed: int) -> None:
    rng, colours, seen = np.random.default_rng(seed), Colours(), set()
    for count in counts:
        table = rng.integers(0, 256, (max(count, 1), 3), np.uint8)
        picture = table[rng.integers(0, len(table), (9, 40))]
        seen |= {tuple(c) for c in picture.reshape(-1, 3).tolist()}
        drawn, palette = colours.of(picture)
        assert (palette is None) == (len(seen) > 256)
        shown = drawn if palette is None else palette[drawn]
        assert np.array_equal(shown, picture) and (palette is None or len(palette) == len(seen))
