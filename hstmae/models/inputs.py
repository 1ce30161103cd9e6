"""What a model is given (masked clips with the game's state), where its cubes lie, and what it hands to its head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..games import GameState
from .cubes import CUBE, DEPTH
from .state.tokens import COMPACT

if TYPE_CHECKING:
    from .adaptive import ClipPalette


@dataclass(frozen=True)
class MaskedClips:
    """A batch of clips of which a model may see some units: the content of the others is never read.

    T is even, H and W are multiples of 16. A game without a palette has pictures of any size.
    """

    frames: Tensor  # uint8 [B, T, H, W] palette indices, or [B, T, H, W, 3] RGB for a game without a palette
    visible: Tensor  # int64 [B, U], units that may be seen, ascending
    state: GameState | None = None  # decoded state with leading axes [B, T], native pixels
    level: Tensor | None = None  # int64 [B], how much of it may be used: 0 none, 1 compact, 2 full; None = full
    origin: Tensor | None = None  # int64 [B, 2], y and x of the frames' corner in the native picture; None = 0, 0
    size: Tensor | None = None  # int64 [B, 2], height and width of the native picture; None = the game's or frames'
    palette: ClipPalette | None = None  # for head "adaptive"; None = that of the visible units


@dataclass(frozen=True)
class Places:
    """Pixels of the wanted cubes: batch row, frame, native y and x; each int64, broadcastable to [B, Q, 2, 16, 16]."""

    row: Tensor
    frame: Tensor
    y: Tensor
    x: Tensor

    @staticmethod
    def of(cubes: Tensor, slices: int, columns: int, origin: Tensor) -> Places:
        """cubes: flat cube indices int64 [B, Q]; columns: units per row; origin int64 [B, 2]."""
        device = cubes.device
        unit, piece = cubes // slices, cubes % slices
        step = torch.arange(CUBE, device=device)
        return Places(
            row=torch.arange(len(cubes), device=device)[:, None, None, None, None],
            frame=(DEPTH * piece[..., None] + torch.arange(DEPTH, device=device))[..., None, None],
            y=(origin[:, None, :1] + CUBE * (unit // columns)[..., None] + step)[:, :, None, :, None],
            x=(origin[:, None, 1:] + CUBE * (unit % columns)[..., None] + step)[:, :, None, None, :],
        )


@dataclass(frozen=True)
class CubeGrid:
    """Where the cubes of a batch of clips lie."""

    units: tuple[int, int]  # per column and per row
    slices: int  # of a clip
    origin: Tensor  # int64 [B, 2], y and x of the grid's corner in the native picture
    native: Tensor  # int64 [B, 2], height and width of the native picture

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return self.units[0] * CUBE, self.units[1] * CUBE

    def places(self, cubes: Tensor) -> Places:
        """The pixels of flat cube indices int64 [B, Q]."""
        return Places.of(cubes, self.slices, self.units[1], self.origin)

    def positions(self, cubes: Tensor, state: GameState | None, level: Tensor) -> Tensor:
        """Slice, y, x and world x of cubes int64 [B, L], in cubes, native: float [B, L, 4].

        World x moves with the camera, as far as `level` int64 [B] lets the state say where it is.
        """
        unit, piece = cubes // self.slices, cubes % self.slices
        y = unit // self.units[1] + self.origin[:, :1] / CUBE
        x = unit % self.units[1] + self.origin[:, 1:] / CUBE
        world = x
        if state is not None:
            camera = state.camera[:, ::2].float()
            moved = (camera - camera[:, :1]).gather(1, piece) / CUBE  # only differences matter to attention
            world = x + torch.where((level >= COMPACT)[:, None], moved, 0)
        return torch.stack([piece.to(x.dtype), y, x, world], -1)


@dataclass(frozen=True)
class Decoded:
    """Decoded cubes, and what a head needs beside them: state, level and grid with their defaults filled in."""

    x: Tensor  # [B, Q, C], one vector per cube
    queries: Tensor  # int64 [B, Q], the flat cube indices
    at: Places  # the pixels of the cubes
    state: GameState | None
    level: Tensor  # int64 [B]
    grid: CubeGrid
    visual: Tensor | None = None  # [B, U, S, C3], visible tokens before they met the state
