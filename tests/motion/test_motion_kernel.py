"""The compiled loops of motion recall and their NumPy twin give the same answers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.motion.frames import TILE, tiles
from hstmae.motion.kernel import Compiled, kernel
from hstmae.motion.loops import NOWHERE
from hstmae.motion.reference import Reference
from hstmae.motion.scene import Points

compiled = pytest.mark.skipif(not isinstance(kernel(), Compiled), reason="needs the compiled kernel")


@compiled
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 80), st.integers(1, 80), st.integers(0, 7), st.integers(0, 7), st.integers(0, 2**32 - 1))
def test_the_twins_agree(height: int, width: int, dy: int, dx: int, seed: int) -> None:
    rng, fast, slow = np.random.default_rng(seed), kernel(), Reference()
    colours = np.array([0, 5, 0x10203, 0xFFFFFF], np.uint32)
    base = rng.choice(colours, (height + 8, width + 8), p=[0.7, 0.1, 0.1, 0.1])
    a, b = (np.ascontiguousarray(base[y : y + height, x : x + width]) for y, x in ((0, 0), (dy, dx)))
    seen_a, seen_b, textured = ((rng.random((height, width)) < share).astype(np.uint8) for share in (0.8, 0.8, 0.5))
    described_a, described_b = fast.descriptors(a, seen_a), fast.descriptors(b, seen_b)
    np.testing.assert_array_equal(described_a, slow.descriptors(a, seen_a))
    for centre, reach in (((0, 0), (9, 9)), ((1, -2), (5, 9))):
        votes = [k.votes(described_a, k.index(described_b), centre, reach) for k in (fast, slow)]
        np.testing.assert_array_equal(*votes)
    known = np.array([[0, 0], [-1, 2]], np.int16)
    shifts = [k.local_shifts(described_a, k.index(described_b), known, TILE, 9, 2, 96) for k in (fast, slow)]
    np.testing.assert_array_equal(*shifts)
    np.testing.assert_array_equal(fast.nearest(seen_a), slow.nearest(seen_a))
    points = Points.of(rng.random((height, width)) < 0.3)
    sa, sb = (rng.integers(-5, 6, (tiles(a.shape), 2)).astype(np.int16) for _ in range(2))
    sa[rng.random(len(sa)) < 0.2] = NOWHERE
    for tolerance in (0, 6):
        given_ = (a, seen_a, sa, b, seen_b, sb, textured, TILE, points.place, points.start, tolerance)
        for one, other in zip(fast.evidence(*given_), slow.evidence(*given_), strict=True):
            np.testing.assert_array_equal(one, other)
        rows = [k.rows(a, seen_a, (2, -3), b, seen_b, (0, 1), textured, tolerance) for k in (fast, slow)]
        np.testing.assert_array_equal(*rows)
        shift = int(rng.integers(-height - 1, height + 2)), int(rng.integers(-width - 1, width + 2))
        radius = rng.integers(0, 70, len(points.place)).astype(np.int16)
        around = (a, seen_a, shift, b, seen_b, textured, tolerance, points.place, radius)
        np.testing.assert_array_equal(*(k.wide(*around) for k in (fast, slow)))


@pytest.mark.parametrize("loops", [kernel(), Reference()], ids=["compiled", "numpy"])
def test_a_shift_gets_the_votes(loops: Reference) -> None:
    base = np.random.default_rng(0).choice(np.array([0, 1, 2, 3], np.uint32), (60, 70))
    a, b = np.ascontiguousarray(base[4:44, 5:55]), np.ascontiguousarray(base[1:41, 8:58])
    seen = np.ones(a.shape, np.uint8)
    votes = loops.votes(loops.descriptors(a, seen), loops.index(loops.descriptors(b, seen)), (0, 0), (6, 6))
    assert divmod(int(votes.argmax()), 13) == (3 + 6, -3 + 6)  # a[y, x] = b[y + 3, x - 3]


def test_what_is_missing_has_no_say() -> None:
    rng = np.random.default_rng(1)
    a = rng.integers(0, 4, (40, 40)).astype(np.uint32)
    seen = (rng.random(a.shape) < 0.5).astype(np.uint8)
    other = np.where(seen, a, a + 7).astype(np.uint32)
    np.testing.assert_array_equal(kernel().descriptors(a, seen), kernel().descriptors(other, seen))
