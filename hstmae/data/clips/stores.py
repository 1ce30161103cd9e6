"""Where clips come from, and where they can begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from ...errors import DataError
from ..episode import Episode
from ..store.manifest import EpisodeInfo


class ClipStore(Protocol):
    """Where clips come from: an `EpisodeStore`, or what has the same face."""

    path: Path

    @property
    def game(self) -> str: ...
    def infos(self) -> list[EpisodeInfo]: ...
    def info(self, episode: int | str) -> EpisodeInfo: ...
    def position(self, episode: int | str) -> int: ...
    def frame_numbers(self, episode: int | str) -> np.ndarray: ...
    def read(
        self, episode: int | str, frame_indices: Sequence[int] | np.ndarray, columns: Sequence[str] = ...
    ) -> Episode: ...
    def column(
        self, episode: int | str, name: str, rows: np.ndarray, window: tuple[slice, ...] = (),
        out: np.ndarray | None = None,
    ) -> np.ndarray: ...  # fmt: skip


@runtime_checkable
class GroupedStore(ClipStore, Protocol):
    """A store whose frames are decoded in large groups: its random clips come in an order that serves that."""

    def group_ends(self, episode: int) -> np.ndarray:
        """int64 [G]: where each group of an episode ends."""

    def prepare(self, groups: Sequence[tuple[int, int]]) -> None:
        """See that these groups are at hand: (position of the episode, number of the group)."""


def stretches_of(
    store: ClipStore, splits: tuple[str, ...], clip: tuple[int, int], crop: tuple[int, int]
) -> list[tuple[int, int, int]]:
    """(episode, first start, number of possible starts) of each gapless stretch that is long enough.

    Args:
        splits: to be looked in; () = all.
        clip: frames, and frame numbers between two of them.
        crop: height and width, 0 = all of the picture.
    Raises:
        DataError: there is none, or the crop leaves the picture.
    """
    span, found = (clip[0] - 1) * clip[1] + 1, []
    chosen = [(i, info) for i, info in enumerate(store.infos()) if not splits or info.split in splits]
    for i, info in chosen:
        height, width = crop[0] or info.size[0], crop[1] or info.size[1]
        if height > info.size[0] or width > info.size[1]:
            frame = f"{info.size[0]}x{info.size[1]}"
            raise DataError(f"a crop of {height}x{width} does not fit into the {frame} frames")
        position = 0
        for _, count in info.runs:
            if count >= span:
                found.append((i, position, count - span + 1))
            position += count
    if not found:
        held = Counter(info.split for info in store.infos())
        splits_held = ", ".join(f"{name}: {n}" for name, n in sorted(held.items()))
        raise DataError(
            f"{store.path}: no clip of {clip[0]} frames at stride {clip[1]} in {len(chosen)} episodes of split "
            f"{'/'.join(splits) or 'any'} (episodes in the store: {splits_held})"
        )
    return found
