"""Clips drawn from a store: at random by seed, or one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from ...errors import DataError
from ...games import get_game
from ..batches import Draw, read_batch
from ..store.reader import EpisodeStore
from .augment import flip_clip, jitter_palette
from .clip import BatchSource, Clip, ClipBatch, collate

__all__ = ["Clip", "ClipBatch", "ClipDataset", "Draw", "Prefetcher", "collate"]


EARLY_FRAMES = 64


class ClipDataset:
    """Clips of `clip` frames, `stride` frame numbers apart, that never cross a gap in the recording.

    Frames stay palette indices at native resolution: they are cropped, never resized. Thread-safe.

    Args:
        store: where the episodes are.
        splits: which of them are used, e.g. ("train",); () = all.
        clip: frames per clip.
        stride: frame numbers between two frames of a clip.
        crop: side of the square crop, or its height and width; 0 = whole frames.
        seed: of `random`.
        with_state: decode the state where the store has it.
        forget: share (0 .. 1) of `random` clips whose state is decoded without carried context.
        early: share of `random` clips that start within the first EARLY_FRAMES positions of a recorded stretch.
        flip: share of `random` clips that are mirrored, see `augment`.
        palette_jitter: strength (0 .. 1) of the change of colours of `random` clips, 0 = none.
    Raises:
        DataError: impossible sizes, or no stretch of the chosen episodes is long enough for a clip.
    """

    def __init__(
        self,
        store: EpisodeStore,
        *,
        splits: Sequence[str] = (),
        clip: int = 16,
        stride: int = 4,
        crop: int | tuple[int, int] = 224,
        seed: int = 0,
        with_state: bool = True,
        forget: float = 0.0,
        early: float = 0.0,
        flip: float = 0.0,
        palette_jitter: float = 0.0,
    ) -> None:
        sides = (crop, crop) if isinstance(crop, int) else crop
        if clip < 1 or stride < 1 or min(sides) < 0 or seed < 0:
            raise DataError(
                f"clip {clip}, stride {stride}, crop {crop}, seed {seed}: the first two start at 1, the others at 0"
            )
        self.store = store
        self.length, self.stride, self.crop, self.seed, self.with_state = clip, stride, sides, seed, with_state
        shares = {"forget": forget, "early": early, "flip": flip, "palette_jitter": palette_jitter}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise DataError(f"{name} is {share}; it must lie in 0 .. 1")
        self.forget, self.early, self.flip, self.palette_jitter = forget, early, flip, palette_jitter
        self.game = get_game(store.game)
        self._span = (clip - 1) * stride + 1  # frames from the first to the last of a clip
        self._stretches = self._find(tuple(splits))
        self._ends = np.cumsum([count for _, _, count in self._stretches])

    def _find(self, splits: tuple[str, ...]) -> list[tuple[int, int, int]]:
        """(episode, first start, number of possible starts) of each gapless stretch that is long enough."""
        found = []
        chosen = [(i, info) for i, info in enumerate(self.store.infos()) if not splits or info.split in splits]
        for i, info in chosen:
            height, width = self.clip_size(info.size)
            if height > info.size[0] or width > info.size[1]:
                frame = f"{info.size[0]}x{info.size[1]}"
                raise DataError(f"a crop of {height}x{width} does not fit into the {frame} frames")
            position = 0
            for _, count in info.runs:
                if count >= self._span:
                    found.append((i, position, count - self._span + 1))
                position += count
        if not found:
            known = ", ".join(f"{name}: {n}" for name, n in self.store.meta["totals"]["episodes_by_split"].items())
            raise DataError(
                f"{self.store.path}: no clip of {self.length} frames at stride {self.stride} in "
                f"{len(chosen)} episodes of split {'/'.join(splits) or 'any'} (episodes in the store: {known})"
            )
        return found

    def clip_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the clips from pictures of this height and width."""
        return self.crop[0] or size[0], self.crop[1] or size[1]

    def __len__(self) -> int:
        """Number of different clips, crops not counted."""
        return int(self._ends[-1])

    def clip(
        self, episode: int | str, start: int, origin: tuple[int, int] | None = None, *, with_context: bool = True
    ) -> Clip:
        """One chosen clip.

        Args:
            episode: position or name in the store.
            start: position of the first frame in the episode.
            origin: y, x of the crop's corner; None = the middle.
            with_context: decode the state with what earlier frames told.
        Raises:
            DataError: the clip leaves the episode or crosses a gap, or the crop leaves the picture.
        """
        episode = self.store.position(episode)
        info = self.store.info(episode)
        if not 0 <= start <= info.frames - self._span:
            raise DataError(f"{info.name}: no clip of {self._span} frames starts at {start} of {info.frames}")
        indices = start + self.stride * np.arange(self.length, dtype=np.int64)
        numbers = self.store.frame_numbers(episode)
        if numbers[indices[-1]] - numbers[start] != self._span - 1:
            raise DataError(f"{info.name}: the clip at {start} would cross a gap in the recording")
        height, width = self.clip_size(info.size)
        if origin is None:
            origin = ((info.size[0] - height) // 2, (info.size[1] - width) // 2)
        y, x = origin
        if not (0 <= y <= info.size[0] - height and 0 <= x <= info.size[1] - width):
            raise DataError(f"{info.name}: a {height}x{width} crop at {origin} leaves the {info.size} picture")
        state = None
        if self.has_state(episode):
            context = self.store.column(episode, "context", indices) if with_context and info.has_context else None
            state = self.game.decode(self.store.column(episode, "state", indices), context)
        return Clip(
            frames=self.store.column(episode, "frames", indices, (slice(y, y + height), slice(x, x + width))),
            palette=info.palette,
            origin=(int(y), int(x)),
            state=state,
            episode=info.name,
            indices=indices,
            size=info.size,
        )

    def has_state(self, episode: int) -> bool:
        """Whether clips of this episode come with a state."""
        return self.with_state and self.store.info(episode).has_state and self.game.state_size > 0

    def draw(self, index: int) -> Draw:
        """What `random` reads and does for this index: a function of (seed, index) and the settings alone."""
        rng = np.random.default_rng([self.seed, index])
        draw = int(rng.integers(len(self)))
        place = int(np.searchsorted(self._ends, draw, side="right"))
        episode, first, count = self._stretches[place]
        start = first + draw - (int(self._ends[place]) - count)
        info = self.store.info(episode)
        height, width = self.clip_size(info.size)
        spare = (info.size[0] - height, info.size[1] - width)
        origin = (int(rng.integers(spare[0] + 1)), int(rng.integers(spare[1] + 1)))
        if rng.random() < self.early:
            start = first + int(rng.integers(min(count, EARLY_FRAMES)))
        with_context = rng.random() >= self.forget
        flip = bool(self.flip) and rng.random() < self.flip
        palette = None
        if self.palette_jitter and info.palette is not None:
            palette = jitter_palette(info.palette, self.palette_jitter, rng)
        return Draw(episode, start, origin, with_context, flip, palette)

    def random(self, index: int) -> Clip:
        """Clip number `index` of an endless shuffled sequence: a function of (seed, index) alone."""
        draw = self.draw(index)
        clip = self.clip(draw.episode, draw.start, draw.origin, with_context=draw.with_context)
        if draw.flip:
            clip = flip_clip(clip, self.game, self.store.info(draw.episode).size[1])
        return clip if draw.palette is None else replace(clip, palette=draw.palette)

    def used_episodes(self) -> list[int]:
        """Positions in the store of the episodes that clips are drawn from, ascending."""
        return sorted({episode for episode, _, _ in self._stretches})

    def sequential(self, count: int | None = None, seed: int | None = None) -> list[tuple[int, int]]:
        """(episode, start) of clips that do not overlap, in order, for `clip`.

        Args:
            count: keep a random choice of this many, still in order (all of them where there are fewer).
            seed: of the choice; None = the data set's seed.
        """
        step = self.length * self.stride
        every = [(i, first + k) for i, first, starts in self._stretches for k in range(0, starts, step)]
        if count is None or count >= len(every):
            return every
        rng = np.random.default_rng(self.seed if seed is None else seed)
        return [every[k] for k in sorted(rng.choice(len(every), count, replace=False).tolist())]

    def batch(self, step: int, batch_size: int) -> ClipBatch:
        """The random clips step * batch_size ... of one training step: `collate` of what `random` gives.

        Raises:
            DataError: no clips, clips of different shapes, or palettes of different lengths.
            StoreError: the store is damaged.
        """
        return read_batch(self, [self.draw(step * batch_size + k) for k in range(batch_size)])


class Prefetcher:
    """Endless iterator over `dataset.batch(step, batch_size)` in order of steps, prepared ahead by threads.

    Threads suffice: unpacking releases the interpreter lock. Use it as a context manager, or call `close`.

    Args:
        start_step: first step.
        workers: threads; 0 = prepare each batch when it is asked for.
    """

    def __init__(self, dataset: BatchSource, batch_size: int, start_step: int = 0, workers: int = 1) -> None:
        self._dataset, self._batch_size = dataset, batch_size
        self._next = start_step
        self._ahead = 2 * workers
        self._pool = ThreadPoolExecutor(workers, "prefetch") if workers else None
        self._waiting: deque[Future[ClipBatch]] = deque()

    def __iter__(self) -> Iterator[ClipBatch]:
        return self

    def __next__(self) -> ClipBatch:
        if self._pool is None:
            self._next += 1
            return self._dataset.batch(self._next - 1, self._batch_size)
        while len(self._waiting) <= self._ahead:
            self._waiting.append(self._pool.submit(self._dataset.batch, self._next, self._batch_size))
            self._next += 1
        return self._waiting.popleft().result()

    def __enter__(self) -> Prefetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the threads; batches already begun are finished and dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._waiting.clear()
