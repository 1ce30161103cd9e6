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
from .checksums import has_checksums, slices_are_sound
from .colour import MATRICES, Colours
from .facts import FilmFacts
from .layout import Layout, Planes, layout_of, planes_of
from .plays import plays_of
from .probing import decoder_of, display_matrix, facts_of, pictures_of, scan
from .watching import Watch

MAX_PIXELS = 4096 * 4096


class UnreadableFilm(DataError):
    """A file that is no film, or none that can be read."""


@dataclass(frozen=True)
class FilmFrame:
    """One frame.

    Attributes:
        number: from 0.
        time: when it is shown, in the film's `time_base`; later than the frame before.
        planes: native samples as `FilmReader.layout` says, pictures as stored.
        key: it was coded by itself.
        interlaced: its two fields were taken one after the other.
        damaged: it is `lost`, or comes after one that is, with no `key` frame between.
        lost: it could not be decoded (`planes` are those of a frame beside it), or with errors.
    """

    number: int
    time: int
    planes: Planes
    key: bool = False
    interlaced: bool = False
    damaged: bool = False
    lost: bool = False


class FilmReader:
    """A film, read forwards from its beginning as often as wanted.

    Attributes:
        path: of the film.
        facts: with the times of the frames as far as the packets tell them; those of the frames themselves after a
            first pass over all of them.
        layout: of the native samples.
        remarks: what a user should know about how this film is read, one sentence each.
        damage: what was wrong with the frames of the last pass, one sentence each.

    Args:
        with_times: look for the times of all frames, which reads the whole file, but decodes nothing; else `facts` has
            none before the first pass.
    Raises:
        UnreadableFilm: the file cannot be read as a film.
        DataError: PyAV is missing.
    """

    def __init__(self, path: Path, with_times: bool = True) -> None:
        self.path = path
        self.remarks: list[str] = []
        self.damage: list[str] = []
        with opened(path) as (container, stream):
            first = next((f for f in _decoded(container, stream) if not isinstance(f, str)), None)
            if first is None:
                raise UnreadableFilm(f"{path}: holds no frame that can be read")
            self.facts = replace(facts_of(container, stream, first), plays=plays_of(path))
        with opened(path) as (container, stream):
            self._checked = has_checksums(container, stream)
        if self.facts.codec in ("vp8", "vp9") and self.facts.alpha:  # the decoder of alpha knows no display matrix
            with opened(path) as (container, stream):
                plain = next(container.decode(stream))
            self.facts = replace(self.facts, display_matrix=display_matrix(plain))
        if self.facts.width * self.facts.height > MAX_PIXELS:
            raise UnreadableFilm(f"{path}: {self.facts.width}x{self.facts.height} pixels are more than {MAX_PIXELS}")
        try:
            self.layout: Layout = layout_of(self.facts.pixel_format)
        except ValueError as error:
            raise UnreadableFilm(f"{path}: {error}") from None
        if with_times:
            with opened(path) as (container, stream):
                times, end = scan(container, stream)
            self.facts = replace(self.facts, times=times, end=end)
        self.colours = colours_of(self.facts, self.layout)
        self._say_what_is_odd()

    def frames(self) -> Iterator[FilmFrame]:
        """Every frame, from the first. Where the size or the format changes the film ends, and `damage` tells so."""
        watch = Watch(self.facts)
        self.damage = watch.damage
        planes: Planes | None = None
        with opened(self.path) as (container, stream):
            for frame in _decoded(container, stream, watch if self._checked else None):
                if isinstance(frame, str):
                    watch.error(frame)
                    continue
                if not watch.fits(frame):
                    break
                planes = planes_of(frame, self.layout)
                for time in watch.gone(frame.pts) if frame.pts is not None else ():
                    yield FilmFrame(watch.count - 1, time, planes, damaged=True, lost=True)
                watch.add(frame)
                yield FilmFrame(
                    number=watch.count - 1,
                    time=watch.times[-1],
                    planes=planes,
                    key=bool(frame.key_frame),
                    interlaced=bool(frame.interlaced_frame),
                    damaged=watch.broken,
                    lost=watch.lost,
                )
            if planes is not None:
                for time in watch.gone(None):
                    yield FilmFrame(watch.count - 1, time, planes, damaged=True, lost=True)
            watch.finish(container, stream)
        moved = f"{watch.moved} frames have the time of one before them: each is moved on by a tick"
        if watch.moved and moved not in self.remarks:
            self.remarks.append(moved)
        self.facts = replace(self.facts, times=tuple(watch.times), end=watch.end)

    def rgb(self, frame: FilmFrame) -> np.ndarray:
        """uint8 [H, W, 3], upright."""
        return self.facts.orientation.upright(self.colours.rgb(frame.planes))

    def alpha(self, frame: FilmFrame) -> np.ndarray | None:
        """uint8 [H, W], upright; None where pixels have none."""
        if not self.layout.alpha:
            return None
        return self.facts.orientation.upright((frame.planes[-1] >> (self.layout.bits - 8)).astype(np.uint8))

    def pasted(self, frame: FilmFrame, rgb: np.ndarray, mask: np.ndarray) -> Planes:
        """The frame's native samples with the pixels under `mask` bool [H, W] taken from `rgb`, both upright.

        See `Colours.pasted`: no sample of a visible pixel changes.
        """
        turned = self.facts.orientation
        return self.colours.pasted(frame.planes, turned.stored(rgb), turned.stored(mask))

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


def colours_of(facts: FilmFacts, layout: Layout) -> Colours:
    """How the samples of a film mean colours."""
    full = facts.full_range
    if full is None:  # as FFmpeg takes them: grey is full
        full = layout.kind != "yuv" or facts.pixel_format.startswith("yuvj")
    matrix = facts.colour_matrix
    if matrix not in MATRICES:
        matrix = replace(facts, matrix="unspecified").colour_matrix
    return Colours(layout, matrix, full)


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """(container, stream of the pictures) of a film.

    Raises:
        UnreadableFilm: it is no film, or it has no pictures that move.
        DataError: PyAV is missing.
    """
    try:
        import av
    except ImportError:
        raise DataError("reading films needs PyAV: pip install 'hstmae[video]'") from None
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UnreadableFilm(f"{path}: cannot be read as a film ({error})") from None
    with container:
        stream = pictures_of(container)
        if stream is None:
            raise UnreadableFilm(f"{path}: has no pictures in it")
        stream.thread_type = "AUTO"
        yield container, stream


def _decoded(container: Any, stream: Any, watch: Watch | None = None) -> Iterator[Any]:
    """PyAV frames in the order they are shown, and in the place of what cannot be decoded why, as text.

    `watch` is told of packets whose checksums are wrong.
    """
    import av

    decoder, packets = decoder_of(stream), container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
        except (av.FFmpegError, ValueError) as error:
            yield str(error)
            return
        if watch is not None and packet.size and packet.pts is not None and not slices_are_sound(bytes(packet)):
            watch.suspect.add(packet.pts)
        try:
            yield from decoder.decode(packet if packet.size else None)
        except (av.FFmpegError, ValueError) as error:
            yield str(error)
