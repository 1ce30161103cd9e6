"""The lossless kernel: compiled where there is a compiler, otherwise its pure-Python twin with the same bytes."""

import ctypes
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...errors import CodecError
from ...native import library_path as find_library
from .coding_models import Hashed, Parts, PictureModel, RowModel
from .opened import LEFT_OVER, CompiledFrames, CompiledPainter, OwnTables, pointer, scratch
from .probability import RATE, TRUST, squash_table, stretch_table
from .range_coder import DECODE, ENCODE, PART
from .scene import Scene

LIMIT, SPEED = 15, 6  # of learning while a group is coded; part of the format
_ERRORS = {
    -1: "no room for the output",
    -2: "out of memory",
    -3: "values that no encoder writes",
    LEFT_OVER: "bytes left over",
}


class Frames(Protocol):
    """A group that is coded frame by frame."""

    def code(self, t: int, packet: bytes, between: Callable[[], object]) -> bytes:
        """Code frame `t`, the next one: the packet in encoding, b"" in decoding. `between` is called when buttons and
        memory are known and the picture is not. Raises CodecError; then nothing more can be coded."""

    def close(self) -> None: ...


class Painter(Protocol):
    """Pictures of which nothing is known beside them, one by one. To be closed."""

    def picture(self, frame: np.ndarray, step: Callable[[float], object] = ...) -> None:
        """Code the next one in place, uint8 [H, W] or [H, W, 3]. `step` is called with the share of it that is done
        since the last call. Raises CodecError; then nothing more can be coded."""

    def finish(self) -> bytes:
        """The bytes of all; b"" in decoding. Raises CodecError: not all of the stream was read, but in mode PART."""

    def close(self) -> None: ...


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

    def open(self, mode: int, parts: Parts) -> Frames:
        """The frames of a group one by one; see Parts."""

    def blocks(
        self, mode: int, frames: np.ndarray, asked: np.ndarray, scene: Scene, model: PictureModel, data: bytes,
        spent: np.ndarray | None = None,
    ) -> bytes:  # fmt: skip
        """Of pictures uint8 [T, H, W] some 8x8 blocks alone, those of uint8 [T, ceil(H / 8), ceil(W / 8)] that are not
        0; decoding fills the others with what was expected of them. `spent`, int32 of the same shape, receives what
        each takes, in 1/16 bit. Of models from the second version on."""

    def paint(self, mode: int, size: tuple[int, int, int], back: int, model: PictureModel, data: bytes) -> Painter:
        """At most as many pictures as `size` [T, H, W] says, that are looked for in the last `back`, 2 or more."""

    def colour(self, mode: int, size: tuple[int, int, int], back: int, bits: int, data: bytes) -> Painter:
        """The same of pictures [H, W, 3] in true colour, with tables of 2**bits that begin empty."""


def check(result: int) -> int:
    if result < 0:
        raise CodecError(f"damaged stream: {_ERRORS.get(result, f'error {result}')}")
    return result


def _new_table(hashed: Hashed, name: str) -> np.ndarray:
    return hashed.table()


class Compiled:
    """The shared library beside this file."""

    name = "compiled"

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self._library.hst_rows.restype = ctypes.c_int64
        self._library.hst_pictures.restype = ctypes.c_int64
        self._library.hst_partners.restype = ctypes.c_int64
        for name in (
            "packets_end",
            "pictures_next",
            "pictures_band",
            "pictures_look_back",
            "rows_open",
            "pictures_open",
            "colours_open",
            "colours_close",
        ):
            getattr(self._library, f"hst_{name}").restype = ctypes.c_int64
        self._library.hst_packets_open.restype = ctypes.c_void_p
        for name in ("rows_share", "pictures_share"):
            getattr(self._library, f"hst_{name}").argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        for name in ("rows_next", "rows_close", "pictures_close", "colours_close", "packets_end", "packets_close"):
            getattr(self._library, f"hst_{name}").argtypes = [ctypes.c_void_p]
        self._library.hst_pictures_next.argtypes = [ctypes.c_void_p] * 2
        self._library.hst_pictures_ask.argtypes = [ctypes.c_void_p] * 3
        self._library.hst_pictures_ask.restype = None
        self._library.hst_packets_begin.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_int64]
        for name in ("pictures_band", "colours_band"):
            getattr(self._library, f"hst_{name}").argtypes = [*[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 2]
        self._library.hst_pictures_look_back.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int]
        self._maths = (stretch_table(), squash_table(), RATE, TRUST)

    def rows(self, mode: int, rows: np.ndarray, side: np.ndarray, model: RowModel, data: bytes) -> bytes:
        work, lines = row_work(model, scratch)
        return self._rows(mode, rows, side, model, work, lines, SPEED, data)

    def pictures(self, mode: int, frames: np.ndarray, scene: Scene, model: PictureModel, data: bytes) -> bytes:
        return self._pictures(mode, frames, scene, picture_work(model, scratch), SPEED, data)

    def open(self, mode: int, parts: Parts) -> Frames:
        rows, end, tables = [], [*self._maths, LIMIT, SPEED], OwnTables()
        pairs = ((parts.actions, parts.nothing, parts.action_model), (parts.state, parts.actions, parts.state_model))
        for array, side, model in pairs:
            if array.shape[1]:
                work, lines = row_work(model, tables.take)
                rows.append([array, *_sizes(array), *_row_parts(side, model, work, lines), *end])
        pictures = None
        if parts.picture is not None:
            work = picture_work(parts.picture_model, tables.take)
            pictures = [*_sizes(parts.picture), *_scene_parts(parts.scene), *work, *end]
        held = [rows, pictures]
        return CompiledFrames(
            self._library, mode, parts, [list(map(pointer, row)) for row in rows],
            None if pictures is None else list(map(pointer, pictures)), check, held, tables,
        )  # fmt: skip

    def paint(self, mode: int, size: tuple[int, int, int], back: int, model: PictureModel, data: bytes) -> Painter:
        rest = [*_scene_parts(Scene.nothing(size[0])), *picture_work(model, _new_table), *self._maths, LIMIT, SPEED]

        def ready(library: Any, opened: int) -> None:
            check(library.hst_pictures_look_back(opened, back, model.slots.bits))

        return CompiledPainter(self._library, "pictures", mode, size, rest, data, check, ready)

    def colour(self, mode: int, size: tuple[int, int, int], back: int, bits: int, data: bytes) -> Painter:
        rest = [ctypes.c_int64(back), bits, *self._maths, LIMIT, SPEED]
        return CompiledPainter(self._library, "colours", mode, (*size, 3), rest, data, check)

    def train_rows(
        self, rows: np.ndarray, side: np.ndarray, model: RowModel, slots: np.ndarray, cells: np.ndarray, bits: int,
        speed: int,
    ) -> None:  # fmt: skip
        """Encode for what it teaches: both tables and the model's weights are changed in place."""
        work = [slots, bits, model.own, model.shared]
        lines = [model.line_own, model.line_shared, cells, bits, model.guess_own, model.guess_shared, model.version]
        self._rows(ENCODE, rows, side, model, work, lines, speed, b"")

    def train_pictures(
        self, frames: np.ndarray, scene: Scene, model: PictureModel, slots: tuple[np.ndarray, int],
        cells: tuple[np.ndarray, int], speed: int,
    ) -> None:  # fmt: skip
        """The same with tables of 2**bits, which stand behind them, and the sources."""
        weights = [model.sources, model.flag, model.pixel, model.escape, model.quiet]
        work = [*slots, *cells, *weights, model.version]
        self._pictures(ENCODE, frames, scene, work, speed, b"")

    def partners(
        self, columns: np.ndarray, value: np.ndarray, changed: np.ndarray, known: np.ndarray, candidates: np.ndarray,
        log2: np.ndarray, cost: np.ndarray,
    ) -> None:  # fmt: skip
        """`cost` of coding `value` given `known` and each candidate row of `columns` (see _partners.c)."""
        count = ctypes.c_int64(columns.shape[1])
        number = ctypes.c_int64(len(candidates))
        arguments = [columns, count, value, changed, known, candidates, number, log2, cost]
        check(self._library.hst_partners(*map(pointer, arguments)))

    def _rows(
        self, mode: int, rows: np.ndarray, side: np.ndarray, model: RowModel, work: list[Any], lines: list[Any],
        speed: int, data: bytes,
    ) -> bytes:  # fmt: skip
        return self._run("hst_rows", mode, rows, _row_parts(side, model, work, lines), speed, data)

    def _pictures(self, mode: int, frames: np.ndarray, scene: Scene, work: list[Any], speed: int, data: bytes) -> bytes:
        return self._run("hst_pictures", mode, frames, [*_scene_parts(scene), *work], speed, data)

    def blocks(
        self, mode: int, frames: np.ndarray, asked: np.ndarray, scene: Scene, model: PictureModel, data: bytes,
        spent: np.ndarray | None = None,
    ) -> bytes:  # fmt: skip
        buffer = np.empty(2 * frames.size + 1024, np.uint8) if mode == ENCODE else np.frombuffer(data, np.uint8)
        rest = [*_scene_parts(scene), *picture_work(model, scratch), *self._maths, LIMIT, SPEED]
        arguments = [*_sizes(frames)[1:], *rest, buffer, ctypes.c_int64(len(buffer))]
        opened = check(self._library.hst_pictures_open(mode, *map(pointer, arguments)))
        try:
            self._library.hst_pictures_ask(opened, pointer(asked), pointer(spent))
            for frame in frames:
                check(self._library.hst_pictures_next(opened, pointer(frame)))
        except BaseException:
            self._library.hst_pictures_close(opened)
            raise
        done = check(self._library.hst_pictures_close(opened))
        return buffer[:done].tobytes() if mode == ENCODE else b""

    def _run(self, name: str, mode: int, array: np.ndarray, rest: list[Any], speed: int, data: bytes) -> bytes:
        buffer = np.empty(2 * array.size + 1024, np.uint8) if mode == ENCODE else np.frombuffer(data, np.uint8)
        arguments = [array, *_sizes(array), *rest, *self._maths, LIMIT, speed, buffer, ctypes.c_int64(len(buffer))]
        done = getattr(self._library, name)(min(mode, DECODE), *map(pointer, arguments))
        if mode != PART or done != LEFT_OVER:
            check(done)
        return buffer[:done].tobytes() if mode == ENCODE else b""


def _sizes(array: np.ndarray) -> list[Any]:
    return [ctypes.c_int64(size) for size in array.shape]


def _row_parts(side: np.ndarray, model: RowModel, work: list[Any], lines: list[Any]) -> list[Any]:
    known = [np.ascontiguousarray(side), ctypes.c_int64(side.shape[1]), model.order, model.partners, model.start]
    return [*known, *work, model.first_partners, model.line_partners, *lines]


def _scene_parts(scene: Scene) -> list[Any]:
    return [scene.sizes, scene.layout, scene.tiles, scene.corners, scene.sprites, scene.look, scene.hints]


Table = Callable[[Hashed, str], np.ndarray]  # a table that coding may change, and what it is of


def row_work(model: RowModel, table: Table) -> tuple[list[Any], list[Any]]:
    """What coding rows changes, from a fresh start: of both versions, and of the second one."""
    work = [table(model.slots, "slots"), model.slots.bits, model.own.copy(), model.shared.copy()]
    lines: list[Any] = [_copy(model.line_own), _copy(model.line_shared)]
    lines += [None, 0] if model.cells is None else [table(model.cells, "cells"), model.cells.bits]
    return work, [*lines, _copy(model.guess_own), _copy(model.guess_shared), model.version]


def picture_work(model: PictureModel, table: Table) -> list[Any]:
    """What coding pictures changes, from a fresh start."""
    slots, cells = table(model.slots, "slots"), table(model.cells, "cells")
    work = [slots, model.slots.bits, cells, model.cells.bits, model.sources.copy()]
    return [*work, model.flag.copy(), model.pixel.copy(), model.escape.copy(), _copy(model.quiet), model.version]


def _copy(a: np.ndarray | None) -> np.ndarray | None:
    return None if a is None else a.copy()


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
    from .reference.backend import Reference

    return Reference()
