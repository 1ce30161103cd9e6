"""The compiled palette head (`_head.c`): pixels of many cubes at once, on the threads that torch uses."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from ...native import HeadJob, library_path

COLUMNS = 8  # the last matrix must have a multiple of so many columns
_WIDTH, _WIDEST, _DEEPEST = 16, 256, 16
_PIECE = 1024  # pixels that a thread takes at once


class HeadKernel:
    """Weights of one head, ready for the compiled loop."""

    def __init__(self, library: ctypes.CDLL, outward: Tensor, out_bias: Tensor, entries: Tensor) -> None:
        """outward: float [width, columns], out_bias: float [columns], entries: int64 [n], n <= columns."""
        self._work = library.hst_head
        self._outward, self._out_bias = outward.contiguous(), out_bias.contiguous()
        self._names = torch.zeros(len(out_bias), dtype=torch.uint8)
        self._names[: len(entries)] = entries.to(torch.uint8)

    @staticmethod
    def of(outward: Tensor, out_bias: Tensor, entries: Tensor) -> HeadKernel | None:
        """None where it was not compiled, for weights on another device than the CPU, or for sizes it does not take."""
        width, columns = outward.shape
        fits = width % _WIDTH == 0 and columns % COLUMNS == 0 and max(width, columns) <= _WIDEST
        library = _library()
        if library is None or outward.device.type != "cpu" or not fits or int(entries.max()) > 255:
            return None
        return HeadKernel(library, outward, out_bias, entries)

    def __call__(
        self, table: Tensor | None, rows: Tensor | None, drawn: Tensor, inward: Tensor, scale: Tensor, bias: Tensor,
        colours: Tensor | None,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:  # fmt: skip
        """Pixels of n cubes of one frame.

        Args:
            table: float32 [rows, width], row 0 zero; rows: int32 [n, 256, R] rows of it to add up. Both or none.
            drawn: float32 [n, 256, channels]; inward: float32 [channels, width]; scale, bias: float32 [width].
            colours: float32 [columns, 4], red, green, blue and one, zero for columns that only fill up; or None.
        Returns:
            entry uint8 [n, 256], and with `colours` the mean colour uint8 [n, 256, 3] and the confidence [n, 256].
        """
        shape = drawn.shape[:2]
        width, columns = self._outward.shape
        assert rows is None or (table is not None and rows.shape[-1] <= _DEEPEST and rows.shape[:2] == shape)
        assert inward.shape == (drawn.shape[-1], width) and shape[1] % 4 == 0
        given = {
            "table": table, "rows": rows, "drawn": drawn, "inward": inward, "scale": scale, "bias": bias,
            "outward": self._outward, "out_bias": self._out_bias, "palette": None if colours is None else colours.t(),
        }  # fmt: skip
        kept = {name: x.contiguous() for name, x in given.items() if x is not None} | {"names": self._names}
        entry = kept["entry"] = torch.empty(shape, dtype=torch.uint8)
        colour = confidence = None
        if colours is not None:
            colour = kept["colour"] = torch.empty(*shape, 3, dtype=torch.uint8)
            confidence = kept["confidence"] = torch.empty(shape)
        job = HeadJob(
            depth=0 if rows is None else rows.shape[-1], channels=drawn.shape[-1], width=width, columns=columns,
            count=shape.numel(), piece=_PIECE, **{name: x.data_ptr() for name, x in kept.items()},
        )  # fmt: skip
        _together()(self._work, job, min(torch.get_num_threads(), -(-job.count // _PIECE)))
        return entry, colour, confidence


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL | None:
    path = library_path("_head", __file__)
    if path is None:
        return None
    try:
        library = ctypes.CDLL(str(path))
        library.hst_head.restype = None
    except (OSError, AttributeError):  # built for another machine: torch does the same work
        return None
    return library


@lru_cache(maxsize=1)
def _together() -> Callable[[ctypes._FuncPointer, HeadJob, int], None]:
    """How to run a function on several threads at once.

    Between two of torch's operators its OpenMP threads keep spinning for a while, and on a machine with few cores other
    threads would have to wait for them. So they are asked to do the work themselves where that OpenMP is GNU's.
    """
    parallel = _gomp()
    if parallel is not None:

        def with_gomp(work: ctypes._FuncPointer, job: HeadJob, threads: int) -> None:
            parallel(ctypes.cast(work, ctypes.c_void_p), ctypes.byref(job), threads, 0)

        return with_gomp

    def with_pool(work: ctypes._FuncPointer, job: HeadJob, threads: int) -> None:
        waiting = [_pool(threads - 1).submit(work, ctypes.byref(job)) for _ in range(threads - 1)]
        work(ctypes.byref(job))
        for one in waiting:
            one.result()

    return with_pool


def _gomp() -> ctypes._FuncPointer | None:
    """GOMP_parallel(function, its argument, threads, flags) of the library that torch came with and has loaded."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libgomp*.so*")):
        try:
            parallel: ctypes._FuncPointer = ctypes.CDLL(str(path)).GOMP_parallel
        except (OSError, AttributeError):
            continue
        parallel.restype = None
        parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        return parallel
    return None


@lru_cache(maxsize=4)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="hst-head")
