"""Graphs for the runtimes of phones: every size is fixed, and each is checked in its own runtime once it is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import ConfigError
from ..models.mae import HSTMAE
from ..portable.folder import FIXED, NETWORK
from ..portable.network import run_session
from .executorch import ExecutorchSession, write_executorch
from .fixed import fixed
from .golden import GoldenClip
from .graphs import ToHead, input_names
from .libraries import EXECUTORCH, SUFFIXES
from .litert import LitertSession, write_litert
from .onnx import described
from .whole_numbers import for_phones

TOLERANCE = 1e-4  # of golden outputs, float32
OUTPUTS = ["content", "cube", "film"]


def write_phones(
    model: HSTMAE, clip: GoldenClip, forms: Sequence[str], out: Path, say: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, Any]]:
    """Write the network up to its head for phones, for as many visible units and wanted cubes as the clip has.

    Returns:
        The graphs of the manifest by name; golden arrays that belong to it; of each graph the CPU seconds that its
        conversion took.
    Raises:
        ConfigError: packages that are missing, a graph that a converter refuses, or one that answers otherwise than the
            model does.
    """
    feed = clip.feed()
    own = ToHead(model, clip.state, planned=False).eval()
    inputs = {name: torch.from_numpy(feed[name]) for name in input_names(own)}
    with torch.no_grad():
        truth = [one.numpy() for one in own(*inputs.values())]
    began = time.process_time()
    simple = fixed(ToHead(for_phones(model), clip.state, planned=False), inputs)
    shared = time.process_time() - began
    graphs: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    for form in forms:
        name, path = f"{NETWORK}_{form}", out / f"{NETWORK}.{SUFFIXES[form]}"
        say(f"converting {name}: this takes minutes")
        began = time.process_time()
        if form == EXECUTORCH:
            told = write_executorch(simple, inputs, path)
        else:
            told = write_litert(simple, inputs, OUTPUTS, path)
        seconds[name] = shared + time.process_time() - began
        graphs[name] = {
            "file": path.name, "runtime": form, "inputs": described({n: feed[n] for n in inputs}, {}),
            "outputs": described(dict(zip(OUTPUTS, truth, strict=True)), {}), "golden": FIXED, **told,
        }  # fmt: skip
        error = difference(run_session(open_phone(graphs[name], out), feed), truth)
        say(f"{name}: {told['delegated']} of {told['heavy']} products by XNNPACK, golden output off by {error:.2g}")
        if not error <= TOLERANCE:
            raise ConfigError(f"{model.config.name}: graph {name} answers otherwise than the model, by {error:.2g}")
    golden = {f"{FIXED}.{name}": one for name, one in zip(OUTPUTS, truth, strict=True)}
    return graphs, golden | {f"{FIXED}.in.{name}": feed[name] for name in ("visible", "queries")}, seconds


def open_phone(graph: dict[str, Any], folder: Path, threads: int = 1) -> Any:
    """A graph of a manifest in its own runtime, which answers as a session of ONNX Runtime does.

    Raises:
        ConfigError: the runtime is not installed.
    """
    path = folder / graph["file"]
    if graph["runtime"] == EXECUTORCH:
        return ExecutorchSession(path, [one["name"] for one in graph["inputs"]], threads)
    return LitertSession(path, [one["name"] for one in graph["outputs"]], threads)


def difference(made: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> float:
    """The largest difference between arrays of the same shapes; NaN where one of them has NaN."""
    for a, b in zip(made, truth, strict=True):
        if a.shape != b.shape:
            raise ConfigError(f"a graph answers with shape {list(a.shape)}, the model with {list(b.shape)}")
    return float(np.max([np.abs(a - b).max(initial=0) for a, b in zip(made, truth, strict=True)]))
