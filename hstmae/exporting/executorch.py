"""Files for ExecuTorch, a runtime of phones, of a graph whose sizes are all fixed.

Most of the work has to be delegated to the fast kernels of XNNPACK: the share is counted, and told.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..atomic import write_bytes
from ..errors import ConfigError
from .libraries import EXECUTORCH, need, remedy
from .onnx import quiet, silent

_HEAVY = {"linear", "addmm", "bmm", "mm", "convolution", "matmul"}  # where the time goes
_AXES = 6  # XNNPACK: XNN_MAX_TENSOR_DIMS


@torch.no_grad()
def write_executorch(module: nn.Module, inputs: dict[str, Tensor], path: Path) -> dict[str, int]:
    """Write a .pte file for XNNPACK.

    Args:
        module: a graph, best as `fixed` leaves it; inputs: an example of each, in the order of its arguments.
    Returns:
        `heavy`: products and convolutions, `delegated`: those of them that XNNPACK carries out, `portable`: operations
        of any kind that are left to the portable kernels.
    Raises:
        ConfigError: ExecuTorch is not installed, or does not take the graph.
    """
    need(EXECUTORCH)
    with quiet(), silent():
        try:
            from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
        except ImportError as error:
            raise ConfigError(f"ExecuTorch cannot be loaded ({error}): {remedy(EXECUTORCH)}") from None
        program = torch.export.export(module.eval(), tuple(inputs.values()), strict=False)
        whole = sum(_is_heavy(node) for node in program.run_decompositions().graph.nodes)
        # What it calls unexpected (remainders, scatters of whole numbers) has portable kernels all the same.
        config = EdgeCompileConfig(_check_ir_validity=False)
        partitioner = XnnpackPartitioner(configs=[_of_six_axes(one) for one in ALL_PARTITIONER_CONFIGS])
        try:
            lowered = to_edge_transform_and_lower(program, partitioner=[partitioner], compile_config=config)
            nodes = [node for node in lowered.exported_program().graph.nodes if node.op == "call_function"]
            made = lowered.to_executorch()
        except Exception as error:  # of many kinds, by which it refuses what it cannot convert
            raise ConfigError(f"ExecuTorch does not convert this graph: {_first_line(error)}") from error
    left, own = sum(map(_is_heavy, nodes)), ("executorch_call_delegate", "getitem")
    portable = sum(not any(word in str(node.target) for word in own) for node in nodes)
    write_bytes(path, made.buffer)
    return {"heavy": whole, "delegated": whole - left, "portable": portable}


class ExecutorchSession:
    """A .pte file that answers as a session of ONNX Runtime does (`portable.network.run_session`)."""

    def __init__(self, path: Path, names: list[str], threads: int | None = None) -> None:
        """names: of the inputs, in the order of the graph's arguments; threads: of the whole process, None: as it is.

        Raises ConfigError: ExecuTorch is not installed.
        """
        need(EXECUTORCH)
        with silent():
            try:
                from executorch.extension.pybindings import portable_lib
                from executorch.runtime import Runtime
            except ImportError as error:
                raise ConfigError(f"ExecuTorch cannot be loaded ({error}): {remedy(EXECUTORCH)}") from None
            if threads:
                portable_lib._unsafe_reset_threadpool(threads)
            self.names = names
            self._program = Runtime.get().load_program(path.read_bytes())
            self._method: Any = self._program.load_method("forward")

    def get_inputs(self) -> list[Any]:
        """The inputs, each with a name."""
        return [SimpleNamespace(name=name) for name in self.names]

    def run(self, _: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs, for inputs by name."""
        made = self._method.execute([torch.from_numpy(feed[name]) for name in self.names])
        return [one.numpy().copy() for one in made]  # the runtime's own memory is written again next time


def _first_line(error: BaseException) -> str:
    """What went wrong first, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"


def _of_six_axes(config: Any) -> Any:
    """A rule of the partitioner that leaves tensors of more axes than XNNPACK has to the portable kernels."""

    class Rule(config):  # type: ignore[misc]
        def check_constraints(self, node: Any, ep: Any) -> bool:
            values = [one.meta.get("val") for one in (node, *node.all_input_nodes)]
            small = all(not isinstance(value, Tensor) or value.dim() <= _AXES for value in values)
            return small and bool(super().check_constraints(node, ep))

    Rule.__name__ = config.__name__
    return Rule


def _is_heavy(node: Any) -> bool:
    """Whether a node of a graph is a product of matrices or a convolution."""
    if node.op != "call_function":
        return False
    name = getattr(node.target, "__name__", str(node.target)).split(".")  # "addmm.default", "aten.addmm.default"
    return bool(_HEAVY.intersection(name))
