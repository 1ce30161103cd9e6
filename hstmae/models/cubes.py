"""From clips to cubes and tokens and back.

A cube is 2x16x16 pixels. A unit is the column of cubes at one place through all slices. Units are numbered in raster
order, and a cube's flat index is `unit * slices + slice`. Worked example, a 4-frame clip of 32x48 pixels: 2x3 = 6
units, 2 slices, so cube 9 is unit 4 (second row, middle column) in frames 2 and 3.
"""

import torch
from torch import Tensor

CUBE = 16  # pixels, height and width
DEPTH = 2  # frames


def grid_size(height: int, width: int) -> tuple[int, int]:
    """Units per column and per row. Raises ValueError unless both sides are multiples of 16."""
    if height % CUBE or width % CUBE or height <= 0 or width <= 0:
        raise ValueError(f"height and width must be multiples of {CUBE}, got {height}x{width}")
    return height // CUBE, width // CUBE


def to_cubes(frames: Tensor) -> Tensor:
    """[B, T, H, W, ...] -> [B, N, T/2, 2, 16, 16, ...]."""
    b, t, h, w = frames.shape[:4]
    hc, wc = grid_size(h, w)
    if t % DEPTH:
        raise ValueError(f"a clip needs an even number of frames, got {t}")
    rest = frames.shape[4:]
    x = frames.reshape(b, t // DEPTH, DEPTH, hc, CUBE, wc, CUBE, *rest)
    x = x.permute(0, 3, 5, 1, 2, 4, 6, *range(7, x.ndim))
    return x.reshape(b, hc * wc, t // DEPTH, DEPTH, CUBE, CUBE, *rest)


def from_cubes(cubes: Tensor, size: tuple[int, int]) -> Tensor:
    """[B, N, T/2, 2, 16, 16, ...] -> [B, T, H, W, ...]: the inverse of `to_cubes`."""
    hc, wc = grid_size(*size)
    b, _, s = cubes.shape[:3]
    rest = cubes.shape[6:]
    x = cubes.reshape(b, hc, wc, s, DEPTH, CUBE, CUBE, *rest)
    x = x.permute(0, 3, 4, 1, 5, 2, 6, *range(7, x.ndim))
    return x.reshape(b, s * DEPTH, hc * CUBE, wc * CUBE, *rest)


def take_units(x: Tensor, index: Tensor) -> Tensor:
    """x [B, N, ...], index int64 [B, U] -> [B, U, ...]."""
    if len(x) == 1:  # sooner, and a plain gather in an exported graph
        return x[0].index_select(0, index[0])[None]
    return x[torch.arange(len(x), device=x.device)[:, None], index]


def take_cubes(cubes: Tensor, index: Tensor) -> Tensor:
    """cubes [B, N, S, ...], flat index int64 [B, Q] -> [B, Q, ...]."""
    return take_units(cubes.flatten(1, 2), index)


def to_tokens(cubes: Tensor) -> Tensor:
    """Cubes [..., 2, 16, 16] -> stage-1 tokens [..., 16, 32] of 2x4x4 pixels, in Morton order.

    Morton order (bits of y and x interleaved) makes four consecutive tokens a 2x2 block, so merging is a reshape.
    """
    lead = cubes.shape[:-3]
    x = cubes.reshape(*lead, 2, 2, 2, 4, 2, 2, 4)  # frame, y1, y0, py, x1, x0, px
    n = len(lead)
    x = x.permute(*range(n), n + 1, n + 4, n + 2, n + 5, n, n + 3, n + 6)  # y1 x1 y0 x0 | frame py px
    return x.reshape(*lead, 16, 32)


def token_offsets(side: int) -> Tensor:
    """int64 [side * side, 2]: y, x of the Morton-ordered tokens inside a unit (side 4, 2 or 1)."""
    places = [[(n >> 1 & 1) | (n >> 3 & 1) << 1, (n & 1) | (n >> 2 & 1) << 1] for n in range(side * side)]
    return torch.tensor(places)
