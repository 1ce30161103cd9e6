"""A film's packets decoded without its container."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ...errors import CodecError
from ...film.layout import layout_of, planes_of
from .head import FilmHead

Coded = tuple[int, bytes, bool]  # number of a packet, its bytes, whether it is a key frame


def decoder(head: FilmHead) -> Any:
    """A PyAV codec context for the film's packets. Raises CodecError without PyAV, or without that codec."""
    try:
        import av
    except ImportError:
        raise CodecError("films are decoded with PyAV: pip install 'hstmae[video]'") from None
    names = [name for name in (head.decoder, head.codec) if name in av.codecs_available]
    try:
        context: Any = av.CodecContext.create(names[0] if names else head.codec, "r")
        if head.extradata:
            context.extradata = head.extradata
        context.width, context.height, context.pix_fmt = head.width, head.height, head.pixel_format
        if head.bits:
            context.bits_per_coded_sample = head.bits
        if len(head.tag) == 4:  # others are numbers that their container gives
            context.codec_tag = head.tag
        # Threads that each decode a frame may need Python's lock when they are done, which whoever drops the decoder
        # meanwhile holds: both would wait for ever.
        context.thread_type = "SLICE"
        return context
    except (av.FFmpegError, ValueError, LookupError, OverflowError) as error:
        raise CodecError(f"this machine's FFmpeg does not decode {head.codec} films ({error})") from None


def decoded(context: Any, packets: Iterable[Coded]) -> Iterator[tuple[int, Any]]:
    """(number of the packet that shows it, PyAV frame) in the order of showing.

    The numbers stand in for time stamps, which decoders pass along and which some films lack.

    Raises:
        CodecError: a packet cannot be decoded.
    """
    import av

    try:
        for number, data, key in packets:
            packet = av.Packet(
                len(data)
            )  # followed by zeros: decoders read beyond its end, and decide by what is there
            packet.update(data)
            packet.pts = packet.dts = number
            packet.is_keyframe = key
            yield from numbered(context, packet)
        yield from numbered(context, None)
    except (av.FFmpegError, ValueError) as error:
        raise CodecError(f"a packet cannot be decoded ({error})") from None


def numbered(context: Any, packet: Any) -> Iterator[tuple[int, Any]]:
    """What a decoder gives for one more packet, whose time stamp is its number. Raises what PyAV raises."""
    for frame in context.decode(packet):
        if frame.pts is not None:
            yield int(frame.pts), frame


def digest(frame: Any) -> int:
    """What a frame's samples are recognised by."""
    crc = 0
    for plane in planes_of(frame, layout_of(frame.format.name)):
        crc = zlib.crc32(np.ascontiguousarray(plane).data, crc)
    return crc
