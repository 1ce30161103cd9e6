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
    position, header, palette, packed = 8, b"", b"", []
    while True:
        if position + 12 > len(data):
            raise DataError("cut off inside the picture")
        length, kind = _CHUNK.unpack_from(data, position)
        end = position + 12 + length
        if end > len(data):
            raise DataError(f"cut off inside the picture (chunk {_shown(kind)} wants {length} bytes)")
        body = data[position + 8 : end - 4]
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(data[end - 4 : end], "big"):
            raise DataError(f"damaged: CRC of chunk {_shown(kind)} is wrong")
        if not header and kind != b"IHDR":
            raise DataError(f"damaged: starts with chunk {_shown(kind)} instead of IHDR")
        position = end
        if kind == b"IHDR":
            if header:
                raise DataError("damaged: two IHDR chunks")
            plain, header = _check_header(body, size), body
        elif kind == b"PLTE":
            if palette or not 3 <= length <= 768 or length % 3:
                raise DataError(f"damaged: PLTE chunk of {length} bytes")
            palette = body
        elif kind == b"IDAT":
            packed.append(body)
        elif kind == b"IEND":
            break
        elif not kind[0] & 0x20:
            raise DataError(f"unknown critical chunk {_shown(kind)}")
    if not palette:
        raise DataError("an indexed PNG without PLTE chunk")
    indices = _inflate(b"".join(packed), size) if plain else None
    if indices is None:
        indices = _by_pillow(_essence(header, palette, packed), size)
    return IndexedImage(indices, np.frombuffer(palette, np.uint8).reshape(-1, 3), position)


def _essence(header: bytes, palette: bytes, packed: list[bytes]) -> bytes:
    """The picture alone as a PNG: whatever optional chunks say is nobody's concern."""
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", b"".join(packed)), (b"IEND", b""))
    return SIGNATURE + b"".join(png_chunk(kind, body) for kind, body in chunks)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return _CHUNK.pack(len(body), kind) + body + zlib.crc32(body, zlib.crc32(kind)).to_bytes(4, "big")


def _shown(kind: bytes) -> str:
    return kind.decode("ascii", "backslashreplace")


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


def _by_pillow(png: bytes, size: tuple[int, int]) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if image.mode != "P" or image.size != (size[1], size[0]):
                raise DataError(f"not an indexed picture of {size[1]}x{size[0]} pixels")
            return np.asarray(image, np.uint8)
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error) as error:
        raise DataError(f"damaged picture data ({error})") from None
