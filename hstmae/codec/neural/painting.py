"""Pictures of a group from the state and the codes of its cells."""

from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from ...games import GameState
from ...models.cubes import from_cubes, to_cubes
from ...models.fast.head import FastHead
from ...models.inputs import Decoded, Places
from ...models.state.tokens import FULL
from .grid import CELL, CellGrid
from .model import CodecModel, draw_cells
from .prior import Code

WINDOW = 8  # slices decoded together, as in training


class Painter:
    """The state's pictures of one group, and corrections by latents. Frames are counted from the group's first."""

    def __init__(self, model: CodecModel, head: FastHead, state: GameState | None, grid: CellGrid):
        """state: numpy arrays with leading axis T, or None; head: `FastHead` of the model."""
        self.model, self.head, self.grid = model, head, grid
        self.size = (grid.height, grid.width)
        self.units = grid.height // CELL * (grid.width // CELL)
        self._done: list[Decoded] = []
        for first in range(0, grid.slices, WINDOW):
            slices = min(WINDOW, grid.slices - first)
            frames = slice(2 * first, 2 * (first + slices))
            part = None if state is None else state.map(partial(_tensor, frames))
            # slice by slice, so that the cubes of one are neighbours
            queries = (torch.arange(self.units) * slices + torch.arange(slices)[:, None]).flatten()[None]
            self._done.append(model.decode(part, torch.tensor([FULL]), queries, slices, self.size))

    def from_state(self) -> np.ndarray:
        """What the state alone says: uint8 [T, H, W] palette indices."""
        parts = []
        for done in self._done:
            entry = self.head.paint(done).entry[0]
            cubes = entry.view(done.grid.slices, self.units, 2, CELL, CELL).transpose(0, 1)
            parts.append(from_cubes(cubes[None], self.size)[0])
        return np.asarray(torch.cat(parts).numpy())

    def touched(self, piece: int, places: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Cubes of one slice in which chosen cells lie.

        Args:
            places: int64 [cells of the grid], place of each cell in a list, -1 = not chosen.
        Returns:
            int64 [n] their units; int64 [n, 2, 16, 16] the place of each pixel's cell, and its number inside of that.
        """
        number, inside = self.grid.of_cubes(np.arange(self.units) * self.grid.slices + piece)
        place = np.where(number >= 0, places[number.clip(min=0)], -1)
        units = np.flatnonzero((place >= 0).reshape(self.units, -1).any(1))
        pixel = torch.from_numpy(np.ascontiguousarray(inside[units]))
        return torch.from_numpy(units), torch.from_numpy(place[units]), pixel

    def hidden(self, piece: int, units: Tensor) -> Tensor:
        """The head's hidden channels of cubes of one slice: [n, 2, 16, 16, P] for units int64 [n]."""
        window, inside = divmod(piece, WINDOW)
        done = self._done[window]
        place = inside * self.units + units
        at = done.at
        at = Places(at.row, at.frame[:, place], at.y[:, place], at.x[:, place])
        return self.model.hidden(replace(done, x=done.x[:, place], queries=done.queries[:, place], at=at))[0]

    def latents(self, codes: list[Code]) -> Tensor:
        """Codes of any number of stages -> latents [N, latent], each summed in the order of its stages."""
        stages = self.model.rvq.stages
        index = torch.tensor([[*c, *[0] * (stages - len(c))] for c in codes], dtype=torch.long).view(-1, stages)
        return self.model.rvq.dequantise(index, torch.tensor([len(c) for c in codes], dtype=torch.long))

    def correct(self, frames: np.ndarray, codes: dict[int, Code]) -> None:
        """Draw the coded cells into the pictures of `from_state`, in place."""
        cubes = to_cubes(torch.from_numpy(frames)[None])[0]  # [units, S, 2, 16, 16], a copy
        drawn = {code: i for i, code in enumerate(dict.fromkeys(codes.values()))}
        if not drawn:
            return
        pictures = self.model.drawer(self.latents(list(drawn)))
        places = np.full(self.grid.slices * self.grid.per_slice, -1, np.int64)
        for number, code in codes.items():
            places[number] = drawn[code]
        for piece in range(self.grid.slices):
            units, mine, inside = self.touched(piece, places)
            if not len(units):
                continue
            extra = draw_cells(pictures, mine + 1, inside)
            entry = self.model.logits(self.hidden(piece, units), extra).argmax(-1).to(torch.uint8)
            cubes[units, piece] = torch.where(mine >= 0, entry, cubes[units, piece])
        frames[:] = from_cubes(cubes[None], self.size)[0].numpy()


def _tensor(frames: slice, array: np.ndarray) -> Tensor:
    """Some frames of a state's array, with leading axes [1, T]."""
    return torch.from_numpy(np.ascontiguousarray(array[frames]))[None]


def fast_head(model: CodecModel) -> FastHead:
    """The fast head of a codec model: it has the same head and canvas as an autoencoder.

    In torch's arithmetic wherever it runs, so that files do not depend on whether the package was compiled.
    """
    return FastHead(cast(Any, model), compiled=False)
