"""The packages that each format of an export is written with, and where those of phone runtimes lie.

ExecuTorch and LiteRT are heavy and pin much, so they lie in folders of their own, made by `pip install --target DIR`,
which a variable names. PyTorch is not needed to ask.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from ..errors import ConfigError

ONNX, EXECUTORCH, LITERT = "onnx", "executorch", "litert"
FORMATS = (ONNX, EXECUTORCH, LITERT)
PHONES = (EXECUTORCH, LITERT)
SUFFIXES = {ONNX: "onnx", EXECUTORCH: "pte", LITERT: "tflite"}
VARIABLES = {EXECUTORCH: "HSTMAE_EXECUTORCH", LITERT: "HSTMAE_LITERT"}  # each names a folder
_NEEDED = {
    ONNX: ("onnx", "onnxscript", "onnxruntime"),
    EXECUTORCH: ("executorch", "torchao"),
    LITERT: ("litert_torch", "litert_converter", "ai_edge_litert", "torchao", "jax"),
}
_MORE = {EXECUTORCH: "executorch torchao", LITERT: "litert-torch litert-converter ai-edge-litert jax"}


def need(form: str) -> None:
    """Make a format's packages importable, from the folder that its variable names where it is set.

    Raises:
        ConfigError: one of them is missing; the message says what to install.
    """
    variable = VARIABLES.get(form)
    folder = os.environ.get(variable) if variable else None
    if folder:
        path = Path(folder)
        if not path.is_dir():
            raise ConfigError(f"{variable}={folder}: no such folder; {remedy(form)}")
        if str(path.absolute()) not in sys.path:
            sys.path.append(str(path.absolute()))  # last: what is installed beside PyTorch comes first
            importlib.invalidate_caches()
    for name in _NEEDED[form]:
        if not _is_here(name):
            raise ConfigError(f"exporting needs packages ({name} is missing): {remedy(form)}")


def remedy(form: str) -> str:
    """What to do where packages of a format are missing."""
    if form == ONNX:
        return "pip install 'hstmae[export]'"
    return (
        f"pip install --no-deps --target DIR {_MORE[form]} and what they need, then {VARIABLES[form]}=DIR: "
        "docs/mobile.md has the whole line"
    )


def _is_here(name: str) -> bool:
    if name in sys.modules:
        return sys.modules[name] is not None
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # a module without its description
        return False
