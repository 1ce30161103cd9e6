"""The compiled kernel frame by frame, and the tables that it changes."""

from __future__ import annotations

import ctypes
import math
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from ...errors import CodecError
from .coding_models import Hashed, Parts
from .range_coder import DECODE, ENCODE, PART

LEFT_OVER = -4  # what the kernel says where not all of a stream was read
_BLOCK = 8  # rows of a picture that are coded together
_AT_ONCE = 1 << 16  # pixels: while they are coded nothing else happens, not even Ctrl-C
_LOCK = threading.Lock()
_WAITING = 4  # tables of a kind
_SPARE = 1024  # bytes more than twice what is coded: more than any packet takes


class Closing(Protocol):
    def close(self) -> None: ...


class CompiledFrames:
    """See kernel.Frames. To be closed; what the kernel holds is not known to Python.

    Args:
        library: the kernel.
        rows, pictures: arguments of the functions that open them, up to the buffer; None = no pictures.
        check: gives a result back, or raises CodecError.
        held: arrays that the kernel reads and writes until it is closed.
        tables: those of them that others use after that.
    """

    def __init__(
        self, library: Any, mode: int, parts: Parts, rows: list[list[Any]], pictures: list[Any] | None,
        check: Callable[[int], int], held: object, tables: Closing,
    ) -> None:  # fmt: skip
        self._tables = tables
        self._library, self._mode, self._parts, self._check = library, min(mode, DECODE), parts, check
        self._held = held
        self._rows: list[int] = []
        self._pictures = self._coder = 0
        size = parts.actions.shape[1] + parts.state.shape[1] + (0 if parts.picture is None else parts.picture.size)
        self._buffer = np.empty(2 * size + _SPARE, np.uint8)
        try:
            self._coder = library.hst_packets_open()
            if not self._coder:
                raise CodecError("out of memory")
            for arguments in rows:
                self._rows.append(check(library.hst_rows_open(self._mode, *arguments, None, ctypes.c_int64(0))))
                library.hst_rows_share(self._rows[-1], self._coder)
            if pictures is not None:
                opened = library.hst_pictures_open(self._mode, *pictures, None, ctypes.c_int64(0))
                self._pictures = check(opened)
                library.hst_pictures_share(self._pictures, self._coder)
        except BaseException:
            self.close()
            raise

    def code(self, t: int, packet: bytes, between: Callable[[], object]) -> bytes:
        library, encoding = self._library, self._mode == ENCODE
        buffer = self._buffer if encoding else np.frombuffer(packet, np.uint8)
        place = buffer.ctypes.data_as(ctypes.c_void_p)
        library.hst_packets_begin(self._coder, self._mode, place, ctypes.c_int64(len(buffer)))
        for rows in self._rows:
            library.hst_rows_next(rows)
        between()
        if self._pictures and self._parts.picture is not None:
            picture = self._parts.picture.ctypes.data_as(ctypes.c_void_p)
            self._check(library.hst_pictures_next(self._pictures, picture))
        done = self._check(library.hst_packets_end(self._coder))
        return self._buffer[:done].tobytes() if encoding else b""

    def close(self) -> None:
        for rows in self._rows:
            self._library.hst_rows_close(rows)
        if self._pictures:
            self._library.hst_pictures_close(self._pictures)
        if self._coder:
            self._library.hst_packets_close(self._coder)
        self._rows, self._pictures, self._coder = [], 0, 0
        self._tables.close()

    def __del__(self) -> None:
        self.close()


class CompiledPainter:
    """See kernel.Painter.

    Args:
        library: the kernel.
        name: of its functions: "pictures" of palette indices, or "colours".
        rest: arguments of the function that opens them, between their size and the buffer.
        ready: called with the library and what was opened, before the first picture.
        check: as of CompiledFrames.
    """

    def __init__(
        self, library: Any, name: str, mode: int, size: tuple[int, ...], rest: list[Any], data: bytes,
        check: Callable[[int], int], ready: Callable[[Any, int], object] = lambda library, opened: None,
    ) -> None:  # fmt: skip
        self._height, self._width = size[1:3]
        self._library, self._name, self._mode, self._check, self._rest = library, name, mode, check, rest
        room = 2 * math.prod(size) + _SPARE
        self._buffer = np.empty(room, np.uint8) if mode == ENCODE else np.frombuffer(data, np.uint8)
        sides = [ctypes.c_int64(self._height), ctypes.c_int64(self._width)]
        arguments = [*sides, *rest, self._buffer, ctypes.c_int64(len(self._buffer))]
        self._open = 0
        self._open = check(self._call("open")(min(mode, DECODE), *map(pointer, arguments)))
        try:
            ready(library, self._open)
        except BaseException:
            self.close()
            raise

    def _call(self, what: str) -> Callable[..., int]:
        found: Callable[..., int] = getattr(self._library, f"hst_{self._name}_{what}")
        return found

    def picture(self, frame: np.ndarray, step: Callable[[float], object] = lambda share: None) -> None:
        rows = -(-self._height // _BLOCK)
        band = max(1, _AT_ONCE // (_BLOCK * self._width))
        for start in range(0, rows, band):
            end = min(start + band, rows)
            self._check(self._call("band")(self._open, pointer(frame), start, end))
            step((end - start) / rows)

    def finish(self) -> bytes:
        opened, self._open = self._open, 0
        done = self._call("close")(opened)
        if self._mode != PART or done != LEFT_OVER:
            self._check(done)
        return self._buffer[:done].tobytes() if self._mode == ENCODE else b""

    def close(self) -> None:
        opened, self._open = self._open, 0
        if opened:
            self._call("close")(opened)

    def __del__(self) -> None:
        self.close()


def pointer(a: Any) -> Any:
    assert not isinstance(a, np.ndarray) or a.flags.c_contiguous
    return a.ctypes.data_as(ctypes.c_void_p) if isinstance(a, np.ndarray) else a


class Pool:
    """Copies of one table, filled anew in the background while others are used. Thread-safe."""

    def __init__(self, table: np.ndarray) -> None:
        self._table = table
        self._ready: list[Future[np.ndarray]] = []
        self._used: deque[np.ndarray] = deque()

    def take(self) -> np.ndarray:
        """A copy that nobody else has, and that may be changed; one more is made ready."""
        with _LOCK:
            while self._used:
                used = self._used.popleft()
                if len(self._ready) < _WAITING:
                    self._ready.append(_filling().submit(self._filled, used))
            found = self._ready.pop(0) if self._ready else None
            if not self._ready:
                self._ready.append(_filling().submit(self._table.copy))
        return self._table.copy() if found is None else found.result()

    def give_back(self, used: np.ndarray) -> None:
        """One that was taken and is not needed any more. No lock is waited for: the collector of garbage calls this
        whenever it likes, also where this very thread holds the lock, or that of the background's work."""
        if len(self._used) < _WAITING:
            self._used.append(used)

    def _filled(self, used: np.ndarray) -> np.ndarray:
        np.copyto(used, self._table)
        return used


@lru_cache(maxsize=1)
def _filling() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="hstmae-tables")


class _Same:
    """An object as a key of caches: equal to itself only."""

    def __init__(self, held: Hashed) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.held is self.held

    def __hash__(self) -> int:
        return id(self.held)


@lru_cache(maxsize=16)
def _filled(hashed: _Same) -> np.ndarray:
    return hashed.held.table()


_LARGE = 1 << 19  # entries; smaller tables are made anew
_threads = threading.local()


@lru_cache(maxsize=16)
def _pool(hashed: _Same) -> Pool:
    return Pool(_filled(hashed))


class OwnTables:
    """Tables for a group that is coded frame by frame. To be closed: large ones are used again."""

    def __init__(self) -> None:
        self._taken: list[tuple[Pool, np.ndarray]] = []

    def take(self, hashed: Hashed, name: str) -> np.ndarray:
        if 1 << hashed.bits < _LARGE:
            return hashed.table()
        pool = _pool(_Same(hashed))
        table = pool.take()
        self._taken.append((pool, table))
        return table

    def close(self) -> None:
        while self._taken:
            pool, table = self._taken.pop()
            pool.give_back(table)


def scratch(hashed: Hashed, name: str) -> np.ndarray:
    """A table that the next call of this thread overwrites: to fill one that is there takes a fraction of the time."""
    if 1 << hashed.bits < _LARGE:
        return hashed.table()
    kept = _kept(name, hashed.bits)
    np.copyto(kept, _filled(_Same(hashed)))
    return kept


def _kept(name: str, bits: int) -> np.ndarray:
    key = f"{name}{bits}"
    if not hasattr(_threads, key):
        setattr(_threads, key, np.empty(1 << bits, np.uint32))
    found: np.ndarray = getattr(_threads, key)
    return found
