"""A graph all of whose sizes are fixed, made simpler for the converters of phone runtimes.

What follows from sizes alone (positions, numbers of rows, window shapes) is worked out once and becomes a constant:
there is less to convert and less to compute, and converters stumble over it. LiteRT's makes int32 of every `arange`
while what it is joined with stays int64.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from .onnx import quiet

_MOST = 1 << 20  # entries of a constant: what is larger stays an operation
_RANDOM = ("rand", "dropout", "bernoulli", "empty", "_assert", "sym_")


@torch.no_grad()
def fixed(module: nn.Module, inputs: dict[str, Tensor]) -> fx.GraphModule:
    """The module's operations for inputs of these very sizes, in PyTorch's core set of operations and linear maps.

    The answers are the module's, bit for bit as far as decomposing allows. Weights that nothing reads are left out.

    Args:
        inputs: an example of each, in the order of the module's arguments.
    """
    with quiet():
        program = torch.export.export(module.eval(), tuple(inputs.values()), strict=False)
        table = torch.export.default_decompositions()
        table.pop(torch.ops.aten.linear.default)  # ExecuTorch knows a linear map by its name
        made = program.run_decompositions(table).module()
    assert isinstance(made, fx.GraphModule)
    _fold(made)
    _cast(made)
    _flatten(made)
    _tidy(made)
    return fx.GraphModule(made, made.graph)  # which takes eval(), as the exported one does not


def _fold(made: fx.GraphModule) -> None:
    """Replace what depends on no input and on no weight by constants, in place."""
    known: dict[fx.Node, Tensor] = {}
    for node in made.graph.nodes:
        if node.op == "get_attr":
            held = _held(made, str(node.target))
            if isinstance(held, Tensor) and not isinstance(held, nn.Parameter) and not held.is_floating_point():
                known[node] = held  # a table of whole numbers: what is worked out of it is one, too
        elif node.op == "call_function" and all(one in known for one in node.all_input_nodes):
            if any(word in str(node.target) for word in _RANDOM):
                continue
            args, kwargs = (map_arg(a, lambda one: known[one]) for a in (node.args, node.kwargs))
            value = node.target(*args, **kwargs)  # type: ignore[operator]
            if isinstance(value, Tensor) and value.numel() <= _MOST:
                known[node] = value
    for number, (node, value) in enumerate(known.items()):
        if node.op == "get_attr" or all(user in known for user in node.users):
            continue
        name = f"_fixed_{number}"
        made.register_buffer(name, value.clone().contiguous())
        with made.graph.inserting_before(node):
            constant = made.graph.get_attr(name)
        constant.meta = dict(node.meta)
        node.replace_all_uses_with(constant)


def _cast(made: fx.GraphModule) -> None:
    """Say where whole numbers that are joined with fractions become fractions: converters do not see it."""
    for node in list(made.graph.nodes):
        if node.target is not torch.ops.aten.cat.default:
            continue
        kind, parts = node.meta["val"].dtype, []
        for part in node.args[0]:
            if part.meta["val"].dtype != kind:
                with made.graph.inserting_before(node):
                    value = part.meta["val"].to(kind)
                    part = made.graph.call_function(torch.ops.aten._to_copy.default, (part,), {"dtype": kind})
                    part.meta["val"] = value
            parts.append(part)
        node.args = (parts, *node.args[1:])


_SHAPES = {
    torch.ops.aten.view.default, torch.ops.aten.reshape.default, torch.ops.aten.unsqueeze.default,
    torch.ops.aten.squeeze.dims, torch.ops.aten.squeeze.dim, torch.ops.aten._unsafe_view.default,
}  # fmt: skip


def _flatten(made: fx.GraphModule) -> None:
    """Permute as few axes as will do (axes of one place, and those that stay together, are none of their own) and say
    every change of shape as one: runtimes take tensors of six or eight axes at most."""
    reshape, permute = torch.ops.aten.reshape.default, torch.ops.aten.permute.default

    def call(target: object, source: fx.Node, how: list[int], value: Tensor) -> fx.Node:
        found = made.graph.call_function(target, (source, how))  # type: ignore[arg-type]
        found.meta["val"] = value
        return found

    for node in list(made.graph.nodes):
        if node.target is permute:
            value: Tensor = node.args[0].meta["val"]
            order = [int(d) % value.dim() for d in node.args[1]]
            runs = axis_runs(list(value.shape), order)
            if len(runs) == value.dim():
                continue
            shape = [math.prod(value.shape[d] for d in run) for run in sorted(runs)]
            moved = [sorted(runs).index(run) for run in runs]
            with made.graph.inserting_before(node):
                flat = call(reshape, node.args[0], shape, value.reshape(shape))
                turned = call(permute, flat, moved, flat.meta["val"].permute(moved))
                whole = call(reshape, turned, list(node.meta["val"].shape), node.meta["val"])
            node.replace_all_uses_with(whole)
    for node in made.graph.nodes:
        if node.target in _SHAPES:
            source = node.args[0]
            while source.target in _SHAPES:
                source = source.args[0]
            node.target, node.args, node.kwargs = reshape, (source, list(node.meta["val"].shape)), {}


def axis_runs(shape: list[int], order: list[int]) -> list[list[int]]:
    """The axes of a permutation in their new order, those that stay together as one; axes of one place left out."""
    runs: list[list[int]] = []
    for axis in (d for d in order if shape[d] != 1):
        last = runs[-1][-1] if runs else None
        if last is not None and axis > last and all(shape[d] == 1 for d in range(last + 1, axis)):
            runs[-1].append(axis)
        else:
            runs.append([axis])
    return runs or [[0]]


def _tidy(made: fx.GraphModule) -> None:
    """Leave out what nothing reads (palettes, for one: LiteRT's converter takes no unsigned constant)."""
    for node in list(made.graph.nodes):
        if node.op == "call_function" and "_assert_tensor_metadata" in str(node.target):
            made.graph.erase_node(node)
    made.graph.eliminate_dead_code()
    read = {str(node.target) for node in made.graph.nodes if node.op == "get_attr"}
    for name in [n for n, _ in (*made.named_parameters(), *made.named_buffers()) if n not in read]:
        _drop(made, name)


def _held(made: fx.GraphModule, path: str) -> object:
    holder, _, name = path.rpartition(".")
    return getattr(made.get_submodule(holder), name)


def _drop(made: fx.GraphModule, path: str) -> None:
    holder, _, name = path.rpartition(".")
    delattr(made.get_submodule(holder), name)
