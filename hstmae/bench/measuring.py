"""What a measurement is: a method, how it is carried out, and what came of it."""

from __future__ import annotations

import math
import platform
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..errors import CodecError

WHOLE, EACH = "–", "1 frame"  # access: from the beginning alone, and everywhere
OWN = "HST"  # what the names of our methods begin with
PICTURES = "pictures"
Got = TypeVar("Got")


class Unavailable(Exception):
    """A method that cannot be measured here. The message says why."""


class Mismatch(CodecError):
    """What came back is not what was put in."""


@dataclass(frozen=True)
class Result:
    """A clip, coded and decoded again.

    Attributes:
        bytes: everything that decoding needs but the program.
        encode, decode: CPU seconds of this process, all of its threads.
        psnr: of RGB, in dB; None = every bit came back.
        frames: that the bytes are of, where these are not those of the clip.
    """

    bytes: int
    encode: float
    decode: float
    psnr: float | None = None
    frames: int | None = None


@dataclass(frozen=True)
class Method:
    """A way to code a clip.

    Attributes:
        name: of the codec and its settings.
        holds: what it keeps of the clip.
        given: what it was given, "RGB", "RGB differences" or "index": palette indices, which are half of our own work.
        access: from where on decoding can start.
        run: measures it. Raises Unavailable.
    """

    name: str
    holds: str
    given: str
    access: str
    run: Callable[[], Result]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What is one row of a table."""
        return self.name, self.holds, self.given, self.access


def timed(work: Callable[[], Got]) -> tuple[Got, float]:
    """(what it gives, CPU seconds)."""
    began = time.process_time()
    done = work()
    return done, time.process_time() - began


def access_of(gop: int) -> str:
    """Of groups of `gop` frames; 0 = one group."""
    return WHOLE if not gop else f"{gop} frames"


def groups_of(array: np.ndarray, gop: int) -> list[np.ndarray]:
    """In groups of `gop` rows; 0 = in one."""
    return [array[k : k + gop] for k in range(0, len(array), gop)] if gop else [array]


def decibels(error: float) -> float:
    """PSNR of a mean squared error of 8-bit samples; 100 where there is none."""
    return 100.0 if error <= 0 else 10 * math.log10(65025 / error)


def error_of(a: np.ndarray, b: np.ndarray) -> float:
    """Mean squared difference of uint8 arrays, frame by frame to save memory."""
    return float(np.mean([np.mean((x.astype(np.int32) - y) ** 2) for x, y in zip(a, b, strict=True)]))


def machine() -> str:
    """The processor and what matters of the programs, for who reads the figures later."""
    name = platform.processor() or platform.machine()
    with suppress(OSError, IndexError):  # not Linux, or a processor that has no name there
        name = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())[0]
    return f"{name}; Python {platform.python_version()}, numpy {np.__version__}"
