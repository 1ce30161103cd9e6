"""Structural similarity of restored pictures with the true ones: most of what measuring costs, so done where needed.

A picture is worked off in pieces, and pieces around which two pictures are equal are left out: restorations mostly
agree with the truth. What only depends on the truth is worked out once for all that is compared with it.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..games.palette import differing

WINDOW, SIGMA = 11, 1.5  # pixels of the Gaussian window
C1, C2 = (0.01 * 255.0) ** 2, (0.03 * 255.0) ** 2
_REACH = WINDOW // 2
_ROWS, _COLUMNS = 16, 64  # of a piece: a matrix that blurs so many pixels has few zeros, and products stay in the cache


def _band(size: int) -> Tensor:
    """[size, size + WINDOW - 1]: row i holds the window's weights from column i on."""
    offsets = torch.arange(-_REACH, _REACH + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (offsets / SIGMA) ** 2)
    band = torch.zeros(size, size + WINDOW - 1)
    for i in range(size):
        band[i, i : i + WINDOW] = weights / weights.sum()
    return band


_DOWN, _ACROSS = _band(_ROWS), _band(_COLUMNS).t().contiguous()


class Similarity:
    """The true pictures of a clip, with which restorations are compared.

    The measure is SSIM as published: Gaussian 11x11, sigma 1.5, K1 0.01, K2 0.03, data range 255, population
    covariance, averaged over the three colours. The border is mirrored (edge pixel included), which is what
    scikit-image's full map does; its scalar, and torchmetrics', average this map without the outer five pixels.
    """

    def __init__(self, colours: np.ndarray) -> None:
        """colours: uint8 [T, H, W, 3]."""
        if colours.ndim != 4 or colours.shape[-1] != 3:
            raise ValueError(f"RGB pictures are needed, got {colours.shape}")
        self._colours = colours
        self._pieces = -(-colours.shape[1] // _ROWS), -(-colours.shape[2] // _COLUMNS)  # per column and row
        self._pictures: dict[int, Tensor] = {}
        self._blurred: dict[tuple[int, int], Tensor] = {}

    def map(self, other: np.ndarray, wanted: np.ndarray | None = None) -> np.ndarray:
        """Similarity around every pixel: float32 [T, H, W], 1 where the surroundings are equal.

        Args:
            other: uint8 [T, H, W, 3].
            wanted: bool [T, H, W], where it is read; None = everywhere.
        """
        if other.shape != self._colours.shape:
            raise ValueError(f"two RGB clips of one shape are needed, got {self._colours.shape} and {other.shape}")
        count, height, width = other.shape[:3]
        unlike = self._touched(differing(other, self._colours), _REACH)
        if wanted is not None:
            unlike &= self._touched(wanted, 0)
        maps = np.ones((count, self._pieces[0] * _ROWS, self._pieces[1] * _COLUMNS), np.float32)
        for t in np.flatnonzero(unlike.any((1, 2))).tolist():
            a, b = self._truth(t), self._framed(other[t])
            for band in np.flatnonzero(unlike[t].any(1)).tolist():
                pieces = np.flatnonzero(unlike[t, band])
                first, last = int(pieces[0]) * _COLUMNS, int(pieces[-1] + 1) * _COLUMNS
                rows, seen = band * _ROWS, slice(band * _ROWS, (band + 1) * _ROWS + 2 * _REACH)
                shown, made = a[:, seen, first : last + 2 * _REACH], b[:, seen, first : last + 2 * _REACH]
                truth = self._of_truth(t, band, a[:, seen])[..., first:last]
                value = _ssim(truth, _blur(torch.cat([made, made * made, shown * made])))
                maps[t, rows : rows + _ROWS, first:last] = value.numpy()
        return maps[:, :height, :width]

    def _touched(self, where: np.ndarray, reach: int) -> np.ndarray:
        """Pieces [T, rows, columns] in which, or within `reach` pixels of which, `where` bool [T, H, W] is set."""
        for axis, pieces, side in zip((1, 2), self._pieces, (_ROWS, _COLUMNS), strict=True):
            ends = [(max(0, i * side - reach), min((i + 1) * side + reach, where.shape[axis])) for i in range(pieces)]
            parts = [where[:, a:b] if axis == 1 else where[:, :, a:b] for a, b in ends]
            where = np.stack([part.any(axis) for part in parts], axis)
        return where

    def _framed(self, picture: np.ndarray) -> Tensor:
        """uint8 [H, W, 3] -> float32 [3, ...], whole pieces with what their windows see around them, mirrored."""
        (rows, columns), (height, width) = self._pieces, picture.shape[:2]
        below, right = rows * _ROWS - height, columns * _COLUMNS - width
        sides = ((_REACH, below + _REACH), (_REACH, right + _REACH), (0, 0))
        mirrored = np.pad(picture, sides, mode="symmetric").transpose(2, 0, 1)
        # centring on 127.5 leaves variances as they are and spares float32 most of the cancellation
        return torch.from_numpy(mirrored.astype(np.float32)).sub_(127.5)

    def _truth(self, t: int) -> Tensor:
        if t not in self._pictures:
            self._pictures[t] = self._framed(self._colours[t])
        return self._pictures[t]

    def _of_truth(self, t: int, band: int, rows: Tensor) -> Tensor:
        """Means of the true picture's colours and of their squares [6, ROWS, columns], of its `rows` [3, ...]."""
        if (t, band) not in self._blurred:
            self._blurred[t, band] = _blur(torch.cat([rows, rows * rows]))
        return self._blurred[t, band]


def _blur(planes: Tensor) -> Tensor:
    """Gaussian means [C, ROWS, columns] of whole pieces with what is around them, [C, ...]."""
    down = _DOWN @ planes
    pieces = range(0, down.shape[2] - 2 * _REACH, _COLUMNS)
    return torch.cat([down[..., i : i + len(_ACROSS)] @ _ACROSS for i in pieces], 2)


def _ssim(truth: Tensor, made: Tensor) -> Tensor:
    """Similarity [...], given the means of the truth and its square [6, ...], and of what was made, its square and the
    product of both [9, ...]."""
    (mean_a, aa), (mean_b, bb, ab) = truth.chunk(2), made.chunk(3)
    product, squares = mean_a * mean_b, mean_a**2 + mean_b**2
    # of pictures centred on 127.5, which is given back to their means
    shift = 127.5 * (mean_a + mean_b) + 127.5**2
    value = (2 * (product + shift) + C1) * (2 * (ab - product) + C2)
    return (value / ((squares + 2 * shift + C1) * (aa + bb - squares + C2))).mean(0)


def ssim_map(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """`Similarity.map` of two clips, uint8 [T, H, W, 3]: float32 [T, H, W]."""
    return Similarity(first).map(second)


def one_region(regions: np.ndarray) -> np.ndarray:
    """Where the 11x11 window around a pixel lies in a single region; beyond the picture's edge nothing counts.

    Args:
        regions: integer ids [T, H, W].
    Returns:
        bool [T, H, W].
    """
    ids = torch.from_numpy(regions.astype(np.float32))[:, None]

    def most(values: Tensor) -> Tensor:
        columns = F.max_pool2d(values, (WINDOW, 1), stride=1, padding=(_REACH, 0))
        return F.max_pool2d(columns, (1, WINDOW), stride=1, padding=(0, _REACH))

    return np.asarray((most(ids) == -most(-ids))[:, 0].numpy())
