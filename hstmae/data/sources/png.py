"""Reading one PNG, indexed or in RGB, that may carry more bytes after its end.

The files of a recorded session nearly all are indexed with filter 0 and no interlacing: those are unpacked here with
one inflate and one copy. Anything else that PNG allows goes through Pillow, after the same checks.
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
class PngImage:
    """A picture: `pixels` uint8 [H, W] entries of `palette` uint8 [K, 3], or uint8 [H, W, 3] where that is None; `end`
    is the position of the first byte after IEND."""

    pixels: np.ndarray
    palette: np.ndarray | None
    end: int


def read_png(data: bytes, largest: tuple[int, int]) -> PngImage:
    """Decode a PNG of 8 bits: indexed (with any number of bits), RGB, or RGB with alpha that is opaque everywhere.

    Args:
        data: a PNG, possibly with other bytes behind it.
        largest: the height and width it may have; nothing larger is ever unpacked.
    Raises:
        DataError: not a PNG, damaged (every chunk's CRC is checked), larger, or another kind of picture.
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
    size, plain, indexed = _check_header(parts[b"IHDR"], largest)
    palette = parts.get(b"PLTE") if indexed else None
    if indexed and palette is None:
        raise DataError("an indexed PNG without PLTE chunk")
    if palette is not None and (not 3 <= len(palette) <= 768 or len(palette) % 3):
        raise DataError(f"damaged: PLTE chunk of {len(palette)} bytes")
    parts[b"IDAT"] = b"".join(packed)
    pixels = _inflate(parts[b"IDAT"], size) if plain else None
    if pixels is None:  # the picture alone: whatever optional chunks say is nobody's concern
        png = SIGNATURE + b"".join(png_chunk(kind, body) for kind, body in {**parts, b"IEND": b""}.items())
        with opened(io.BytesIO(png)) as picture:
            pixels = np.array(picture, np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] == 4 and int(pixels[..., 3].min()) < 255:
        raise DataError("is transparent in places: frames of a recording are opaque")
    colours = None if palette is None else np.frombuffer(palette, np.uint8).reshape(-1, 3)
    return PngImage(pixels if indexed else np.ascontiguousarray(pixels[..., :3]), colours, position)


def end_of_png(data: bytes) -> int:
    """Position of the first byte after IEND in a PNG that `read_png` has read before. Raises DataError: no PNG."""
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise DataError("cut off inside the picture")
        length, kind = _CHUNK.unpack_from(data, position)
        position += 12 + length
    return position


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return _CHUNK.pack(len(body), kind) + body + zlib.crc32(body, zlib.crc32(kind)).to_bytes(4, "big")


def _check_header(body: bytes, largest: tuple[int, int]) -> tuple[tuple[int, int], bool, bool]:
    """(height and width, whether rows are plain bytes in order, whether those are palette entries). Raises DataError
    unless `read_png` reads such a picture."""
    if len(body) != 13:
        raise DataError(f"damaged: IHDR of {len(body)} bytes")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", body)
    if not (0 < height <= largest[0] and 0 < width <= largest[1]):
        raise DataError(f"is {width}x{height} pixels, expected {largest[1]}x{largest[0]} or a part of it")
    if not (colour == 3 and depth in (1, 2, 4, 8)) and not (colour in (2, 6) and depth == 8):
        raise DataError(f"neither indexed nor RGB of 8 bits (colour type {colour}, bit depth {depth})")
    if compression or filtering or interlace > 1:
        raise DataError("damaged: unknown compression, filter or interlace method")
    return (height, width), colour == 3 and depth == 8 and interlace == 0, colour == 3


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
