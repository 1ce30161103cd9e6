"""The compiled kernel frame by frame: what is coded of one frame is a packet of its own."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import CodecError
from .parts import Parts
from .range_coder import DECODE, ENCODE

_SPARE = 1024  # bytes more than twice what is coded: more than any packet takes


class CompiledFrames:
    """See kernel.Frames. To be closed; what the kernel holds is not known to Python.

    Args:
        library: the kernel.
        rows, pictures: arguments of the functions that open them, up to the buffer; None = no pictures.
        check: gives a result back, or raises CodecError.
        held: arrays that the kernel reads and writes until it is closed.
    """

    def __init__(
        self, library: Any, mode: int, parts: Parts, rows: list[list[Any]], pictures: list[Any] | None,
        check: Callable[[int], int], held: object,
    ) -> None:  # fmt: skip
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

    def __del__(self) -> None:
        self.close()
