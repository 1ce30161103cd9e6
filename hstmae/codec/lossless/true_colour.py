"""Pictures of true colour, to the last bit: a palette of their own where few colours are enough, else differences.

A stream COLR begins with its kind.

0: differences, see `encode_differences`.

1: palette; then the bits of the tables (uint8), the number of colours less one (uint8), what becomes of other colours
(uint8: 0 there are none, 1 as they are, 2 as three planes of G, R - G and B - G), their number (uint32), the length of
the stream of indices (uint32), the colours, that stream, and the LZMA of the other colours, in the order of their
pixels, whose index is 255.

3: pixel by pixel, see _colours.c; then the bits of the tables (uint8) and the stream. From version 5 on.

2: runs of frames; then their number (uint8), the frames (uint16) and the length (uint32) of each, and a stream COLR of
kind 0, 1 or 4 of each.

4: as 1, by the fifth version of palette pictures. From version 7 on, instead of 1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ...errors import CodecError
from ..container.gop import GopShape
from .differences import Step, decode_differences, encode_differences, no_step
from .kernel import Backend
from .palettes import BLINKING, OTHERS, PALETTE, decode_palette, encode_palette, packed_colours, palette_of
from .pixels import LARGEST, decode_pixels, encode_pixels

DIFFERENCES, RUNS, PIXELS = 0, 2, 3
_RUN = struct.Struct("<HI")
_TOGETHER = 16  # frames that are of one sort
_NEARLY_ALL = 0.95  # share of pixels that the palette of drawn pictures holds
_SAMPLE = 8  # frames of which both kinds are made, where there are more than 256 colours
_PLACES = 3  # of a group from which such frames come: it may begin with a title, and end elsewhere
_CLEARLY = 0.9  # share of the bytes below which nothing else is tried
_SMALL = 1 << 18  # bytes of groups of which both kinds are made
_SMALL_PICTURE = 3 << 14  # bytes of a picture: the same of groups of them, which take little time


@dataclass(frozen=True)
class _Coding:
    kernel: Backend
    version: int  # of the streams

    def palette(self, packed: np.ndarray, colours: np.ndarray, step: Step) -> bytes:
        kind = BLINKING if self.version > 6 else PALETTE
        return encode_palette(packed, colours, kind, self.kernel, step)

    def pixels(self, frames: np.ndarray, step: Step) -> bytes:
        return bytes([PIXELS]) + encode_pixels(frames, self.kernel, step)


def encode_colours(frames: np.ndarray, kernel: Backend, step: Step = no_step, *, version: int = 7) -> bytes:
    """uint8 [T, H, W, 3] -> the stream COLR.

    Args:
        step: called with the share of the work that was done since the last call.
        version: of the streams, 3 or more. Kind 3 is written from 5 on, of small groups or pictures if it is shorter,
            of large ones where a palette does not hold all colours and some rows of some frames say so; kind 4 instead
            of 1 from 7 on.
    """
    coding, packed = _Coding(kernel, version), packed_colours(frames)
    colours = palette_of(packed)
    if version < 5 or frames[0].size > 3 * LARGEST:
        return _without_pixels(frames, packed, colours, coding, step)
    few = colours is not None and len(colours) != OTHERS
    small = frames[0].size <= _SMALL_PICTURE
    if not few and frames.nbytes > _SMALL and _pixels_against_others(frames, coding) < (_CLEARLY if small else 1):
        return coding.pixels(frames, step)
    if frames.nbytes <= _SMALL or (small and (few or version > 6)):
        half = partial(_scaled, step, 0.5)
        return min(_without_pixels(frames, packed, colours, coding, half), coding.pixels(frames, half), key=len)
    return _without_pixels(frames, packed, colours, coding, step)


def _pixels_against_others(frames: np.ndarray, coding: _Coding) -> float:
    """What kind 3 takes of the bytes of the other kinds, for rows from the middle in some frames of a few places."""
    rows = max(1, _SMALL // _PLACES // (min(_SAMPLE, len(frames)) * frames[0, 0].nbytes))
    top, by_pixel, otherwise = max(0, (frames.shape[1] - rows) // 2), 0, 0
    for n in range(_PLACES):
        first = max(0, len(frames) * (2 * n + 1) // (2 * _PLACES) - _SAMPLE // 2)
        some = np.ascontiguousarray(frames[first : first + _SAMPLE, top : top + rows])
        packed = packed_colours(some)
        by_pixel += len(coding.pixels(some, no_step))
        otherwise += len(_without_pixels(some, packed, palette_of(packed), coding, no_step))
    return by_pixel / otherwise


def _without_pixels(
    frames: np.ndarray, packed: np.ndarray, colours: np.ndarray | None, coding: _Coding, step: Step
) -> bytes:
    """Kinds 0 to 2, and 4."""
    if colours is not None and len(colours) != OTHERS:
        return _shorter(frames, packed, colours, coding, step)
    ends = _runs(packed)
    if len(ends) == 1:
        return _encode_run(frames, packed, colours, coding, step)
    streams, head, first = [], bytes([RUNS, len(ends)]), 0
    for end in ends:
        share = (end - first) / len(frames)
        some = packed[first:end]
        streams.append(_encode_run(frames[first:end], some, palette_of(some), coding, partial(_scaled, step, share)))
        head += _RUN.pack(end - first, len(streams[-1]))
        first = end
    return head + b"".join(streams)


def _scaled(step: Step, share: float, done: float) -> None:
    step(done * share)


def _encode_run(
    frames: np.ndarray, packed: np.ndarray, colours: np.ndarray | None, coding: _Coding, step: Step
) -> bytes:
    """Differences or a palette, of frames of one sort."""
    if colours is None or (len(colours) == OTHERS and len(frames) > _SAMPLE and not _worth_it(frames, coding)):
        return bytes([DIFFERENCES]) + encode_differences(frames, step, (_best_way(frames),))
    return _shorter(frames, packed, colours, coding, step)


def _shorter(frames: np.ndarray, packed: np.ndarray, colours: np.ndarray, coding: _Coding, step: Step) -> bytes:
    """The palette, or of a small group what is shorter."""
    if frames.nbytes > _SMALL:
        return coding.palette(packed, colours, step)
    differences = bytes([DIFFERENCES]) + encode_differences(frames, ways=(_best_way(frames),))
    return min(differences, coding.palette(packed, colours, step), key=len)


def _runs(packed: np.ndarray) -> list[int]:
    """Where runs of frames end that a palette holds nearly all pixels of, and others."""
    ends, last = list[int](), None
    for first in range(0, len(packed), _TOGETHER):
        some = packed[first : first + _TOGETHER]
        colours = palette_of(some)
        drawn = colours is not None and float(np.isin(some[:: max(1, len(some) - 1)], colours).mean()) >= _NEARLY_ALL
        if last is not None and drawn != last:
            ends.append(first)
        last = drawn
    return [*ends, len(packed)]


def _best_way(frames: np.ndarray) -> int:
    """Of differences, by what is shortest for some frames from the middle."""
    some = frames[max(0, (len(frames) - _SAMPLE) // 2) :][:_SAMPLE]
    return min(range(4), key=lambda way: len(encode_differences(some, ways=(way,))))


def _worth_it(frames: np.ndarray, coding: _Coding) -> bool:
    """Whether a palette is shorter, for some frames from the middle."""
    some = frames[len(frames) // 2 :][:_SAMPLE]
    packed = packed_colours(some)
    colours = palette_of(packed)
    if colours is None:
        return False
    differences = encode_differences(some, ways=(_best_way(some),))
    return len(coding.palette(packed, colours, no_step)) < len(differences)


def decode_colours(data: bytes, shape: GopShape, kernel: Backend, count: int) -> np.ndarray:
    """The first `count` pictures of the group, uint8 [count, H, W, 3]. Raises CodecError: data that make no sense."""
    part = count < shape.frames
    if data[:1] == bytes([RUNS]):
        return _decode_runs(data, shape, kernel, count)
    if data[:1] == bytes([PIXELS]):
        return decode_pixels(data[1:], shape, kernel, count)
    if data[:1] == bytes([DIFFERENCES]):
        return decode_differences(data[1:], replace(shape, frames=count), part)
    if data[:1] in (bytes([PALETTE]), bytes([BLINKING])):
        return decode_palette(data, shape, kernel, count)
    raise CodecError("damaged stream of pictures: of a kind that this program does not know")


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
