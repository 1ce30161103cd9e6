"""The compiled weighing of offers and its NumPy twin give the same answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.motion.features import COUNT, KINDS, MEANING, SIDE, N
from hstmae.motion.loops import EVIDENCE
from hstmae.motion.plain import Plain
from hstmae.motion.scene import Points
from hstmae.motion.weigher import CompiledWeigher, weigher
from hstmae.motion.weighing import COLUMNS, OWN, Offered

compiled = pytest.mark.skipif(not isinstance(weigher(), CompiledWeigher), reason="needs the compiled weighing")
SEEDS = st.integers(0, 2**32 - 1)


def offered(rng: np.random.Generator, n: int, layers: int) -> Offered:
    """Random offers of few colours, so that some agree; the last layer has one for each pixel."""
    evidence = rng.integers(0, 26, (layers, n, EVIDENCE)).astype(np.uint8)
    evidence[..., 3:] *= 6
    evidence[..., 0] = rng.choice([0, 1, 3, 5], (layers, n))
    evidence[-1, :, 0] = 1
    floats, tiles, height = rng.random, 5, 9
    columns = np.array([[N["side away"], N["opposite"], -1], [N["distance"], N["early"], N["passed"]]])
    base = floats((layers, COUNT)).astype(np.float32)
    base[:, N["early"]] = rng.integers(0, 2, layers)
    early = rng.integers(0, 2, (2, n, OWN))
    return Offered(
        rng.integers(0, len(KINDS), layers).astype(np.uint8),
        rng.choice(np.array([0, 7, 0x10203, 0xFFFFFF], np.uint32), (layers, n)), evidence, base,
        floats((layers, tiles)).astype(np.float32), rng.integers(0, tiles, n).astype(np.int32),
        floats((2, height, 2)).astype(np.float32), rng.integers(-1, 2, layers).astype(np.int32),
        rng.integers(0, height, n).astype(np.int32), early.astype(np.float32),
        rng.integers(-1, 2, layers).astype(np.int32), columns[rng.integers(0, 2, layers)].astype(np.int32),
        floats((2, tiles, 2)).astype(np.float32), rng.integers(-1, 2, layers).astype(np.int32),
        rng.integers(0, tiles, n).astype(np.int32), floats((4, n)).astype(np.float32),
        rng.integers(0, 4, layers).astype(np.int32),
        (255 * floats((1, n, 3))).astype(np.float32), rng.integers(-1, 1, layers).astype(np.int32),
        rng.choice(np.array([0, 7], np.uint32), n), floats((n, 3)).astype(np.float32),
    )  # fmt: skip


@compiled
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(1, 12), st.booleans(), SEEDS)
def test_rows_and_what_is_drawn_of_them_agree(n: int, layers: int, exact: bool, seed: int) -> None:
    rng, fast, slow = np.random.default_rng(seed), weigher(), Plain()
    some = offered(rng, n, layers)
    for least in (1, 3):
        votes = [w.settled(some.kind, some.colour, some.evidence, least) for w in (fast, slow)]
        for one, other in zip(*votes, strict=True):
            np.testing.assert_array_equal(one, other)
    open_ = np.flatnonzero(rng.random(n) < 0.7)
    a, b = (w.rows(some, open_, MEANING) for w in (fast, slow))
    for name in ("start", "key", "kind", "rgb"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    np.testing.assert_allclose(a.numbers, b.numbers, rtol=2e-5, atol=2e-6)
    shares = fast.softmax(rng.normal(0, 3, len(a.key)).astype(np.float32), a.start)
    drawn = [w.drawn(a, shares, exact, 0.85, SIDE, 0.5) for w in (fast, slow)]
    assert (np.abs(drawn[0][0].astype(int) - drawn[1][0]) <= 1).all()
    np.testing.assert_allclose(drawn[0][1], drawn[1][1], rtol=1e-4)
    for k in (2, 4):
        np.testing.assert_array_equal(drawn[0][k], drawn[1][k])
    together = np.add.reduceat(np.where(a.kind < SIDE, shares, 0), a.start[:-1]) if len(open_) else np.zeros(0)
    clear = np.abs(together - 0.5) > 1e-5
    np.testing.assert_array_equal(drawn[0][3][clear], drawn[1][3][clear])


@compiled
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200), st.lists(st.integers(1, 60), min_size=1, max_size=4), SEEDS)
def test_scores_and_shares_agree(rows: int, widths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = tuple(
        (rng.normal(0, 0.3, (a, b)).astype(np.float32), rng.normal(0, 0.3, b).astype(np.float32))
        for a, b in zip(widths, [*widths[1:], 1], strict=True)
    )
    numbers = rng.normal(size=(rows, widths[0])).astype(np.float32)
    a, b = (w.scores(numbers, layers) for w in (weigher(), Plain()))
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
    start = np.unique(np.append(rng.integers(0, rows + 1, 9), [0, rows])).astype(np.int64)
    a, b = (w.softmax(5 * b, start) for w in (weigher(), Plain()))
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)


@compiled
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]), SEEDS)
def test_smooth_surfaces_agree(height: int, width: int, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    seen = (rng.random((height, width)) < share).astype(np.uint8)
    a, b = (w.smooth(rgb, seen) for w in (weigher(), Plain()))
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(a[seen > 0], rgb[seen > 0], atol=1e-3)


def test_a_library_of_other_sources_is_not_used() -> None:
    class Other:
        def hst_weighing_form(self) -> int:
            return -1

    with pytest.raises(OSError):
        CompiledWeigher(Other())  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        CompiledWeigher(object())  # type: ignore[arg-type]


def test_numbers_that_the_compiled_code_fills_in_are_numbers() -> None:
    assert set(COLUMNS) <= set(N) and len(set(COLUMNS)) == len(COLUMNS)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 500), SEEDS)
def test_parts_of_points_are_all_of_them(height: int, width: int, most: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < 0.4
    points = Points.of(mask)
    parts = list(points.parts(most))
    for name in ("place", "y", "tile"):
        whole = [getattr(part, name) for part in parts] or [np.zeros(0, np.int32)]
        np.testing.assert_array_equal(np.concatenate(whole), getattr(points, name))
    for part in parts:
        np.testing.assert_array_equal(np.repeat(np.arange(len(part.start) - 1), np.diff(part.start)), part.tile)
