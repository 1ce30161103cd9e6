"""What PyAV tells about an open film, as facts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from .facts import Chapter, FilmFacts, OtherStream
from .layout import layout_of
from .orientation import Matrix, Orientation

# Numbers of ITU-T H.273, as FFmpeg names them.
MATRIX_NAMES = {
    0: "gbr", 1: "bt709", 2: "unspecified", 3: "reserved", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m",
    8: "ycgco", 9: "bt2020nc", 10: "bt2020c", 11: "smpte2085", 12: "chroma-derived-nc", 13: "chroma-derived-c",
    14: "ictcp", 15: "ipt-c2", 16: "ycgco-re", 17: "ycgco-ro",
}  # fmt: skip
PRIMARIES_NAMES = {
    1: "bt709", 2: "unspecified", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020",
    10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
TRANSFER_NAMES = {
    1: "bt709", 2: "unspecified", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100",
    10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12",
    16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
FIELD_NAMES = {0: "unknown", 1: "progressive", 2: "tt", 3: "bb", 4: "tb", 5: "bt"}
RANGES = {0: None, 1: False, 2: True}


def pictures_of(container: Any) -> Any | None:
    """The video stream to read: no cover art; the default one, the longest, the first of equals."""
    moving = [stream for stream in container.streams.video if not _still(stream)]

    def rank(stream: Any) -> tuple[bool, Fraction, int]:
        length = (stream.duration or 0) * (stream.time_base or 0)
        return "default" in _flags(stream), Fraction(length), -stream.index

    return max(moving, key=rank, default=None)


def facts_of(container: Any, stream: Any, first: Any) -> FilmFacts:
    """Facts of an open film whose first frame is `first`; without times."""
    context, form = stream.codec_context, first.format.name
    rate = stream.average_rate or stream.guessed_rate
    try:
        layout = layout_of(form)
        bits, alpha = layout.bits, layout.alpha
    except ValueError:  # refused by who reads it
        bits, alpha = 8, False
    aspect = stream.sample_aspect_ratio
    return FilmFacts(
        width=first.width,
        height=first.height,
        pixel_format=form,
        bits=bits,
        alpha=alpha,
        matrix=MATRIX_NAMES.get(first.colorspace, "reserved"),
        primaries=PRIMARIES_NAMES.get(first.color_primaries, "unspecified"),
        transfer=TRANSFER_NAMES.get(first.color_trc, "unspecified"),
        full_range=RANGES.get(first.color_range),
        field_order=FIELD_NAMES.get(context.field_order, "unknown"),
        sample_aspect=Fraction(aspect) if aspect else None,
        display_matrix=display_matrix(first),
        rate=Fraction(rate) if rate else None,
        time_base=Fraction(stream.time_base or Fraction(1, 1000)),
        container=container.format.name,
        codec=context.codec.canonical_name,
        metadata=dict(container.metadata),
        stream_metadata=dict(stream.metadata),
        disposition=_flags(stream),
        chapters=tuple(
            Chapter(c["start"] * c["time_base"], c["end"] * c["time_base"], dict(c["metadata"]))
            for c in container.chapters()
        ),
        streams=tuple(_other(s) for s in container.streams if s.index != stream.index and not _marks(s, container)),
    )


def decoder_of(stream: Any) -> Any:
    """What decodes the stream's packets. FFmpeg's own decoder of VP8 and VP9 leaves alpha out, libvpx does not."""
    import av

    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.codec.canonical_name)
    if name is None or stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) != "1":
        return stream.codec_context
    try:
        decoder = av.CodecContext.create(name, "r")
    except ValueError:  # an FFmpeg without it
        return stream.codec_context
    decoder.extradata = stream.codec_context.extradata
    return decoder


def stated_end(container: Any, stream: Any) -> Fraction | None:
    """Seconds at which the pictures end according to the file's head; None where it does not say."""
    if container.format.name == "avi" and stream.frames and stream.average_rate:  # its duration is what is left of it
        return stream.frames / Fraction(stream.average_rate)
    if stream.duration:
        return (stream.duration + (stream.start_time or 0)) * Fraction(stream.time_base)
    stated = stream.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = stated
        return Fraction(hours) * 3600 + Fraction(minutes) * 60 + Fraction(seconds)
    except ValueError:
        pass
    if container.duration and len(container.streams) == 1:
        return Fraction(container.duration + (container.start_time or 0), 1_000_000)
    return None


def expected_frames(container: Any, stream: Any) -> int:
    """About how many frames there are, according to the file's head; 0 where it does not say."""
    if stream.frames:
        return int(stream.frames)
    rate, end = stream.average_rate or stream.guessed_rate, stated_end(container, stream)
    if end is None and container.duration:
        end = Fraction(container.duration, 1_000_000)
    return round(end * rate) if end and rate else 0


def scan(container: Any, stream: Any) -> tuple[tuple[int, ...], int]:
    """(times of all frames, end of the last), from the packets: nothing is decoded."""
    import av

    eight = stream.codec_context.codec.canonical_name == "vp8"  # some of its frames are never shown

    def hidden(packet: Any) -> bool:
        return eight and not bytes(packet)[0] & 16

    times, last, length = [], None, 0
    try:
        for packet in container.demux(stream):
            time = packet.dts if packet.pts is None else packet.pts
            if time is None or packet.is_discard or not packet.size or hidden(packet):
                continue
            times.append(time)
            if last is None or time > last:
                last, length = time, packet.duration or 0
    except (av.FFmpegError, ValueError):  # damaged; told when the frames are read
        pass
    rate = stream.average_rate or stream.guessed_rate or 25
    return tuple(sorted(times)), (last or 0) + (length or max(1, round(1 / (rate * stream.time_base))))


def display_matrix(frame: Any) -> Matrix | None:
    """How a frame is turned to stand upright; None = not at all."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, u, c, d, v, x, y, w = np.frombuffer(bytes(data), np.int32).tolist()
            matrix = (a, b, u, c, d, v, x, y, w)
            return None if Orientation.of(matrix) == Orientation() else matrix
    return None


def _flags(stream: Any) -> tuple[str, ...]:
    return tuple(flag.name for flag in stream.disposition)


def _still(stream: Any) -> bool:
    return bool({"attached_pic", "timed_thumbnails", "still_image"} & set(_flags(stream)))


def _marks(stream: Any, container: Any) -> bool:
    """Whether it is a track of QuickTime that holds the names of the chapters, which are facts of their own."""
    return bool(stream.type == "data" and stream.name == "bin_data" and container.chapters())


def _other(stream: Any) -> OtherStream:
    kind = "cover" if stream.type == "video" and _still(stream) else stream.type
    context = stream.codec_context
    codec = context.codec.canonical_name if context is not None else (stream.name or "")
    if kind == "attachment":
        codec = ""
    return OtherStream(stream.index, kind, codec, _flags(stream), dict(stream.metadata))
