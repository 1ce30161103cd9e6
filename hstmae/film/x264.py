"""x264 without what makes it write other films of the same pictures."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module


def steady(options: dict[str, str]) -> dict[str, str]:
    """Options of x264, with what it needs besides to write the same film each time.

    On processors with AVX-512 it does not, whatever the number of threads (measured with PyAV 18.1: 17 to 24 different
    films out of 25, with its AVX2 functions one).
    """
    if not _has_avx512():
        return options
    return {**options, "x264-params": ":".join([*filter(None, [options.get("x264-params")]), "asm=AVX2"])}


@lru_cache(maxsize=1)
def _has_avx512() -> bool:
    try:
        known = import_module("numpy._core._multiarray_umath").__cpu_features__
    except (ImportError, AttributeError):  # where NumPy keeps it is its own affair
        return False
    return bool(known.get("AVX512F", False) and known.get("AVX2", False))
