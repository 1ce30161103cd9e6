"""Missing pixels of a stretch of footage of anything, drawn from its other frames and the surroundings."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .candidates import moves
from .combiner import CLEARED, CLEARED_LOST, LOST, NOWHERE, SEEN, Combiner, Drawn, draw, either, joined, load_combiner
from .features import Choices, choices, in_time
from .frames import pack
from .gate import (
    FRAMES,
    GAP_LEAST,
    GAP_PIXELS,
    PIXELS,
    Test,
    fitted,
    judged,
    more_hidden,
    tested_frames,
    tested_gaps,
    tested_points,
)
from .likeness import Distances, Likeness, distances
from .scene import BESIDE, Points, Scene
from .spatial import Still, Surroundings

MARGIN = 64  # frames before and after a stretch that may show something of it
POINTS = 16384  # missing pixels that are drawn at a time ...
INNER = 8192  # ... and of those that no frame shows, for which more is offered
TESTED = 16_000_000  # pixels of the frames among which the self-test is
FEWEST = 64  # pixels of a frame that no frame shows, below which nothing is done about it
AHEAD = 2  # frames that are worked on for each thread


@dataclass(frozen=True)
class Mode:
    """How a pixel's colour is made from its offers.

    Attributes:
        exact: the likeliest colour (sharp, and exactly right most often); else the mean (least squared error).
        gate: learn from hiding more of the footage which offers are right in it.
    """

    exact: bool = False
    gate: bool = True


USUAL = Mode()


class Recall:
    """Motion recall in one stretch.

    Args:
        frames: uint8 [T, H, W, 3]; what stands in missing pixels is not read.
        mask: bool [T, H, W], True = missing.
        combiner: weighs what other frames show at the place of a pixel, and around it; None = the bundled one.
        camera: of a scene, see there. Frames are then without scenery, and combiners made for such are asked.
    """

    def __init__(
        self, frames: np.ndarray, mask: np.ndarray, mode: Mode = USUAL, threads: int = 1,
        combiner: Combiner | None = None, camera: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        self.mode, self.threads, self._given, self._cleared = mode, threads, combiner, camera is not None
        cleared = np.where(mask[..., None], np.uint8(0), frames) if frames[mask].any() else frames
        self.mask = mask
        self.scene = Scene(cleared, mask, camera=camera)

    @cached_property
    def _combiners(self) -> tuple[Combiner, Combiner]:
        """For frames of which something is seen, with what the self-test taught, if it is asked for: of pixels that
        other frames show at their place, and of those that none shows."""
        made = self._given or load_combiner(CLEARED if self._cleared else SEEN), load_combiner(NOWHERE)
        if not self.mode.gate:
            return made
        part = self._tested
        hidden = more_hidden(self.mask[part])
        frames = tested_frames(hidden)
        if not frames:
            return made
        rgb, camera = self.scene.rgb[part], None if self.scene.camera is None else self.scene.camera[part]
        scene = Scene(np.where(hidden[..., None], np.uint8(0), rgb), self.mask[part] | hidden, self.scene.soft, camera)
        around = Around(scene)
        tests: tuple[list[Test], list[Test]] = [], []
        for t in frames:
            points = tested_points(hidden[t], PIXELS)
            for found in around.parts(t, points, PIXELS):
                tests[found.nowhere].append((found, rgb[t].reshape(-1, 3)[found.points.place]))
        return fitted(made[0], tests[0]), fitted(made[1], tests[1])

    @property
    def _tested(self) -> slice:
        """Frames among which the self-test is: of large pictures those around the middle of the damage, as it takes as
        much memory as these frames do."""
        count = max(TESTED // self.mask[0].size, 2 * BESIDE + FRAMES)
        damaged = np.flatnonzero(self.mask.any((1, 2)))
        middle = int(damaged[len(damaged) // 2]) if len(damaged) else 0
        first = max(0, min(middle - count // 2, len(self.mask) - count))
        return slice(first, first + count)

    @cached_property
    def _of_lost(self) -> Combiner:
        """For frames that are lost whole."""
        made = load_combiner(CLEARED_LOST if self._cleared else LOST)
        if not self.mode.gate:
            return made
        tests = []
        for t, hidden in tested_gaps(self.scene.there, len(self.mask)):
            points = tested_points(~self.mask[t], GAP_PIXELS)
            around = Around(self.scene.losing(hidden), self._around.still)
            tests.append((around.choices(t, points), self.scene.rgb[t].reshape(-1, 3)[points.place]))
        return judged(fitted(made, tests, GAP_LEAST), tests)

    @cached_property
    def _around(self) -> Around:
        return Around(self.scene)

    def draw(self, t: int) -> Drawn:
        """The missing pixels of one frame, of which there are some."""
        points = Points.of(self.mask[t])
        if not self.scene.frames[t].lost:
            parts = self._around.parts(t, points, POINTS)
            return joined([draw(part, self._combiners[part.nowhere], self.mode.exact) for part in parts])
        made = []
        for scene, likely in self.scene.sides(t):
            parts = self._around.parts(t, points, POINTS, scene)
            made.append((joined([draw(part, self._of_lost, self.mode.exact) for part in parts]), likely))
            if self.mode.exact:
                break
        return made[0][0] if len(made) == 1 else either(*made)

    def draw_all(self, wanted: list[int]) -> Iterator[tuple[int, Drawn]]:
        """Several frames, in their order, on several threads."""
        for t in wanted:  # made once, before threads ask for them
            assert (self._of_lost if self.scene.frames[t].lost else self._combiners) is not None
        assert self._around is not None
        if self.threads <= 1:
            for t in wanted:
                yield t, self.draw(t)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            waiting = {}
            for k, t in enumerate(wanted):
                for later in wanted[k : k + AHEAD * self.threads]:
                    if later not in waiting:
                        waiting[later] = pool.submit(self.draw, later)
                yield t, waiting.pop(t).result()


class Around:
    """What all frames of a scene have in common."""

    def __init__(self, scene: Scene, still: Still | None = None) -> None:
        """still: what is known already of a scene that now loses frames."""
        self.scene = scene
        self.still = still or Still.of(scene.rgb, scene.mask, [frame.colours for frame in scene.frames])
        scene.position  # noqa: B018  before threads ask for it
        if any(frame.lost for frame in scene.frames):
            scene.tile_time  # noqa: B018
        self._near = () if still else (_Seen(scene.mask, False), _Seen(scene.mask, True))

    def choices(self, t: int, points: Points) -> Choices:
        """What is offered for some missing pixels of frame t."""
        return next(self._parts(t, points, max(len(points.place), 1), False, None))

    def parts(self, t: int, points: Points, most: int, scene: Scene | None = None) -> Iterator[Choices]:
        """The same for about `most` of them after the others, as what is offered for a pixel takes some kilobytes;
        pixels that no frame shows at their place apart from the others.

        Args:
            scene: of a lost frame, one of the sides of a cut; None = the nearer one.
        """
        return self._parts(t, points, most, True, scene)

    def _parts(self, t: int, points: Points, most: int, apart: bool, scene: Scene | None) -> Iterator[Choices]:
        frame, place = self.scene.frames[t], points.place
        if scene is None:
            scene = self.scene.sides(t)[0][0] if frame.lost else self.scene
        seen_from, near = list(moves(scene, t, place)), self._nearest(scene, t, place)
        surroundings = Surroundings(frame.rgb, frame.colours, frame.seen)
        nowhere = (near < 0).all(0) & ~self.still.usual[1].reshape(-1)[place]
        if frame.lost or np.count_nonzero(nowhere) < FEWEST:
            nowhere[:] = False
        likeness = self._likeness(t) if nowhere.any() else None
        groups = [(nowhere == hidden, hidden) for hidden in (False, True)]
        for some, hidden in groups if apart else [(np.ones(len(place), bool), bool(nowhere.any()))]:
            if not some.any() and len(place):
                continue
            first = 0
            for part in points.some(some).parts(min(most, INNER) if hidden and apart else most):
                last = first + len(part.place)
                own = near[:, some][:, first:last]
                yield choices(scene, t, part, seen_from, self.still, surroundings, own, likeness if hidden else None)
                first = last
            if not len(place):
                return

    def _likeness(self, t: int) -> Likeness:
        """Of a frame, filled with what the nearest frames show, or else usually stands there."""
        frame = self.scene.frames[t]
        place = np.flatnonzero(frame.seen == 0)
        colour, known = in_time(self.scene, t, place, self._nearest(self.scene, t, place))
        usual, there = (a.reshape(-1, *a.shape[2:])[place] for a in self.still.usual)
        filled, seen = frame.colours.reshape(-1).copy(), frame.seen.reshape(-1) > 0
        filled[place] = np.where(known, colour, np.where(there, pack(usual), 0))
        seen[place] = known | there
        return self._likeness_of(t, filled.reshape(frame.colours.shape), seen.reshape(frame.seen.shape))

    def _likeness_of(self, t: int, filled: np.ndarray, known: np.ndarray) -> Likeness:
        return Likeness(self.scene, t, filled, known, self._distances)

    @cached_property
    def _distances(self) -> Distances:
        return distances(*self.still.usual, self.scene.soft)

    def _nearest(self, scene: Scene, t: int, place: np.ndarray) -> np.ndarray:
        """int16 [2, n], the nearest frames before and after in which places are seen; -1 = none."""
        if not scene.frames[t].lost:
            return np.stack([near.of(t, place) for near in self._near])
        made = np.full((2, len(place)), -1, np.int16)
        for side, frames in zip(made, scene.beside(t), strict=True):
            for s in frames[::-1]:
                side[scene.frames[s].seen.reshape(-1)[place] > 0] = s
        return made


class _Seen:
    """In which frame a missing pixel was seen last (or, of a mirrored stretch, next).

    Kept where it is missing alone, so that whole frames of numbers need not be.
    """

    def __init__(self, masks: np.ndarray, backwards: bool) -> None:
        time = len(masks)
        self._missing = flat = masks.reshape(time, -1)
        last = np.full(flat.shape[1], -1, np.int16)
        self._last: list[np.ndarray] = [np.zeros(0, np.int16)] * time
        for t in range(time - 1, -1, -1) if backwards else range(time):
            self._last[t] = last[flat[t]]
            last[~flat[t]] = t

    def of(self, t: int, place: np.ndarray) -> np.ndarray:
        """int16 [n], -1 where it never is."""
        return np.asarray(self._last[t][np.searchsorted(np.flatnonzero(self._missing[t]), place)])
