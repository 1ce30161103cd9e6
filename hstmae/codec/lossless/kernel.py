"""The lossless kernel: compiled where there is a compiler, otherwise its pure-Python twin with the same bytes."""

import ctypes
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...errors import CodecError
from ...native import library_path as find_library
from .coding_models import PictureModel, RowModel
from .probability import RATE, TRUST, squash_table, stretch_table
from .range_coder import DECODE, ENCODE, PART
from .scene import Scene

LIMIT, SPEED = 15, 6  # of learning while a group is coded; part of the format
_LEFT_OVER = -4
_ERRORS = {
    -1: "no room for the output",
    -2: "out of memory",
    -3: "values that no encoder writes",
    _LEFT_OVER: "bytes left over",
}


class Backend(Protocol):
    """Both calls code in place: encoding reads the array and returns the bytes, decoding fills it and returns b"".
    In mode PART the array is the beginning of what was encoded.

    Raises CodecError for a stream that makes no sense.
    """

    name: str

    def rows(self, mode: int, rows: np.ndarray, side: np.ndarray, model: RowModel, data: bytes) -> bytes:
        """rows uint8 [T, S], side uint8 [T, K] (known to both ends)."""

    def pictures(self, mode: int, frames: np.ndarray, scene: Scene, model: PictureModel, data: bytes) -> bytes:
        """frames uint8 [T, H, W]."""


def check(result: int) -> int:
    if result < 0:
        raise CodecError(f"damaged stream: {_ERRORS.get(result, f'error {result}')}")
    return result


class Compiled:
    """The shared library beside this file."""

    name = "compiled"

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self._library.hst_rows.restype = ctypes.c_int64
        self._library.hst_pictures.restype = ctypes.c_int64
        self._library.hst_partners.restype = ctypes.c_int64
        self._maths = (stretch_table(), squash_table(), RATE, TRUST)

    def rows(self, mode: int, rows: np.ndarray, side: np.ndarray, model: RowModel, data: bytes) -> bytes:
        work = [model.slots.table(), model.slots.bits, model.own.copy(), model.shared.copy()]
        return self._rows(mode, rows, side, model, work, SPEED, data)

    def pictures(self, mode: int, frames: np.ndarray, scene: Scene, model: PictureModel, data: bytes) -> bytes:
        work = [model.slots.table(), model.slots.bits, model.cells.table(), model.cells.bits, model.sources.copy()]
        work += [model.flag.copy(), model.pixel.copy(), model.escape.copy()]
        return self._pictures(mode, frames, scene, work, SPEED, data)

    def train_rows(
        self, rows: np.ndarray, side: np.ndarray, model: RowModel, slots: np.ndarray, bits: int, speed: int
    ) -> None:
        """Encode for what it teaches: `slots` and the model's weights are changed in place."""
        self._rows(ENCODE, rows, side, model, [slots, bits, model.own, model.shared], speed, b"")

    def train_pictures(
        self, frames: np.ndarray, scene: Scene, model: PictureModel, slots: np.ndarray, cells: np.ndarray, bits: int,
        speed: int,
    ) -> None:  # fmt: skip
        """Encode for what it teaches: both tables, the sources and the weights are changed in place."""
        work = [slots, bits, cells, bits, model.sources, model.flag, model.pixel, model.escape]
        self._pictures(ENCODE, frames, scene, work, speed, b"")

    def partners(
        self, columns: np.ndarray, value: np.ndarray, changed: np.ndarray, known: np.ndarray, candidates: np.ndarray,
        log2: np.ndarray, cost: np.ndarray,
    ) -> None:  # fmt: skip
        """`cost` of coding `value` given `known` and each candidate row of `columns` (see _partners.c)."""
        count = ctypes.c_int64(columns.shape[1])
        number = ctypes.c_int64(len(candidates))
        arguments = [columns, count, value, changed, known, candidates, number, log2, cost]
        check(self._library.hst_partners(*map(_pointer, arguments)))

    def _rows(
        self, mode: int, rows: np.ndarray, side: np.ndarray, model: RowModel, work: list[Any], speed: int, data: bytes
    ) -> bytes:
        sides = [np.ascontiguousarray(side), ctypes.c_int64(side.shape[1])]
        fixed = [model.order, model.partners, model.start]
        return self._run("hst_rows", mode, rows, [*sides, *fixed, *work], speed, data)

    def _pictures(self, mode: int, frames: np.ndarray, scene: Scene, work: list[Any], speed: int, data: bytes) -> bytes:
        drawn = [scene.sizes, scene.layout, scene.tiles, scene.corners, scene.sprites, scene.look, scene.hints]
        return self._run("hst_pictures", mode, frames, [*drawn, *work], speed, data)

    def _run(self, name: str, mode: int, array: np.ndarray, rest: list[Any], speed: int, data: bytes) -> bytes:
        buffer = np.empty(2 * array.size + 1024, np.uint8) if mode == ENCODE else np.frombuffer(data, np.uint8)
        shape = map(ctypes.c_int64, array.shape)
        arguments = [array, *shape, *rest, *self._maths, LIMIT, speed, buffer, ctypes.c_int64(len(buffer))]
        done = getattr(self._library, name)(min(mode, DECODE), *map(_pointer, arguments))
        if mode != PART or done != _LEFT_OVER:
            check(done)
        return buffer[:done].tobytes() if mode == ENCODE else b""


def _pointer(a: Any) -> Any:
    assert not isinstance(a, np.ndarray) or a.flags.c_contiguous
    return a.ctypes.data_as(ctypes.c_void_p) if isinstance(a, np.ndarray) else a


def library_path() -> Path | None:
    """Where the compiled kernel is, if there is one."""
    return find_library("_kernel", __file__)


@lru_cache(maxsize=1)
def backend() -> Backend:
    """The best backend there is. Warns once when only the slow one is to be had."""
    path = library_path()
    if path is not None:
        try:
            return Compiled(path)
        except (OSError, AttributeError) as error:
            why = f"{path.name} cannot be used ({error})"
    else:
        why = "the compiled kernel is missing"
    warnings.warn(
        f"lossless codec: {why}, so the pure-Python coder is used: seconds per frame instead of milliseconds. "
        "Install a C compiler (gcc or clang) and the package again",
        RuntimeWarning,
        stacklevel=3,
    )
    from .reference import Reference

    return Reference()
