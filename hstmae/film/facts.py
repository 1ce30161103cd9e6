"""What is to be known about a film besides its pictures. It can be written as JSON and read back; needs no PyAV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from fractions import Fraction
from typing import Any

from .orientation import Matrix, Orientation

HD_WIDTH, HD_HEIGHT = 1280, 576  # films this wide or higher than this are taken for BT.709 where they do not say


@dataclass(frozen=True)
class OtherStream:
    """A stream beside the pictures: sound, subtitles, data, an attached file, cover art, or a second film.

    Attributes:
        index: in the file.
        kind: "audio", "subtitle", "data", "attachment", "cover" (a still picture), or "video".
        codec: FFmpeg's name, "" where it has none.
        disposition: FFmpeg's flags, e.g. ("default", "forced").
        metadata: language, title and others.
    """

    index: int
    kind: str
    codec: str
    disposition: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def language(self) -> str:
        return self.metadata.get("language", "")

    @property
    def title(self) -> str:
        return self.metadata.get("title", self.metadata.get("name", ""))  # QuickTime's word

    def __str__(self) -> str:
        kind = {"audio": "sound", "subtitle": "subtitles", "cover": "cover art"}.get(self.kind, self.kind)
        about = ", ".join(word for word in (self.codec, self.language, self.title) if word and word != "und")
        return f"{kind} ({about})" if about else kind


@dataclass(frozen=True)
class Chapter:
    """From `start` to `end` seconds."""

    start: Fraction
    end: Fraction
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FilmFacts:
    """One film.

    Attributes:
        width, height: of the stored pictures, before they are turned upright.
        pixel_format: FFmpeg's name, e.g. "yuv420p10le".
        bits: of a sample; alpha: whether pixels have one.
        matrix, primaries, transfer: names as in ITU-T H.273, "unspecified" where the film does not say.
        full_range: samples use the whole range; None where the film does not say.
        field_order: "progressive", "tt", "bb", "tb" or "bt", "unknown".
        sample_aspect: width of a pixel to its height; None where the film does not say, which means square.
        display_matrix: nine numbers that turn and mirror the pictures; None = upright.
        rate: frames per second as the file states them, a hint; None where it does not.
        time_base: seconds in a unit of time.
        times: of every frame, in `time_base`, rising; () where they have not been read.
        end: when the last frame ends.
        container, codec: FFmpeg's names.
        streams: all others.
        plays: how often an animated picture is to be shown, 0 = for ever; None where that kind of file does not say.
    """

    width: int
    height: int
    pixel_format: str
    bits: int = 8
    alpha: bool = False
    matrix: str = "unspecified"
    primaries: str = "unspecified"
    transfer: str = "unspecified"
    full_range: bool | None = None
    field_order: str = "unknown"
    sample_aspect: Fraction | None = None
    display_matrix: Matrix | None = None
    rate: Fraction | None = None
    time_base: Fraction = Fraction(1, 1000)
    times: tuple[int, ...] = ()
    end: int = 0
    container: str = ""
    codec: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    stream_metadata: dict[str, str] = field(default_factory=dict)
    disposition: tuple[str, ...] = ()
    chapters: tuple[Chapter, ...] = ()
    streams: tuple[OtherStream, ...] = ()
    plays: int | None = None

    @property
    def orientation(self) -> Orientation:
        return Orientation.of(self.display_matrix)

    @property
    def upright_size(self) -> tuple[int, int]:
        """(height, width) of the pictures as they are shown."""
        width, height = self.orientation.size(self.width, self.height)
        return height, width

    @property
    def durations(self) -> tuple[int, ...]:
        """Of every frame, in `time_base`: until the next one begins."""
        return tuple(after - before for before, after in zip(self.times, (*self.times[1:], self.end), strict=True))

    @property
    def colour_matrix(self) -> str:
        """The matrix to convert by: as stated, else BT.709 for films of HD size and BT.601 for smaller ones."""
        if self.matrix not in ("unspecified", "reserved"):
            return self.matrix
        return "bt709" if self.width >= HD_WIDTH or self.height > HD_HEIGHT else "smpte170m"

    @property
    def constant_rate(self) -> Fraction | None:
        """The rate where all frames come at one, as exactly as `time_base` can tell; None where it varies."""
        if len(self.times) < 2:
            return self.rate
        return next((rate for rate in self._likely_rates() if self._comes_at(rate)), None)

    def _likely_rates(self) -> list[Fraction]:
        mean = (self.times[-1] - self.times[0]) * self.time_base / (len(self.times) - 1)
        if mean <= 0:
            return []
        measured = 1 / mean
        whole = Fraction(round(measured) or 1)
        return [*([self.rate] if self.rate else []), whole, whole * 1000 / 1001, measured]

    def _comes_at(self, rate: Fraction) -> bool:
        """Whether no frame is further from its place than rounding to `time_base` puts it."""
        step = 1 / (rate * self.time_base)
        return all(abs(time - self.times[0] - step * k) <= 1 for k, time in enumerate(self.times))

    def at(self, moments: Sequence[Fraction]) -> FilmFacts:
        """The facts with frames at these seconds, the last of which is the end of the last frame."""
        base = Fraction(1, math.lcm(*(moment.denominator for moment in moments)))
        times = tuple(int(moment / base) for moment in moments)
        return replace(self, time_base=base, times=times[:-1], end=times[-1])

    def shifted(self, start: int, stop: int) -> FilmFacts:
        """Facts of the frames `start` to `stop`, beginning at time 0; chapters are cut likewise."""
        times = self.times[start:stop]
        first = times[0] if times else 0
        end = self.times[stop] if stop < len(self.times) else self.end
        begin, finish = first * self.time_base, end * self.time_base
        chapters = tuple(
            Chapter(max(c.start, begin) - begin, min(c.end, finish) - begin, c.metadata)
            for c in self.chapters
            if c.end > begin and c.start < finish
        )
        return replace(self, times=tuple(t - first for t in times), end=end - first, chapters=chapters)

    def to_json(self) -> dict[str, Any]:
        """JSON values; the times are written as runs of equal steps."""
        values = asdict(self)
        for name in ("sample_aspect", "rate", "time_base"):
            values[name] = None if values[name] is None else str(values[name])
        values["times"] = _runs(self.times)
        for chapter in values["chapters"]:
            chapter["start"], chapter["end"] = str(chapter["start"]), str(chapter["end"])
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> FilmFacts:
        """The way back; what this version does not know is passed over.

        Raises:
            KeyError, TypeError, ValueError, ArithmeticError: `values` are none that `to_json` made.
        """
        known = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        for name in ("sample_aspect", "rate", "time_base"):
            if known.get(name) is not None:
                known[name] = Fraction(known[name])
        if known.get("display_matrix") is not None:
            known["display_matrix"] = tuple(int(v) for v in known["display_matrix"])
        known["times"] = _times(known.get("times", []))
        known["disposition"] = tuple(known.get("disposition", ()))
        known["chapters"] = tuple(
            Chapter(Fraction(c["start"]), Fraction(c["end"]), dict(c["metadata"])) for c in known.get("chapters", ())
        )
        known["streams"] = tuple(
            OtherStream(**{**stream, "disposition": tuple(stream["disposition"])})
            for stream in known.get("streams", ())
        )
        return cls(**known)


def facts_of_pictures(size: tuple[int, int], rate: Fraction, lossless: bool) -> FilmFacts:
    """Facts of a film that is made of RGB pictures of `size` (height, width) at a constant rate.

    One that is not lossless is 4:2:0 and says by which matrix: BT.709 where it is of HD size, else BT.601.
    """
    height, width = size
    base = FilmFacts(width, height, "rgb24", rate=rate, time_base=1 / rate)
    if lossless:
        return base
    matrix = base.colour_matrix
    return replace(
        base, pixel_format="yuv420p", matrix=matrix, primaries=matrix, transfer=matrix, full_range=False,
    )  # fmt: skip


def _runs(times: tuple[int, ...]) -> list[list[int]]:
    """[[first, 1], [step, times it comes in a row], ...]"""
    runs: list[list[int]] = []
    for k, time in enumerate(times):
        step = time - times[k - 1] if k else time
        if k > 1 and runs[-1][0] == step:
            runs[-1][1] += 1
        else:
            runs.append([step, 1])
    return runs


def _times(runs: list[list[int]]) -> tuple[int, ...]:
    times, now = [], 0
    for step, count in runs:
        for _ in range(count):
            now += step
            times.append(now)
    return tuple(times)
