"""Running-cell masking of the decoder: which of the hidden cubes are decoded, each place equally often.

The idea is that of VideoMAE V2 (https://arxiv.org/abs/2303.16727): a 2x2 cell of units whose kept members move on from
slice to slice, so that decoding half of the cubes still visits every unit. Two differences:

* Each unit follows a balanced sequence (kept where ``(slice + phase) * quarters mod 4 < quarters``), so that in any
  number of slices its count is within one of its share. The queue 1100 of the original keeps a unit two to four times
  in six slices.
* Phases are dealt out by rank among the hidden units: every phase has the same number of units, within one, whatever
  the mask and also on odd grids, so the number of queries follows from sizes alone.

Worked example, keep 0.5: phases 0 1 / 3 2 in a cell, so that slices show one checkerboard and the other in turn. With
keep 0.25 one unit of each cell is decoded, running clockwise; with 0.75 all but one.
"""

import torch
from torch import Tensor

from .masking import hidden_cubes, hidden_units

_CELL = ((0, 1), (3, 2))  # phase of each unit of a cell, clockwise
_PERIOD = 4


def quarters_of(keep: float) -> int:
    """0.25 -> 1 ... 1.0 -> 4. Raises ValueError for any other share."""
    if keep not in (0.25, 0.5, 0.75, 1.0):
        raise ValueError(f"a running cell keeps 0.25, 0.5, 0.75 or 1.0 of the cubes, not {keep}")
    return round(_PERIOD * keep)


def running_cell(units: Tensor, columns: int, slices: int, keep: float, start: Tensor) -> Tensor:
    """Where a running cell over the given units is kept.

    Args:
        units: int64 [B, M], ascending, on a grid of `columns` units a row.
        keep: 0.25, 0.5, 0.75 or 1.
        start: int64 [B], 0 .. 3, phase at which the cell of each clip starts.
    Returns:
        bool [B, M, slices].
    """
    quarters = quarters_of(keep)
    count = units.shape[1]
    cell = torch.tensor(_CELL, device=units.device)
    phase = (cell[units // columns % 2, units % columns % 2] + start[:, None]) % _PERIOD
    rank = torch.empty_like(units)
    rank.scatter_(1, phase.argsort(dim=1, stable=True), torch.arange(count, device=units.device).expand_as(units))
    phase = _PERIOD * rank // max(count, 1)
    time = torch.arange(slices, device=units.device)
    return (time + phase[:, :, None]) * quarters % _PERIOD < quarters


def kept_count(units: int, slices: int, keep: float) -> int:
    """How many cubes of `units` units `running_cell` keeps."""
    quarters = quarters_of(keep)
    total = 0
    for phase in range(_PERIOD):
        members = -(-(phase + 1) * units // _PERIOD) + (-phase * units // _PERIOD)
        total += members * sum((s + phase) * quarters % _PERIOD < quarters for s in range(slices))
    return total


def running_cell_queries(
    visible: Tensor, grid: tuple[int, int], slices: int, keep: float, generator: torch.Generator | None = None
) -> Tensor:
    """The cubes to decode: kept by the decoder's running cell AND hidden from the encoder.

    Args:
        visible: int64 [B, U] units the encoder sees, ascending; grid: units per column and per row.
        keep: 0.25, 0.5, 0.75 or 1 (all hidden cubes).
        generator: draws where the cell of each clip starts; not used where all is kept.
    Returns:
        int64 [B, kept_count(N - U, slices, keep)] flat cubes, ascending.
    """
    if keep == 1:
        return hidden_cubes(visible, grid[0] * grid[1], slices)
    hidden = hidden_units(visible, grid[0] * grid[1])
    start = torch.randint(_PERIOD, (len(visible),), generator=generator).to(visible.device)
    kept = running_cell(hidden, grid[1], slices, keep, start).flatten(1)
    cubes = (hidden[:, :, None] * slices + torch.arange(slices, device=visible.device)).flatten(1)
    first = kept.long().sort(dim=1, stable=True, descending=True).indices
    return cubes.gather(1, first[:, : kept_count(hidden.shape[1], slices, keep)])
