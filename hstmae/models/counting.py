"""Counting one forward pass on the meta device: multiply-accumulates, and the memory it keeps for the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

_LOW = (F.linear, F.conv2d, torch.matmul, torch.einsum, F.scaled_dot_product_attention)  # what autocast casts


@dataclass
class Count:
    """macs: multiply-accumulates, those inside of attention (`attention`) included; kept: bytes."""

    macs: float
    attention: float
    kept: int


def count(run: Callable[[], Tensor]) -> Count:
    """Count a pass whose tensors all lie on the meta device.

    What is kept is what PyTorch saves for the backward pass, each storage once, parameters (and their low-precision
    copies) left out. Products run in bfloat16, and attention keeps what a fused kernel keeps: its inputs, its output
    and one number per row and head.
    """
    kept: dict[int, Tensor] = {}  # by storage; the tensors are held, so that no number is used twice
    mode = _Autocast()

    def keep(x: Tensor) -> Tensor:
        if x.device.type == "meta" and not isinstance(x, nn.Parameter):
            kept.setdefault(x.untyped_storage()._cdata, x)
        return x

    counter = FlopCounterMode(display=False)
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x), mode, counter:
        out = run()
    bytes_kept = sum(x.untyped_storage().nbytes() for number, x in kept.items() if number not in mode.weights)
    del out  # kept until here, so that nothing was freed while it was counted
    return Count(counter.get_total_flops() / 2 + mode.macs, mode.macs, bytes_kept)


class _Autocast(TorchFunctionMode):
    """bf16 autocast and fused attention, neither of which PyTorch has on the meta device.

    Attributes:
        macs: of attention so far.
        weights: storages of parameters and of their copies, held in `_held`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0
        self.weights: set[int] = set()
        self._held: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func not in _LOW:
            return func(*args, **kwargs)
        args = [self._low(a) for a in args]
        kwargs = {name: self._low(a) for name, a in kwargs.items()}
        if func is not F.scaled_dot_product_attention:
            return func(*args, **kwargs)
        q, k, v = args
        self.macs += q.shape[:-1].numel() * k.shape[-2] * (q.shape[-1] + v.shape[-1])
        return _FusedAttention.apply(q, k, v, kwargs.get("attn_mask"))

    def _low(self, x: Any) -> Any:
        if not isinstance(x, Tensor) or x.dtype != torch.float32:
            return x
        low = x.to(torch.bfloat16)
        if isinstance(x, nn.Parameter):
            self._held += [x, low]
            self.weights |= {t.untyped_storage()._cdata for t in (x, low)}
        return low


class _FusedAttention(torch.autograd.Function):
    """Shapes and saved tensors of a fused attention kernel. There is nothing to compute on the meta device."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        out = q.new_empty(*q.shape[:-1], v.shape[-1])
        rows = q.new_empty(q.shape[:-1], dtype=torch.float32)
        ctx.save_for_backward(q, k, v, out, rows, None if mask is None else mask.to(q.dtype))
        return out
