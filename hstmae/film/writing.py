"""Writing films with PyAV: native samples and facts in, one file out, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import replacing
from ..errors import DataError, UsageError
from .checking import check_samples, differences, sum_of
from .codecs import Plan, container_of
from .colour import Colours
from .facts import FilmFacts
from .layout import Layout, Planes, frame_of, reformatted
from .others import Others, told
from .palettes import palette_frame
from .plays import plays_option
from .priority import ordinary
from .probing import FIELD_NAMES, MATRIX_NAMES, PRIMARIES_NAMES, TRANSFER_NAMES

_TICKS = {"matroska": 1000, "webm": 1000, "gif": 100, "mpegts": 90_000}  # units of time in a second; others take any
_OPTIONS = {
    "mp4": {"movflags": "+faststart+write_colr"},  # FFV1's pictures do not say what their colours mean
    "mov": {"movflags": "+faststart+write_colr"},
    "matroska": {"avoid_negative_ts": "disabled"},  # sound that begins before the pictures would move them
    "webm": {"avoid_negative_ts": "disabled"},
    "avi": {"avoid_negative_ts": "disabled"},
}
_LARGEST_TICK = (1 << 31) - 1
_LARGEST_MPEG4 = (1 << 16) - 1  # which that standard ends at


def write_film(
    path: Path,
    frames: Iterable[tuple[int, Planes]],
    facts: FilmFacts,
    colours: Colours,
    made: Plan,
    source: Path | None = None,
    span: tuple[Fraction, Fraction | None] = (Fraction(0), None),
) -> list[str]:
    """Write a film of `frames`: (time in `facts.time_base`, samples as `colours.layout` says).

    Args:
        path: replaced whole, or left as it is.
        facts: of the film to be written; its times need not be known.
        colours: what the samples mean.
        made: how they are coded, as of `codecs.plan`.
        source: film whose other streams are copied.
        span: seconds of the source that become 0 and at which it is cut.
    Returns:
        What could not be kept, one sentence each.
    Raises:
        DataError: it cannot be written; `path` is then as it was before.
        UsageError: as of `check_times`.
    """
    import av

    check_times(path, facts)
    with replacing(path) as temp:
        try:
            with ExitStack() as stack:
                options = _OPTIONS.get(form := container_of(path), {}) | plays_option(form, facts.plays)
                container = stack.enter_context(av.open(str(temp), "w", format=form, container_options=options))
                pictures = _Pictures(container, facts, colours, made)
                others = None if source is None else Others(stack, container, source, facts, *span)
                container.metadata.update(told(facts.metadata))
                container.set_chapters(_chapters(facts))
                for time, planes in frames:
                    pictures.write(time, planes, others)
                pictures.finish(others)
        except (av.FFmpegError, ValueError) as error:
            raise DataError(f"{path}: cannot be written as a film by {made.encoder} ({error})") from None
        written = replace(facts, times=tuple(pictures.times), end=pictures.end)
        lost = [*made.lost, *pictures.lost, *([] if others is None else others.lost)]
        left_out = () if others is None else others.left_out
        if made.lossless and made.encoder != "gif":
            check_samples(path, temp, pictures.sums)
        return lost + differences(temp, written, made.layout, source is not None, left_out)


def check_times(path: Path, facts: FilmFacts) -> None:
    """Raises UsageError where the kind of file has no time stamps, and frames come at no constant rate."""
    if container_of(path) == "avi" and facts.times and facts.constant_rate is None:
        raise UsageError(f"{path}: .avi cannot hold frames that come at varying times; write .mkv, .mp4 or .mov")


def _chapters(facts: FilmFacts) -> list[dict[str, Any]]:
    base = Fraction(1, 1_000_000_000)
    return [
        {"id": k + 1, "start": round(c.start / base), "end": round(c.end / base), "time_base": base,
         "metadata": dict(c.metadata)}
        for k, c in enumerate(facts.chapters)
    ]  # fmt: skip


class _Pictures:
    """The stream of pictures of an open output.

    Attributes:
        times, end: as asked for, in `facts.time_base`.
        lost: what the encoder's input does not keep.
        sums: of the samples of each frame, of what is to be lossless.
    """

    def __init__(self, container: Any, facts: FilmFacts, colours: Colours, made: Plan) -> None:
        self.times: list[int] = []
        self.end = 0
        self.lost: list[str] = []
        self._container, self._facts, self._colours, self._made = container, facts, colours, made
        rate = facts.constant_rate or facts.rate or Fraction(25)
        self._rate = Fraction(rate).limit_denominator(100_000)
        self._base = self._unit(container.format.name)
        self._last = -1 << 62
        self.sums: list[int] = []
        self._waiting: Any = None  # the last frame, until it is known how long it is shown
        self._durations: dict[int, int] = {}
        self._first: int | None = None
        self._opened = False
        self._decoded = -1 << 62  # when the last packet is to be decoded
        interlaced = facts.field_order in ("tt", "bb", "tb", "bt")
        options = dict(made.options)
        if interlaced and made.encoder == "libx264" and facts.height % 4 == 0:
            options["flags"] = "+ildct+ilme"
            fields = "tff=1" if facts.field_order in ("tt", "tb") else "bff=1"
            options["x264-params"] = ":".join([*filter(None, [options.get("x264-params")]), fields])
        stream = container.add_stream(made.encoder, rate=self._rate, options=options)
        context = stream.codec_context
        stream.width, stream.height = facts.width, facts.height
        stream.pix_fmt = "pal8" if made.encoder == "gif" else made.pixel_format
        stream.time_base = context.time_base = self._base
        if facts.sample_aspect is not None:
            context.sample_aspect_ratio = facts.sample_aspect
        self._tag(context)
        if interlaced and hasattr(context, "field_order"):
            context.field_order = _number(FIELD_NAMES, facts.field_order)
        if facts.display_matrix is not None and hasattr(stream, "set_display_matrix"):
            stream.set_display_matrix(facts.display_matrix)
        if facts.constant_rate is None:
            context.max_b_frames = 0  # with them MP4 forgets how long the last frame is shown
        stream.metadata.update(told(facts.stream_metadata))
        if "language" in facts.stream_metadata:
            stream.metadata["language"] = facts.stream_metadata["language"]
        stream.disposition = _disposition(facts)
        self._stream = stream

    def _unit(self, form: str) -> Fraction:
        if form in _TICKS:
            return Fraction(1, _TICKS[form])
        if form == "avi":
            return 1 / self._rate
        base = self._facts.time_base
        if self._made.encoder == "mpeg4" and base.denominator > _LARGEST_MPEG4:
            steady = self._facts.constant_rate is not None and self._rate.numerator <= _LARGEST_MPEG4
            return 1 / self._rate if steady else Fraction(1, 60_000)
        return base if base.denominator <= _LARGEST_TICK else Fraction(1, 1_000_000)

    def _tag(self, target: Any) -> None:
        """State on a codec context or a frame what the samples mean."""
        facts, full = self._facts, self._colours.full
        target.colorspace = _number(MATRIX_NAMES, facts.matrix)
        target.color_primaries = _number(PRIMARIES_NAMES, facts.primaries)
        target.color_trc = _number(TRANSFER_NAMES, facts.transfer)
        target.color_range = 0 if facts.full_range is None and not full else 2 if full else 1

    def write(self, time: int, planes: Planes, others: Others | None) -> None:
        if others is not None:
            with nullcontext() if self._opened else ordinary():  # their first packet opens all encoders of the file
                others.until(time * self._facts.time_base)
        frame = self._frame(planes)
        exact = time * self._facts.time_base / self._base
        frame.pts, frame.time_base = max(round(exact), self._last + 1), self._base
        self._first = frame.pts if self._first is None else self._first
        self._encode_waiting(frame.pts)
        self._waiting, self._last = frame, frame.pts
        self.times.append(time)

    def finish(self, others: Others | None) -> None:
        facts = self._facts
        step = max(1, round(1 / (self._rate * facts.time_base)))
        known = facts.end if facts.times and facts.times[-1:] == tuple(self.times[-1:]) else 0
        self.end = known or (self.times[-1] + step if self.times else 0)
        self._encode_waiting(max(self._last + 1, round(self.end * facts.time_base / self._base)))
        self._mux(self._stream.encode())
        if others is not None:
            others.until(None)

    def _encode_waiting(self, end: int) -> None:
        """Encode the frame before, which is shown until `end`: packets carry how long."""
        if self._waiting is not None:
            self._durations[self._last] = end - self._last
            with nullcontext() if self._opened else ordinary():  # the first frame opens the encoder
                packets = self._stream.encode(self._waiting)
            self._opened = True
            self._mux(packets)

    def _mux(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            if packet.pts in self._durations:
                packet.duration = self._durations.pop(packet.pts)
            self._time_decoding(packet)
            self._container.mux(packet)

    def _time_decoding(self, packet: Any) -> None:
        """Mend when a packet is to be decoded: x265 says anything in films of fewer frames than it looks ahead.

        Where frames are reordered, times of decoding lie before those of showing, by no more than the film so far.
        """
        if packet.pts is None or self._first is None:
            return
        earliest = max(self._decoded + 1, 2 * self._first - self._last)
        if packet.dts is None or not earliest <= packet.dts <= packet.pts:
            packet.dts = max(packet.pts, self._decoded + 1)
        self._decoded = packet.dts

    def _frame(self, planes: Planes) -> Any:
        layout, made = self._colours.layout, self._made
        if made.encoder == "gif":
            frame, reduced = palette_frame(self._colours.rgb(planes), planes[-1] if layout.alpha else None)
            note = "frames of more than 256 colours are brought to 256"
            if reduced and note not in self.lost:
                self.lost.append(note)
            return frame
        if (layout.kind, layout.across, layout.down) == (made.layout.kind, made.layout.across, made.layout.down):
            fitted = _fitted(planes, layout, made.layout)
            frame = frame_of(fitted, made.layout)
            if made.lossless:
                self.sums.append(sum_of(fitted))
        else:
            frame = frame_of(planes, layout)
        self._tag(frame)
        if frame.format.name != made.pixel_format:
            frame = reformatted(frame, made.pixel_format, 2 if self._colours.full else 1)
            self._tag(frame)
        return frame


def _fitted(planes: Planes, layout: Layout, there: Layout) -> Planes:
    """Samples of other depth, with or without alpha."""
    if layout == there:
        return planes
    count = 1 if layout.kind == "gray" else 3
    made = [_deeper(plane, layout, there) for plane in planes]
    alpha = made[count:] or [np.full(planes[0].shape, there.top, there.dtype)]
    return (*made[:count], *(alpha if there.alpha else ()))


def _deeper(plane: np.ndarray, layout: Layout, there: Layout) -> np.ndarray:
    """Samples in another depth; in a larger one they come back exactly."""
    more = there.bits - layout.bits
    if more <= 0:
        wide = plane.astype(np.uint32)
        return np.minimum((wide + (1 << -more >> 1)) >> -more, there.top).astype(there.dtype)
    deep = plane.astype(there.dtype) << more
    return deep | plane.astype(there.dtype) >> (layout.bits - more) if layout.kind == "rgb" else deep


def _number(names: dict[int, str], name: str) -> int:
    return next((number for number, known in names.items() if known == name), 2)


def _disposition(facts: FilmFacts) -> int:
    from av.stream import Disposition

    value = 0
    for name in facts.disposition:
        value |= int(Disposition[name])
    return value
