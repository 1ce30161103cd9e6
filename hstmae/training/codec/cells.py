"""The cells of a training step: which are drawn again with latents, and pools of distinct ones."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .clips import CodecClip
from .config import CodecTraining


class CellPool:
    """Distinct cells, the newest ones: uint8 [N, 2, 16, 16]."""

    def __init__(self, limit: int) -> None:
        self.limit, self.cells = limit, torch.zeros(0, 2, 16, 16, dtype=torch.uint8)
        self._known: set[bytes] = set()

    def __len__(self) -> int:
        return len(self.cells)

    def add(self, cells: np.ndarray) -> None:
        """Take in those that were never seen."""
        new = []
        for cell in cells:
            key = cell.tobytes()
            if key not in self._known:
                self._known.add(key)
                new.append(torch.from_numpy(cell.copy()))
        if new:
            self.cells = torch.cat([self.cells, torch.stack(new)])[-self.limit :]

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` of them, or all, at random."""
        return self.cells[torch.randperm(len(self.cells), generator=generator)[:count]]


@dataclass(frozen=True)
class CodedCells:
    """Cubes to draw again and the cells under them.

    Attributes:
        chosen: int64 [B, Q], places in the queries of each clip.
        local, inside: int64 [B, Q, 2, 16, 16], see `draw_cells`.
        pixels: uint8 [N, 2, 16, 16], what is coded for each cell.
        stages: int64 [N], 0 = not coded.
        changed: bool [N], cells that the state draws badly.
    """

    chosen: Tensor
    local: Tensor
    inside: Tensor
    pixels: Tensor
    stages: Tensor
    changed: Tensor


def choose_cells(
    clips: list[CodecClip], queries: Tensor, wrong: Tensor, config: CodecTraining, most: int, rng: np.random.Generator
) -> CodedCells:
    """Choose the cubes to draw again, those that came out badly first, and how many stages each of their cells gets.

    Args:
        queries: int64 [B, Q] cubes; wrong: float [B, Q, 2, 16, 16], squared error of the state's picture of them.
        most: stages of the model.
    """
    chosen, local, inside, pixels, used, bad = [], [], [], [], [], []
    before = 0
    for clip, query, errors in zip(clips, queries.numpy(), wrong.numpy(), strict=True):
        cell, within = clip.grid.of_cubes(query)
        error = mean_by_cell(errors, cell, clip.grid.slices * clip.grid.per_slice)
        worst = np.where(cell >= 0, error[cell], 0).reshape(len(query), -1).max(1)
        pick = np.sort(np.argsort(-np.log1p(worst) - rng.gumbel(size=len(query)))[: config.coded])
        mine, where = np.unique(cell[pick], return_inverse=True)
        where = where.reshape(cell[pick].shape)
        if mine[0] < 0:
            mine = mine[1:]
        else:
            where = where + 1
        changed = error[mine] > config.changed
        stages = np.where(rng.random(len(mine)) < 0.5, most, rng.integers(1, most + 1, len(mine)))
        stages = np.where(rng.random(len(mine)) < np.where(changed, 0.9, 0.08), stages, 0)
        chosen.append(pick)
        local.append(np.where(where > 0, where + before, 0))
        inside.append(within[pick])
        pixels.append(clip.grid.pixels(clip.frames, _earlier(clip, mine, config.held, rng)))
        used.append(stages)
        bad.append(changed)
        before += len(mine)
    one = [torch.from_numpy(np.stack(x).astype(np.int64)) for x in (chosen, local, inside)]
    rest = [torch.from_numpy(np.concatenate(x)) for x in (pixels, used, bad)]
    return CodedCells(one[0], one[1], one[2], rest[0], rest[1], rest[2])


def mean_by_cell(errors: np.ndarray, cell: np.ndarray, count: int) -> np.ndarray:
    """Mean of `errors` [...] over the pixels of each of `count` cells; `cell` int64 [...], -1 = none."""
    known = cell.ravel() >= 0
    weight = np.bincount(cell.ravel()[known], minlength=count)
    return np.bincount(cell.ravel()[known], errors.ravel()[known], minlength=count) / np.maximum(weight, 1)


def _earlier(clip: CodecClip, cells: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """The cells whose pixels are coded for the given ones: some stand for what a stream said slices ago."""
    before = clip.grid.before().reshape(-1)
    out = cells.copy()
    hops = np.where(rng.random(len(cells)) < share, rng.integers(1, 5, len(cells)), 0)
    for hop in range(1, 5):
        there = before[out]
        out = np.where((hops >= hop) & (there >= 0), there, out)
    return out
