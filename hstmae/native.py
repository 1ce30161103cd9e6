"""Shared libraries that were compiled when the package was installed, where there was a compiler."""

from __future__ import annotations

import ctypes
import sysconfig
from pathlib import Path


def library_path(name: str, beside: str) -> Path | None:
    """The compiled library `name` in the folder of the module file `beside`, or None where it was not compiled."""
    suffixes = [sysconfig.get_config_var("EXT_SUFFIX") or ".so", ".abi3.so", ".so", ".pyd", ".dll"]
    for suffix in suffixes:
        path = Path(beside).with_name(name + suffix)
        if path.is_file():
            return path
    return None


_POINTERS = (
    "table", "rows", "drawn", "inward", "scale", "bias", "outward", "out_bias", "names", "palette", "entry", "colour",
    "confidence",
)  # fmt: skip
_SIZES = ("depth", "channels", "width", "columns", "count", "piece", "next")


class HeadJob(ctypes.Structure):
    """What the compiled palette head (`models/fast/_head.c`) is given: `Job` there."""

    _fields_ = [(name, ctypes.c_void_p) for name in _POINTERS] + [(name, ctypes.c_int64) for name in _SIZES]
