"""Clips drawn from a store: at random by seed, or one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...errors import DataError
from ...games import GameState, get_game
from ..store.manifest import EpisodeInfo
from .augment import flip_origin, jitter_palette
from .clip import Clip, ClipBatch, Draw, as_tensor
from .grouped import GroupedOrder
from .stores import ClipStore, GroupedStore, stretches_of

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
        store: ClipStore,
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
        self._stretches = stretches_of(store, tuple(splits), (clip, stride), self.crop)
        self._ends = np.cumsum([count for _, _, count in self._stretches])
        self._order: GroupedOrder | None = None
        if isinstance(store, GroupedStore):
            ends = {episode: store.group_ends(episode) for episode, _, _ in self._stretches}
            self._order = GroupedOrder(self._stretches, ends, self._span, seed)

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
            origin: y, x of the crop's corner in the recorded picture; None = the middle.
            with_context: decode the state with what earlier frames held.
        Raises:
            DataError: the clip leaves the episode or crosses a gap, or the crop leaves the picture.
        """
        episode = self.store.position(episode)
        info = self.store.info(episode)
        if not 0 <= start <= info.frames - self._span:
            raise DataError(f"{info.name}: no clip of {self._span} frames starts at {start} of {info.frames}")
        numbers = self.store.frame_numbers(episode)
        if numbers[start + self._span - 1] - numbers[start] != self._span - 1:
            raise DataError(f"{info.name}: the clip at {start} would cross a gap in the recording")
        height, width = self.clip_size(info.size)
        if origin is None:
            origin = ((info.size[0] - height) // 2, (info.size[1] - width) // 2)
        y, x = origin
        if not (0 <= y <= info.size[0] - height and 0 <= x <= info.size[1] - width):
            raise DataError(f"{info.name}: a {height}x{width} crop at {origin} leaves the {info.size} picture")
        return self._one(Draw(episode, start, (int(y), int(x)), with_context))

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
        if self._order is not None:
            episode, start = self._order.place(index)
            first, count = self._stretch_of(episode, start)
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

    def _stretch_of(self, episode: int, start: int) -> tuple[int, int]:
        """First start and number of starts of the stretch that a clip lies in."""
        return next((f, n) for e, f, n in self._stretches if e == episode and f <= start < f + n)

    def ahead(self, step: int, batch_size: int) -> None:
        """Prepare what is wanted after the batch of this step, where reading it takes long."""
        if self._order is not None and isinstance(self.store, GroupedStore):
            areas = self._order.soon(step * batch_size, batch_size)
            self.store.prepare([(area.episode, k) for area in areas for k in area.groups])

    def random(self, index: int) -> Clip:
        """Clip number `index` of an endless shuffled sequence: a function of (seed, index) alone."""
        return self._one(self.draw(index))

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
        import torch

        draws = [self.draw(step * batch_size + k) for k in range(batch_size)]
        if isinstance(self.store, GroupedStore):
            self.store.prepare([group for draw in draws for group in self._groups_of(self.store, draw)])
        frames, palettes, state = self._read(draws)
        infos = [self.store.info(draw.episode) for draw in draws]
        return ClipBatch(
            frames=torch.from_numpy(frames),
            palette=None if palettes is None else torch.from_numpy(np.stack(palettes)),
            origin=torch.tensor([self.origin_of(draw) for draw in draws], dtype=torch.int64),
            state=None if state is None else state.map(as_tensor),
            episodes=[info.name for info in infos],
            indices=torch.from_numpy(self.indices_of(draws)),
            size=torch.tensor([self.native_size(info) for info in infos], dtype=torch.int64),
        )

    def _groups_of(self, store: GroupedStore, draw: Draw) -> list[tuple[int, int]]:
        ends = store.group_ends(draw.episode)
        first, last = np.searchsorted(ends, [draw.start, draw.start + self._span - 1], "right").tolist()
        return [(draw.episode, k) for k in range(first, last + 1)]

    def indices_of(self, draws: Sequence[Draw]) -> np.ndarray:
        """int64 [B, T], positions of the frames in their episodes."""
        return np.array([draw.start for draw in draws])[:, None] + self.stride * np.arange(self.length)

    def origin_of(self, draw: Draw) -> tuple[int, int]:
        """y, x of the crop's corner in the native picture that is shown, which may be mirrored."""
        info = self.store.info(draw.episode)
        origin = (draw.origin[0] + info.corner[0], draw.origin[1] + info.corner[1])
        if not draw.flip:
            return origin
        return flip_origin(origin, self.native_size(info)[1], self.clip_size(info.size)[1])

    def native_size(self, info: EpisodeInfo) -> tuple[int, int]:
        """Height and width of the pictures that an episode's frames are, or show a part of."""
        return info.size if info.corner == (0, 0) else self.game.native_size

    def _one(self, draw: Draw) -> Clip:
        frames, palettes, state = self._read([draw])
        info = self.store.info(draw.episode)
        return Clip(
            frames=frames[0],
            palette=None if palettes is None else palettes[0],
            origin=self.origin_of(draw),
            state=None if state is None else state.map(lambda a: a[0]),
            episode=info.name,
            indices=self.indices_of([draw])[0],
            size=self.native_size(info),
        )

    def _read(self, draws: Sequence[Draw]) -> tuple[np.ndarray, list[np.ndarray] | None, GameState | None]:
        """Frames uint8 [B, T, h, w] (or [..., 3]), palettes uint8 [K, 3] each, and the state with leading axes [B, T].

        The states of all clips are decoded together, and pictures are unpacked to where they stay: reading clip by
        clip copies every pixel once more, and decodes in small pieces that find nothing in the processor's caches.
        """
        infos = [self.store.info(draw.episode) for draw in draws]
        shapes = {(*self.clip_size(info.size), *info.columns["frames"].shape[2:]) for info in infos}
        palettes = [
            info.palette if draw.palette is None else draw.palette for draw, info in zip(draws, infos, strict=True)
        ]
        if not draws:
            raise DataError("a batch needs at least one clip")
        if len(shapes) > 1 or len({None if palette is None else palette.shape for palette in palettes}) > 1:
            raise DataError(f"clips of different shapes cannot share a batch: {sorted(shapes)}")
        (shape,), indices = shapes, self.indices_of(draws)
        frames = np.empty((len(draws), self.length, *shape), np.uint8)
        for draw, rows, out in zip(draws, indices, frames, strict=True):
            (y, x), (height, width) = draw.origin, shape[:2]
            self.store.column(draw.episode, "frames", rows, (slice(y, y + height), slice(x, x + width)), out)
            if draw.flip:
                out[:] = out[:, :, ::-1].copy()
        state = self._states(draws, indices) if all(self.has_state(draw.episode) for draw in draws) else None
        return frames, [p for p in palettes if p is not None] or None, state

    def _states(self, draws: Sequence[Draw], indices: np.ndarray) -> GameState:
        """Decoded states with leading axes [B, T]; clips that are decoded alike are decoded together."""
        kinds: dict[tuple[bool, bool], list[int]] = {}
        for k, draw in enumerate(draws):
            with_context = draw.with_context and self.store.info(draw.episode).has_context
            kinds.setdefault((with_context, draw.flip), []).append(k)
        parts = []
        for (with_context, flip), clips in kinds.items():
            context = self._rows("context", draws, indices, clips) if with_context else None
            decoded = self.game.decode(self._rows("state", draws, indices, clips), context)
            parts.append(self.game.flip(decoded) if flip else decoded)
        order = [k for clips in kinds.values() for k in clips]

        def by_clip(array: np.ndarray) -> np.ndarray:
            return array.reshape(len(array) // self.length, self.length, *array.shape[1:])

        def join(arrays: list[np.ndarray]) -> np.ndarray:
            found = np.concatenate([by_clip(array) for array in arrays])
            out = np.empty_like(found)
            out[order] = found
            return out

        return parts[0].map(by_clip) if len(parts) == 1 else GameState.stack(parts, join)

    def _rows(self, name: str, draws: Sequence[Draw], indices: np.ndarray, clips: list[int]) -> np.ndarray:
        """The rows of one column for some of the clips, one clip after the other."""
        width = self.store.info(draws[clips[0]].episode).columns[name].row_bytes
        out = np.empty((len(clips), self.length, width), np.uint8)
        for k, rows in zip(clips, out, strict=True):
            self.store.column(draws[k].episode, name, indices[k], out=rows)
        return out.reshape(-1, width)
