"""One picture file of several frames (animated PNG, GIF or WebP, pages of a TIFF file) as an episode."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import DataError
from ...film.facts import FilmFacts, facts_of_pictures
from ...pictures.animated import Animated
from ...pictures.facts import Loss
from .base import AT_HAND, Problem, Report, SourceFrame, UnusableEpisode, file_stamp
from .losses import Allowed, LossWatch
from .pictures import resized
from .side_file import side_data, with_side


@dataclass
class AnimationEpisode:
    """The frames of a file, as they are shown. Attributes as of FilmEpisode; `fps` is the mean of frames that are shown
    unequally long, which is remarked, as is transparency."""

    name: str
    path: Path
    resize: int
    side: Path | UnusableEpisode | None
    state_size: int | None
    size: int = 1
    fps: float | None = None
    level: str = ""
    outcome: str = "cut"
    allowed: Allowed = None

    def __post_init__(self) -> None:
        with suppress(DataError):  # reported when its frames are read
            self.size = len(Animated(self.path))

    def signature(self, content: bool = False) -> list[list[object]]:
        files = [self.path, *([self.side] if isinstance(self.side, Path) else [])]
        return [*([f.name, f.stat().st_size, file_stamp(f, content)] for f in files), ["resize", self.resize]]

    def facts(self) -> FilmFacts | None:
        """Its rate and how often it is shown; None of pages, and of what cannot be read."""
        try:
            animated = Animated(self.path)
        except DataError:  # reported when its frames are read
            return None
        if animated.rate is None:
            return None
        rate = animated.rate.limit_denominator(1001)
        return replace(facts_of_pictures(animated.size, rate, lossless=True), plays=animated.plays)

    def frames(self, report: Report, notes: dict[str, int], known: Container[int] = ()) -> Iterator[SourceFrame]:
        """RGB frames numbered from 0."""
        side = side_data(self.side, self.state_size)
        try:
            animated = Animated(self.path)
        except DataError as error:
            raise UnusableEpisode(str(error)) from None
        if side is not None and len(side) != len(animated):
            raise UnusableEpisode(f"its side file has {len(side)} frames, the animation {len(animated)}")
        self.fps = None if animated.rate is None else float(animated.rate)
        watch, count = LossWatch(self.name, report, notes, self.allowed), 0
        try:
            watch.note(self._losses(animated))
        except DataError as error:
            raise UnusableEpisode(str(error)) from None
        watch.finish()
        try:
            for number, frame in enumerate(animated.frames()):
                yield with_side(number, AT_HAND if number in known else resized(frame[..., :3], self.resize), side)
                count += 1
        except DataError as error:
            report(Problem(self.name, self.path.name, f"after {count} frames, the rest is left out: {error}"))

    @staticmethod
    def _losses(animated: Animated) -> tuple[Loss, ...]:
        """What RGB frames at one rate do not keep."""
        found, clear = [], 0
        if not animated.constant:
            found.append(Loss("times", "frames are shown unequally long: their order and mean rate are kept", True))
        with suppress(DataError):  # reported when its frames are read
            clear = sum(bool((frame[..., 3] < 255).any()) for frame in animated.frames())
        if clear:
            found.append(Loss("alpha", f"{clear} frames have transparent pixels", True))
        return tuple(found)
