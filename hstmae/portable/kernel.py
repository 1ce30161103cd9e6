"""The compiled palette head on NumPy arrays; the same in NumPy where it was not compiled."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..native import HeadJob, library_path

COLUMNS, _WIDTH, _WIDEST = 8, 16, 256  # those of hstmae.models.fast.kernel
_PIECE = 1024
_BESIDE = Path(__file__).parent.parent / "models" / "fast" / "kernel.py"


class Head:
    """The last two layers of a palette head, for pixels of many cubes at once."""

    def __init__(self, outward: np.ndarray, out_bias: np.ndarray, entries: np.ndarray) -> None:
        """outward: float32 [width, columns], out_bias [columns], entries: integer [n], n <= columns; others fill up."""
        self.outward, self.out_bias = np.ascontiguousarray(outward, np.float32), out_bias.astype(np.float32)
        self.names = np.zeros(len(out_bias), np.uint8)
        self.names[: len(entries)] = entries
        width, columns = outward.shape
        fits = width % _WIDTH == 0 and columns % COLUMNS == 0 and max(width, columns) <= _WIDEST
        self.library = _library() if fits else None

    def __call__(
        self, table: np.ndarray | None, rows: np.ndarray | None, drawn: np.ndarray, inward: np.ndarray,
        scale: np.ndarray, bias: np.ndarray, palette: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        """See `models.fast.kernel.HeadKernel`: entry uint8 [n, 256], colour uint8 [n, 256, 3], confidence [n, 256].

        palette: float32 [columns, 4], red, green, blue and one, zero for columns that only fill up.
        """
        if self.library is None:
            return self._plain(table, rows, drawn, inward, scale, bias, palette)
        count = drawn.shape[0] * drawn.shape[1]
        given = {"table": table, "rows": rows, "drawn": drawn, "inward": inward, "scale": scale, "bias": bias,
                 "outward": self.outward, "out_bias": self.out_bias, "palette": palette.T}  # fmt: skip
        types = {"rows": np.int32}
        kept: dict[str, np.ndarray] = {
            k: np.ascontiguousarray(v, types.get(k, np.float32)) for k, v in given.items() if v is not None
        }
        entry, colour = np.empty(drawn.shape[:2], np.uint8), np.empty((*drawn.shape[:2], 3), np.uint8)
        confidence = np.empty(drawn.shape[:2], np.float32)
        kept |= {"names": self.names, "entry": entry, "colour": colour, "confidence": confidence}
        job = HeadJob(
            depth=0 if rows is None else rows.shape[-1], channels=drawn.shape[-1], width=self.outward.shape[0],
            columns=self.outward.shape[1], count=count, piece=_PIECE, **{k: v.ctypes.data for k, v in kept.items()},
        )  # fmt: skip
        self.library.hst_head(ctypes.byref(job))
        return entry, colour, confidence

    def _plain(
        self, table: np.ndarray | None, rows: np.ndarray | None, drawn: np.ndarray, inward: np.ndarray,
        scale: np.ndarray, bias: np.ndarray, palette: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        made = []
        for i, cube in enumerate(drawn):
            hidden = cube @ inward + bias
            if rows is not None and table is not None:
                hidden += table[rows[i]].sum(1) * scale
            logits = _gelu(hidden) @ self.outward + self.out_bias
            first = logits.argmax(1)
            share = np.exp(logits - logits.max(1, keepdims=True)) @ palette
            colour = np.rint(share[:, :3] / share[:, 3:]).clip(0, 255).astype(np.uint8)
            made.append((self.names[first], colour, (1 / share[:, 3]).astype(np.float32)))
        entry, colour, sure = (np.stack(parts) for parts in zip(*made, strict=True))
        return entry, colour, sure


def _gelu(x: np.ndarray) -> np.ndarray:
    """x Phi(x), by an approximation of erf that is off by at most 1.5e-7 (Abramowitz and Stegun 7.1.26)."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = np.sign(x) * (1 - poly * np.exp(-z * z))
    return (0.5 * x * (1 + erf)).astype(np.float32)


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    path = library_path("_head", str(_BESIDE))
    if path is None:
        return None
    try:
        library = ctypes.CDLL(str(path))
        library.hst_head.restype = None
    except (OSError, AttributeError):  # built for another machine: NumPy does the same work
        return None
    return library
