"""Streams beside the pictures, copied from one film into another as they are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

from .facts import FilmFacts
from .subtitles import TEXT_OF, converted, recoded

TECHNICAL = {  # what writers of containers say about themselves: another one says its own
    "major_brand", "minor_version", "compatible_brands", "encoder", "handler_name", "vendor_id", "duration",
    "alpha_mode", "rotate", "number_of_frames", "number_of_bytes", "bps", "software", "creation_time",
}  # fmt: skip


def told(metadata: dict[str, str]) -> dict[str, str]:
    """What of a film's metadata people wrote, with names in lower case."""
    kept = {}
    for name, value in metadata.items():
        name = {"name": "title"}.get(name.lower(), name.lower())  # QuickTime's word
        short = name.lower().split("-")[0]
        undefined = short == "language" and value == "und"
        if short not in TECHNICAL and not short.startswith("_statistics") and not undefined:
            kept[name] = value
    return kept


class Others:
    """Copies all streams but that of the pictures from `source` into an open output.

    Attributes:
        lost: streams that the output cannot hold, or holds otherwise, one sentence each; left_out: their indices.

    Args:
        container: PyAV's output, which has its stream of pictures already.
        first: seconds of the source that become 0; last: where it is cut, None = at its end.
    """

    def __init__(
        self, stack: ExitStack, container: Any, source: Path, facts: FilmFacts, first: Fraction, last: Fraction | None
    ) -> None:
        import av

        self.lost: list[str] = []
        self.left_out: set[int] = set()
        self._out, self._first, self._last = container, first, last
        self._targets: dict[int, Any] = {}
        self._texts: dict[int, str] = {}  # codecs of subtitles that are brought into another form
        self._plain: set[int] = set()  # those of them that lost their looks
        self._names = {other.index: str(other) for other in facts.streams}
        self._input = stack.enter_context(av.open(str(source), metadata_errors="replace"))
        for other in facts.streams:
            stream = self._input.streams[other.index]
            target = self._add(stream, other.kind)
            if target is None and other.kind == "subtitle" and (new := converted(container, other.codec)):
                target = new
                self._texts[stream.index] = other.codec
                self.left_out.add(other.index)
                self.lost.append(f"{other}: this kind of file holds such text as {TEXT_OF[container.format.name]}")
            if target is None:
                self.left_out.add(other.index)
                self.lost.append(f"{other}: cannot be held by this kind of file, and is left out")
            elif target is not True:
                target.metadata.update(told(other.metadata) | self._language(other.metadata))
                target.disposition = stream.disposition
                self._targets[stream.index] = target
        self._packets: Iterator[Any] = self._moved()
        self._waiting = next(self._packets, None)

    @staticmethod
    def _language(metadata: dict[str, str]) -> dict[str, str]:
        return {"language": metadata["language"]} if "language" in metadata else {}

    def _add(self, stream: Any, kind: str) -> Any:
        """The new stream; None where it cannot be; True where it needs no packets."""
        import av

        matroska = self._out.format.name == "matroska"
        try:
            if kind == "attachment" or (kind == "cover" and matroska):
                if not matroska:
                    return None
                data = stream.data if kind == "attachment" else self._picture(stream)
                kinds = {"mjpeg": "jpeg"}
                name = stream.metadata.get("filename", "cover")
                mime = stream.metadata.get("mimetype", "application/octet-stream")
                if kind == "cover":
                    form = kinds.get(stream.codec_context.name, stream.codec_context.name)
                    mime = stream.metadata.get("mimetype", f"image/{form}")
                    name = stream.metadata.get("filename", f"cover.{form.replace('jpeg', 'jpg')}")
                self._out.add_attachment(name, mime, data)
                return True
            if kind == "data" or (kind == "cover" and self._out.format.name not in ("mp4", "mov")):
                return None
            with av.open(io.BytesIO(), "w", format=self._out.format.name) as trial:  # what it says it can, it tries
                trial.add_stream_from_template(stream, opaque=True)
                trial.start_encoding()
            return self._out.add_stream_from_template(stream, opaque=True)
        except (av.FFmpegError, ValueError, AttributeError, TypeError):
            return None

    @staticmethod
    def _picture(stream: Any) -> bytes:
        import av

        with av.open(stream.container.name) as again:
            for packet in again.demux(again.streams[stream.index]):
                if packet.size:
                    return bytes(packet)
        return b""

    def _moved(self) -> Iterator[tuple[Fraction, Any]]:
        """(seconds, packet) of what is to be copied, in the order of the file."""
        import av

        if not self._targets:
            return
        streams = [self._input.streams[index] for index in self._targets]
        try:
            for packet in self._input.demux(streams):
                stamp = packet.dts if packet.dts is not None else packet.pts
                target = self._targets.get(packet.stream_index)
                if target is None or not packet.size:
                    continue
                still = "attached_pic" in [flag.name for flag in target.disposition]
                if still and stamp is None:
                    packet.pts = packet.dts = stamp = 0
                if stamp is None:
                    continue
                base, shift = Fraction(packet.time_base), self._first / Fraction(packet.time_base)
                seconds = stamp * base - self._first
                length = (packet.duration or 0) * base
                outside = self._last is not None and stamp * base >= self._last
                if not still and self._cut and (seconds + length <= 0 or outside):
                    continue
                if not still:
                    packet.pts = None if packet.pts is None else packet.pts - round(shift)
                    packet.dts = None if packet.dts is None else packet.dts - round(shift)
                if packet.stream_index in self._texts:
                    packet = self._recoded(packet)
                    if packet is None:
                        continue
                packet.stream = target
                yield seconds, packet
        except (av.FFmpegError, ValueError) as error:
            self.lost.append(f"what follows a damaged place of sound and subtitles ({error})")

    def _recoded(self, packet: Any) -> Any:
        """Subtitles in the form that the output takes; None for those that show nothing."""
        import av

        index = packet.stream_index
        data, plain = recoded(bytes(packet), self._texts[index], TEXT_OF[self._out.format.name])
        if plain and index not in self._plain:
            self._plain.add(index)
            self.lost.append(f"{self._names[index]}: how the text looks is not kept")
        if not data:
            return None
        new = av.Packet(data)
        new.pts, new.dts, new.duration, new.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
        return new

    @property
    def _cut(self) -> bool:
        return bool(self._first) or self._last is not None

    def until(self, seconds: Fraction | None) -> None:
        """Copy what comes before `seconds` of the output; all that is left for None."""
        while self._waiting is not None and (seconds is None or self._waiting[0] <= seconds):
            self._out.mux(self._waiting[1])
            self._waiting = next(self._packets, None)
