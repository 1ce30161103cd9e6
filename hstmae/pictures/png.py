"""PNG files chunk by chunk: what Pillow does not write (16-bit colours, the chunks a file had), and animations."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..errors import DataError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
_BAND = 1 << 20  # bytes that are filtered at a time
_BEHIND_PLTE = (b"bKGD", b"hIST")
_WRITTEN = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT")  # made anew
OF_SAMPLES = (b"sBIT", b"bKGD", b"hIST")  # mean something only for pictures of one colour type and palette


@dataclass(frozen=True)
class Chunks:
    """The chunks of a PNG file.

    Attributes:
        header: width, height, bit depth, colour type, compression, filter and interlace method.
        palette: content of PLTE; None where there is none.
        clear: content of tRNS; None where there is none.
        before, behind: kind and content of what stands beside the picture, before and behind its data.
        damaged: kinds of chunks that are left out for their checksum is wrong.
        end: position of the first byte behind the picture.
    """

    header: tuple[int, int, int, int, int, int, int]
    palette: bytes | None
    clear: bytes | None
    before: tuple[tuple[bytes, bytes], ...]
    behind: tuple[tuple[bytes, bytes], ...]
    damaged: tuple[bytes, ...]
    end: int


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + zlib.crc32(body, zlib.crc32(kind)).to_bytes(4, "big")


def walk(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start of its content, length) of each chunk up to IEND. Raises DataError where the file is cut off."""
    position = len(SIGNATURE)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if position + 12 + length > len(data):
            break
        yield kind, position + 8, length
        if kind == b"IEND":
            return
        position += 12 + length
    raise DataError("damaged picture (cut off before its end)")


def read_chunks(data: bytes) -> Chunks:
    """Everything but the pixels. Raises DataError for a file that is cut off or has no header."""
    header: tuple[int, int, int, int, int, int, int] | None = None
    found: dict[bytes, bytes] = {}
    before: list[tuple[bytes, bytes]] = []
    behind: list[tuple[bytes, bytes]] = []
    damaged: list[bytes] = []
    for kind, start, length in walk(data):
        end = start + length
        if kind in (b"IDAT", b"fdAT"):
            found[kind] = b""
            continue
        body = data[start:end]
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(data[end : end + 4], "big"):
            damaged.append(kind)
        elif kind == b"IHDR" and length == 13:
            header = struct.unpack(">IIBBBBB", body)
        elif kind in _WRITTEN:
            found.setdefault(kind, body)
        else:
            (behind if b"IDAT" in found else before).append((kind, body))
    if header is None or header[3] not in CHANNELS:
        raise DataError("damaged picture (no header of a PNG file)")
    beside = tuple(before), tuple(behind)
    return Chunks(header, found.get(b"PLTE"), found.get(b"tRNS"), *beside, tuple(damaged), end + 4)


def without_damaged_notes(data: bytes) -> bytes:
    """A PNG file without those chunks beside the picture whose checksum is wrong, over which Pillow would stumble."""
    damaged = [kind for kind in read_chunks(data).damaged if kind[0] & 0x20]
    if not damaged:
        return data
    whole = (data[start - 8 : start + length + 4] for kind, start, length in walk(data) if kind not in damaged)
    return SIGNATURE + b"".join(whole)


def encode_png(
    samples: np.ndarray,
    depth: int = 8,
    palette: np.ndarray | None = None,
    clear: bytes | None = None,
    before: Iterable[tuple[bytes, bytes]] = (),
    behind: Iterable[tuple[bytes, bytes]] = (),
) -> bytes:
    """The bytes of a PNG file.

    Args:
        samples: uint8 or uint16 [H, W, C] of `depth` bits: grey, grey and alpha, RGB or RGBA; entries of `palette`.
        palette: uint8 [N, 3].
        clear: content of tRNS.
        before, behind: chunks that stand beside the picture.
    """
    head = [(kind, body) for kind, body in before if kind not in _BEHIND_PLTE]
    parts = [chunk(b"IHDR", _header(samples, depth, palette)), *(chunk(*one) for one in head)]
    parts += [] if palette is None else [chunk(b"PLTE", palette.tobytes())]
    parts += [] if clear is None else [chunk(b"tRNS", clear)]
    parts += [chunk(kind, body) for kind, body in before if kind in _BEHIND_PLTE]
    parts += [chunk(b"IDAT", _packed(samples, depth, palette is not None))]
    parts += [chunk(kind, body) for kind, body in behind]
    return b"".join([SIGNATURE, *parts, chunk(b"IEND", b"")])


def encode_apng(
    frames: Iterable[np.ndarray],
    delays: Sequence[Fraction],
    plays: int,
    before: Iterable[tuple[bytes, bytes]] = (),
    behind: Iterable[tuple[bytes, bytes]] = (),
) -> Iterator[bytes]:
    """The bytes of an animated PNG file, piece by piece.

    Args:
        frames: uint8 [H, W, 3] or [H, W, 4], all of one shape, one per delay.
        delays: seconds that each is shown.
        plays: how often; 0 = for ever.
    """
    number = 0
    for k, (frame, delay) in enumerate(zip(frames, delays, strict=True)):
        if not k:
            yield SIGNATURE + chunk(b"IHDR", _header(frame, 8, None))
            yield chunk(b"acTL", struct.pack(">II", len(delays), plays))
            yield b"".join(chunk(*one) for one in before)
        short = _short(delay)
        place = (number, frame.shape[1], frame.shape[0], 0, 0, short.numerator, short.denominator, 0, 0)
        yield chunk(b"fcTL", struct.pack(">IIIIIHHBB", *place))
        packed, number = _packed(frame, 8, False), number + 1
        if k:
            packed, number = struct.pack(">I", number) + packed, number + 1
        yield chunk(b"fdAT" if k else b"IDAT", packed)
    yield b"".join(chunk(*one) for one in behind) + chunk(b"IEND", b"")


def _short(seconds: Fraction) -> Fraction:
    """The nearest fraction of two numbers of 16 bits."""
    tries = (min(seconds, Fraction(0xFFFF)).limit_denominator(most) for most in (0xFFFF, 0xFFF, 0xFF, 0xF, 1))
    return next(short for short in tries if short.numerator <= 0xFFFF)


def apng_delays(data: bytes) -> tuple[list[Fraction], int, bool]:
    """(seconds of each frame, how often it plays, whether the file's still picture is the first frame) of an animated
    PNG file; no seconds for one that is not animated. Raises DataError where the file is cut off."""
    delays: list[Fraction] = []
    plays, first, started = 0, False, False
    for kind, start, length in walk(data):
        if kind == b"acTL" and length == 8:
            plays = int.from_bytes(data[start + 4 : start + 8], "big")
        elif kind == b"fcTL" and length == 26:
            first |= not started
            above, below = struct.unpack_from(">HH", data, start + 20)
            delays.append(Fraction(above, below or 100))
        started |= kind == b"IDAT"
    return delays, plays, first


def _header(samples: np.ndarray, depth: int, palette: np.ndarray | None) -> bytes:
    height, width, channels = samples.shape
    colour = PALETTE if palette is not None else {1: GREY, 2: GREY_ALPHA, 3: RGB, 4: RGBA}[channels]
    return struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)


def _packed(samples: np.ndarray, depth: int, entries: bool) -> bytes:
    """Rows, filtered and deflated."""
    height, width, channels = samples.shape
    if depth == 16:
        rows = np.ascontiguousarray(samples.astype(">u2")).view(np.uint8).reshape(height, -1)
    elif depth == 8:
        rows = np.ascontiguousarray(samples, np.uint8).reshape(height, -1)
    else:
        bits = np.unpackbits(samples.astype(np.uint8).reshape(height, width, 1), axis=2)[..., 8 - depth :]
        rows = np.packbits(bits.reshape(height, width * depth), axis=1)
    deflater = zlib.compressobj(6)
    step, above = max(1, _BAND // max(rows.shape[1], 1)), np.zeros((1, rows.shape[1]), np.uint8)
    packed = []
    for start in range(0, height, step):
        band = rows[start : start + step]
        if entries or depth < 8:  # neighbours in number are not neighbours in colour
            filtered = np.pad(band, ((0, 0), (1, 0)))
        else:
            filtered = _filtered(band, above, channels * depth // 8)
        packed.append(deflater.compress(np.ascontiguousarray(filtered).data))
        above = band[-1:]
    return b"".join([*packed, deflater.flush()])


def _filtered(rows: np.ndarray, above: np.ndarray, pixel: int) -> np.ndarray:
    """Rows uint8 [H, B] with the filter's number before each: the one whose bytes are least in sum, as is usual.

    Args:
        above: [1, B], the row before the first.
        pixel: bytes of one.
    """
    up = np.concatenate([above, rows[:-1]])
    left, corner = (np.pad(r, ((0, 0), (pixel, 0)))[:, : rows.shape[1]] for r in (rows, up))
    a, b, c = (values.astype(np.int16) for values in (left, up, corner))
    nearest = a + b - c
    to_a, to_b, to_c = (np.abs(nearest - values) for values in (a, b, c))
    paeth = np.where((to_a <= to_b) & (to_a <= to_c), left, np.where(to_b <= to_c, up, corner))
    choices = np.stack([rows, rows - left, rows - up, rows - ((a + b) >> 1).astype(np.uint8), rows - paeth])
    best = np.abs(choices.view(np.int8).astype(np.int16)).sum(2, dtype=np.int64).argmin(0)
    return np.concatenate([best[:, None].astype(np.uint8), choices[best, np.arange(len(rows))]], 1)
