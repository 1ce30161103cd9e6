"""How many threads motion recall draws on."""

from __future__ import annotations

import os


def threads() -> int:
    """As many as there are cores for this process, or as OMP_NUM_THREADS allows."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(told)) if told.isdecimal() else cores)
