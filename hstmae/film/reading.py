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
from .probing import decoder_of, display_matrix, facts_of, pictures_of, scan, stated_end

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
        damaged: it is incomplete, or comes after one that is, with no `key` frame between.
    """

    number: int
    time: int
    planes: Planes
    key: bool = False
    interlaced: bool = False
    damaged: bool = False


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
            self.facts = facts_of(container, stream, first)
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
        watch = _Watch(self.facts)
        self.damage = watch.damage
        with opened(self.path) as (container, stream):
            for frame in _decoded(container, stream):
                if isinstance(frame, str):
                    watch.error(frame)
                    continue
                if not watch.fits(frame):
                    break
                watch.add(frame)
                yield FilmFrame(
                    number=watch.count - 1,
                    time=watch.times[-1],
                    planes=planes_of(frame, self.layout),
                    key=bool(frame.key_frame),
                    interlaced=bool(frame.interlaced_frame),
                    damaged=watch.broken,
                )
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


class _Watch:
    """Keeps the times of the frames rising, and what is wrong with them."""

    def __init__(self, facts: FilmFacts) -> None:
        self.times: list[int] = []
        self.damage: list[str] = []
        self.moved = 0  # frames that did not come later than the one before
        self.broken = False  # from a damaged frame to the next one that was coded by itself
        self.end = 0
        self._facts, self._cut = facts, False
        self._lost = self._bad = 0
        self._first_bad, self._why = 0, ""
        self._step = max(1, round(1 / ((facts.rate or 25) * facts.time_base)))

    @property
    def count(self) -> int:
        return len(self.times)

    def error(self, why: str) -> None:
        """Something could not be decoded."""
        self._lost += 1
        self._why = self._why or why
        self.broken = True

    def fits(self, frame: Any) -> bool:
        was = (self._facts.width, self._facts.height, self._facts.pixel_format)
        now = (frame.width, frame.height, frame.format.name)
        if was == now:
            return True
        self.damage.append(
            f"from frame {self.count} on it is {now[0]}x{now[1]} {now[2]} instead of {was[0]}x{was[1]} {was[2]}: that "
            "is left out; cut the film there to read both parts"
        )
        self._cut = True
        return False

    def add(self, frame: Any) -> None:
        if frame.is_corrupt:
            self._why = self._why or "a frame is incomplete"
            self.broken = True
        elif frame.key_frame:
            self.broken = False
        if self.broken:
            self._first_bad = self._first_bad if self._bad else self.count
            self._bad += 1
        if not self.times:
            time = int(frame.pts or 0)
        elif frame.pts is None:
            time = self.times[-1] + self._step
        else:
            time = max(int(frame.pts), self.times[-1] + 1)
            self.moved += time != frame.pts
        self.times.append(time)
        self.end = time + int(frame.duration or self._step)

    def finish(self, container: Any, stream: Any) -> None:
        if self._lost:
            self.damage.append(f"{self._lost} pieces cannot be decoded ({self._why})")
        if self._bad:
            self.damage.append(f"{self._bad} frames from frame {self._first_bad} on are damaged or follow damaged ones")
        due = stated_end(container, stream)
        missing = 0 if due is None or self._cut else float(due - self.end * self._facts.time_base)
        if missing > max(2.5 * float(self._step * self._facts.time_base), 0.02 * float(due or 0)):
            self.damage.append(f"ends {missing:.2f} s before the end that its head states")


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


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """PyAV frames in the order they are shown, and in the place of what cannot be decoded why, as text."""
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
        try:
            yield from decoder.decode(packet if packet.size else None)
        except (av.FFmpegError, ValueError) as error:
            yield str(error)
