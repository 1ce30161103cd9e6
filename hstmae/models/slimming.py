"""A smaller model cut out of a larger one: its most important channels, heads, hidden units and blocks, as they are.

Structured pruning (https://arxiv.org/abs/1906.10771): every channel of a stream, every head and every hidden unit owns
slices of some weights, and is as important as those slices together. Where two layers meet in a plain product (textures
and codes with the matrices that read them), the product is first written in the axes that matter most, so that what is
cut there is the least that can be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor, nn

from ..config import ModelConfig
from .zoo import build_model

_SAME = ("game", "head", "head_dim", "decoder_head_dim", "temporal_windows", "colour_dim", "qk_norm", "clip_colours")
_SMALLER = ("decoder_dim", "decoder_depth", "state_dim", "texture_dim", "pixel_dim", "code_dim", "mlp_ratio")
_RIDGE = 1e-6
_BLOCK = re.compile(r"(encoder\.stages\.(\d)|decoder\.blocks)\.(\d+)\.(.*)")
_LAYERS = {  # of blocks and cross attention: the axes of each layer; x is the stream that the block works on
    "qkv": ("heads", "x"), "q": ("heads", "x"), "kv": ("heads", "x"), "proj": ("x", "heads"),
    "mlp.0": ("hidden", "x"), "mlp.2": ("x", "hidden"),
    "norm": ("x",), "norm1": ("x",), "norm2": ("x",), "norm_state": ("s",), "gate": ("x",),
}  # fmt: skip
_ELSEWHERE: dict[str, tuple[str, ...]] = {
    "encoder.patch": ("e0", ""), "encoder.position": ("e0", ""), "encoder.region": ("", "e0"),
    "encoder.absent": ("e2",), "encoder.norms.0": ("e2",), "encoder.norms.1": ("e3",),
    **{f"encoder.merges.{i}.0": (f"e{i}",) for i in range(3)},
    **{f"encoder.merges.{i}.1": (f"e{i + 1}", f"e{i}") for i in range(3)},
    "decoder.fine": ("d", "e2"), "decoder.coarse": ("d", "e3"), "decoder.position": ("d", ""),
    "decoder.region": ("", "d"), "decoder.level": ("", "d"), "decoder.norm": ("d",), "cells.out": ("d", ""),
    "decoder.mask_token": ("d",), "decoder.sink": ("d",),
    "state.inner": ("", "", "s"), "state.bias": ("", "s"), "state.null": ("s",), "state.outer": ("s", "s"),
    "canvas.sprite": ("", "t"), "canvas.attribute": ("", "t"),
    "head.codes": ("k", "d"), "head.cell_basis": ("c", "k"), "head.cube_basis": ("c", "k"), "head.hidden": ("p", "tc"),
    "head.globals": ("", "p"), "head.film": ("p", "p"), "head.colours": ("", "p"), "head.memory.recall": ("k", ""),
}  # fmt: skip


def why_not(large: ModelConfig, small: ModelConfig) -> str:
    """What keeps `small` from being cut out of `large`; "" where nothing does."""
    if large.head != "palette":
        return "it must have a palette head"
    if large.screen or small.screen:
        return "a screen memory cannot be cut out"
    for key in _SAME:
        if getattr(large, key) != getattr(small, key):
            return f"{key} must be {getattr(large, key)!r}"
    for key in _SMALLER:
        if getattr(large, key) < getattr(small, key):
            return f"{key} must be at most {getattr(large, key)}"
    for key in ("dims", "depths"):
        if any(a < b for a, b in zip(getattr(large, key), getattr(small, key), strict=True)):
            return f"{key} must be at most {list(getattr(large, key))}"
    if small.places not in (large.places, "none"):
        return f"places must be '{large.places}' or 'none'"
    return "it must predict no state" if small.state_alignment else ""


def slim(
    weights: Mapping[str, Tensor],
    large: ModelConfig,
    small: ModelConfig,
    scores: Mapping[str, Tensor],
    blocks: Mapping[str, float],
) -> nn.Module:
    """A model of `small` with the most important parts of one of `large`.

    Args:
        weights: the state dict of the large one.
        scores: of each of its parameters, how much each number matters, >= 0 (`training.lightening.importance`); rows
            of tables without any were never read.
        blocks: how much each transformer block matters, by the name of its module.
    Raises:
        ValueError: see `why_not`.
    """
    if problem := why_not(large, small):
        raise ValueError(problem)
    turned = _turned(dict(weights), scores, large)
    model = build_model(small)
    names = {name: _old_name(name, large, small, blocks) for name in model.state_dict()}
    kept = _kept(names, turned, scores, large, small)
    made = {}
    for name, old in names.items():
        tensor = turned[old]
        for number, space in enumerate(_axes(old)):
            if (rows := _rows(space, old, tensor.shape[number], large, kept)) is not None:
                tensor = tensor.index_select(number, rows)
        made[name] = tensor
    model.load_state_dict(made)
    return model


def _axes(name: str) -> tuple[str, ...]:
    """What each axis of a tensor counts: a space of channels, heads or hidden units, "" for what is never cut.

    A block's own spaces carry its name: "heads@decoder.blocks.0".
    """
    bare = re.sub(r"\.(weight|bias)$", "", name) if name not in _ELSEWHERE else name
    if name.startswith("canvas.tiles."):
        return ("", "t")
    if bare in _ELSEWHERE:
        return _ELSEWHERE[bare][:1] if name.endswith(".bias") and bare != name else _ELSEWHERE[bare]
    match = _BLOCK.fullmatch(bare)
    owner, stream, rest = "encoder", "e2", bare.removeprefix("encoder.")
    if match:
        owner, rest = f"{match[1]}.{match[3]}", match[4]
        stream = f"e{match[2]}" if match[2] else "d"
    crossing = rest.startswith("state.")
    layer = rest.removeprefix("state.")
    if layer not in _LAYERS or (not match and not crossing):
        return ()
    axes = [f"{a}@{owner}{'.state' * crossing}" if a in ("heads", "hidden") else a for a in _LAYERS[layer]]
    if layer == "kv" and crossing:
        axes[1] = "s"
    axes = [stream if a == "x" else a for a in axes]
    return tuple(axes[:1] if name.endswith(".bias") else axes)


def _sizes(config: ModelConfig) -> dict[str, int]:
    sizes = {f"e{i}": width for i, width in enumerate(config.dims)}
    sizes |= {"d": config.decoder_dim, "s": config.state_dim, "p": config.pixel_dim, "k": config.code_dim}
    return sizes | {"t": config.texture_dim, "c": config.texture_dim // 2}


def _size(space: str, config: ModelConfig) -> tuple[int, int]:
    """Members of a space, and how many neighbouring rows belong to each."""
    kind, _, owner = space.partition("@")
    if not owner:
        return _sizes(config)[kind], 1
    decoder = owner.startswith("decoder")
    stage = _BLOCK.fullmatch(owner + ".x")
    width = config.decoder_dim if decoder else config.dims[int(stage[2]) if stage else 2]
    head = config.decoder_head_dim if decoder else config.head_dim
    return (width // head, head) if kind == "heads" else (int(width * config.mlp_ratio), 1)


def _labels(space: str, length: int, config: ModelConfig) -> Tensor:
    """The member of a space that each of `length` rows belongs to. Layers hold their members several times over."""
    members, each = _size(space, config)
    return torch.arange(members).repeat_interleave(each).repeat(length // (members * each))


def _rows(space: str, name: str, length: int, config: ModelConfig, kept: Mapping[str, Tensor]) -> Tensor | None:
    """Which rows of an axis stay; None for all."""
    if not space:
        return None
    if space == "tc":
        t, c = config.texture_dim, config.texture_dim // 2
        canvas = [i * t + kept["t"] for i in range((length - c) // t)]
        return torch.cat([*canvas, length - c + kept["c"]])
    return torch.isin(_labels(space, length, config), kept[space]).nonzero()[:, 0]


def _kept(
    names: Mapping[str, str],
    weights: Mapping[str, Tensor],
    scores: Mapping[str, Tensor],
    large: ModelConfig,
    small: ModelConfig,
) -> dict[str, Tensor]:
    """The members of each space that stay, ascending: the first ones of t, c and k, else the most important ones."""
    totals: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    for new, old in names.items():
        for axis, space in enumerate(_axes(old)):
            if space in ("", "tc", "t", "c", "k") or old not in scores:
                continue
            counts[space] = _size(_axes(new)[axis], small)[0]
            others = [i for i in range(weights[old].ndim) if i != axis]
            sums = scores[old].double().sum(others) if others else scores[old].double()
            members = _size(space, large)[0]
            total = torch.zeros(members, dtype=torch.double)
            totals[space] = totals.get(space, total) + total.index_add(0, _labels(space, len(sums), large), sums)
    kept = {"t": torch.arange(small.texture_dim), "c": torch.arange(small.texture_dim // 2)}
    kept["k"] = torch.arange(small.code_dim)
    for space, total in totals.items():
        kept[space] = total.topk(counts[space]).indices.sort().values
    return kept


def _old_name(name: str, large: ModelConfig, small: ModelConfig, blocks: Mapping[str, float]) -> str:
    """The tensor of the large model that one of the small model comes from."""
    match = _BLOCK.fullmatch(name)
    if not match:
        return name
    stage = match[2]
    depth, wanted = (
        (large.depths[int(stage)], small.depths[int(stage)]) if stage else (large.decoder_depth, small.decoder_depth)
    )
    stay = _stay(depth, wanted, [blocks[f"{match[1]}.{i}"] for i in range(depth)])
    return f"{match[1]}.{stay[int(match[3])]}.{match[4]}"


def _stay(depth: int, wanted: int, scores: list[float]) -> tuple[int, ...]:
    """Which blocks of a stack stay. Every second one is of another kind (shifted windows, no state): kinds alternate
    as before."""
    fitting = [c for c in combinations(range(depth), wanted) if all(i % 2 == n % 2 for n, i in enumerate(c))]
    return max(fitting, key=lambda c: sum(scores[i] for i in c))


def _turned(weights: dict[str, Tensor], scores: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """The same function with textures, codes and drawn channels written in the axes that matter most, these first."""
    weights = {name: w.float() if w.is_floating_point() else w for name, w in weights.items()}
    t, c, k = config.texture_dim, config.texture_dim // 2, config.code_dim
    hidden = weights["head.hidden.weight"].clone()
    tables = sorted(name for name in weights if name.startswith("canvas.tiles."))
    sprites = [name for name in ("canvas.sprite.weight", "canvas.attribute.weight") if name in weights]
    for names, parts in ((tables, (0,)), (sprites, (1, 2) if tables else (0, 1))):
        if not names:
            continue
        used = torch.cat([weights[n][scores[n].sum(1) > 0] if n in scores else weights[n] for n in names])
        reading = torch.cat([hidden[:, i * t : (i + 1) * t] for i in parts])
        turn, back = _axes_of(used, reading)
        for n in names:
            weights[n] = weights[n] @ turn
        for i, part in zip(parts, back.split(len(hidden)), strict=True):
            hidden[:, i * t : (i + 1) * t] = part
    bases = [name for name in ("head.cell_basis.weight", "head.cube_basis.weight") if name in weights]
    codes = weights["head.codes.weight"].unflatten(0, (-1, k))
    bias = weights["head.codes.bias"].unflatten(0, (-1, k))
    turn, back = _axes_of(codes.movedim(1, -1).flatten(0, 1), torch.cat([weights[n] for n in bases]))
    weights["head.codes.weight"] = torch.einsum("nkd,kj->njd", codes, turn).flatten(0, 1)
    weights["head.codes.bias"] = (bias @ turn).flatten()
    if "head.memory.recall.weight" in weights:
        weights["head.memory.recall.weight"] = turn.t() @ weights["head.memory.recall.weight"]
    for n, part in zip(bases, back.split([len(weights[n]) for n in bases]), strict=True):
        weights[n] = part
    drawn = torch.cat([weights[n].unflatten(0, (-1, c)).movedim(1, -1).flatten(0, 1) for n in bases])
    turn, hidden[:, -c:] = _axes_of(drawn, hidden[:, -c:])
    for n in bases:
        weights[n] = torch.einsum("nck,cj->njk", weights[n].unflatten(0, (-1, c)), turn).flatten(0, 1)
    return weights | {"head.hidden.weight": hidden}


def _axes_of(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """turn [k, k] and right' [m, k] with ``(left @ turn) @ right'.T == left @ right.T`` for left [n, k] and right
    [m, k], the first columns making up as much of the product as any so many can."""
    left, right = left.double(), right.double()
    square = left.t() @ left
    square += torch.eye(len(square), dtype=square.dtype) * (_RIDGE * square.diagonal().mean() + 1e-12)
    root = torch.linalg.cholesky(square).t()  # left = Q @ root
    u, s, v = torch.linalg.svd(root @ right.t(), full_matrices=False)
    turn = torch.linalg.solve_triangular(root, u * s.sqrt(), upper=True)
    return turn.float(), (v.t() * s.sqrt()).float()
