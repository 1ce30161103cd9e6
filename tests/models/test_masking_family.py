"""Properties of the masks beyond plain tubes: scored tubes, the decoder's running cell, damage."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hstmae.masks.damage import block_damage
from hstmae.models.cubes import to_cubes
from hstmae.models.masking import (
    damaged_visible,
    hidden_cubes,
    hidden_units,
    score_ranks,
    scored_visible,
    tube_visible,
    visible_count,
)
from hstmae.models.running_cell import kept_count, running_cell, running_cell_queries

grids = st.tuples(st.integers(1, 9), st.integers(1, 9))
keeps = st.sampled_from([0.25, 0.5, 0.75, 1.0])
seeds = st.integers(0, 2**31)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.integers(1, 60), st.floats(0, 1), st.floats(-20, 20), seeds)
def test_scored_tubes_are_exact_ascending_and_repeatable(units: int, ratio: float, sharpness: float, seed: int) -> None:
    scores = torch.rand(3, units, generator=seeded(seed)).mul(4).floor()  # many ties
    visible = scored_visible(scores, ratio, sharpness, seeded(seed))
    assert visible.shape == (3, visible_count(units, ratio)) and visible.dtype == torch.int64
    assert torch.equal(visible, scored_visible(scores, ratio, sharpness, seeded(seed)))
    for row in visible.tolist():
        assert row == sorted(set(row)) and all(0 <= u < units for u in row)


def test_sharpness_decides_what_is_hidden() -> None:
    scores = torch.arange(100.0).expand(200, 100)
    means = {s: scored_visible(scores, 0.9, s, seeded(1)).float().mean().item() for s in (-8, -2, 0, 2, 8)}
    assert means[0] == pytest.approx(49.5, abs=2)
    assert means[8] < 20 < means[2] < 42 < 57 < means[-2] < 80 < means[-8]


def test_the_scale_of_scores_does_not_matter_and_equal_scores_are_drawn_alike() -> None:
    scores = torch.rand(4, 50, generator=seeded(0))
    one, two = (scored_visible(s, 0.8, 3.0, seeded(1)) for s in (scores, (7 * scores).exp()))
    assert torch.equal(one, two)
    assert score_ranks(torch.tensor([[5.0, 1.0, 5.0, 9.0]])).tolist() == [[0.5, 0.0, 0.5, 1.0]]
    flat = torch.bincount(scored_visible(torch.zeros(4000, 20), 0.9, 50.0, seeded(0)).flatten(), minlength=20)
    assert abs(flat.float() / 400 - 1).max() < 0.2


@given(grids, st.integers(1, 9), keeps, seeds)
def test_every_place_is_decoded_equally_often(grid: tuple[int, int], slices: int, keep: float, seed: int) -> None:
    """Within one of its share on any grid and clip, exactly the share where that is a whole number."""
    units = torch.arange(grid[0] * grid[1])[None]
    start = torch.randint(4, (1,), generator=seeded(seed))
    kept = running_cell(units, grid[1], slices, keep, start)[0]
    per_place = kept.sum(1)
    assert (per_place - keep * slices).abs().max() < 1
    if keep * slices == int(keep * slices):
        assert (per_place == keep * slices).all()
    assert kept.sum() == kept_count(len(units[0]), slices, keep)
    per_slice = kept.sum(0)
    assert (per_slice - keep * len(units[0])).abs().max() <= 2  # every slice gets its share, odd grids included


@pytest.mark.parametrize("slices", [2, 6, 8])
@pytest.mark.parametrize("grid", [(14, 14), (20, 20), (16, 16)])
def test_half_on_even_grids_is_exact_in_time_and_space(grid: tuple[int, int], slices: int) -> None:
    units = torch.arange(grid[0] * grid[1])[None]
    for start in range(4):
        kept = running_cell(units, grid[1], slices, 0.5, torch.tensor([start]))[0]
        assert (2 * kept.sum(1) == slices).all() and (2 * kept.sum(0) == len(kept)).all()
        picture = kept.view(*grid, slices)
        assert (picture[:-1] != picture[1:]).all() and (picture[:, :-1] != picture[:, 1:]).all()  # checkerboards
        assert (picture[..., :-1] != picture[..., 1:]).all()  # that take turns


def test_a_quarter_runs_round_the_cell() -> None:
    kept = running_cell(torch.arange(16)[None], 4, 4, 0.25, torch.zeros(1, dtype=torch.long))[0].view(4, 4, 4)
    order = [kept[:2, :2, s].nonzero().tolist() for s in range(4)]
    assert all(len(places) == 1 for places in order)
    steps = [
        abs(a[0][0] - b[0][0]) + abs(a[0][1] - b[0][1]) for a, b in zip(order, [*order[1:], order[0]], strict=True)
    ]
    assert steps == [1, 1, 1, 1]  # neighbours, and back to the start
    for corner in (kept[:2, 2:], kept[2:, :2], kept[2:, 2:]):
        assert torch.equal(corner, kept[:2, :2])


def test_an_unbalanced_queue_would_be_noticed() -> None:
    """The control for the property above: two on, two off keeps a place two to four times in six slices."""
    phase, time = torch.arange(4)[:, None], torch.arange(6)
    assert sorted(((time + phase) % 4 < 2).sum(1).tolist()) == [2, 3, 3, 4]


@given(grids, st.integers(1, 9), keeps, st.floats(0, 1), seeds)
def test_queries_are_kept_and_hidden_with_a_length_known_in_advance(
    grid: tuple[int, int], slices: int, keep: float, ratio: float, seed: int
) -> None:
    units = grid[0] * grid[1]
    visible = tube_visible(3, units, ratio, seeded(seed))
    queries = running_cell_queries(visible, grid, slices, keep, seeded(seed))
    hidden = hidden_cubes(visible, units, slices)
    assert queries.shape == (3, kept_count(units - visible.shape[1], slices, keep))
    assert torch.equal(queries, running_cell_queries(visible, grid, slices, keep, seeded(seed)))
    start = torch.randint(4, (3,), generator=seeded(seed))
    kept = running_cell(hidden_units(visible, units), grid[1], slices, keep, start)
    for b in range(3):
        row = queries[b].tolist()
        assert row == sorted(set(row)) and set(row) <= set(hidden[b].tolist())
        per_unit = torch.bincount(queries[b] // slices, minlength=units)[hidden_units(visible, units)[b]]
        assert torch.equal(per_unit, kept[b].sum(1))
    if keep == 1:
        assert torch.equal(queries, hidden)


def test_the_specified_clip_decodes_half_of_its_hidden_cubes() -> None:
    visible = tube_visible(2, 196, 0.9, seeded(0))
    assert running_cell_queries(visible, (14, 14), 8, 0.5, seeded(0)).shape == (2, 704)
    assert running_cell_queries(tube_visible(2, 240, 0.9, seeded(0)), (15, 16), 8, 0.5, seeded(0)).shape == (2, 864)


def test_other_shares_are_refused() -> None:
    with pytest.raises(ValueError, match=r"not 0\.6"):
        running_cell_queries(tube_visible(1, 16, 0.5), (4, 4), 2, 0.6)


@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.floats(0, 1), st.floats(0, 0.9), seeds)
def test_damage_is_hidden_first_and_to_an_exact_number(
    s: int, rows: int, columns: int, ratio: float, share: float, seed: int
) -> None:
    mask = block_damage((2 * s, 16 * rows, 16 * columns), share, seeded(seed))[None]
    units = rows * columns
    visible = damaged_visible(mask, ratio, seeded(seed))
    assert visible.shape == (1, visible_count(units, ratio))
    touched = to_cubes(mask)[0].flatten(1).sum(1)
    seen = touched[visible[0]]
    unseen = touched[hidden_units(visible, units)[0]]
    if len(seen) and len(unseen):
        assert seen.max() <= unseen.min()
