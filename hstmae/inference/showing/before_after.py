"""A film of before and after: the damaged frame left, the restored one right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ...drawing.overlay import enlarged, font
from ...drawing.panels import BACKGROUND, show_masked
from ...errors import DataError
from ...film.codecs import FilmOptions, plan
from ...film.facts import FilmFacts, facts_of_pictures
from ...film.layout import Planes, layout_of
from ...film.reading import colours_of
from ...film.writing import check_times, write_film
from ...games.palette import unpack_rgb
from ..film_sink import times_of
from ..footage.base import Footage
from ..footage.film import Film
from ..kept import KeptPixels
from ..sinks import WIDE, RestoredFrame, Watch, unwatched

LABELS = ("damaged", "restored")
LINE, GAP = 24, 4  # pixels: height of the line of labels, between the pictures


class BeforeAfterSink:
    """Keeps what the film needs. It has the rate, or the times, of the footage, and no sound.

    Args:
        path: of the film.
        kept: where restored pixels are until then.
        rate: frames per second of what is no film.
        frames: positions that are shown; None = all.
        synthetic: masks hide what is known, and it is not shown.
        watch: goes through the frames that are written, and tells of it.
    Raises:
        UsageError: no such film can be written.
    """

    def __init__(
        self,
        path: Path,
        kept: KeptPixels,
        footage: Footage,
        rate: float,
        frames: range | None = None,
        synthetic: bool = False,
        watch: Watch = unwatched,
    ) -> None:
        self._watch = watch
        self._path, self._kept, self._frames, self._synthetic = path, kept, frames, synthetic
        first = frames.start if frames else 0
        probe = footage.read(first, first + 1).pictures
        if not probe:
            raise DataError(f"{footage.place}: holds no frame that can be read")
        height, width = probe[0].size
        self._scale = 1 if width > WIDE else 2
        size = (height * self._scale + LINE, 2 * width * self._scale + GAP)
        self._size = (size[0] + size[0] % 2, size[1] + size[1] % 2)  # what encoders take
        lossless = path.suffix.lower() in (".gif", ".apng")
        facts = _facts(self._size, footage, rate, frames, lossless)
        self._facts = replace(facts, plays=0 if lossless else None)
        self._colours = colours_of(self._facts, layout_of(self._facts.pixel_format))
        check_times(path, self._facts)
        self._plan = plan(path, self._colours.layout, self._size, FilmOptions())

    def write(self, frame: RestoredFrame) -> None:
        self._kept.put(frame)

    def settle(self) -> None:
        self._kept.settle()

    def finish(self, footage: Footage) -> list[str]:
        return []

    def film(self, footage: Footage, temp: Path) -> list[str]:
        """Write the film of all frames to `temp`, which will be renamed, and return what is not kept."""
        pairs = self._watch(self._pairs(footage), len(self._frames or range(footage.count)), self._path.name)
        try:
            lost = write_film(temp, pairs, self._facts, self._colours, self._plan)
        except DataError as error:
            raise DataError(str(error).replace(str(temp), str(self._path))) from None
        return [f"{self._path.name}: {line}" for line in lost]

    def _pairs(self, footage: Footage) -> Iterator[tuple[int, Planes]]:
        canvas = self._canvas()
        times = self._facts.times or range(footage.count)
        for number, position in zip(times, self._frames or range(footage.count), strict=False):
            pictures = footage.read(position, position + 1).pictures
            if not pictures:
                return
            seen = unpack_rgb(pictures[0].packed)
            rgb, mask = self._kept.get(position)
            unseen = mask if self._synthetic else pictures[0].missing
            before = show_masked(seen, unseen) if unseen.any() else seen
            left = 0
            for picture in (before, np.where(mask[..., None], rgb, seen)):
                large = enlarged(picture, self._scale)
                canvas[LINE : LINE + large.shape[0], left : left + large.shape[1]] = large
                left += large.shape[1] + GAP
            yield number, self._colours.native(canvas)

    def _canvas(self) -> np.ndarray:
        """uint8 [H, W, 3] with the labels alone."""
        from PIL import Image, ImageDraw

        sheet = Image.new("RGB", self._size[::-1], BACKGROUND)
        draw = ImageDraw.Draw(sheet)
        for k, word in enumerate(LABELS):
            draw.text((k * (self._size[1] + GAP) // 2 + 6, LINE // 2), word, (236, 236, 236), font(15), anchor="lm")
        return np.array(sheet)


def _facts(size: tuple[int, int], footage: Footage, rate: float, frames: range | None, lossless: bool) -> FilmFacts:
    made = facts_of_pictures(size, Fraction(rate).limit_denominator(1001), lossless)
    if not isinstance(footage, Film):
        return times_of(made, footage, frames)
    film = footage.reader.facts
    first = frames.start if frames else 0
    part = film.shifted(first, frames.stop if frames else len(film.times))
    aspect = film.sample_aspect
    if aspect and film.orientation.transposed:
        aspect = 1 / aspect
    return replace(made, rate=film.rate, time_base=film.time_base, times=part.times, end=part.end, sample_aspect=aspect)
