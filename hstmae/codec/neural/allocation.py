"""Which cells get new codes, and of how many stages: rate against distortion, cell by cell.

The network draws pixels of a cell from the state and the cell's own latent, never from another cell's, so what a code
does to the picture is known exactly when it is chosen. Distortion is the squared error of the chosen colours, summed
over pixels and channels; a code also serves the slices after it in which the cell shows the same, and is weighed by
all of them.
"""

import numpy as np
import torch
from torch import Tensor

from .bitcoder import ONE
from .grid import OUTSIDE, CellGrid
from .model import CodecModel
from .painting import Painter
from .prior import CellWalk, Code

_AT_ONCE = 64  # cells drawn at once: 2,048 KiB of logits for each of 64 colours a pixel
_SAME = 0.02  # share of pixels that may differ in a cell that "shows the same"


class Allocator:
    """Chooses the codes of one group."""

    def __init__(
        self, model: CodecModel, painter: Painter, grid: CellGrid, frames: np.ndarray, drawn: np.ndarray,
        hints: np.ndarray,
    ):  # fmt: skip
        """frames: uint8 [T, H, W] to be coded; drawn: what the state alone draws; hints: see `cell_hints`."""
        self.model, self.painter, self.grid, self.frames = model, painter, grid, frames
        self.hints = hints
        self.colours = model.palette.float()
        self.layout = model.layout
        table = model.prior.double().clamp(1, ONE - 1) / ONE
        self.cost = (-table.log2()).tolist(), (-(1 - table).log2()).tolist()  # bits of a 1 and of a 0
        palette = model.palette.numpy().astype(np.int32)
        wrong = ((palette[frames] - palette[drawn]) ** 2).sum(-1)
        self.state_error = grid.sum_by_cell(wrong)

    @torch.inference_mode()
    def choose(self, slope: float) -> dict[int, Code]:
        """Codes by cell number; `slope`: squared error that one bit must save at least."""
        walk = CellWalk(self.layout, self.grid, self.hints, lambda _, bit: int(bit))
        order = walk.cells()
        before = self.grid.before().reshape(-1)
        following = np.full(len(before), -1, np.int64)
        following[before[before >= 0]] = np.flatnonzero(before >= 0)
        starts = np.searchsorted(order, np.arange(self.grid.slices + 1) * self.grid.per_slice)
        for piece in range(self.grid.slices):
            mine = order[starts[piece] : starts[piece + 1]]
            chosen = self._slice(piece, mine, walk, following, slope)
            for cell in mine:
                walk.step(cell, chosen.get(cell, ()))
        return walk.codes

    def _slice(
        self, piece: int, cells: list[int], walk: CellWalk, following: np.ndarray, slope: float
    ) -> dict[int, Code]:
        """The codes of one slice's cells; cells that are left out get none."""
        held = {cell: walk.going_on(cell) for cell in cells}
        least = 3.0 * slope  # no news costs fewer bits
        active = np.array([c for c in cells if held[c] or self.state_error[c] > least], np.int64)
        if not len(active):
            return {}
        hidden, true = self._cells(piece, active)
        keep = self.state_error[active].copy()
        going = np.array([bool(held[int(c)]) for c in active])
        if going.any():
            which = np.flatnonzero(going)
            keep[which] = self._errors(hidden, true, which, [held[int(c)] for c in active[which]])
        best: dict[int, Code] = {int(c): held[int(c)] for c in active}
        need = np.flatnonzero((keep > least) | (going & (keep > self.state_error[active] + least)))
        if not len(need):
            return best
        shown = torch.from_numpy(self.grid.pixels(self.frames, active[need]))
        index = self.model.rvq.quantise(self.model.cell_encoder(shown))
        lasts = self._lasts(active[need], following)
        stages = self.model.rvq.stages
        # a drop, each number of stages, and the two recent codes nearest to the latent
        total = np.full((len(need), 2 + stages), np.inf)
        off = self.state_error[active[need]]
        for row, (cell, last) in enumerate(zip(active[need].tolist(), lasts, strict=True)):
            on = self.cost[1][self.layout.new + walk.context(cell)]
            total[row, 0] = last * keep[need[row]] + slope * on
            if held[cell]:
                total[row, 1] = last * off[row] + slope * (2.0 + self.cost[0][self.layout.new + walk.context(cell)])
        codes = index.tolist()
        for count in range(1, stages + 1):
            first = [tuple(c[:count]) for c in codes]
            error = self._errors(hidden, true, need, first)
            for row, cell in enumerate(active[need].tolist()):
                total[row, 1 + count] = lasts[row] * error[row] + slope * self._bits(walk, cell, first[row])
        pick = total.argmin(1)
        saving = total[np.arange(len(need)), pick]
        recall = self._recent(walk, index, hidden, true, need)
        for row, cell in enumerate(active[need].tolist()):
            choice = int(pick[row])
            code = held[cell] if choice == 0 else tuple(codes[row][: choice - 1])
            if recall is not None:
                other, error = recall
                if lasts[row] * error[row] + slope * (self._bits(walk, cell, other[row])) < saving[row]:
                    code = other[row]
            best[cell] = code
        return best

    def _recent(
        self, walk: CellWalk, index: Tensor, hidden: Tensor, true: Tensor, need: np.ndarray
    ) -> tuple[list[Code], np.ndarray] | None:
        """For each cell the code among those used before whose latent is nearest to its own, and its error."""
        recent = walk.recent
        if not recent:
            return None
        mine = self.model.rvq.dequantise(index)
        near = torch.cdist(mine, self.painter.latents(recent)).argmin(1).tolist()
        codes = [recent[i] for i in near]
        return codes, self._errors(hidden, true, need, codes)

    def _bits(self, walk: CellWalk, cell: int, code: Code) -> float:
        """About what it costs to tell a new code."""
        one, zero = self.cost
        bits = one[self.layout.new + walk.context(cell)]
        if code in walk.recent:
            return bits + 1.5 + min(6.0, 2 * (walk.recent.index(code) + 1) ** 0.4)
        at = self.layout
        bits += 1.0 + sum(one[at.count + k] for k in range(1, len(code)))
        bits += zero[min(at.count + len(code), at.index - 1)]
        for k, value in enumerate(code):
            node = 1
            for i in range(at.bits - 1, -1, -1):
                b = (value >> i) & 1
                bits += self.cost[1 - b][at.index + (k << at.bits) + node]
                node = 2 * node + b
        return bits

    def _lasts(self, cells: np.ndarray, following: np.ndarray) -> np.ndarray:
        """For how many slices, this one included, each cell shows the same."""
        first = self.grid.pixels(self.frames, cells)
        out, at, alive = np.ones(len(cells)), cells.copy(), np.ones(len(cells), bool)
        for _ in range(self.grid.slices - 1):
            at = np.where(alive, following[at.clip(min=0)], -1)
            alive &= at >= 0
            if not alive.any():
                break
            then = self.grid.pixels(self.frames, at[alive])
            known = (then != OUTSIDE) & (first[alive] != OUTSIDE)
            differ = ((then != first[alive]) & known).sum((1, 2, 3)) / np.maximum(known.sum((1, 2, 3)), 1)
            alive[np.flatnonzero(alive)[differ > _SAME]] = False
            out += alive
        return out

    def _cells(self, piece: int, cells: np.ndarray) -> tuple[Tensor, Tensor]:
        """Hidden channels [n, 2, 16, 16, P] and true colours float [n, 2, 16, 16, 3] of cells of one slice; the
        colours are NaN outside of the picture."""
        place = np.full(self.grid.slices * self.grid.per_slice, -1, np.int64)
        place[cells] = np.arange(len(cells))
        units, mine, inside = self.painter.touched(piece, place)
        hidden = self.painter.hidden(piece, units)
        take = mine >= 0
        out = hidden.new_zeros(len(cells) * 512, hidden.shape[-1])
        out[(mine * 512 + inside)[take]] = hidden[take]
        shown = torch.from_numpy(self.grid.pixels(self.frames, cells))
        true = self.colours[torch.where(shown == OUTSIDE, 0, shown).int()]
        true[shown == OUTSIDE] = torch.nan
        return out.view(len(cells), 2, 16, 16, -1), true

    def _errors(self, hidden: Tensor, true: Tensor, which: np.ndarray, codes: list[Code]) -> np.ndarray:
        """Squared error of cells `which` with these codes."""
        out, drawn = [], self.model.drawer(self.painter.latents(codes))
        where = torch.from_numpy(np.asarray(which, np.int64))
        for cells, extra in zip(where.split(_AT_ONCE), drawn.split(_AT_ONCE), strict=True):
            entry = self.model.logits(hidden[cells], extra).argmax(-1)
            out.append((self.colours[entry] - true[cells]).square().nan_to_num(0.0).sum((1, 2, 3, 4)))
        return np.asarray(torch.cat(out).double().numpy())
