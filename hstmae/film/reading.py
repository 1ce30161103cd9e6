"""Reading films with PyAV: every frame with its own time, its native samples and its colours.

What the file's head says about lengths and rates is a hint only; the time stamps of the frames decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .colour import MATRICES, Colours
from .facts import FilmFacts
from .layout import Layout, Planes, layout_of, planes_of
from .probing import facts_of, pictures_of, scan

MAX_PIXELS = 4096 * 4096


@dataclass(frozen=True)
class FilmFrame:
    """One frame.

    Attributes:
        number: from 0.
        time: when it is shown, in the film's `time_base`.
        planes: native samples as `FilmReader.layout` says, pictures as stored.
        key: a frame that was coded by itself.
        interlaced: its two fields were taken one after the other.
    """

    number: int
    time: int
    planes: Planes
    key: bool = False
    interlaced: bool = False


class FilmReader:
    """A film, read forwards from its beginning as often as wanted.

    Attributes:
        path: of the film.
        facts: without times, unless `with_times`.
        layout: of the native samples.
        remarks: what a user should know about how this film is read, one sentence each; grows while frames are read.
        damage: why the last pass over the frames ended early; "" where it did not.

    Args:
        with_times: look for the times of all frames, which reads the whole file, but decodes nothing.
    Raises:
        DataError: PyAV is missing, or the file cannot be read as a film.
    """

    def __init__(self, path: Path, with_times: bool = False) -> None:
        self.path, self.damage = path, ""
        self.remarks: list[str] = []
        with opened(path) as (container, stream):
            first = next(_decoded(container, stream), None)
            if first is None:
                raise DataError(f"{path}: holds no frame that can be read")
            self.facts = facts_of(container, stream, first)
        if self.facts.width * self.facts.height > MAX_PIXELS:
            raise DataError(f"{path}: {self.facts.width}x{self.facts.height} pixels are more than {MAX_PIXELS}")
        try:
            self.layout: Layout = layout_of(self.facts.pixel_format)
        except ValueError as error:
            raise DataError(f"{path}: {error}") from None
        if with_times:
            with opened(path) as (container, stream):
                times, end = scan(container, stream)
            self.facts = replace(self.facts, times=times, end=end)
        self.colours = self._colours()
        self._say_what_is_odd()

    def frames(self) -> Iterator[FilmFrame]:
        """Every frame, from the first. A film that is damaged ends before the damage, which `damage` then tells."""
        self.damage = ""
        number, last = 0, None
        with opened(self.path) as (container, stream):
            try:
                for frame in _decoded(container, stream):
                    self._check(frame, number)
                    time = _time(frame, stream, last, self.facts)
                    planes = planes_of(frame, self.layout)
                    yield FilmFrame(number, time, planes, bool(frame.key_frame), bool(frame.interlaced_frame))
                    number, last = number + 1, time
            except _Damage as error:
                self.damage = str(error)

    def rgb(self, frame: FilmFrame) -> np.ndarray:
        """uint8 [H, W, 3], upright."""
        return self.facts.orientation.upright(self.colours.rgb(frame.planes))

    def pasted(self, frame: FilmFrame, rgb: np.ndarray, mask: np.ndarray) -> Planes:
        """The frame's native samples with the pixels under `mask` bool [H, W] taken from `rgb`, both upright.

        See `Colours.pasted`: no sample of a visible pixel changes.
        """
        turned = self.facts.orientation
        return self.colours.pasted(frame.planes, turned.stored(rgb), turned.stored(mask))

    def _check(self, frame: Any, number: int) -> None:
        if frame.is_corrupt:
            raise _Damage("a frame is incomplete")
        size, first = (frame.width, frame.height), (self.facts.width, self.facts.height)
        if size != first or frame.format.name != self.facts.pixel_format:
            was, now = (f"{w}x{h} {f}" for (w, h), f in
                        ((first, self.facts.pixel_format), (size, frame.format.name)))  # fmt: skip
            raise _Damage(f"from frame {number} on it is {now} instead of {was}; cut it there to read both parts")

    def _colours(self) -> Colours:
        facts = self.facts
        full = facts.full_range
        if full is None:  # as FFmpeg takes them: grey is full
            full = self.layout.kind != "yuv" or facts.pixel_format.startswith("yuvj")
        matrix = facts.colour_matrix
        if matrix not in MATRICES:
            matrix = replace(facts, matrix="unspecified").colour_matrix
        return Colours(self.layout, matrix, full)

    def _say_what_is_odd(self) -> None:
        facts, say = self.facts, self.remarks.append
        if self.layout.kind == "yuv":
            if facts.matrix in ("unspecified", "reserved"):
                say(f"does not state its colour matrix: {self.colours.matrix} is taken, by its size")
            elif facts.matrix not in MATRICES:
                say(f"colour matrix {facts.matrix} is not known here: {self.colours.matrix} is taken")
        if not self.layout.exact:
            say(f"samples of {facts.pixel_format} are brought to {self.layout.name}, which rounds them")
        if not facts.orientation.exact:
            say("is turned or scaled by no quarter turn: the nearest one is taken")
        second = [str(stream.index) for stream in facts.streams if stream.kind == "video"]
        if second:
            say(f"has other video streams, which are left as they are: {', '.join(second)}")


class _Damage(Exception):
    """The film cannot be read from here on."""


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """(container, stream of the pictures) of a film.

    Raises:
        DataError: PyAV is missing, it is no film, or it has no pictures that move.
    """
    try:
        import av
    except ImportError:
        raise DataError("reading films needs PyAV: pip install 'hstmae[video]'") from None
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a film ({error})") from None
    with container:
        stream = pictures_of(container)
        if stream is None:
            raise DataError(f"{path}: has no pictures in it")
        stream.thread_type = "AUTO"
        yield container, stream


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """PyAV frames in the order they are shown. Raises _Damage where the file cannot be read on."""
    import av

    try:
        yield from container.decode(stream)
    except (av.FFmpegError, ValueError) as error:
        raise _Damage(str(error)) from None


def _time(frame: Any, stream: Any, last: int | None, facts: FilmFacts) -> int:
    """When the frame is shown; one without a time stamp comes a frame after the one before."""
    if frame.pts is not None:
        return int(frame.pts)
    if last is None:
        return int(stream.start_time or 0)
    return last + max(1, round(1 / ((facts.rate or 25) * facts.time_base)))
