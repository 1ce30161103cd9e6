"""Motion recall for footage that comes frame by frame: from a bounded number of frames of the past alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .combiner import LOST, NOWHERE, SEEN, Drawn, draw, joined, load_combiner
from .frames import TOLERANCE, Frame, is_soft, whole_shifts
from .likeness import Distances, Found, Likeness, centred
from .recall import Around
from .reference import alike
from .scene import Points, Scene
from .spatial import AROUND, Still, box_sums, usual

KEPT = 10  # frames that are held, the one that is restored among them
GAP = 5  # lost frames in a row that count as time passing; those before a longer gap are not forgotten over it
SAMPLES, EVERY = 8, 6  # frames by which the usual colour of a place is told, and how far they are apart
BAND = 32  # rows of which it is told anew with each frame
FADING = 0.98  # of what was counted before, with each frame
CUT = 0.3  # of what is seen of two frames in a row, that is alike at its place, below which there is a cut
OLDEST = 10_000  # frames that a place is counted to be away
RENEWED = 8  # frames after which it is asked anew how the picture is like itself
LOOKED_AT = 64  # frames after which it is looked at again whether colours are exact
POINTS = 8192  # missing pixels that one thread draws at a time


class RunningRecall:
    """Draws what is missing of frames that come one by one.

    Args:
        size: height and width.
        exact: draw the likeliest colour; else the mean.
        threads: that draw at the same time.
    """

    def __init__(self, size: tuple[int, int], exact: bool = False, threads: int = 1) -> None:
        self._size, self._exact = size, exact
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._frames: deque[Frame] = deque(maxlen=KEPT)
        self._position: deque[np.ndarray] = deque(maxlen=KEPT)
        self._still = _RunningStill(size)
        self._age = np.zeros(size, np.int16)  # frames since a place was seen
        self._memory = Frame(np.zeros((*size, 3), np.uint8), np.ones(size, bool), False)
        self._memory.lost = False
        self._soft, self._count = False, 0
        self._found: Found | None = None
        self._combiners = load_combiner(SEEN), load_combiner(NOWHERE)
        self._of_lost = load_combiner(LOST)

    def frame(self, rgb: np.ndarray, missing: np.ndarray, wanted: bool = True) -> Drawn | None:
        """The missing pixels of the next frame; None where there are none, nothing was seen yet, or
        they are not `wanted`.

        Args:
            rgb: uint8 [H, W, 3], 0 where missing, bool [H, W].
        """
        frame = Frame(rgb, missing, self._look(rgb, missing))
        if frame.lost and len(self._frames) > GAP and all(one.lost for one in list(self._frames)[-GAP:]):
            self._frames.pop()
            self._position.pop()
        self._place(frame)
        self._frames.append(frame)
        np.copyto(self._memory.colours, frame.colours, where=frame.seen > 0)
        np.maximum(self._memory.seen, frame.seen, out=self._memory.seen)
        np.minimum(self._age + 1, OLDEST, out=self._age)
        self._age[frame.seen > 0] = 0
        self._still.add(self._frames)
        if not wanted or not missing.any() or all(one.lost for one in self._frames):
            return None
        scene = _RunningScene(self._memory, self._age, self._frames, np.stack(self._position))
        around = _RunningAround(scene, self._still.now(), self._found if self._count % RENEWED else None)
        points, t = Points.of(missing), len(self._frames)
        parts = list(around.parts(t, points, POINTS))
        self._found = around.found
        chosen = ((part, self._of_lost if frame.lost else self._combiners[part.nowhere]) for part in parts)
        if self._pool is None:
            return joined([draw(part, combiner, self._exact) for part, combiner in chosen])
        waiting = [self._pool.submit(draw, part, combiner, self._exact) for part, combiner in chosen]
        return joined([one.result() for one in waiting])

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def _look(self, rgb: np.ndarray, missing: np.ndarray) -> bool:
        """Whether the footage is soft, see `is_soft`."""
        last = self._frames[-1] if self._frames else None
        if last is not None and not last.lost and self._count % LOOKED_AT == 0 and missing.mean() < 1 / 2:
            soft = is_soft(np.stack([last.rgb, rgb]), np.stack([last.seen == 0, missing]))
            if soft != self._soft:
                kept = [Frame(one.rgb, one.seen == 0, soft) for one in self._frames]
                self._frames, self._soft = deque(kept, KEPT), soft
        self._count += last is not None
        return self._soft

    def _place(self, frame: Frame) -> None:
        """Follow what fills most of the picture, as `Scene.position` says."""
        known = [k for k, one in enumerate(self._frames) if not one.lost]
        at = self._position[-1] if self._position else np.zeros(2)
        if known and not frame.lost:
            last = self._frames[known[-1]]
            found = whole_shifts(last, frame, most=1)
            both = (last.seen & frame.seen) > 0
            same = alike(last.colours, frame.colours, TOLERANCE if frame.soft else 0)[both]
            if not found and same.sum() < CUT * same.size:  # what was before tells nothing now
                self._memory.seen[:], self._found = 0, None
            at = self._position[known[-1]] + (found[0] if found else (0, 0))
        self._position.append(np.asarray(at, float))


class _RunningScene(Scene):
    """A scene of frames that are there already, after one of what was last seen of each place, which does not move."""

    def __init__(self, memory: Frame, age: np.ndarray, frames: Sequence[Frame], position: np.ndarray) -> None:
        self.frames, self._age = [memory, *frames], age.reshape(-1)
        self.rgb, self.camera = frames[-1].rgb[None], None
        self.mask = np.stack([frame.seen == 0 for frame in frames])
        self.soft = frames[-1].soft
        self.tolerance = TOLERANCE if self.soft else 0
        self.size = self.mask.shape[1:]
        self.there = [t for t, frame in enumerate(self.frames) if t and not frame.lost]
        self._cuts = {}
        self.__dict__["position"] = np.concatenate([position[:1], position])

    def away(self, t: int, side: np.ndarray, place: np.ndarray) -> np.ndarray:
        return np.where(side == 0, -self._age[place], super().away(t, side, place))


class _RunningAround(Around):
    """Around the newest frame of a scene.

    Attributes:
        found: how a frame before it was like itself; once that is asked for, how this one is.
    """

    def __init__(self, scene: Scene, still: Still, found: Found | None) -> None:
        super().__init__(scene, still)
        self.found = found

    def _likeness_of(self, t: int, filled: np.ndarray, known: np.ndarray) -> Likeness:
        made = Likeness(self.scene, t, filled, known, self._distances, self.found)
        self.found = made.found
        return made

    @property
    def _distances(self) -> Distances:
        return centred(self.scene.size[1])

    def _nearest(self, scene: Scene, t: int, place: np.ndarray) -> np.ndarray:
        made = np.full((2, len(place)), -1, np.int16)
        for s in range(t):
            made[0][scene.frames[s].seen.reshape(-1)[place] > 0] = s
        return made


class _RunningStill:
    """`Still` of all frames so far, those long ago counting less; worked out a band of rows at a time."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._changes, self._pairs = np.zeros((2, *size), np.float32)
        self._usual = np.zeros((*size, 3), np.uint8), np.zeros(size, bool)
        self._samples: deque[Frame] = deque(maxlen=SAMPLES)
        self._activity = np.full((2, *size), 0.5, np.float32)
        self._mean = np.zeros(3, np.float32)
        self._count = 0

    def add(self, frames: Sequence[Frame]) -> None:
        """frames: the last ones, the newest at the end."""
        new = frames[-1]
        if len(frames) > 1 and not new.lost and not frames[-2].lost:
            both = (new.seen & frames[-2].seen).astype(bool)
            self._pairs = FADING * self._pairs + both
            self._changes = FADING * self._changes + (both & (new.colours != frames[-2].colours))
        if not new.lost:
            if self._count % EVERY == 0:
                self._samples.append(new)
                self._mean = (new.rgb.reshape(-1, 3).sum(0, dtype=np.int64) / max(int(new.seen.sum()), 1)).astype("f4")
                self._measure()
            self._draw_band(self._count * BAND % self._changes.shape[0] if self._count else None)
            self._count += 1

    def _measure(self) -> None:
        many, few = box_sums(self._pairs, AROUND), box_sums(self._changes, AROUND)
        whole = float(self._changes.sum()) / max(float(self._pairs.sum()), 1)
        around = (few + whole) / (many + 1)
        self._activity = np.stack([(self._changes + around) / (self._pairs + 1), around]).astype(np.float32)

    def _draw_band(self, first: int | None) -> None:
        rows = slice(None) if first is None else slice(first, first + BAND)
        some = np.stack([one.rgb[rows] for one in self._samples])
        self._usual[0][rows], self._usual[1][rows] = usual(
            some, np.stack([one.seen[rows] == 0 for one in self._samples])
        )

    def now(self) -> Still:
        return Still(self._usual, self._activity, self._mean)
