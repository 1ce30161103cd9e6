"""What every source of episodes hands to preprocessing."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...errors import DataError
from ...games import GameSpec
from ..episode import Episode


@dataclass(frozen=True)
class Problem:
    """Something that was left out of the store, or kept although it looks odd.

    Attributes:
        episode: name of the episode.
        file: name of the file, "" when the whole episode is meant.
        reason: what is wrong.
        left_out: False for a remark about data that was kept.
        count: how many files it is about.
    """

    episode: str
    file: str
    reason: str
    left_out: bool = True
    count: int = 1

    def to_json(self) -> dict[str, Any]:
        value = asdict(self)
        if self.count == 1:
            del value["count"]
        return value

    def __str__(self) -> str:
        return f"{self.episode}/{self.file}: {self.reason}" if self.file else f"{self.episode}: {self.reason}"


@dataclass(frozen=True)
class SourceFrame:
    """One frame.

    Attributes:
        number: the recorder's frame number.
        pixels: uint8 [H, W] palette indices, or [H, W, 3] RGB.
        palette: uint8 [K, 3], None for RGB.
        state: uint8 [S] memory that belongs to the picture; None where unknown, and then for every frame of the episode
            that is not `alone`.
        action: controller byte; None likewise.
        alone: the episode has memory, and none of it belongs to this picture (see `data.pairing`): a store cannot hold
            such a frame.
        corner: y and x of the picture in the game's native one, of which it shows a part; one for the whole episode.
    """

    number: int
    pixels: np.ndarray
    palette: np.ndarray | None
    state: np.ndarray | None
    action: int | None
    alone: bool = False
    corner: tuple[int, int] = (0, 0)


Report = Callable[[Problem], None]
AT_HAND = np.empty(0, np.uint8)  # in place of pixels that are not wanted, see `SourceEpisode.frames`


class UnusableEpisode(DataError):
    """Raised while frames are read: nothing of this episode can be used, the frames that came before included."""


class NothingUsable(DataError):
    """Of all episodes of an input nothing can be used.

    Attributes:
        problems: why.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = f", the first: {problems[0]}" if problems else ""
        super().__init__(f"nothing usable was found: {len(problems)} problems{first}")
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type[NothingUsable], tuple[tuple[Problem, ...]]]:
        return NothingUsable, (self.problems,)


def file_stamp(path: Path, content: bool) -> int:
    """What changes with a file: its time, or where `content` the CRC-32 of all its bytes, -1 where it cannot be read.

    Raises:
        OSError: there is no such file, without `content`.
    """
    if not content:
        return path.stat().st_mtime_ns
    try:
        with path.open("rb") as file:
            crc = 0
            while block := file.read(1 << 20):
                crc = zlib.crc32(block, crc)
            return crc
    except OSError:  # reported when its frames are read
        return -1


class SourceEpisode(Protocol):
    """One session found in the input; picklable, and cheap until its frames are read."""

    @property
    def name(self) -> str:
        """Unique name of the episode."""

    @property
    def level(self) -> str:
        """E.g. "1-1", "" where unknown."""

    @property
    def outcome(self) -> str:
        """One of `hstmae.data.episode.OUTCOMES`."""

    @property
    def size(self) -> int:
        """About how many frames it has."""

    @property
    def fps(self) -> float | None:
        """Frames per second, asked for after the first frame was read; None = what the game runs at."""

    def signature(self, content: bool = False) -> list[list[object]]:
        """JSON values that change when the source changes: by the times of its files, or where `content` by what they
        hold, so that a copy has the same; that reads them all."""

    def frames(self, report: Report, notes: dict[str, int], known: Container[int] = ()) -> Iterator[SourceFrame]:
        """Frames in ascending number; what cannot be used goes to `report`, repairs are counted in `notes`.

        Args:
            known: numbers of frames that the source gave before, while it was as it is now. Where it saves work they
                come with AT_HAND instead of pixels; all else is as ever. The first frame is none of them.
        Raises:
            UnusableEpisode: the whole episode must be left out.
        """


def as_episode(source: SourceEpisode, frames: Sequence[SourceFrame], game: GameSpec, notes: dict[str, int]) -> Episode:
    """Frames of a source, at least one, as an episode in memory, without context; state and actions where all have."""
    states = [frame.state for frame in frames if frame.state is not None]
    actions = [frame.action for frame in frames if frame.action is not None]
    return Episode(
        name=source.name,
        game=game.name,
        frames=np.stack([frame.pixels for frame in frames]),
        palette=frames[0].palette,
        state=np.stack(states) if len(states) == len(frames) else None,
        context=None,
        actions=np.array(actions, np.uint8) if len(actions) == len(frames) else None,
        frame_numbers=np.array([frame.number for frame in frames], np.int32),
        outcome=source.outcome,
        level=source.level,
        fps=source.fps or game.fps,
        corner=frames[0].corner,
        source=source.name,
        notes=notes,
    )
