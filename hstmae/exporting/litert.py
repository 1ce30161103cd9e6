"""Files for LiteRT (TensorFlow Lite's present name), a runtime of phones, of a graph whose sizes are all fixed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..atomic import write_bytes
from ..errors import ConfigError
from .libraries import LITERT, need, remedy
from .onnx import quiet, silent

HEAVY = {"FULLY_CONNECTED", "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"}  # where the time goes
_DELEGATE = "DELEGATE"


class _Named(nn.Module):
    """A graph whose arguments and answers have names in the file."""

    def __init__(self, graph: nn.Module, outputs: list[str]) -> None:
        super().__init__()
        self.own, self.outputs = graph, outputs  # "graph" is a name of FX

    def forward(self, **inputs: Tensor) -> dict[str, Tensor]:
        made = self.own(*inputs.values())
        return dict(zip(self.outputs, made if isinstance(made, tuple) else (made,), strict=True))


@torch.no_grad()
def write_litert(module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], path: Path) -> dict[str, int]:
    """Write a .tflite file with one signature, whose inputs and outputs have the names given here.

    Args:
        module: a graph as `fixed` leaves it: others are refused by the converter; inputs: an example of each, in the
            order of its arguments.
    Returns:
        See `delegated`.
    Raises:
        ConfigError: LiteRT is not installed, or does not take the graph.
    """
    need(LITERT)
    with quiet(), silent():
        try:
            import litert_torch
        except ImportError as error:
            raise ConfigError(f"LiteRT cannot be loaded ({error}): {remedy(LITERT)}") from None
        try:
            model = litert_torch.convert(_Named(module, outputs).eval(), sample_kwargs=inputs)
            with tempfile.TemporaryDirectory(prefix="hstmae-") as folder:
                model.export(str(Path(folder) / "network.tflite"))
                write_bytes(path, (Path(folder) / "network.tflite").read_bytes())
        except Exception as error:  # of many kinds, by which it refuses what it cannot convert
            lines = str(error).strip().splitlines()
            told = next((line for line in lines if "error:" in line), lines[0] if lines else "")
            raise ConfigError(f"LiteRT does not convert this graph: {type(error).__name__}: {told}") from error
    return delegated(path)


class LitertSession:
    """A .tflite file that answers as a session of ONNX Runtime does (`portable.network.run_session`)."""

    def __init__(self, path: Path, outputs: list[str], threads: int = 1) -> None:
        """outputs: names, in the order of the answers. Raises ConfigError: LiteRT is not installed."""
        self.interpreter, self.outputs = _interpreter(path, threads, delegate=True), outputs
        self._runner = self.interpreter.get_signature_runner()
        self.names = list(self._runner.get_input_details())

    def get_inputs(self) -> list[Any]:
        """The inputs, each with a name."""
        return [SimpleNamespace(name=name) for name in self.names]

    def run(self, _: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The outputs, for inputs by name."""
        made = self._runner(**{name: feed[name] for name in self.names})
        return [made[name] for name in self.outputs]


def delegated(path: Path) -> dict[str, int]:
    """How much of a .tflite file XNNPACK carries out where it is run on a CPU.

    Returns:
        `operations` of the file and how many of them are `custom` (of no kind that every runtime has), `heavy`:
        products and convolutions; `operations_delegated` and `delegated`: those of each that XNNPACK takes.
    """
    interpreter = _interpreter(path, 1, delegate=True)
    return count([one for one in interpreter._get_ops_details()])


def count(operations: Sequence[dict[str, Any]]) -> dict[str, int]:
    """`delegated` of operations as the interpreter lists them: first those of the file, then one for each part that the
    delegate took, with its inputs and outputs. Its part is what lies between these."""
    own = [one for one in operations if one["op_name"] != _DELEGATE]
    maker = {int(tensor): number for number, one in enumerate(own) for tensor in one["outputs"]}
    taken: set[int] = set()
    for part in operations:
        if part["op_name"] != _DELEGATE:
            continue
        given = {int(tensor) for tensor in part["inputs"]}
        open_ = [int(tensor) for tensor in part["outputs"]]
        while open_:
            tensor = open_.pop()
            if tensor in given or tensor not in maker or maker[tensor] in taken:
                continue
            taken.add(maker[tensor])
            open_ += [int(source) for source in own[maker[tensor]]["inputs"]]
    heavy = {number for number, one in enumerate(own) if one["op_name"] in HEAVY}
    return {
        "operations": len(own), "operations_delegated": len(taken), "heavy": len(heavy),
        "delegated": len(heavy & taken),
        "custom": sum(one["op_name"].startswith("Flex") or one["op_name"] == "CUSTOM" for one in own),
    }  # fmt: skip


def _interpreter(path: Path, threads: int, delegate: bool) -> Any:
    need(LITERT)
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError as error:
        raise ConfigError(f"LiteRT cannot be loaded ({error}): {remedy(LITERT)}") from None
    kind = OpResolverType.AUTO if delegate else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with silent():
        made = Interpreter(model_content=path.read_bytes(), num_threads=threads, experimental_op_resolver_type=kind)
        made.allocate_tensors()
    return made
