"""What the console had wrong: differences to what it predicted, modulo 256."""

from __future__ import annotations

import zlib

import numpy as np

from ...errors import CodecError
from ..container.description import MAX_DECODED
from ..container.numbers import Reader, varint
from ..lossless.coding_models import PictureModel, RowModel
from ..lossless.kernel import DECODE, ENCODE, Backend
from ..lossless.scene import Scene
from .parts import LOSSLESS

_LIST, _PACKED_LIST, _MIXED = 0, 1, 2  # first byte of rows


def pack_rows(kernel: Backend, rows: np.ndarray) -> bytes:
    """uint8 [N, S], mostly zeros: what is none as a list, or all by the kernel, whichever is shorter. b"" for N = 0."""
    if not len(rows):
        return b""
    listed = _listed(rows)
    packer = zlib.compressobj(9, wbits=-15)
    ways = [bytes([_LIST]) + listed, bytes([_PACKED_LIST]) + packer.compress(listed) + packer.flush()]
    if len(listed) > 16:
        mixed = kernel.rows(ENCODE, np.ascontiguousarray(rows), _no_side(rows), _model(rows), b"")
        ways.append(bytes([_MIXED]) + mixed)
    return min(ways, key=len)


def unpack_rows(kernel: Backend, data: bytes, count: int, size: int) -> np.ndarray:
    """uint8 [count, size]. Raises CodecError for bytes that make no sense."""
    rows = np.zeros((count, size), np.uint8)
    if not count:
        return rows
    kind, rest = data[:1], data[1:]
    if kind == bytes([_MIXED]):
        kernel.rows(DECODE, rows, _no_side(rows), _model(rows), rest)
        return rows
    if kind == bytes([_PACKED_LIST]):
        inflater = zlib.decompressobj(-15)
        try:
            rest = inflater.decompress(rest, 6 * (size + 1) * count)
        except zlib.error as error:
            raise CodecError(f"damaged stream: {error}") from None
        if not inflater.eof or inflater.unused_data:
            raise CodecError("damaged stream: differences without an end")
    elif kind != bytes([_LIST]):
        raise CodecError("damaged stream: differences of no known form")
    reader = Reader(rest)
    for row in rows:
        at = -1
        for _ in range(reader.varint()):
            at += reader.varint()
            if at >= size:
                raise CodecError("damaged stream: a difference outside of the memory")
            row[at] = reader.byte()
    reader.end()
    return rows


def _listed(rows: np.ndarray) -> bytes:
    """For each row the number of bytes that are not 0; of each how far it lies behind the one before, and itself."""
    out = bytearray()
    for row in rows:
        at = np.flatnonzero(row)
        out += varint(len(at))
        for apart, value in zip(np.diff(at, prepend=-1).tolist(), row[at].tolist(), strict=True):
            out += varint(apart) + bytes([value])
    return bytes(out)


def _no_side(rows: np.ndarray) -> np.ndarray:
    return np.zeros((len(rows), 0), np.uint8)


def _model(rows: np.ndarray) -> RowModel:
    return RowModel.neutral(rows.shape[1], 0, version=LOSSLESS)


def pack_pictures(kernel: Backend, pictures: np.ndarray) -> bytes:
    """uint8 [N, H, W], mostly zeros. b"" for N = 0."""
    if not len(pictures):
        return b""
    nothing = Scene.nothing(len(pictures))
    return kernel.pictures(ENCODE, np.ascontiguousarray(pictures), nothing, PictureModel.neutral(version=LOSSLESS), b"")


def unpack_pictures(kernel: Backend, data: bytes, count: int, height: int, width: int) -> np.ndarray:
    """uint8 [count, height, width]. Raises CodecError for bytes that make no sense."""
    if count * height * width > MAX_DECODED:
        raise CodecError("damaged stream: more pictures than a group may hold")
    pictures = np.zeros((count, height, width), np.uint8)
    if count:
        kernel.pictures(DECODE, pictures, Scene.nothing(count), PictureModel.neutral(version=LOSSLESS), data)
    return pictures
