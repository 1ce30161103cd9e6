"""Files for ExecuTorch, a runtime of phones, of a graph whose sizes are all fixed.

It is heavy and pins versions of its own, so it lies in a folder of its own, beside a PyTorch for the CPU
(docs/mobile.md). Most of the work has to be delegated to the fast kernels of XNNPACK: the share is counted, and told.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..atomic import write_bytes
from ..errors import ConfigError
from .onnx import quiet

_HEAVY = {"linear", "addmm", "bmm", "mm", "convolution", "matmul"}  # where the time goes
_AXES = 6  # XNNPACK: XNN_MAX_TENSOR_DIMS
_HELP = "pip install --no-deps --target DIR executorch and what it needs, beside PyTorch for the CPU: docs/mobile.md"


@torch.no_grad()
def write_executorch(module: nn.Module, inputs: dict[str, Tensor], path: Path) -> dict[str, int]:
    """Write a .pte file for XNNPACK.

    Returns:
        `heavy`: products and convolutions, `delegated`: those of them that XNNPACK carries out.
    Raises:
        ConfigError: ExecuTorch is not installed.
    """
    try:
        from executorch.backends.xnnpack.partition.config import ALL_PARTITIONER_CONFIGS
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
    except ImportError as error:
        raise ConfigError(f"ExecuTorch is not installed ({error}): {_HELP}") from None
    with quiet():
        program = torch.export.export(module.eval(), tuple(inputs.values()), strict=False)
        whole = sum(_is_heavy(node) for node in program.run_decompositions().graph.nodes)
        # What it calls unexpected (remainders, scatters of whole numbers) has portable kernels all the same.
        config = EdgeCompileConfig(_check_ir_validity=False)
        partitioner = XnnpackPartitioner(configs=[_of_six_axes(one) for one in ALL_PARTITIONER_CONFIGS])
        lowered = to_edge_transform_and_lower(program, partitioner=[partitioner], compile_config=config)
        left = sum(_is_heavy(node) for node in lowered.exported_program().graph.nodes)
        made = lowered.to_executorch()
    write_bytes(path, made.buffer)
    return {"heavy": whole, "delegated": whole - left}


def run_executorch(path: Path, inputs: dict[str, Tensor]) -> list[np.ndarray]:
    """The outputs of a .pte file."""
    from executorch.runtime import Runtime

    method: Any = Runtime.get().load_program(str(path)).load_method("forward")
    return [one.numpy() for one in method.execute(list(inputs.values()))]


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
