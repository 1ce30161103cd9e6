"""Windowed attention of the decoder against plain attention with a mask that says the same in full."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from hstmae.models.attention import sdpa
from hstmae.models.cross_windows import cross_attend, cross_plan

GRIDS = [(20, 20), (45, 17), (16, 33)]


def cubes_of(grid: tuple[int, int], slices: int, visible: int, wanted: int, batch: int = 2) -> tuple[Tensor, int]:
    """Units yx [B, L, 2] of all cubes of `visible` units and of `wanted` other cubes, another draw for each sample."""
    units = grid[0] * grid[1]
    rows = []
    for _ in range(batch):
        order = torch.randperm(units)
        seen = order[:visible].sort().values.repeat_interleave(slices)
        cubes = torch.randperm((units - visible) * slices)[:wanted]
        rows.append(torch.cat([seen, order[visible:][cubes // slices]]))
    unit = torch.stack(rows)
    return torch.stack([unit // grid[1], unit % grid[1]], -1), visible * slices


def plain(q: Tensor, k: Tensor, v: Tensor, yx: Tensor, window: int, shift: int, wrong: str = "") -> Tensor:
    """Everything at once: same window, or the sink on either side."""
    shift = shift + 3 if wrong == "other shift" else shift
    place = (yx + shift).div(window, rounding_mode="floor")
    allowed = (place[:, :, None] == place[:, None, : k.shape[1] - 1]).all(-1)
    allowed = torch.nn.functional.pad(allowed, (1, 0, 1, 0), value=wrong != "no sink")
    allowed[:, 0] = True
    if wrong == "no windows":
        allowed[:] = True
    return sdpa(q, k, v, allowed[:, None])


def compare(grid: tuple[int, int], visible: int, wanted: int, shift: int, wrong: str = "") -> float:
    """Largest difference, in double precision, of outputs and of gradients."""
    torch.manual_seed(5)
    yx, keys = cubes_of(grid, 2, visible, wanted)
    q, k, v = (torch.randn(2, 1 + n, 2, 6, dtype=torch.float64, requires_grad=True) for n in (yx.shape[1], keys, keys))
    mine = cross_attend(q, k, v, cross_plan(yx, keys, grid, 2, 16, shift))
    truth = plain(q, k, v, yx, 16, shift, wrong)
    weight = torch.randn_like(truth)
    gaps = [(mine - truth).detach().abs().max()]
    for a, b in zip(*(torch.autograd.grad((o * weight).sum(), (q, k, v)) for o in (mine, truth)), strict=True):
        gaps.append((a - b).abs().max())
    return float(torch.stack(gaps).max())


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("shift", [0, 8])
@pytest.mark.parametrize(("visible", "wanted"), [(0, 40), (1, 7), (30, 500), (272, 60)])
def test_equals_plain_masked_attention(grid: tuple[int, int], shift: int, visible: int, wanted: int) -> None:
    assert compare(grid, visible, wanted, shift) < 1e-10


@pytest.mark.parametrize("wrong", ["other shift", "no windows", "no sink"])
def test_the_comparison_notices_mistakes(wrong: str) -> None:
    assert compare((20, 20), 30, 500, 8, wrong) > 1e-2


def test_places_are_counted_from_the_corner_of_the_window() -> None:
    yx = torch.tensor([[[0, 0], [7, 8], [8, 7], [19, 19]]])
    inside = cross_plan(yx, 2, (20, 20), 1, 16, 8).inside
    assert inside.tolist() == [[[8, 8], [15, 0], [0, 15], [11, 11]]]
    assert cross_plan(yx, 2, (20, 20), 1, 16, 0).inside.tolist() == [[[0, 0], [7, 8], [8, 7], [3, 3]]]


def test_room_without_data_is_near_that_of_random_masks() -> None:
    grid, slices = (45, 80), 2
    yx, keys = cubes_of(grid, slices, 360, 3240 * slices)
    real = cross_plan(yx, keys, grid, slices, 16, 8)
    blind = cross_plan(yx.to("meta"), keys, grid, slices, 16, 8)
    assert real.filled.shape[2] <= blind.filled.shape[2] <= 1.5 * real.filled.shape[2]
    assert blind.filled.shape[2] < 0.25 * 256 * slices  # far from the largest number possible
    assert real.rows.shape == blind.rows.shape  # every cube of a whole window is there
