"""Restored footage as one film: restored pixels are kept frame by frame, and at the end one pass writes them all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..atomic import sync_files
from ..errors import DataError
from ..film.codecs import FilmOptions, plan
from ..film.colour import Colours
from ..film.facts import FilmFacts, facts_of_pictures
from ..film.layout import Planes, layout_of
from ..film.reading import FilmReader, colours_of
from ..film.writing import check_times, write_film
from ..games.palette import unpack_rgb
from .footage.animation import Animation
from .footage.base import Footage
from .footage.film import Film
from .kept import KeptPixels
from .sinks import RestoredFrame, Watch, save_confidence, unwatched


class FilmSink:
    """Writes one film. A film is written with the facts of the one it was: its other streams are copied, and only
    masked pixels differ from what was decoded. Pictures make a film of constant rate.

    Args:
        path: of the film.
        kept: where restored pixels are until then.
        footage: a film, or pictures of a game without a palette.
        options: how the film is coded.
        rate: frames per second of what is no film.
        frames: positions that are written; None = all.
        confidence: folder for how sure each pixel is, see `save_confidence`; None = it is not written.
        watch: goes through the frames that are written, and tells of it.
    Raises:
        UsageError: such a film cannot hold what `options` ask for.
    """

    def __init__(
        self,
        path: Path,
        kept: KeptPixels,
        footage: Footage,
        options: FilmOptions,
        rate: float,
        frames: range | None = None,
        confidence: Path | None = None,
        watch: Watch = unwatched,
    ) -> None:
        self._watch = watch
        self._path, self._kept, self._frames, self._confidence = path, kept, frames, confidence
        self._new: list[Path] = []
        if isinstance(footage, Film):
            self._facts = footage.reader.facts
            self._colours = footage.reader.colours
        else:
            first = frames.start if frames else 0
            probe = footage.read(first, first + 1).pictures
            if not probe:
                raise DataError(f"{footage.place}: holds no frame that can be read")
            lossless = options.lossless or path.suffix.lower() in (".gif", ".apng")
            exact = Fraction(rate).limit_denominator(1001)
            self._facts = times_of(facts_of_pictures(probe[0].size, exact, lossless), footage, frames)
            self._colours = colours_of(self._facts, layout_of(self._facts.pixel_format))
        size = (self._facts.height, self._facts.width)
        check_times(path, self._facts)
        self._plan = plan(path, self._colours.layout, size, options)

    def write(self, frame: RestoredFrame) -> None:
        self._kept.put(frame)
        if self._confidence is not None:
            self._new.append(save_confidence(frame, self._confidence))

    def settle(self) -> None:
        self._kept.settle()
        sync_files(self._new)
        self._new.clear()

    def finish(self, footage: Footage) -> list[str]:
        first = self._frames.start if self._frames else 0
        source = Path(footage.place) if isinstance(footage, Film) else None
        facts, base = self._facts, self._facts.time_base
        span: tuple[Fraction, Fraction | None] = (Fraction(0), None)
        if source is not None and (self._frames is not None or facts.times[:1] < (0,)):  # players cut before zero
            stop = len(facts.times) if self._frames is None else self._frames.stop
            last = facts.times[stop] * base if stop < len(facts.times) else None
            span = (facts.times[first] * base, last)
            facts = facts.shifted(first, stop)
        made = self._of_film(source) if source is not None else self._of_pictures(footage)
        made = self._watch(made, len(self._frames or range(footage.count)), self._path.name)
        return write_film(self._path, made, facts, self._colours, self._plan, source, span)

    def _wanted(self, position: int) -> bool:
        return self._frames is None or position in self._frames

    def _of_film(self, source: Path) -> Iterator[tuple[int, Planes]]:
        reader = FilmReader(source)
        times = self._facts.times
        start = min((0, *times[:1])) if self._frames is None else times[self._frames.start]
        for frame in reader.frames():
            if self._frames is not None and frame.number >= self._frames.stop:
                return
            if self._wanted(frame.number):
                rgb, mask = self._kept.get(frame.number)
                filled = np.where(mask[..., None], rgb, reader.rgb(frame)) if mask.any() else rgb
                yield frame.time - start, reader.pasted(frame, filled, mask)

    def _of_pictures(self, footage: Footage) -> Iterator[tuple[int, Planes]]:
        colours: Colours = self._colours
        times = self._facts.times or range(footage.count)
        for number, position in zip(times, self._frames or range(footage.count), strict=False):
            pictures = footage.read(position, position + 1).pictures
            if not pictures:
                return
            rgb, mask = self._kept.get(position)
            yield number, colours.native(np.where(mask[..., None], rgb, unpack_rgb(pictures[0].packed)))


def times_of(facts: FilmFacts, footage: Footage, frames: range | None) -> FilmFacts:
    """The facts with the times, and the number of plays, of the `frames` of an animation; None = of all."""
    if not isinstance(footage, Animation):
        return facts
    facts = replace(facts, plays=footage.plays)
    if not any(footage.delays):
        return facts
    delays = footage.delays[frames.start : frames.stop] if frames else footage.delays
    return facts.at([Fraction(0), *itertools.accumulate(delays)])
