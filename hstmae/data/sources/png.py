"""Reading one 8-bit indexed PNG that may carry more bytes after its end.

The files of a recorded session nearly all use filter 0 and no interlacing: those are unpacked here with one inflate and
one copy. Anything else that PNG allows goes through Pillow, after the same checks.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from ...errors import DataError
from .pictures import opened

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK = struct.Struct(">I4s")


@dataclass(frozen=True)
class IndexedImage:
    """indices uint8 [H, W]; palette uint8 [K, 3]; `end` is the position of the first byte after IEND."""

    indices: np.ndarray
    palette: np.ndarray
    end: int


def read_indexed_png(data: bytes, size: tuple[int, int]) -> IndexedImage:
    """Decode a palette PNG.

    Args:
        data: a PNG, possibly with other bytes behind it.
        size: the height and width it must have; nothing larger is ever unpacked.
    Raises:
        DataError: not a PNG, damaged (every chunk's CRC is checked), another size or another kind of picture.
    """
    if data[:8] != SIGNATURE:
        raise DataError("not a PNG file")
    position, kind, parts, packed = len(SIGNATURE), b"", dict[bytes, bytes](), []
    while kind != b"IEND":
        if position + 12 > len(data):
            raise DataError("cut off inside the picture")
        length, kind = _CHUNK.unpack_from(data, position)
        shown = f"chunk {kind.decode('ascii', 'backslashreplace')}"
        begin, position = position + 8, position + 12 + length
        if position > len(data):
            raise DataError(f"cut off inside the picture ({shown} wants {length} bytes)")
        body = data[begin : position - 4]
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(data[position - 4 : position], "big"):
            raise DataError(f"damaged: CRC of {shown} is wrong")
        if not parts and kind != b"IHDR":
            raise DataError(f"damaged: starts with {shown} instead of IHDR")
        if kind == b"IDAT":
            packed.append(body)
        elif kind in (b"IHDR", b"PLTE"):
            if kind in parts:
                raise DataError(f"damaged: a second {shown}")
            parts[kind] = body
        elif kind != b"IEND" and not kind[0] & 0x20:
            raise DataError(f"unknown critical {shown}")
    plain, palette = _check_header(parts[b"IHDR"], size), parts.get(b"PLTE")
    if palette is None:
        raise DataError("an indexed PNG without PLTE chunk")
    if not 3 <= len(palette) <= 768 or len(palette) % 3:
        raise DataError(f"damaged: PLTE chunk of {len(palette)} bytes")
    parts[b"IDAT"] = b"".join(packed)
    indices = _inflate(parts[b"IDAT"], size) if plain else None
    if indices is None:  # the picture alone: whatever optional chunks say is nobody's concern
        png = SIGNATURE + b"".join(png_chunk(kind, body) for kind, body in {**parts, b"IEND": b""}.items())
        with opened(io.BytesIO(png)) as picture:
            indices = np.asarray(picture, np.uint8)
    return IndexedImage(indices, np.frombuffer(palette, np.uint8).reshape(-1, 3), position)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return _CHUNK.pack(len(body), kind) + body + zlib.crc32(body, zlib.crc32(kind)).to_bytes(4, "big")


def _check_header(body: bytes, size: tuple[int, int]) -> bool:
    """True when rows are plain bytes in order; raises DataError unless this is an indexed picture of `size`."""
    if len(body) != 13:
        raise DataError(f"damaged: IHDR of {len(body)} bytes")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", body)
    if (height, width) != size:
        raise DataError(f"is {width}x{height} pixels, expected {size[1]}x{size[0]}")
    if colour != 3 or depth not in (1, 2, 4, 8):
        raise DataError(f"not an indexed picture (colour type {colour}, bit depth {depth})")
    if compression or filtering or interlace > 1:
        raise DataError("damaged: unknown compression, filter or interlace method")
    return depth == 8 and interlace == 0


def _inflate(packed: bytes, size: tuple[int, int]) -> np.ndarray | None:
    """Indices [H, W] when every row has filter 0, None when Pillow shall undo other filters."""
    height, width = size
    expected = height * (width + 1)
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(packed, expected + 1)  # one byte more than wanted shows a longer stream
    except zlib.error as error:
        raise DataError(f"damaged picture data ({error})") from None
    if len(raw) != expected or not inflater.eof:
        raise DataError(f"picture data of the wrong length (expected {expected} bytes)")
    rows = np.frombuffer(raw, np.uint8).reshape(height, width + 1)
    filters = rows[:, 0]
    if filters.any():
        if filters.max() > 4:
            raise DataError(f"damaged picture data (filter {filters.max()})")
        return None
    return rows[:, 1:]
