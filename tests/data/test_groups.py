"""Rows laid out as a group come out again, whatever part of them is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstmae.data.store.layouts import PLAIN, SPARSE, TRANSPOSED, lay_out, size_limits, take


@st.composite
def groups(draw: st.DrawFn) -> np.ndarray:
    """uint8 [n, V] in which each value changes or stays."""
    count, width = draw(st.integers(1, 9)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = rng.integers(0, 256, (count, width)).astype(np.uint8)
    stays = rng.random(width) < draw(st.sampled_from([0.0, 0.5, 1.0]))
    rows[:, stays] = rows[0, stays]
    return rows


@given(groups(), st.sampled_from([PLAIN, SPARSE]), st.data())
def test_what_goes_in_comes_out(rows: np.ndarray, layout: str, data: st.DataObject) -> None:
    count, width = rows.shape
    block = np.frombuffer(lay_out(rows, layout).tobytes(), np.uint8)
    least, most = size_limits(layout, count, width)
    assert least <= len(block) <= most
    first, step = data.draw(st.integers(0, count - 1)), data.draw(st.integers(1, 4))
    for chosen in (slice(first, None, step), data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=5))):
        got = take(block, layout, count, chosen, width)
        assert got is not None and np.array_equal(got, rows[chosen])


@given(groups())
def test_values_side_by_side_are_read(rows: np.ndarray) -> None:
    got = take(np.frombuffer(rows.T.tobytes(), np.uint8), TRANSPOSED, len(rows), slice(None), rows.shape[1])
    assert got is not None and np.array_equal(got, rows)


@given(groups(), st.integers(-3, 3), st.data())
def test_a_sparse_group_of_the_wrong_size_is_refused(rows: np.ndarray, more: int, data: st.DataObject) -> None:
    count, width = rows.shape
    block = lay_out(rows, SPARSE)
    mask = -(-width // 8)
    if more == 0:  # of the right size, but with another number of changing values
        bit = data.draw(st.integers(0, width - 1))
        block = block.copy()
        block[bit // 8] ^= 128 >> bit % 8
        wrong = count > 1
    else:
        block = np.resize(block, max(len(block) + more, mask))
        wrong = len(block) != len(lay_out(rows, SPARSE))
    assert (take(block, SPARSE, count, slice(None), width) is None) == wrong


def test_what_stays_the_same_is_held_once() -> None:
    rows = np.zeros((64, 2048), np.uint8)
    rows[:, 5] = np.arange(64)
    assert len(lay_out(rows, SPARSE)) == 2048 // 8 + 2047 + 64


@pytest.mark.parametrize("layout", [PLAIN, TRANSPOSED])
def test_sizes_of_layouts_that_hold_everything(layout: str) -> None:
    assert size_limits(layout, 3, 7) == (21, 21)
