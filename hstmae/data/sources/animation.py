"""One picture file of several frames (animated PNG, GIF or WebP, pages of a TIFF file) as an episode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError
from ...pictures.animated import Animated
from .base import Problem, Report, SourceFrame, UnusableEpisode, file_stamp
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

    def __post_init__(self) -> None:
        with suppress(DataError):  # reported when its frames are read
            self.size = len(Animated(self.path))

    def signature(self, content: bool = False) -> list[list[object]]:
        files = [self.path, *([self.side] if isinstance(self.side, Path) else [])]
        return [*([f.name, f.stat().st_size, file_stamp(f, content)] for f in files), ["resize", self.resize]]

    def frames(self, report: Report, notes: dict[str, int]) -> Iterator[SourceFrame]:
        """RGB frames numbered from 0."""
        side = side_data(self.side, self.state_size)
        try:
            animated = Animated(self.path)
        except DataError as error:
            raise UnusableEpisode(str(error)) from None
        if side is not None and len(side) != len(animated):
            raise UnusableEpisode(f"its side file has {len(side)} frames, the animation {len(animated)}")
        self.fps = None if animated.rate is None else float(animated.rate)
        remarks = [] if animated.constant else ["frames are shown unequally long: their order and mean rate are kept"]
        clear, count = 0, 0
        try:
            for number, frame in enumerate(animated.frames()):
                clear += bool((frame[..., 3] < 255).any())
                yield with_side(number, resized(frame[..., :3], self.resize), side)
                count += 1
        except DataError as error:
            report(Problem(self.name, self.path.name, f"after {count} frames, the rest is left out: {error}"))
        remarks += [f"{clear} frames have transparent pixels, which are left out"] if clear else []
        for remark in remarks:
            report(Problem(self.name, self.path.name, remark, left_out=False))
