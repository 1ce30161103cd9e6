"""A clip: a few frames of an episode at a fixed stride, cropped, with the state decoded; and a batch of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from ...errors import DataError
from ...games import GameState

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Clip:
    """T frames of one episode.

    Attributes:
        frames: uint8 [T, h, w] palette indices (or [T, h, w, 3] RGB); may be a view into larger frames.
        palette: uint8 [K, 3], None for RGB.
        origin: y, x of the clip's top left corner in the native picture.
        state: the game's state with numpy arrays, leading axis T; positions count from the native picture's corner,
            not from the crop's. None where there is none, or where it was not asked for.
        episode: name.
        indices: int64 [T] positions of the frames in the episode.
        size: height, width of the native picture; None = unknown.
    """

    frames: np.ndarray
    palette: np.ndarray | None
    origin: tuple[int, int]
    state: GameState | None
    episode: str
    indices: np.ndarray
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class ClipBatch:
    """B clips as tensors.

    Attributes:
        frames: uint8 [B, T, H, W] (or [B, T, H, W, 3]).
        palette: uint8 [B, K, 3], None for RGB.
        origin: int64 [B, 2], y and x of each clip in its native picture.
        state: tensors with leading axes [B, T], None unless every clip has a state.
        episodes: names.
        indices: int64 [B, T].
        size: int64 [B, 2], height and width of each native picture; None = unknown.
    """

    frames: torch.Tensor
    palette: torch.Tensor | None
    origin: torch.Tensor
    state: GameState | None
    episodes: list[str]
    indices: torch.Tensor
    size: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.episodes)

    def to(self, device: torch.device | str) -> ClipBatch:
        """The same batch with every tensor on `device`."""
        return self.map(lambda tensor: tensor.to(device))

    def map(self, fn: Callable[[torch.Tensor], torch.Tensor]) -> ClipBatch:
        """Apply `fn` to every tensor; the names stay."""
        values = {name: getattr(self, name) for name in ("frames", "palette", "origin", "indices", "size")}
        changed: dict[str, Any] = {name: fn(value) for name, value in values.items() if value is not None}
        return replace(self, state=None if self.state is None else self.state.map(fn), **changed)


@dataclass(frozen=True)
class Draw:
    """What is random about one clip.

    Attributes:
        episode, start: position in the store, position of the first frame in the episode.
        origin: y, x of the crop's corner in the recorded picture, before mirroring.
        with_context: whether the state is decoded with what earlier frames held.
        flip: whether the clip is mirrored.
        palette: uint8 [K, 3] instead of the episode's, None = the episode's.
    """

    episode: int
    start: int
    origin: tuple[int, int]
    with_context: bool = True
    flip: bool = False
    palette: np.ndarray | None = None


class BatchSource(Protocol):
    """Where the batches of a run come from: `ClipDataset`, `ResidentClips` or a part of either."""

    def batch(self, step: int, batch_size: int) -> ClipBatch:
        """Clips step * batch_size ... of an endless sequence."""


@runtime_checkable
class AheadSource(BatchSource, Protocol):
    """One that can do some of the work before it is asked for a batch."""

    def ahead(self, step: int, batch_size: int) -> None:
        """Prepare what is wanted after the batch of this step."""


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """The same numbers, copied only where PyTorch cannot have them as they lie."""
    import torch

    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def collate(clips: Sequence[Clip]) -> ClipBatch:
    """Stack clips of equal size into a batch.

    Raises:
        DataError: no clips, clips of different shapes, or palettes of different lengths.
    """
    import torch

    if not clips:
        raise DataError("a batch needs at least one clip")
    shapes = {clip.frames.shape for clip in clips} | {clips[0].frames.shape}
    palettes = [clip.palette for clip in clips]
    if len(shapes) > 1 or len({None if p is None else p.shape for p in palettes}) > 1:
        raise DataError(f"clips of different shapes cannot share a batch: {sorted(shapes)}")

    def stack(arrays: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack(arrays))

    states = [clip.state for clip in clips if clip.state is not None]
    sizes = [clip.size for clip in clips if clip.size is not None]
    return ClipBatch(
        frames=stack([clip.frames for clip in clips]),
        palette=None if palettes[0] is None else stack([p for p in palettes if p is not None]),
        origin=torch.tensor([clip.origin for clip in clips], dtype=torch.int64),
        state=GameState.stack(states, stack) if len(states) == len(clips) else None,
        episodes=[clip.episode for clip in clips],
        indices=stack([clip.indices for clip in clips]).to(torch.int64),
        size=torch.tensor(sizes, dtype=torch.int64) if len(sizes) == len(clips) else None,
    )
