"""The compiled weighing of offers (`_weighing.c`, `_network.c`), or its NumPy twin where there is none."""

from __future__ import annotations

import ctypes
from functools import lru_cache

import numpy as np

from ..native import library_path
from .kernel import given
from .plain import Plain
from .weighing import COLUMNS, Layers, Meaning, Offered, Rows, Weigher

LANES, WIDEST, MOST, FORM = 16, 256, 512, 3  # as in the C sources
LOGS = (np.log2(1 + np.arange(256)) / 7).astype(np.float32)


class CompiledWeigher:
    """The shared library beside this file."""

    def __init__(self, library: ctypes.CDLL) -> None:
        """Raises OSError or AttributeError for a library that was compiled from other sources."""
        if library.hst_weighing_form() != FORM:
            raise OSError("compiled from other sources")
        self._library = library
        library.hst_smooth.restype = ctypes.c_int

    def settled(
        self, kind: np.ndarray, colour: np.ndarray, evidence: np.ndarray, least: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = colour.shape[1]
        known, by, settled = np.empty(n, np.uint32), np.empty(n, np.uint8), np.empty(n, np.uint8)
        self._library.hst_settle(*given(colour, evidence, kind, len(kind), n, least, known, by, settled))
        return known, by, settled.view(bool)

    def rows(self, offered: Offered, open_: np.ndarray, meaning: Meaning) -> Rows:
        o, count = offered, len(offered.kind)
        assert count <= MOST
        n, m, start = o.colour.shape[1], len(open_), np.empty(len(open_) + 1, np.int64)
        self._library.hst_count(*given(o.evidence, count, n, open_, m, start))
        total = int(start[-1])
        made = Rows(start, np.empty((total, 3), np.float32), np.empty(total, np.uint32), np.empty(total, np.uint8),
                    np.empty((total, meaning.wide), np.float32))  # fmt: skip
        columns = np.array([meaning.columns[name] for name in COLUMNS], np.int32)
        self._library.hst_fill(*given(
            o.colour, o.evidence, o.kind, count, n, open_, m, start, o.base, meaning.wide, columns, o.shift, o.tile,
            o.shift.shape[1], o.band, o.band_of, o.y, o.band.shape[1], o.own, o.own_of, o.own_columns, o.pace,
            o.pace_of, o.cell, o.pace.shape[1], o.again, o.lag_of, o.fine, o.fine_of, o.usual, o.pixel, LOGS,
            meaning.nearest, meaning.usual, meaning.side, made.rgb, made.key, made.kind, made.numbers,
        ))  # fmt: skip
        return made

    def scores(self, numbers: np.ndarray, layers: Layers) -> np.ndarray:
        widths = np.array([len(layers[0][0]), *(len(bias) for _, bias in layers)], np.int64)
        if widths[1:].max() > WIDEST:
            return Plain().scores(numbers, layers)
        own, weights = np.ascontiguousarray(numbers, np.float32), _filled_up(layers)
        out = np.empty(len(own), np.float32)
        self._library.hst_scores(*given(own, len(own), weights, widths, len(layers), out))
        return out

    def softmax(self, scores: np.ndarray, start: np.ndarray) -> np.ndarray:
        out, own = np.empty(len(scores), np.float32), np.ascontiguousarray(scores, np.float32)
        self._library.hst_softmax(*given(own, start, len(start) - 1, out))
        return out

    def drawn(
        self, rows: Rows, shares: np.ndarray, exact: bool, snap: float, surroundings: int, shown: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        m = len(rows.start) - 1
        made, sure, likely = np.empty((m, 3), np.uint8), np.empty(m, np.float32), np.empty((m, 3), np.uint8)
        seen, top = np.empty(m, np.uint8), np.empty(m, np.uint8)
        self._library.hst_draw(*given(
            shares, rows.start, m, rows.rgb, rows.key, rows.kind, exact, snap, surroundings, shown, made, sure, likely,
            seen, top,
        ))  # fmt: skip
        return made, sure, likely, seen.view(bool), top

    def smooth(self, rgb: np.ndarray, seen: np.ndarray) -> np.ndarray:
        own, out = np.ascontiguousarray(rgb), np.empty(rgb.shape, np.float32)
        if self._library.hst_smooth(*given(own, seen, *seen.shape, out)) < 0:
            raise MemoryError("motion recall")
        return out


def _filled_up(layers: Layers) -> np.ndarray:
    """All weights one after the other, outputs filled up with zeros to a multiple of LANES."""
    parts = []
    for weight, bias in layers:
        whole = np.concatenate([weight, bias[None]]).astype(np.float32)
        parts.append(np.pad(whole, ((0, 0), (0, -whole.shape[1] % LANES))).reshape(-1))
    return np.concatenate(parts)


@lru_cache(maxsize=1)
def weigher() -> Weigher:
    """The compiled one where there is one."""
    path = library_path("_weighing", __file__)
    if path is not None:
        try:
            return CompiledWeigher(ctypes.CDLL(str(path)))
        except (OSError, AttributeError):  # built for another machine, or from other sources
            pass
    return Plain()
