"""What all tests with damaged input share.

HSTMAE_FUZZ_CASES sets the number of damaged inputs per reader (about a hundred otherwise; 100000 is the long form).
"""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from hstmae.errors import HstError

USUAL = 100
CASES = int(os.environ.get("HSTMAE_FUZZ_CASES", USUAL))
MEMORY = 64 << 20  # bytes that one case may take beyond what was there; the inputs are below 1 MB
SECONDS = 5.0  # CPU time of one case
LENGTHS = (0, 1, 0x7F, 0xFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """One to three changes: cut, flipped bits, absurd numbers, noise, bytes put in, taken out or said twice."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        at, length = int(rng.integers(len(out) + 1)), int(rng.integers(1, 9))
        match int(rng.integers(7)):
            case 0:
                del out[at:]
            case 1:
                if at < len(out):
                    out[at] ^= 1 << int(rng.integers(8))
            case 2:
                number = LENGTHS[int(rng.integers(len(LENGTHS)))]
                out[at : at + 4] = number.to_bytes(4, "big" if rng.random() < 0.5 else "little")
            case 3:
                out[at : at + length] = rng.bytes(length)
            case 4:
                out[at:at] = rng.bytes(length)
            case 5:
                del out[at : at + length]
            case _:
                out[at:at] = out[max(at - 40, 0) : at]
    return bytes(out)


def attack(read: Callable[[int], Any], cases: int = CASES, seconds: float = SECONDS) -> int:
    """Run `read` on each case number -> how many were refused. Anything but a result or a HstError fails."""
    refused = 0
    tracemalloc.start()
    try:
        for case in range(cases):
            tracemalloc.reset_peak()
            before, started = tracemalloc.get_traced_memory()[0], time.process_time()
            try:
                read(case)
            except HstError:
                refused += 1
            except Exception as error:
                raise AssertionError(f"case {case}: {error!r} instead of an error of the package") from error
            assert tracemalloc.get_traced_memory()[1] - before < MEMORY, f"case {case} took too much memory"
            assert time.process_time() - started < seconds, f"case {case} took too long"
    finally:
        tracemalloc.stop()
    return refused
