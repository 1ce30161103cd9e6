"""What every source of episodes hands to preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Problem:
    """Something that was left out of the store, or kept although it looks odd.

    Attributes:
        episode: name of the episode.
        file: name of the file, "" when the whole episode is meant.
        reason: what is wrong.
        left_out: False for a remark about data that was kept.
    """

    episode: str
    file: str
    reason: str
    left_out: bool = True


@dataclass(frozen=True)
class SourceFrame:
    """One frame: pixels uint8 [H, W] palette indices, palette uint8 [K, 3], state uint8 [S], controller byte."""

    number: int
    pixels: np.ndarray
    palette: np.ndarray
    state: np.ndarray
    action: int


Report = Callable[[Problem], None]


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

    def signature(self) -> list[list[object]]:
        """JSON values that change when the source changes."""

    def frames(self, report: Report, notes: dict[str, int]) -> Iterator[SourceFrame]:
        """Frames in ascending number; what cannot be used goes to `report`, repairs are counted in `notes`."""
