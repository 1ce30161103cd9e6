from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hstmae.models.cubes import from_cubes, take_cubes, to_cubes, to_tokens, token_offsets
from hstmae.models.masking import (
    hidden_cubes,
    shown_units,
    spread_order,
    tube_visible,
    visible_count,
    visible_from_pixels,
)

sizes = st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4))


@given(sizes)
def test_cubes_round_trip_and_numbering(size: tuple[int, int, int, int]) -> None:
    b, s, rows, columns = size
    frames = torch.randint(0, 64, (b, 2 * s, 16 * rows, 16 * columns))
    cubes = to_cubes(frames)
    assert torch.equal(from_cubes(cubes, frames.shape[2:4]), frames)
    unit, piece = rows * columns - 1, s - 1
    picked = take_cubes(cubes, torch.full((b, 1), unit * s + piece))[:, 0]
    assert torch.equal(picked, frames[:, -2:, -16:, -16:])


def test_colour_axis_is_carried_along() -> None:
    frames = torch.randint(0, 255, (1, 2, 32, 16, 3))
    assert torch.equal(from_cubes(to_cubes(frames), (32, 16)), frames)


def test_tokens_are_4x4_patches_in_morton_order() -> None:
    cube = torch.arange(512).view(2, 16, 16)
    tokens = to_tokens(cube)
    for token, (y, x) in zip(tokens, token_offsets(4).tolist(), strict=True):
        assert torch.equal(token.view(2, 4, 4), cube[:, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4])
    merged = token_offsets(4).view(4, 4, 2) // 2  # four in a row share a parent, in the parents' Morton order
    assert torch.equal(merged, token_offsets(2)[:, None].expand(4, 4, 2))


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 16"):
        to_cubes(torch.zeros(1, 2, 20, 16))
    with pytest.raises(ValueError, match="even number"):
        to_cubes(torch.zeros(1, 3, 16, 16))


def test_counts_of_the_specification() -> None:
    assert [visible_count(196, r) for r in (0.9, 0.95)] == [20, 10]
    assert [visible_count(240, r) for r in (0.9, 0.95)] == [24, 12]


@given(st.integers(1, 60), st.floats(0, 1), st.integers(1, 4), st.integers(0, 2**31))
def test_tubes_are_exact_and_hidden_is_the_rest(units: int, ratio: float, slices: int, seed: int) -> None:
    visible = tube_visible(2, units, ratio, torch.Generator().manual_seed(seed))
    assert visible.shape == (2, visible_count(units, ratio))
    assert torch.equal(visible, tube_visible(2, units, ratio, torch.Generator().manual_seed(seed)))
    for row, hidden in zip(visible.tolist(), hidden_cubes(visible, units, slices).tolist(), strict=True):
        assert row == sorted(set(row))
        seen = {u * slices + s for u in row for s in range(slices)}
        assert hidden == sorted(set(range(units * slices)) - seen)


def test_tubes_cover_every_place_equally() -> None:
    counts = torch.bincount(tube_visible(4000, 20, 0.9, torch.Generator().manual_seed(0)).flatten(), minlength=20)
    assert abs(counts.float() / 400 - 1).max() < 0.2


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1))
def test_shown_are_all_own_units_and_of_others_up_to_a_tenth(
    rows: int, columns: int, seed: int, share: float, part: float
) -> None:
    units, generator = rows * columns, torch.Generator().manual_seed(seed)
    visible = (torch.rand(units, generator=generator) < share).nonzero()[:, 0]
    own = visible[torch.rand(len(visible), generator=generator) < part]
    shown = shown_units(own, visible, (rows, columns)).tolist()
    assert shown == sorted(set(shown)) and set(own.tolist()) <= set(shown) <= set(visible.tolist())
    assert len(shown) == max(len(own), min(len(visible), round(units / 10)))


@pytest.mark.parametrize("size", [(1, 1), (1, 20), (14, 14), (15, 16), (68, 120)])
def test_beginnings_of_the_order_are_spread_over_the_picture(size: tuple[int, int]) -> None:
    order = spread_order(size)
    assert sorted(order.tolist()) == list(range(size[0] * size[1]))
    first = order[: round(len(order) / 10)]
    for half in (first // size[1] < size[0] / 2, first % size[1] < size[1] / 2):
        assert size[0] * size[1] < 20 or min(size) == 1 or abs(half.float().mean() - 0.5) < 0.15


@given(st.integers(0, 2**31), st.floats(0, 0.02))
def test_user_masks_hide_whole_tubes_and_ask_for_touched_cubes(seed: int, share: float) -> None:
    mask = torch.rand(4, 32, 48, generator=torch.Generator().manual_seed(seed)) < share
    visible, queries = visible_from_pixels(mask)
    cubes = to_cubes(mask[None])[0].flatten(2).any(-1)  # [6, 2]
    assert visible.tolist() == [u for u in range(6) if not cubes[u].any()]
    assert queries.tolist() == [u * 2 + s for u in range(6) for s in range(2) if cubes[u, s]]
