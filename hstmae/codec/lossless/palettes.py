"""Pictures in true colour of which few colours hold most pixels: a palette of their own, and the others beside it.

Kinds 1 and 4 of the stream COLR, see true_colour.py.
"""

from __future__ import annotations

import lzma
import struct
from dataclasses import dataclass

import numpy as np

from ...errors import CodecError
from ..container.gop import GopShape
from ..container.numbers import Reader, varint
from .coding_models import PictureModel
from .differences import FILTERS, Step, unpack
from .kernel import DECODE, ENCODE, PART, Backend
from .pixels import look_back

PALETTE, BLINKING = 1, 4
PICTURES = {PALETTE: 2, BLINKING: 5}  # version of the pictures of indices, which is part of the format
OTHERS = 255  # index of pixels that have none of the colours; so many have one, where there are such
_NONE, _PLAIN, _PLANES = range(3)
_HEAD = struct.Struct("<BBBBII")
_ENOUGH = 0.5  # share of pixels that a palette has to hold, to be worth it
_FEW = 64  # colours: drawn pictures; with more they are textured, and need larger tables
_BITS = (18, 22)


def encode_palette(packed: np.ndarray, colours: np.ndarray, kind: int, kernel: Backend, step: Step) -> bytes:
    """uint32 [T, H, W] of colours as numbers, and those that get an index -> the stream, PALETTE or BLINKING."""
    index = np.full(1 << 24, OTHERS, np.uint8)
    index[colours] = np.arange(len(colours))
    shape = packed.shape
    bits = min(_BITS[len(colours) > _FEW], max(14, packed.size.bit_length() + 2))
    painter = kernel.paint(ENCODE, shape, look_back(shape), PictureModel.neutral(bits, PICTURES[kind]), b"")
    others, more = [], len(colours) <= OTHERS  # a full palette leaves no other colours
    try:
        for picture in packed:
            drawn = index[picture]
            if more:
                others.append(picture[drawn == OTHERS])
            painter.picture(drawn, lambda share: step(share / len(packed)))
        data = painter.finish()
    finally:
        painter.close()
    other = np.concatenate(others) if more else packed[0, 0, :0]
    sort, rest = _pack_others(other)
    if kind == PALETTE:
        head = _HEAD.pack(kind, bits, len(colours) - 1, sort, len(other), len(data)) + _rgb(colours).tobytes()
    else:
        steps = (np.diff(colours.astype(np.int64), prepend=-1) - 1).tolist()
        head = bytes([kind, bits, len(colours) - 1, sort]) + b"".join(map(varint, [len(other), len(data), *steps]))
    return head + data + rest


@dataclass(frozen=True)
class _Head:
    """What stands before the stream of indices: `colours` uint8 [N, 3], `other` what becomes of pixels of others, their
    number, the stream's length and the place where it begins."""

    bits: int
    other: int
    number: int
    length: int
    colours: np.ndarray
    end: int

    @classmethod
    def read(cls, data: bytes) -> _Head:
        """Raises CodecError: cut off."""
        if len(data) < 4 or (data[0] == PALETTE and len(data) < _HEAD.size + 3 * (data[2] + 1)):
            raise CodecError("damaged stream of pictures: it is cut off")
        kind, bits, last, other = data[:4]
        if kind == PALETTE:
            number, length = _HEAD.unpack_from(data)[4:]
            colours = np.frombuffer(data, np.uint8, 3 * (last + 1), _HEAD.size).reshape(-1, 3)
            return cls(bits, other, number, length, colours, _HEAD.size + 3 * (last + 1))
        reader = Reader(data, 4)
        number, length, *steps = (reader.varint() for _ in range(last + 3))
        found = np.cumsum(np.array(steps, np.int64) + 1) - 1
        if found[-1] >= 1 << 24:
            raise CodecError("damaged stream of pictures: a colour beyond all")
        return cls(bits, other, number, length, _rgb(found), reader.place)


def decode_palette(data: bytes, shape: GopShape, kernel: Backend, count: int) -> np.ndarray:
    """The first `count` pictures of the group, uint8 [count, H, W, 3]. Raises CodecError: data that make no sense."""
    part = count < shape.frames
    head = _Head.read(data)
    bits, kind, number, length, colours, end = head.bits, head.other, head.number, head.length, head.colours, head.end
    last = len(colours) - 1
    if not 8 <= bits <= _BITS[1] or len(data) < end + length or number > shape.frames * shape.height * shape.width:
        raise CodecError("damaged stream of pictures: it is cut off, or states what no encoder writes")
    other = _unpack_others(kind, number, data[end + length :])
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colours)] = colours
    size = (shape.frames, shape.height, shape.width)
    model, mode = PictureModel.neutral(bits, PICTURES[data[0]]), PART if part else DECODE
    painter = kernel.paint(mode, size, look_back(size), model, data[end : end + length])
    out, drawn, used = np.empty((count, *size[1:], 3), np.uint8), np.zeros(size[1:], np.uint8), 0
    try:
        for frame in out:
            painter.picture(drawn)
            if int(drawn.max()) > last and not kind:
                raise CodecError("damaged stream of pictures: a colour that is not in its palette")
            np.take(palette, drawn, axis=0, out=frame)
            if kind:
                holes = drawn == OTHERS
                here = int(holes.sum())
                if used + here > number:
                    raise CodecError("damaged stream of pictures: fewer colours than pixels")
                frame[holes] = other[used : used + here]
                used += here
        painter.finish()
    finally:
        painter.close()
    if not part and used != number:
        raise CodecError("damaged stream of pictures: more colours than pixels")
    return out


def packed_colours(frames: np.ndarray) -> np.ndarray:
    """uint32 [T, H, W]: each colour as a number."""
    packed = frames[..., 0].astype(np.uint32)
    for channel in (1, 2):
        packed <<= np.uint32(8)
        packed |= frames[..., channel]
    return packed


def _rgb(packed: np.ndarray) -> np.ndarray:
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], -1).astype(np.uint8)


def palette_of(packed: np.ndarray) -> np.ndarray | None:
    """The colours that get an index, ascending: all, where there are no more than 256, else the 255 that most pixels
    have; None where those are few."""
    seen = np.zeros(1 << 24, bool)
    for picture in packed:
        seen[picture] = True
    colours = np.flatnonzero(seen)
    if len(colours) <= 256:
        return colours
    places = np.zeros(1 << 24, np.int32)
    places[colours] = np.arange(len(colours))
    counts = np.zeros(len(colours), np.int64)
    for picture in packed:
        counts += np.bincount(places[picture.ravel()], minlength=len(colours))
    most = np.argsort(-counts, kind="stable")[:OTHERS]
    return np.sort(colours[most]) if counts[most].sum() >= _ENOUGH * packed.size else None


def _pack_others(other: np.ndarray) -> tuple[int, bytes]:
    """Kind and bytes of uint32 [N] colours, the shorter way."""
    if not len(other):
        return _NONE, b""
    rgb = _rgb(other)
    ways = {_PLAIN: rgb, _PLANES: np.stack([rgb[:, 1], rgb[:, 0] - rgb[:, 1], rgb[:, 2] - rgb[:, 1]])}
    made = {kind: lzma.compress(a.tobytes(), lzma.FORMAT_RAW, filters=FILTERS) for kind, a in ways.items()}
    best = min(made, key=lambda kind: len(made[kind]))
    return best, made[best]


def _unpack_others(kind: int, number: int, data: bytes) -> np.ndarray:
    """uint8 [number, 3]. Raises CodecError."""
    if kind == _NONE:
        if data or number:
            raise CodecError("damaged stream of pictures: bytes left over")
        return np.zeros((0, 3), np.uint8)
    raw = np.frombuffer(unpack(data, 3 * number), np.uint8)
    if kind == _PLAIN:
        return raw.reshape(-1, 3)
    if kind != _PLANES:
        raise CodecError("damaged stream of pictures: colours of an unknown kind")
    green, red, blue = raw.reshape(3, -1)
    return np.stack([red + green, green, blue + green], -1)
