"""The compiled loops (`_motion.c`), or their NumPy twin where no compiler was found when the package was installed."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

import numpy as np

from ..native import library_path
from .loops import BITS, EVIDENCE, Index, Kernel
from .reference import Reference


class Compiled:
    """The shared library beside this file."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.hst_evidence.restype = library.hst_wide.restype = ctypes.c_int

    def descriptors(self, label: np.ndarray, seen: np.ndarray) -> np.ndarray:
        out = np.empty(label.shape, np.uint32)
        self._library.hst_descriptors(*given(label, seen, *label.shape, out))
        return out

    def index(self, descriptors: np.ndarray) -> Index:
        start, place = np.empty((1 << BITS) + 2, np.int32), np.empty(descriptors.size, np.int32)
        self._library.hst_index(*given(descriptors, descriptors.size, start, place))
        return descriptors, start, place

    def votes(self, a: np.ndarray, b: Index, centre: tuple[int, int], reach: tuple[int, int]) -> np.ndarray:
        out = np.zeros((2 * reach[0] + 1, 2 * reach[1] + 1), np.int32)
        self._library.hst_votes(*given(a, *b, *a.shape, *centre, *reach, out, None, 1, 0, 0, None, 0))
        return out

    def local_shifts(
        self, a: np.ndarray, b: Index, known: np.ndarray, tile: int, reach: int, best: int, least: int
    ) -> np.ndarray:
        rows, columns = -(-a.shape[0] // tile), -(-a.shape[1] // tile)
        part = np.zeros((rows * columns, 2 * reach + 1, 2 * reach + 1), np.int32)
        self._library.hst_votes(*given(a, *b, *a.shape, 0, 0, 0, 0, None, part, tile, reach, reach, known, len(known)))
        out = np.empty((rows * columns, best, 2), np.int16)
        self._library.hst_best(*given(part, rows, columns, reach, reach, best, least, out))
        return out

    def evidence(
        self, a: np.ndarray, seen_a: np.ndarray, sa: np.ndarray, b: np.ndarray, seen_b: np.ndarray, sb: np.ndarray,
        textured: np.ndarray, tile: int, points: np.ndarray, start: np.ndarray, tolerance: int,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        colour, out = np.zeros(len(points), np.uint32), np.zeros((len(points), EVIDENCE), np.uint8)
        values = given(a, seen_a, sa, b, seen_b, sb, textured, *a.shape, tile, points, start, tolerance, colour, out)
        self._check(self._library.hst_evidence(*values))
        return colour, out

    def wide(
        self, a: np.ndarray, seen_a: np.ndarray, shift: tuple[int, int], b: np.ndarray, seen_b: np.ndarray,
        textured: np.ndarray, tolerance: int, points: np.ndarray, radius: np.ndarray,
    ) -> np.ndarray:  # fmt: skip
        out = np.empty((len(points), 4), np.int32)
        self._check(self._library.hst_wide(*given(
            a, seen_a, *shift, b, seen_b, textured, *a.shape, tolerance, points, radius, len(points), out
        )))  # fmt: skip
        return out

    def rows(
        self, a: np.ndarray, seen_a: np.ndarray, sa: tuple[int, int], b: np.ndarray, seen_b: np.ndarray,
        sb: tuple[int, int], textured: np.ndarray, tolerance: int,
    ) -> np.ndarray:  # fmt: skip
        out = np.empty((len(a), 2), np.int32)
        self._library.hst_rows(*given(a, seen_a, *sa, b, seen_b, *sb, textured, *a.shape, tolerance, out))
        return out

    def nearest(self, seen: np.ndarray) -> np.ndarray:
        out = np.empty((4, *seen.shape), np.int16)
        self._library.hst_nearest(*given(seen, *seen.shape, out))
        return out

    @staticmethod
    def _check(result: int) -> None:
        if result < 0:
            raise MemoryError("motion recall")


def given(*values: Any) -> list[Any]:
    """What a compiled function gets: where arrays lie, whole numbers of 64 bits, floats of 32."""
    made: list[Any] = []
    for value in values:
        if isinstance(value, np.ndarray):
            assert value.flags.c_contiguous
            made.append(ctypes.c_void_p(value.ctypes.data))
        elif isinstance(value, float):
            made.append(ctypes.c_float(value))
        else:
            made.append(value if value is None else ctypes.c_int64(int(value)))
    return made


@lru_cache(maxsize=1)
def kernel() -> Kernel:
    """The compiled loops where there are any."""
    path = library_path("_motion", __file__)
    if path is not None:
        try:
            return Compiled(ctypes.CDLL(str(path)))
        except (OSError, AttributeError):  # built for another machine, or from other sources
            pass
    return Reference()
