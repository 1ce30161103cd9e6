"""Files for the runtimes of phones: ExecuTorch (XNNPACK) and LiteRT, of a graph whose sizes are all fixed.

Both are heavy and pin versions of their own, so they lie in environments of their own, beside a PyTorch for the CPU
(docs/mobile.md). Most of the work has to be delegated to the fast kernels: a share is counted, and told.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..atomic import replacing, write_bytes
from ..errors import ConfigError
from .onnx import quiet

_HEAVY = {"linear", "addmm", "bmm", "mm", "convolution", "matmul"}  # where the time goes
_HELP = "pip install --no-deps --target DIR {0} and what it needs, beside PyTorch for the CPU: docs/mobile.md"


@torch.no_grad()
def write_executorch(module: nn.Module, inputs: dict[str, Tensor], path: Path) -> dict[str, int]:
    """Write a .pte file for XNNPACK.

    Returns:
        `heavy`: products and convolutions, `delegated`: those of them that XNNPACK carries out.
    Raises:
        ConfigError: ExecuTorch is not installed.
    """
    try:
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
    except ImportError as error:
        raise ConfigError(f"ExecuTorch is not installed ({error}): {_HELP.format('executorch')}") from None
    with quiet():
        program = torch.export.export(module.eval(), tuple(inputs.values()), strict=False)
        whole = sum(_is_heavy(node) for node in program.run_decompositions().graph.nodes)
        # What it calls unexpected (remainders, scatters of whole numbers) has portable kernels all the same.
        config = EdgeCompileConfig(_check_ir_validity=False)
        lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()], compile_config=config)
        left = sum(_is_heavy(node) for node in lowered.exported_program().graph.nodes)
        made = lowered.to_executorch()
    write_bytes(path, made.buffer)
    return {"heavy": whole, "delegated": whole - left}


@torch.no_grad()
def write_litert(module: nn.Module, inputs: dict[str, Tensor], path: Path) -> None:
    """Write a .tflite file. Raises ConfigError: LiteRT is not installed."""
    try:
        import litert_torch
    except ImportError as error:
        raise ConfigError(f"LiteRT is not installed ({error}): {_HELP.format('litert-torch ai-edge-litert')}") from None
    with quiet(), replacing(path) as temporary:
        litert_torch.convert(module.eval(), tuple(inputs.values())).export(str(temporary))


def run_executorch(path: Path, inputs: dict[str, Tensor]) -> list[np.ndarray]:
    """The outputs of a .pte file."""
    from executorch.runtime import Runtime

    method: Any = Runtime.get().load_program(str(path)).load_method("forward")
    return [one.numpy() for one in method.execute(list(inputs.values()))]


def run_litert(path: Path, inputs: dict[str, Tensor]) -> list[np.ndarray]:
    """The outputs of a .tflite file."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter: Any = Interpreter(model_path=str(path), num_threads=1)
    runner = interpreter.get_signature_runner()
    made = runner(**{f"args_{i}": one.numpy() for i, one in enumerate(inputs.values())})
    return [made[name] for name in sorted(made)]


def _is_heavy(node: Any) -> bool:
    """Whether a node of a graph is a product of matrices or a convolution."""
    if node.op != "call_function":
        return False
    name = getattr(node.target, "__name__", str(node.target)).split(".")  # "addmm.default", "aten.addmm.default"
    return bool(_HEAVY.intersection(name))
