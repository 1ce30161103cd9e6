"""Inception v3 as FID is measured with it (TensorFlow's of 2015), by weights that the user has placed; and FID.

The network is the one that torch-fidelity and pytorch-fid describe: its average pools leave out the border, and the
last block pools by the maximum.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

FEATURES = 2048
_SIDE = 299
_BN_EPS = 1e-3


class Inception:
    """Gives the 2,048 features of pictures.

    Args:
        weights: the content of the file.
    Raises:
        KeyError, RuntimeError: it holds something else.
    """

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self._layers: dict[str, tuple[Tensor, Tensor]] = {}
        for key, kernel in weights.items():
            if key.endswith(".conv.weight"):  # its normalisation is a part of it
                name = key.removesuffix(".conv.weight")
                weight, bias, mean, variance = (
                    weights[f"{name}.bn.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
                )
                scale = weight / torch.sqrt(variance + _BN_EPS)
                fused = kernel.double() * scale[:, None, None, None]
                self._layers[name] = fused.float(), (bias - mean * scale).float()

    @torch.inference_mode()
    def features(self, pictures: Tensor) -> Tensor:
        """float32 [N, 2048], of pictures uint8 [N, H, W, 3]."""
        x = (_resized(pictures.permute(0, 3, 1, 2).float()) - 128) / 128
        x = self._conv(x, "Conv2d_1a_3x3", 2)
        x = self._conv(self._conv(x, "Conv2d_2a_3x3", same=False), "Conv2d_2b_3x3")
        x = self._conv(functional.max_pool2d(x, 3, 2), "Conv2d_3b_1x1")
        x = functional.max_pool2d(self._conv(x, "Conv2d_4a_3x3", same=False), 3, 2)
        double = ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
        for block in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            ways = (("branch1x1",), ("branch5x5_1", "branch5x5_2"), double)
            x = torch.cat(
                [*(self._way(x, block, way) for way in ways), self._conv(_mean(x), f"{block}.branch_pool")], 1
            )
        x = self._halved(x, "Mixed_6a", (("branch3x3",), double))
        long = tuple(f"branch7x7dbl_{k}" for k in range(1, 6))
        wide = (("branch1x1",), ("branch7x7_1", "branch7x7_2", "branch7x7_3"), long)
        for block in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            x = torch.cat(
                [*(self._way(x, block, way) for way in wide), self._conv(_mean(x), f"{block}.branch_pool")], 1
            )
        x = self._halved(
            x, "Mixed_7a", (("branch3x3_1", "branch3x3_2"), tuple(f"branch7x7x3_{k}" for k in (1, 2, 3, 4)))
        )
        for block in ("Mixed_7b", "Mixed_7c"):
            pooled = _mean(x) if block == "Mixed_7b" else functional.max_pool2d(x, 3, 1, 1)
            parts = [self._conv(x, f"{block}.branch1x1")]
            for way in (("branch3x3_1",), ("branch3x3dbl_1", "branch3x3dbl_2")):
                end, stem = self._way(x, block, way), "branch3x3_2" if len(way) == 1 else "branch3x3dbl_3"
                parts += [self._conv(end, f"{block}.{stem}{side}") for side in "ab"]
            x = torch.cat([*parts, self._conv(pooled, f"{block}.branch_pool")], 1)
        return x.mean((2, 3))

    def _conv(self, x: Tensor, name: str, stride: int = 1, same: bool = True) -> Tensor:
        kernel, bias = self._layers[name]
        border = (kernel.shape[2] // 2, kernel.shape[3] // 2) if same and stride == 1 else (0, 0)
        return functional.relu(functional.conv2d(x, kernel, bias, stride, border))

    def _way(self, x: Tensor, block: str, names: tuple[str, ...], stride: int = 1) -> Tensor:
        """One layer after the other; `stride` of the last one."""
        for name in names[:-1]:
            x = self._conv(x, f"{block}.{name}")
        return self._conv(x, f"{block}.{names[-1]}", stride)

    def _halved(self, x: Tensor, block: str, ways: tuple[tuple[str, ...], ...]) -> Tensor:
        return torch.cat([*(self._way(x, block, way, 2) for way in ways), functional.max_pool2d(x, 3, 2)], 1)


def _mean(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _resized(x: Tensor) -> Tensor:
    """To 299 x 299, as TensorFlow 1 did it: corners of pixels, not their middles, lie on each other."""
    for axis in (2, 3):
        size = x.shape[axis]
        at = torch.arange(_SIDE) * (size / _SIDE)
        low = at.long().clamp(max=size - 1)
        share = (at - low).view((-1, 1) if axis == 2 else (1, -1))
        one, other = x.index_select(axis, low), x.index_select(axis, (low + 1).clamp(max=size - 1))
        x = one + (other - one) * share
    return x


def fid(one: np.ndarray, other: np.ndarray) -> float:
    """Of the features float [N, 2048] and [M, 2048] of two sets of pictures, two or more each.

    The trace of the root of both covariances' product is the sum of the singular values of what their roots give: no
    root of a matrix of 2,048 rows is taken, which fewer pictures make singular.
    """
    means, roots, traces = list[np.ndarray](), list[np.ndarray](), 0.0
    for features in (one.astype(np.float64), other.astype(np.float64)):
        means.append(features.mean(0))
        centred = (features - means[-1]) / np.sqrt(len(features) - 1)
        traces += float((centred**2).sum())
        tall = len(centred) > centred.shape[1]
        roots.append(np.asarray(np.linalg.qr(centred, "r")) if tall else centred)
    between = float(np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum())
    return float(((means[0] - means[1]) ** 2).sum()) + traces - 2 * between
