"""Differences of true-colour pictures to what is beside them or before, packed by LZMA."""

import lzma
from collections.abc import Callable, Sequence

import numpy as np

from ...errors import CodecError
from ..container.gop import GopShape

FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 24}]
_AT_ONCE = 1 << 15  # bytes: while they are compressed nothing else happens, not even Ctrl-C

Step = Callable[[float], object]


def no_step(share: float) -> None:
    """Nobody wants to know."""


def unpack(data: bytes, size: int, part: bool = False) -> bytes:
    """What LZMA packed. Raises CodecError: damaged, or of another size."""
    try:
        unpack = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=FILTERS)
        raw = unpack.decompress(data, size if part else size + 1)
    except lzma.LZMAError as error:
        raise CodecError(f"damaged stream of pictures: {error}") from None
    if len(raw) != size or (not part and (not unpack.eof or unpack.unused_data)):
        raise CodecError(f"damaged stream of pictures: {len(raw)} bytes instead of {size}, or more behind them")
    return raw


def encode_differences(frames: np.ndarray, step: Step = no_step, ways: Sequence[int] = (0, 1)) -> bytes:
    """uint8 [T, H, W, 3] -> one byte saying in which way, and LZMA of the differences: the shortest of `ways`.

    Bit 0: to the previous frame, else to the pixel on the left (within the first column, the one above), as in the
    first frame always. Bit 1: as three planes of each frame: G, R - G, B - G (modulo 256).

    Args:
        step: called with the share of the work that was done since the last call.
    """
    best = b""
    for way in ways:
        d = frames.copy()
        if way & 1:
            d[1:] -= frames[:-1]
        spatial = d if not way & 1 else d[:1]
        source = frames if not way & 1 else frames[:1]
        spatial[:, :, 1:] = source[:, :, 1:] - source[:, :, :-1]
        spatial[:, 1:, 0] = source[:, 1:, 0] - source[:, :-1, 0]
        packer, pieces = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=FILTERS), []
        for frame in d:
            red, green, blue = np.moveaxis(frame, 2, 0)
            raw = np.stack([green, red - green, blue - green]).tobytes() if way & 2 else frame.tobytes()
            for start in range(0, len(raw), _AT_ONCE):
                pieces.append(packer.compress(raw[start : start + _AT_ONCE]))
            step(1 / len(ways) / len(d))
        packed = b"".join([*pieces, packer.flush()])
        if not best or len(packed) + 1 < len(best):
            best = bytes([way]) + packed
    return best


def decode_differences(data: bytes, shape: GopShape, part: bool = False) -> np.ndarray:
    """The inverse; `part`: the frames of `shape` are the first ones. Raises CodecError for data of another size or
    way."""
    if not data or data[0] > 3:
        raise CodecError("damaged stream of pictures: differences of an unknown kind")
    raw = unpack(data[1:], shape.frames * shape.height * shape.width * 3, part)
    if data[0] & 2:
        planes = np.frombuffer(raw, np.uint8).reshape(shape.frames, 3, shape.height, shape.width)
        green = planes[:, 0]
        d = np.stack([planes[:, 1] + green, green, planes[:, 2] + green], -1)
    else:
        d = np.frombuffer(bytearray(raw), np.uint8).reshape(shape.frames, shape.height, shape.width, 3)
    spatial = d[:1] if data[0] & 1 else d
    spatial[:, :, 0] = np.cumsum(spatial[:, :, 0], 1, np.uint8)
    np.cumsum(spatial, 2, np.uint8, out=spatial)
    return np.cumsum(d, 0, np.uint8) if data[0] & 1 else d
