"""A wider model that begins as what a narrower one has learned (Net2Net, https://arxiv.org/abs/1511.05641).

Every channel of the trunk is doubled: weights on the two copies are halved, and the output stays the same. The halves
differ by a random amount that cancels out, or else copies would learn the same for ever. The pixel path (textures,
basis, hidden channels) gets further channels with zero weights on them.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..config import ModelConfig
from .zoo import build_model

NOISE = 0.25  # how far the halves differ, in standard deviations of the weights
_AXES = 3  # of the encoder's rotary positions
_PIXELS = ("canvas.", "head.cell_basis", "head.cube_basis", "head.hidden", "head.globals", "head.film", "head.colours")
_TRUNK = ("decoder_dim", "state_dim")
_WIDER = ("texture_dim", "pixel_dim")
_OTHER = ("name", "dims", "head_dim", "drop_path", "places", "state_alignment", *_TRUNK, *_WIDER)


def why_not(small: ModelConfig, large: ModelConfig) -> str:
    """What keeps `small` from growing into `large`; "" where nothing does."""
    if small.head != "palette":
        return "it must have a palette head"
    if large.dims != tuple(2 * d for d in small.dims):
        return f"dims must be twice {list(small.dims)}"
    if large.head_dim not in (small.head_dim, 2 * small.head_dim):
        return f"head_dim must be {small.head_dim} or twice that"
    if large.head_dim != small.head_dim and small.head_dim % (2 * _AXES):
        return f"a head_dim of {small.head_dim} cannot be doubled"
    if small.screen or large.screen:
        return "a screen memory cannot be grown"
    for key in _TRUNK:
        if getattr(large, key) != 2 * getattr(small, key):
            return f"{key} must be twice {getattr(small, key)}"
    for key in _WIDER:
        if getattr(large, key) < getattr(small, key):
            return f"{key} must be at least {getattr(small, key)}"
    for key in vars(small):
        if key not in _OTHER and getattr(small, key) != getattr(large, key):
            return f"{key} must be {getattr(small, key)!r}"
    return "rms norms of queries and keys cannot be grown" if small.qk_norm else ""


def grow(weights: Mapping[str, Tensor], small: ModelConfig, large: ModelConfig, noise: float = NOISE) -> nn.Module:
    """A model of `large` that answers as the one of `small` with these weights does, up to rounding.

    Args:
        weights: its state dict.
        noise: 0 = both copies of a channel are the same, and stay so.
    Raises:
        ValueError: see `why_not`.
    """
    if problem := why_not(small, large):
        raise ValueError(problem)
    model = build_model(large)
    linear = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    grown = {}
    for name, fresh in model.state_dict().items():
        old = weights[name].to(fresh.dtype)
        if old.shape == fresh.shape:
            grown[name] = old
        elif name.startswith(_PIXELS):
            grown[name] = _padded(name, old, fresh.clone(), small, large)
        else:
            made = _rows(name, old, fresh.shape, small, large)
            if name in linear and made.shape != fresh.shape:
                made = _columns(made, _block(name, old.shape[1], small, large), noise)
            grown[name] = made
    model.load_state_dict(grown)
    return model


def _twice(x: Tensor, axis: int, block: int) -> Tensor:
    """Each stretch of `block` entries along an axis is followed by its copy."""
    axis %= x.dim()
    parts = x.unflatten(axis, (-1, block))
    return torch.cat([parts, parts], axis + 1).flatten(axis, axis + 1)


def _block(name: str, size: int, small: ModelConfig, large: ModelConfig) -> int:
    """How the inputs of a layer of this many come: in stretches of so many channels that were doubled one by one."""
    if ".merges." in name:
        return small.dims[int(name.split(".merges.")[1].split(".")[0])]
    if name.startswith("encoder.") and ".proj." in name and large.head_dim != small.head_dim:
        return small.head_dim
    return size


def _rows(name: str, old: Tensor, shape: torch.Size, small: ModelConfig, large: ModelConfig) -> Tensor:
    """The outputs of a layer, or the channels of anything else, doubled."""
    owner = name.split(".")[-2]
    if owner in ("qkv", "kv", "q") and name.startswith("encoder.") and large.head_dim != small.head_dim:
        parts = old.chunk(len(owner))
        return torch.cat([_heads(kind, part, small.head_dim) for kind, part in zip(owner, parts, strict=True)])
    if owner in ("qkv", "kv"):
        return _twice(old, 0, len(old) // len(owner))
    if old.dim() > 1 and old.shape[0] == shape[0]:  # a table, or a layer with wider inputs only
        return old if name.endswith("codes.weight") else _twice(old, -1, old.shape[-1])
    block = old.shape[0]
    if ".merges." in name and name.split(".merges.")[1].split(".")[1] == "0":
        block = _block(name, block, small, large)
    return _twice(old, 0, block)


def _heads(kind: str, part: Tensor, head_dim: int) -> Tensor:
    """Heads of twice the width with the same scores: queries and keys keep the turns of their channel pairs.

    Turns of the wider head lie twice as close, so every second pair is an old one. New pairs of the keys are copies,
    and of the queries 0.
    """
    if kind == "v":
        return _twice(part, 0, head_dim)
    pairs = part.unflatten(0, (-1, 2, _AXES, head_dim // (2 * _AXES)))
    new = torch.zeros_like(pairs) if kind == "q" else pairs
    spread = torch.stack([pairs, new], 4).flatten(0, 4)
    return spread * 2**0.5 if kind == "q" else spread  # scores are divided by the root of the width


def _columns(x: Tensor, block: int, noise: float) -> Tensor:
    """A layer's weights on inputs that are there twice."""
    parts = x.unflatten(1, (-1, block)) / 2
    apart = torch.randn_like(parts) * noise * parts.std()
    return torch.cat([parts + apart, parts - apart], 2).flatten(1)


def _padded(name: str, old: Tensor, fresh: Tensor, small: ModelConfig, large: ModelConfig) -> Tensor:
    """`fresh` with the old weights in their places, and nothing of the new channels in what was there before."""
    t, wide, p, channels = small.texture_dim, large.texture_dim, small.pixel_dim, small.texture_dim // 2
    if "_basis" in name:
        fresh.unflatten(0, (-1, wide // 2))[:, :channels] = old.unflatten(0, (-1, channels))
        return fresh
    if name.startswith(("canvas.", "head.globals")):
        fresh[:, : old.shape[1]] = old
        return fresh
    rows, columns = torch.arange(len(old)), torch.arange(p)
    if "film" in name:
        rows = torch.cat([torch.arange(p), large.pixel_dim + torch.arange(p)])
    if old.dim() == 1:
        fresh[rows] = old
        return fresh
    if "hidden" in name:
        canvas = (old.shape[1] - channels) // t
        columns = torch.cat([i * wide + torch.arange(t if i < canvas else channels) for i in range(canvas + 1)])
    fresh[rows] = 0
    fresh[rows[:, None], columns] = old
    return fresh
