"""Weights of a model file as 8-bit whole numbers: a quarter of float32 on disk, computed with in float32 as ever."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ".scale"  # beside int8 `name` lies `name.scale`, which it is multiplied by
_MOST = 127
_FEWEST = 256  # numbers of a tensor that is worth it


def packed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tables and matrices as int8 with a float16 scale for each row (each column where columns are the longer ones);
    vectors and small tensors as float16; what is no floating point as it is."""
    out: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if not tensor.is_floating_point():
            out[name] = tensor
        elif tensor.ndim < 2 or tensor.numel() < _FEWEST:
            out[name] = tensor.half()
        else:
            long = len(tensor) > tensor[0].numel() * 4
            peaks = tensor.float().abs().amax(0 if long else tuple(range(1, tensor.ndim)), keepdim=True)
            scale = (peaks / _MOST).clamp_min(torch.finfo(torch.float16).tiny).half()
            out[name] = (tensor.float() / scale.float()).round().clamp(-_MOST, _MOST).to(torch.int8)
            out[name + SCALE] = scale
    return out


def unpacked(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights that a file holds as they are computed with: float32."""
    out = {}
    for name, tensor in weights.items():
        if name.endswith(SCALE) and name.removesuffix(SCALE) in weights:
            continue
        scale = weights.get(name + SCALE)
        if scale is not None and tensor.dtype == torch.int8:
            tensor = tensor.float() * scale.float()
        out[name] = tensor.float() if tensor.is_floating_point() else tensor
    return out
