"""Clips from a store that lies on a device as a whole: no file, no thread and no copy is left between two steps.

Frames stay palette indices (60 KB for a NES picture), the state is decoded once while loading (about 2 KB a frame).
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import torch

from ...errors import DataError
from ...games import GameState
from .clip import ClipBatch, Draw
from .dataset import ClipDataset

_CHUNK = 256  # frames decoded at a time while loading
_ROOM = 0.9  # share of the free memory that may be taken


class ResidentClips:
    """The clips of a ClipDataset, taken from memory of `device`: `batch` returns the very same batches.

    State comes with them where every episode has it.

    Args:
        dataset: which episodes, clips and changes; its episodes are loaded whole.
        device: where they are kept and where batches appear.
        limit: bytes that may be taken; None = nearly all that is free.
        progress: called with the number of frames loaded since the last call.
    Raises:
        DataError: the episodes do not fit into memory, or their pictures differ in size.
        StoreError: the store is damaged.
    """

    def __init__(
        self,
        dataset: ClipDataset,
        device: torch.device | str,
        *,
        limit: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.dataset, self.device = dataset, torch.device(device)
        store, used = dataset.store, dataset.used_episodes()
        infos = [store.info(i) for i in used]
        shapes = {info.columns["frames"].shape for info in infos}
        palettes = {None if info.palette is None else info.palette.shape for info in infos}
        if len(shapes) > 1 or len(palettes) > 1:
            raise DataError(f"{store.path}: pictures of different sizes or kinds cannot be kept together: {shapes}")
        self._size = infos[0].size
        self._variants = _variants(dataset) if dataset.with_state and all(info.has_state for info in infos) else []
        self.frames = sum(info.frames for info in infos)
        self.bytes = self._check_room(limit)
        count, shape = self.frames, shapes.pop()
        self._frames = torch.empty((count, *shape), dtype=torch.uint8, device=self.device)
        self._state: GameState | None = None
        self._first = {}  # store position -> first row
        self._palette_of = {i: row for row, i in enumerate(used)}
        at = 0
        for i, info in zip(used, infos, strict=True):
            self._first[i] = at
            for start in range(0, info.frames, _CHUNK):
                rows = np.arange(start, min(start + _CHUNK, info.frames))
                self._load(i, rows, at + start)
                if progress is not None:
                    progress(len(rows))
            at += info.frames
        kept = [info.palette for info in infos if info.palette is not None]
        self._palettes = torch.from_numpy(np.stack(kept)).to(self.device) if kept else None

    def _load(self, episode: int, rows: np.ndarray, at: int) -> None:
        part = self.dataset.store.read(episode, rows, ("frames", "state", "context") if self._variants else ())
        self._frames[at : at + len(rows)] = torch.from_numpy(part.frames).to(self.device)
        for number, (with_context, flip) in enumerate(self._variants):
            assert part.state is not None
            state = self.dataset.game.decode(part.state, part.context if with_context else None)
            if flip:
                state = self.dataset.game.flip(state)
            if self._state is None:
                self._state = state.map(self._empty)
            first = number * self.frames + at
            for kept, array in zip(self._state.arrays(), state.arrays(), strict=True):
                kept[first : first + len(rows)] = torch.from_numpy(array).to(self.device)

    def _empty(self, like: np.ndarray) -> torch.Tensor:
        shape = (len(self._variants) * self.frames, *like.shape[1:])
        return torch.from_numpy(like[:0]).new_empty(shape, device=self.device)

    def _check_room(self, limit: int | None) -> int:
        """Bytes that all frames and states will take; DataError where there are fewer."""
        store, game = self.dataset.store, self.dataset.game
        per_frame = store.info(self.dataset.used_episodes()[0]).columns["frames"].row_bytes
        if self._variants:
            one = game.decode(np.zeros((1, game.state_size), np.uint8), None)
            per_frame += len(self._variants) * sum(array.nbytes for array in one.arrays())
        wanted = self.frames * per_frame
        free = limit if limit is not None else free_bytes(self.device)
        if free is not None and wanted > (free if limit is not None else _ROOM * free):
            raise DataError(
                f"{store.path}: keeping {self.frames} frames on {self.device} takes "
                f"{wanted / 2**30:.2f} GiB and {free / 2**30:.2f} GiB are free; choose fewer splits, leave out the "
                "state, or read clips from disk with Prefetcher"
            )
        return wanted

    def batch(self, step: int, batch_size: int) -> ClipBatch:
        """The random clips step * batch_size ... of one training step, equal to `ClipDataset.batch`."""
        if batch_size < 1:
            raise DataError("a batch needs at least one clip")
        dataset, store = self.dataset, self.dataset.store
        draws = [dataset.draw(step * batch_size + k) for k in range(batch_size)]
        height, width = dataset.clip_size(self._size)
        indices = dataset.indices_of(draws)
        return ClipBatch(
            frames=torch.stack([self._cut(draw, height, width) for draw in draws]),
            palette=self._colours(draws),
            origin=torch.tensor([dataset.origin_of(draw) for draw in draws], device=self.device),
            state=self._states(draws, indices),
            episodes=[dataset.store.info(draw.episode).name for draw in draws],
            indices=torch.from_numpy(indices).to(self.device),
            size=torch.tensor([dataset.native_size(store.info(draw.episode)) for draw in draws], device=self.device),
        )

    def _cut(self, draw: Draw, height: int, width: int) -> torch.Tensor:
        first, (y, x) = self._first[draw.episode] + draw.start, draw.origin
        last = first + self.dataset.stride * (self.dataset.length - 1)
        clip = self._frames[first : last + 1 : self.dataset.stride, y : y + height, x : x + width]
        return clip.flip(2) if draw.flip else clip

    def _colours(self, draws: list[Draw]) -> torch.Tensor | None:
        if self._palettes is None:
            return None
        rows = torch.tensor([self._palette_of[draw.episode] for draw in draws], device=self.device)
        palettes = self._palettes[rows]
        for k, draw in enumerate(draws):
            if draw.palette is not None:
                palettes[k] = torch.from_numpy(draw.palette).to(self.device)
        return palettes

    def _states(self, draws: list[Draw], indices: np.ndarray) -> GameState | None:
        if self._state is None:
            return None
        first = [
            self._variants.index((draw.with_context, draw.flip)) * self.frames + self._first[draw.episode]
            for draw in draws
        ]
        rows = torch.from_numpy(np.array(first)[:, None] + indices).to(self.device)
        return self._state.map(lambda array: array[rows])


def _variants(dataset: ClipDataset) -> list[tuple[bool, bool]]:
    """(with context, mirrored): the ways in which a frame's state can be asked for; none for a game without state."""
    if not dataset.game.state_size:
        return []
    context = [choice for choice, wanted in ((True, dataset.forget < 1), (False, dataset.forget > 0)) if wanted]
    flips = [flip for flip, wanted in ((False, dataset.flip < 1), (True, dataset.flip > 0)) if wanted]
    return [(choice, flip) for choice in context for flip in flips]


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be taken on `device`, None where nothing tells."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return 1024 * int(line.split()[1])
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
