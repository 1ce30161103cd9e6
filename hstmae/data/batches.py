"""Random clips read straight into a batch.

Reading clip by clip and stacking them afterwards copies every pixel once more, and decodes the state in small pieces
between pictures that push everything else out of the processor's caches. Here the states of a batch are decoded
together, and pictures are unpacked to where the batch holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError
from ..games import GameState
from .clips.augment import flip_origin
from .clips.clip import ClipBatch

if TYPE_CHECKING:
    from .clips.dataset import ClipDataset


@dataclass(frozen=True)
class Draw:
    """What is random about one clip.

    Attributes:
        episode, start: position in the store, position of the first frame in the episode.
        origin: y, x of the crop's corner, before mirroring.
        with_context: whether the state is decoded with what earlier frames told.
        flip: whether the clip is mirrored.
        palette: uint8 [K, 3] instead of the episode's, None = the episode's.
    """

    episode: int
    start: int
    origin: tuple[int, int]
    with_context: bool
    flip: bool
    palette: np.ndarray | None


def read_batch(dataset: ClipDataset, draws: Sequence[Draw]) -> ClipBatch:
    """The clips that the draws tell, as tensors.

    Raises:
        DataError: no clips, clips of different shapes, or palettes of different lengths.
        StoreError: the store is damaged.
    """
    import torch

    infos = [dataset.store.info(draw.episode) for draw in draws]
    shapes = {(*dataset.clip_size(info.size), *info.columns["frames"].shape[2:]) for info in infos}
    palettes = [info.palette if draw.palette is None else draw.palette for draw, info in zip(draws, infos, strict=True)]
    if not draws:
        raise DataError("a batch needs at least one clip")
    if len(shapes) > 1 or len({None if palette is None else palette.shape for palette in palettes}) > 1:
        raise DataError(f"clips of different shapes cannot share a batch: {sorted(shapes)}")
    starts = np.array([draw.start for draw in draws])
    indices = starts[:, None] + dataset.stride * np.arange(dataset.length)

    state = None
    if all(dataset.has_state(draw.episode) for draw in draws):
        state = _states(dataset, draws, indices).map(torch.from_numpy)
    (shape,) = shapes
    frames = np.empty((len(draws), dataset.length, *shape), np.uint8)
    origins = []
    for draw, info, rows, out in zip(draws, infos, indices, frames, strict=True):
        (y, x), (height, width) = draw.origin, shape[:2]
        dataset.store.column(draw.episode, "frames", rows, (slice(y, y + height), slice(x, x + width)), out)
        if draw.flip:
            out[:] = out[:, :, ::-1].copy()
        origins.append(flip_origin(draw.origin, info.size[1], width) if draw.flip else draw.origin)
    return ClipBatch(
        frames=torch.from_numpy(frames),
        palette=None if palettes[0] is None else torch.from_numpy(np.stack([p for p in palettes if p is not None])),
        origin=torch.tensor(origins, dtype=torch.int64),
        state=state,
        episodes=[info.name for info in infos],
        indices=torch.from_numpy(indices),
        size=torch.tensor([info.size for info in infos], dtype=torch.int64),
    )


def _states(dataset: ClipDataset, draws: Sequence[Draw], indices: np.ndarray) -> GameState:
    """Decoded states with leading axes [B, T]; clips that are decoded alike are decoded together."""
    kinds: dict[tuple[bool, bool], list[int]] = {}
    for k, draw in enumerate(draws):
        told = draw.with_context and dataset.store.info(draw.episode).has_context
        kinds.setdefault((told, draw.flip), []).append(k)
    parts = []
    for (told, flip), clips in kinds.items():
        memory = _rows(dataset, "state", draws, indices, clips)
        context = _rows(dataset, "context", draws, indices, clips) if told else None
        decoded = dataset.game.decode(memory, context)
        parts.append(dataset.game.flip(decoded) if flip else decoded)
    order = [k for clips in kinds.values() for k in clips]

    def join(arrays: list[np.ndarray]) -> np.ndarray:
        found = [a.reshape(len(a) // dataset.length, dataset.length, *a.shape[1:]) for a in arrays]
        if len(found) == 1:
            return np.require(found[0], requirements=["C", "W"])
        out = np.empty((len(draws), *found[0].shape[1:]), found[0].dtype)
        out[order] = np.concatenate(found)
        return out

    return GameState.stack(parts, join)


def _rows(dataset: ClipDataset, name: str, draws: Sequence[Draw], indices: np.ndarray, clips: list[int]) -> np.ndarray:
    """The rows of one column for some of the clips, one clip after the other."""
    size = dataset.length
    width = dataset.store.info(draws[clips[0]].episode).columns[name].row_bytes
    out = np.empty((len(clips) * size, width), np.uint8)
    for i, k in enumerate(clips):
        dataset.store.column(draws[k].episode, name, indices[k], out=out[i * size : (i + 1) * size])
    return out
