"""ONNX files of a model, written whole or not at all."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..atomic import replacing, write_bytes
from ..errors import ConfigError

OPSET = 20


@torch.no_grad()
def write_onnx(
    module: nn.Module, inputs: dict[str, Tensor], outputs: list[str], varying: dict[str, tuple[int, ...]], path: Path
) -> None:
    """Write a module as ONNX, opset 20.

    Args:
        inputs: an example of each, in the order of the module's arguments.
        varying: which axes of which inputs may have any length.
    Raises:
        ConfigError: the packages that it takes are not installed.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"exporting needs packages ({error.name} is missing): pip install 'hstmae[export]'") from None
    free = torch.export.Dim.AUTO
    shapes = tuple({axis: free for axis in varying[name]} if name in varying else None for name in inputs)
    starred = module.forward.__code__.co_flags & 0x04  # *inputs
    with quiet():
        program = torch.onnx.export(
            module.eval(), tuple(inputs.values()), dynamo=True, opset_version=OPSET, input_names=list(inputs),
            output_names=outputs, dynamic_shapes=(shapes,) if starred else shapes, verbose=False,
        )  # fmt: skip
    assert program is not None
    proto = program.model_proto
    for holder in (*proto.graph.node, *proto.graph.value_info, proto.graph):  # where each comes from in our sources
        del holder.metadata_props[:]
        holder.doc_string = ""
    write_bytes(path, proto.SerializeToString())


def write_int8(source: Path, path: Path) -> None:
    """The same graph with weights of products and tables as int8, scaled per channel; activations as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with quiet(), replacing(path) as temporary:
        prepared = temporary.with_name(temporary.name + ".prepared")
        try:
            quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            quantize_dynamic(
                str(prepared), str(temporary), per_channel=True, weight_type=QuantType.QInt8,
                op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            )  # fmt: skip
        finally:
            prepared.unlink(missing_ok=True)


def described(arrays: dict[str, Any], varying: dict[str, tuple[int, ...]]) -> list[dict[str, Any]]:
    """Name, type and shape of each, for the manifest; null for lengths that vary."""
    return [
        {
            "name": name,
            "type": str(np.asarray(array).dtype),
            "shape": [None if axis in varying.get(name, ()) else n for axis, n in enumerate(array.shape)],
        }
        for name, array in arrays.items()
    ]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what exporters tell of themselves."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Without what libraries written in other languages tell of themselves on stdout and stderr."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        for stream in (1, 2):
            os.dup2(nothing, stream)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, old in zip((1, 2), kept, strict=True):
            os.dup2(old, stream)
            os.close(old)
        os.close(nothing)
