"""One film as an episode: of true-colour frames, or of a palette game's own pixels."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...film.facts import FilmFacts
from ...film.probing import expected_frames
from ...film.reading import FilmReader, UnreadableFilm, opened
from ...games import get_game
from ...pictures.snapping import TOLERANCE
from .base import AT_HAND, Problem, Report, SourceFrame, UnusableEpisode, file_stamp
from .pictures import resized
from .side_file import side_data, with_side
from .snapped import Snapper, snapper_of


@dataclass
class FilmEpisode:
    """A film.

    Frames that are damaged are reported and leave a gap in the frame numbers. What 8-bit RGB frames at one rate do not
    keep of the film (depth, alpha, varying times) is remarked. A film whose side file has another number of frames is
    left out whole.

    Attributes:
        name: of the episode.
        path: of the film.
        resize: side to scale frames to; 0 = as they are.
        side: side file, or why there is none that can be used; None = no state and no actions.
        state_size: bytes of state per frame that the side file must have; None = any.
        palette_of: game whose palette entries the frames are to be, see `snapped`; "" = RGB frames.
    """

    name: str
    path: Path
    resize: int
    side: Path | UnusableEpisode | None
    state_size: int | None
    palette_of: str = ""
    size: int = field(init=False)  # frames according to the file's head
    fps: float | None = field(init=False, default=None)
    level: str = field(init=False, default="")
    outcome: str = field(init=False, default="cut")

    def __post_init__(self) -> None:
        try:
            with opened(self.path) as (container, stream):
                self.size = max(1, expected_frames(container, stream))
        except UnreadableFilm:  # reported when its frames are read, as a problem of this episode
            self.size = 1

    def signature(self, content: bool = False) -> list[list[object]]:
        files = [self.path, *([self.side] if isinstance(self.side, Path) else [])]
        return [*([f.name, f.stat().st_size, file_stamp(f, content)] for f in files), ["resize", self.resize]]

    def frames(self, report: Report, notes: dict[str, int], known: Container[int] = ()) -> Iterator[SourceFrame]:
        """Frames numbered from 0."""
        side = side_data(self.side, self.state_size)
        try:
            reader = FilmReader(self.path)
        except UnreadableFilm as error:
            raise UnusableEpisode(str(error)) from None
        self.fps = mean_rate(reader.facts)
        snapper, remarks = None, [*reader.remarks]
        if self.palette_of:
            try:
                snapper = snapper_of(reader, get_game(self.palette_of))
            except DataError as error:
                raise UnusableEpisode(str(error)) from None
            remarks.append(snapper.remark)
        else:
            remarks += lost_as_rgb(reader.facts)
        for remark in (*remarks, *varying_times(reader.facts)):
            report(Problem(self.name, self.path.name, remark, left_out=False))
        count = 0
        for frame in reader.frames():
            count += 1
            if side is not None and count > len(side):
                raise UnusableEpisode(f"its side file has {len(side)} frames, the film more")
            if frame.damaged:
                continue
            if frame.number in known:
                yield with_side(frame.number, AT_HAND, side)
                continue
            rgb = reader.rgb(frame)
            if snapper is None:
                yield with_side(frame.number, resized(rgb, self.resize), side)
            elif (made := self._snapped(snapper, rgb, frame.number, report)) is not None:
                yield replace(with_side(frame.number, made, side, snapper.game.palette), corner=snapper.corner)
        for damage in reader.damage:
            report(Problem(self.name, self.path.name, damage))
        if side is not None and len(side) != count and not reader.damage:
            raise UnusableEpisode(f"its side file has {len(side)} frames, the film {count}")

    def _snapped(self, snapper: Snapper, rgb: np.ndarray, number: int, report: Report) -> np.ndarray | None:
        """Palette entries of a frame; None, reported, where it does not show the game."""
        entries, off = snapper.entries(rgb)
        if off <= TOLERANCE:
            return entries
        report(Problem(self.name, self.path.name, f"frame {number} is no picture of the game ({off:.1f} levels off)"))
        return None


def mean_rate(facts: FilmFacts) -> float | None:
    """Frames per second: the constant rate, or the mean of one that varies; None where nothing tells."""
    rate = facts.constant_rate
    if rate is None and len(facts.times) > 1:
        rate = (len(facts.times) - 1) / ((facts.times[-1] - facts.times[0]) * facts.time_base)
    return None if rate is None else float(rate)


def lost_as_rgb(facts: FilmFacts) -> list[str]:
    """What 8-bit RGB pictures do not keep of a film's frames."""
    lost = []
    if facts.bits > 8:
        lost.append(f"{facts.bits} bits of each channel ({facts.pixel_format}) become 8")
    if facts.alpha:
        lost.append(f"alpha ({facts.pixel_format}) is left out")
    if facts.sample_aspect not in (None, 1):
        lost.append(f"pixels of {facts.sample_aspect} are taken as square")
    return lost


def varying_times(facts: FilmFacts) -> list[str]:
    """That frames come at no constant rate, where it is so."""
    rate = mean_rate(facts)
    if rate is None or facts.constant_rate is not None:
        return []
    return [f"frames come at varying times: only their order and mean rate, {rate:.3f} per second, are kept"]
