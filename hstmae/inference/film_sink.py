"""Restored footage as one film: restored pixels are kept frame by frame, and at the end one pass writes them all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import zstandard

from ..atomic import sync_files
from ..errors import DataError
from ..film.codecs import FilmOptions, plan
from ..film.colour import Colours
from ..film.facts import facts_of_pictures
from ..film.layout import Planes, layout_of
from ..film.reading import FilmReader, colours_of
from ..film.writing import check_times, write_film
from ..games.palette import unpack_rgb
from .footage.animation import Animation
from .footage.base import Footage
from .footage.film import Film
from .sinks import RestoredFrame, save_confidence

_KEPT = ".kept"  # suffix of the restored pixels of one frame


class FilmSink:
    """Writes one film. A film is written with the facts of the one it was: its other streams are copied, and only
    masked pixels differ from what was decoded. Pictures make a film of constant rate.

    Args:
        path: of the film.
        work: folder where restored pixels are kept until then.
        footage: a film, or pictures of a game without a palette.
        options: how the film is coded.
        rate: frames per second of what is no film.
        frames: positions that are written; None = all.
        confidence: folder for how sure each pixel is, see `save_confidence`; None = it is not written.
    Raises:
        UsageError: such a film cannot hold what `options` ask for.
    """

    def __init__(
        self,
        path: Path,
        work: Path,
        footage: Footage,
        options: FilmOptions,
        rate: float,
        frames: range | None = None,
        confidence: Path | None = None,
    ) -> None:
        self._path, self._work, self._frames, self._confidence = path, work, frames, confidence
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
            self._facts = facts_of_pictures(probe[0].size, exact, lossless)
            if isinstance(footage, Animation):
                self._facts = replace(self._facts, plays=footage.plays)
            if isinstance(footage, Animation) and any(footage.delays):
                delays = footage.delays[frames.start : frames.stop] if frames else footage.delays
                self._facts = self._facts.at([Fraction(0), *itertools.accumulate(delays)])
            self._colours = colours_of(self._facts, layout_of(self._facts.pixel_format))
        size = (self._facts.height, self._facts.width)
        check_times(path, self._facts)
        self._plan = plan(path, self._colours.layout, size, options)

    def write(self, frame: RestoredFrame) -> None:
        self._work.mkdir(parents=True, exist_ok=True)
        path = self._place(frame.position)
        mask = frame.mask
        shown = frame.picture.colours(frame.pixels[mask]).astype(np.uint8)
        head = np.array(mask.shape, np.uint32).tobytes()
        path.write_bytes(zstandard.compress(head + np.packbits(mask).tobytes() + shown.tobytes(), 1))
        self._new.append(path)
        if self._confidence is not None:
            self._new.append(save_confidence(frame, self._confidence))

    def settle(self) -> None:
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
        lost = write_film(self._path, made, facts, self._colours, self._plan, source, span)
        for path in self._work.glob(f"*{_KEPT}"):
            path.unlink()
        return lost

    def _place(self, position: int) -> Path:
        return self._work / f"{position:09d}{_KEPT}"

    def _kept(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 [H, W, 3] read where True, bool [H, W]) of a frame."""
        data = zstandard.decompress(self._place(position).read_bytes())
        height, width = np.frombuffer(data, np.uint32, 2).tolist()
        packed = -(-height * width // 8)
        mask = np.unpackbits(np.frombuffer(data, np.uint8, packed, 8), count=height * width).reshape(height, width) > 0
        rgb = np.zeros((height, width, 3), np.uint8)
        rgb[mask] = np.frombuffer(data, np.uint8, offset=8 + packed).reshape(-1, 3)
        return rgb, mask

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
                rgb, mask = self._kept(frame.number)
                filled = np.where(mask[..., None], rgb, reader.rgb(frame)) if mask.any() else rgb
                yield frame.time - start, reader.pasted(frame, filled, mask)

    def _of_pictures(self, footage: Footage) -> Iterator[tuple[int, Planes]]:
        colours: Colours = self._colours
        times = self._facts.times or range(footage.count)
        for number, position in zip(times, self._frames or range(footage.count), strict=False):
            pictures = footage.read(position, position + 1).pictures
            if not pictures:
                return
            rgb, mask = self._kept(position)
            yield number, colours.native(np.where(mask[..., None], rgb, unpack_rgb(pictures[0].packed)))
