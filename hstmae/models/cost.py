"""What the variants weigh and cost, counted without computing anything: on the meta device, shapes without contents."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from ..config import ModelConfig
from ..games import GameSpec, GameState
from .cubes import grid_size
from .inputs import MaskedClips
from .mae import HSTMAE
from .masking import visible_count

MODES = ("pretrain", "restore_90", "restore_95", "dense")
_LOW = (F.linear, F.conv2d, torch.matmul, torch.einsum, F.scaled_dot_product_attention)  # what autocast casts


def model_cost(config: ModelConfig, size: tuple[int, int], clip: int, modes: Sequence[str] = MODES) -> dict[str, Any]:
    """Parameters, multiply-accumulates per frame and activation memory of one model at one size.

    Modes: `pretrain` (90 % of the units masked, half of the hidden cubes decoded, as running-cell masking does),
    `restore_90` and `restore_95` (all hidden cubes decoded), `dense` (every cube encoded and decoded). State level
    full. Counted are matrix products, convolutions and attention; norms, sums and look-ups in tables are not.

    Args:
        size: height and width, multiples of 16; clip: frames, even; modes: what to count, of those above.
    Returns:
        params: total; encoder; decoder with its head; state: the encoder of state tokens and the head that predicts
        them; tables: state canvas, cell codes and the place memory.
        gmac_per_frame: by mode.
        gmac_per_frame_linear: the same without the two products inside of attention.
        activation_mb: by mode, what the forward pass of one clip keeps for the backward pass under bf16 autocast,
        parameters not counted (1 MB = 1e6 bytes).
    """
    with torch.device("meta"):
        model = HSTMAE(config).eval()
        counts = {mode: count(_run(mode, model, size, clip)) for mode in modes}
    memory = [] if model.head.memory is None else [model.head.memory]
    tables = [m for m in (model.canvas, model.cells) if m is not None] + memory
    return {
        "params": {
            "total": _weights(model),
            "encoder": _weights(model.encoder),
            "decoder": _weights(model.decoder, model.head) - _weights(*memory),
            "state": _weights(*[m for m in (model.state, model.alignment) if m is not None]),
            "tables": _weights(*tables),
        },
        "gmac_per_frame": {mode: c.macs / clip / 1e9 for mode, c in counts.items()},
        "gmac_per_frame_linear": {mode: (c.macs - c.attention) / clip / 1e9 for mode, c in counts.items()},
        "activation_mb": {mode: c.kept / 1e6 for mode, c in counts.items()},
    }


def _weights(*modules: nn.Module) -> int:
    return sum(p.numel() for m in modules for p in m.parameters())


def _run(mode: str, model: HSTMAE, size: tuple[int, int], clip: int) -> Callable[[], Tensor]:
    """One forward pass of a mode on one clip."""
    grid, slices = grid_size(*size), clip // 2
    units = grid[0] * grid[1]
    frames = torch.empty(1, clip, *size, *(() if len(model.palette) else (3,)), dtype=torch.uint8)
    state = _state(model.game, clip)
    visible = visible_count(units, {"restore_95": 0.95, "dense": 0.0}.get(mode, 0.9))
    hidden = (units - visible) * slices
    wanted = {"dense": units * slices, "pretrain": hidden // 2}.get(mode, hidden)
    seen, queries = (torch.empty(1, n, dtype=torch.long) for n in (visible, wanted))
    return lambda: model(MaskedClips(frames, seen, state), queries)


def _state(game: GameSpec, clip: int) -> GameState | None:
    """A state of the right shapes on the meta device, or None for a game that has none."""
    if not game.state_size:
        return None
    blank = np.zeros((clip, game.state_size), np.uint8)
    decoded = game.decode(blank, game.context(blank, np.arange(clip)))
    return decoded.map(lambda a: torch.from_numpy(a)[None].to("meta"))


class Count(NamedTuple):
    macs: float  # multiply-accumulates, those inside of attention included
    attention: float
    kept: int  # bytes


def count(run: Callable[[], Tensor]) -> Count:
    """Count a pass whose tensors all lie on the meta device.

    Kept is what PyTorch saves for the backward pass, each storage once, parameters (and their low-precision copies)
    left out. Products run in bfloat16; attention keeps its inputs, its output and one number per row and head.
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
    """bf16 autocast and fused attention, neither of which PyTorch has on the meta device."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0  # of attention so far
        self.weights: set[int] = set()  # storages of parameters and of their copies, which are held
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
