"""One film as an episode: decoded by PyAV, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from .base import Problem, Report, SourceFrame, UnusableEpisode, file_stamp
from .pictures import MAX_PIXELS, resized
from .side_file import side_data, with_side

_UNEVEN = 0.5  # largest deviation of one step from the frame time; containers round times to milliseconds
_DRIFT = 0.02  # largest deviation of the mean step


@dataclass
class FilmEpisode:
    """A film of constant frame rate.

    A film that is damaged or cut off keeps the frames before the damage; the rest is reported. One whose frames do not
    come at a constant rate, or whose side file has another number of frames, is left out whole.

    Attributes:
        name: of the episode.
        path: of the film.
        resize: side to scale frames to; 0 = as they are.
        side: side file, or why there is none that can be used; None = no state and no actions.
        state_size: bytes of state per frame that the side file must have; None = any.
    """

    name: str
    path: Path
    resize: int
    side: Path | UnusableEpisode | None
    state_size: int | None
    size: int = field(init=False)  # frames according to the file's head
    fps: float | None = field(init=False, default=None)
    level: str = field(init=False, default="")
    outcome: str = field(init=False, default="cut")

    def __post_init__(self) -> None:
        try:
            with opened(self.path) as (container, stream):
                self.size = max(1, _expected(container, stream))
        except UnusableEpisode:  # reported when its frames are read, as a problem of this episode
            self.size = 1

    def signature(self, content: bool = False) -> list[list[object]]:
        files = [self.path, *([self.side] if isinstance(self.side, Path) else [])]
        return [*([f.name, f.stat().st_size, file_stamp(f, content)] for f in files), ["resize", self.resize]]

    def frames(self, report: Report, notes: dict[str, int]) -> Iterator[SourceFrame]:
        """RGB frames numbered from 0."""
        side = side_data(self.side, self.state_size)
        with opened(self.path) as (container, stream):
            rate = stream.average_rate or stream.guessed_rate
            self.fps = float(rate) if rate else None
            count, damage = 0, ""
            clock = _Clock(self.fps)
            try:
                for frame in _decoded(container, stream):
                    clock.add(frame.time, float(frame.time_base or 0))
                    pixels = self._pixels(frame)
                    if side is not None and count >= len(side):
                        raise UnusableEpisode(f"its side file has {len(side)} frames, the film more")
                    yield with_side(count, pixels, side)
                    count += 1
            except _Damage as error:
                damage = str(error)
            clock.check_mean()
            expected = _expected(container, stream)
        if not damage and count < expected - (0 if stream.frames else max(2, 0.02 * expected)):
            damage = f"ends after {count} of {expected} frames"
        if damage:
            report(Problem(self.name, self.path.name, f"damaged after {count} frames, the rest is left out: {damage}"))
        elif side is not None and len(side) != count:
            raise UnusableEpisode(f"its side file has {len(side)} frames, the film {count}")

    def _pixels(self, frame: Any) -> np.ndarray:
        if frame.width * frame.height > MAX_PIXELS:
            raise UnusableEpisode(f"{frame.width}x{frame.height} pixels are more than {MAX_PIXELS}")
        pixels = frame.to_ndarray(format="rgb24")
        turns = round(getattr(frame, "rotation", 0) / 90) % 4  # films of phones are stored lying on their side
        return resized(np.rot90(pixels, turns), self.resize)


class _Clock:
    """Watches that frames come at a constant rate."""

    def __init__(self, fps: float | None) -> None:
        self._fps = fps
        self._first = self._last = self._tick = 0.0
        self._count = 0

    def add(self, time: float | None, tick: float) -> None:
        """One more frame at `time` seconds, known to `tick` seconds. Raises UnusableEpisode where the rate varies."""
        if time is None or self._fps is None:
            return
        if not self._count:
            self._first = time
        else:
            step = (time - self._last) * self._fps
            if abs(step - 1) > _UNEVEN + tick * self._fps / 2:
                raise UnusableEpisode(
                    f"variable frame rate: frame {self._count} comes {time - self._last:.4f} s after the one before, "
                    f"at {self._fps:.3f} fps it should be {1 / self._fps:.4f} s; convert it to a constant rate first"
                )
        self._last, self._tick = time, tick
        self._count += 1

    def check_mean(self) -> None:
        """Raises UnusableEpisode where the stated rate is not that of the frames."""
        if self._fps is None or self._count < 2:
            return
        due, took = (self._count - 1) / self._fps, self._last - self._first
        if abs(took - due) > _DRIFT * due + 2 * self._tick:
            raise UnusableEpisode(
                f"variable frame rate: {self._count} frames take {took:.3f} s, at the stated {self._fps:.3f} fps it "
                f"should be {due:.3f} s; convert it to a constant rate first"
            )


class _Damage(Exception):
    """The film cannot be decoded from here on."""


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """(container, video stream) of a film. Raises DataError without PyAV, UnusableEpisode where it cannot be read."""
    try:
        import av
    except ImportError:
        raise DataError("reading films needs PyAV: pip install 'hstmae[video]'") from None
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise UnusableEpisode(f"{path.name} cannot be read as a film ({error})") from None
    with container:
        if not container.streams.video:
            raise UnusableEpisode(f"{path.name} has no pictures in it")
        yield container, container.streams.video[0]


def _expected(container: Any, stream: Any) -> int:
    """Frames according to the file's head; 0 where it does not say."""
    if stream.frames:
        return int(stream.frames)
    rate = stream.average_rate or stream.guessed_rate
    if stream.duration and stream.time_base and rate:
        return round(float(stream.duration * stream.time_base * rate))
    if container.duration and rate:  # microseconds
        return round(container.duration * 1e-6 * float(rate))
    return 0


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    import av

    size = None
    try:
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise _Damage("a frame is incomplete")
            size = size or (frame.width, frame.height)
            if (frame.width, frame.height) != size:
                raise _Damage(f"the size changes from {size[0]}x{size[1]} to {frame.width}x{frame.height}")
            yield frame
    except (av.FFmpegError, ValueError) as error:
        raise _Damage(str(error)) from None
