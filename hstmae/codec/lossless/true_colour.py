"""Pictures of true colour, to the last bit: a palette of their own where few colours are enough, else differences.

A stream COLR begins with its kind.

0: differences, see `encode_differences`.

1: palette; then the bits of the tables (uint8), the number of colours less one (uint8), what becomes of other colours
(uint8: 0 there are none, 1 as they are, 2 as three planes of G, R - G and B - G), their number (uint32), the length of
the stream of indices (uint32), the colours, that stream, and the LZMA of the other colours, in the order of their
pixels, whose index is 255.

3: pixel by pixel, see _colours.c; then the bits of the tables (uint8) and the stream. From version 5 on.

2: runs of frames; then their number (uint8), the frames (uint16) and the length (uint32) of each, and a stream COLR of
kind 0 or 1 of each.
"""

import lzma
import struct
from dataclasses import replace
from functools import partial

import numpy as np

from ...errors import CodecError
from ..container.gop import GopShape
from .coding_models import PictureModel
from .differences import FILTERS, Step, decode_differences, encode_differences, no_step, unpack
from .kernel import DECODE, ENCODE, PART, Backend
from .pixels import LARGEST, decode_pixels, encode_pixels, look_back

DIFFERENCES, PALETTE, RUNS, PIXELS = 0, 1, 2, 3
_NONE, _PLAIN, _PLANES = range(3)
_RUN = struct.Struct("<HI")
_HEAD = struct.Struct("<BBBBII")
_OTHER = 255  # index of pixels that have none of the colours
_ENOUGH = 0.5  # share of pixels that a palette has to hold, to be worth it
_FEW = 64  # colours: drawn pictures; with more they are textured, and need larger tables
_BITS = (18, 22)
_TOGETHER = 16  # frames that are of one sort
_NEARLY_ALL = 0.95  # share of pixels that the palette of drawn pictures holds
_SAMPLE = 8  # frames of which both kinds are made, where there are more than 256 colours
_SMALL = 1 << 18  # bytes of groups of which both kinds are made
_SMALL_PICTURE = 3 << 14  # bytes of a picture: the same of groups of them in few colours, which take little time
_PICTURES = 2  # version of the pictures of indices, which is part of the format


def encode_colours(frames: np.ndarray, kernel: Backend, step: Step = no_step, *, pixels: bool = True) -> bytes:
    """uint8 [T, H, W, 3] -> the stream COLR.

    Args:
        step: called with the share of the work that was done since the last call.
        pixels: whether kind 3 may be written, as from version 5 on: of small groups or pictures if it is shorter; of
            large ones where a palette does not hold all colours and some rows of some frames from the middle say so.
    """
    packed = _packed(frames)
    colours = _palette(packed)
    if not pixels or frames[0].size > 3 * LARGEST:
        return _without_pixels(frames, packed, colours, kernel, step)
    few = colours is not None and len(colours) != _OTHER
    if frames.nbytes <= _SMALL or (few and frames[0].size <= _SMALL_PICTURE):
        half = partial(_scaled, step, 0.5)
        return min(_without_pixels(frames, packed, colours, kernel, half), _by_pixel(frames, kernel, half), key=len)
    if not few:
        first = max(0, (len(frames) - _SAMPLE) // 2)
        some = frames[first : first + _SAMPLE]
        rows = max(1, _SMALL // some[:, 0].nbytes)
        some = some[:, max(0, (frames.shape[1] - rows) // 2) :][:, :rows]
        plain = _packed(some)
        if len(_by_pixel(some, kernel, no_step)) < len(_without_pixels(some, plain, _palette(plain), kernel, no_step)):
            return _by_pixel(frames, kernel, step)
    return _without_pixels(frames, packed, colours, kernel, step)


def _by_pixel(frames: np.ndarray, kernel: Backend, step: Step) -> bytes:
    return bytes([PIXELS]) + encode_pixels(frames, kernel, step)


def _without_pixels(
    frames: np.ndarray, packed: np.ndarray, colours: np.ndarray | None, kernel: Backend, step: Step
) -> bytes:
    """Kinds 0 to 2."""
    if colours is not None and len(colours) != _OTHER:
        return _shorter(frames, packed, colours, kernel, step)
    ends = _runs(packed)
    if len(ends) == 1:
        return _encode_run(frames, packed, colours, kernel, step)
    streams, head, first = [], bytes([RUNS, len(ends)]), 0
    for end in ends:
        share = (end - first) / len(frames)
        some = packed[first:end]
        streams.append(_encode_run(frames[first:end], some, _palette(some), kernel, partial(_scaled, step, share)))
        head += _RUN.pack(end - first, len(streams[-1]))
        first = end
    return head + b"".join(streams)


def _scaled(step: Step, share: float, done: float) -> None:
    step(done * share)


def _encode_run(
    frames: np.ndarray, packed: np.ndarray, colours: np.ndarray | None, kernel: Backend, step: Step
) -> bytes:
    """Kind 0 or 1, of frames of one sort."""
    if colours is None or (len(colours) == _OTHER and len(frames) > _SAMPLE and not _worth_it(frames, kernel)):
        return bytes([DIFFERENCES]) + encode_differences(frames, step, (_best_way(frames),))
    return _shorter(frames, packed, colours, kernel, step)


def _shorter(frames: np.ndarray, packed: np.ndarray, colours: np.ndarray, kernel: Backend, step: Step) -> bytes:
    """The palette, or of a small group what is shorter."""
    if frames.nbytes > _SMALL:
        return _encode_palette(packed, colours, kernel, step)
    differences = bytes([DIFFERENCES]) + encode_differences(frames, ways=(_best_way(frames),))
    return min(differences, _encode_palette(packed, colours, kernel, step), key=len)


def _runs(packed: np.ndarray) -> list[int]:
    """Where runs of frames end that a palette holds nearly all pixels of, and others."""
    ends, last = list[int](), None
    for first in range(0, len(packed), _TOGETHER):
        some = packed[first : first + _TOGETHER]
        colours = _palette(some)
        drawn = colours is not None and float(np.isin(some[:: max(1, len(some) - 1)], colours).mean()) >= _NEARLY_ALL
        if last is not None and drawn != last:
            ends.append(first)
        last = drawn
    return [*ends, len(packed)]


def _best_way(frames: np.ndarray) -> int:
    """Of differences, by what is shortest for some frames from the middle."""
    some = frames[max(0, (len(frames) - _SAMPLE) // 2) :][:_SAMPLE]
    return min(range(4), key=lambda way: len(encode_differences(some, ways=(way,))))


def _worth_it(frames: np.ndarray, kernel: Backend) -> bool:
    """Whether a palette is shorter, for some frames from the middle."""
    some = frames[len(frames) // 2 :][:_SAMPLE]
    packed = _packed(some)
    colours = _palette(packed)
    if colours is None:
        return False
    differences = encode_differences(some, ways=(_best_way(some),))
    return len(_encode_palette(packed, colours, kernel, no_step)) < len(differences)


def _encode_palette(packed: np.ndarray, colours: np.ndarray, kernel: Backend, step: Step) -> bytes:
    index = np.full(1 << 24, _OTHER, np.uint8)
    index[colours] = np.arange(len(colours))
    shape = packed.shape
    bits = min(_BITS[len(colours) > _FEW], max(14, packed.size.bit_length() + 2))
    painter = kernel.paint(ENCODE, shape, look_back(shape), PictureModel.neutral(bits, _PICTURES), b"")
    others, more = [], len(colours) <= _OTHER  # a full palette leaves no other colours
    try:
        for picture in packed:
            drawn = index[picture]
            if more:
                others.append(picture[drawn == _OTHER])
            painter.picture(drawn, lambda share: step(share / len(packed)))
        data = painter.finish()
    finally:
        painter.close()
    other = np.concatenate(others) if more else packed[0, 0, :0]
    kind, rest = _pack_others(other)
    head = _HEAD.pack(PALETTE, bits, len(colours) - 1, kind, len(other), len(data))
    return head + _rgb(colours).tobytes() + data + rest


def decode_colours(data: bytes, shape: GopShape, kernel: Backend, count: int) -> np.ndarray:
    """The first `count` pictures of the group, uint8 [count, H, W, 3]. Raises CodecError: data that make no sense."""
    part = count < shape.frames
    if data[:1] == bytes([RUNS]):
        return _decode_runs(data, shape, kernel, count)
    if data[:1] == bytes([PIXELS]):
        return decode_pixels(data[1:], shape, kernel, count)
    if data[:1] == bytes([DIFFERENCES]):
        return decode_differences(data[1:], replace(shape, frames=count), part)
    if data[:1] != bytes([PALETTE]) or len(data) < _HEAD.size:
        raise CodecError("damaged stream of pictures: of a kind that this program does not know")
    _, bits, last, kind, number, length = _HEAD.unpack_from(data)
    end = _HEAD.size + 3 * (last + 1)
    if not 8 <= bits <= _BITS[1] or len(data) < end + length or number > shape.frames * shape.height * shape.width:
        raise CodecError("damaged stream of pictures: it is cut off, or states what no encoder writes")
    colours = np.frombuffer(data, np.uint8, 3 * (last + 1), _HEAD.size).reshape(-1, 3)
    other = _unpack_others(kind, number, data[end + length :])
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colours)] = colours
    size = (shape.frames, shape.height, shape.width)
    model, mode = PictureModel.neutral(bits, _PICTURES), PART if part else DECODE
    painter = kernel.paint(mode, size, look_back(size), model, data[end : end + length])
    out, drawn, used = np.empty((count, *size[1:], 3), np.uint8), np.zeros(size[1:], np.uint8), 0
    try:
        for frame in out:
            painter.picture(drawn)
            if int(drawn.max()) > last and not kind:
                raise CodecError("damaged stream of pictures: a colour that is not in its palette")
            np.take(palette, drawn, axis=0, out=frame)
            if kind:
                holes = drawn == _OTHER
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


def _decode_runs(data: bytes, shape: GopShape, kernel: Backend, count: int) -> np.ndarray:
    end = 2 + _RUN.size * data[1] if len(data) > 1 else len(data)
    if len(data) < end:
        raise CodecError("damaged stream of pictures: it is cut off")
    runs = list(_RUN.iter_unpack(data[2:end]))
    if sum(frames for frames, _ in runs) != shape.frames or end + sum(size for _, size in runs) != len(data):
        raise CodecError("damaged stream of pictures: its runs are not as long as the group")
    found, left = [], count
    for frames, size in runs:
        if left > 0 and frames:
            stream = data[end : end + size]
            if stream[:1] == bytes([RUNS]):
                raise CodecError("damaged stream of pictures: runs within runs")
            found.append(decode_colours(stream, replace(shape, frames=frames), kernel, min(left, frames)))
        left, end = left - frames, end + size
    return np.concatenate(found)


def _packed(frames: np.ndarray) -> np.ndarray:
    """uint32 [T, H, W]: each colour as a number."""
    packed = frames[..., 0].astype(np.uint32)
    for channel in (1, 2):
        packed <<= np.uint32(8)
        packed |= frames[..., channel]
    return packed


def _rgb(packed: np.ndarray) -> np.ndarray:
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], -1).astype(np.uint8)


def _palette(packed: np.ndarray) -> np.ndarray | None:
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
    most = np.argsort(-counts, kind="stable")[:_OTHER]
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
