"""A stretch of frames of which motion is known, and the missing pixels of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import cached_property

import numpy as np

from .frames import TILE, TOLERANCE, Frame, Ready, Shift, is_soft, tiles, whole_shifts
from .kernel import kernel
from .rhythm import CELL, Rhythm

BESIDE = 3  # frames before and after that are asked first
FAR = (4, 5, 6, 8, 11, 16, 22, 32, 45, 62)  # distances of other frames that may be asked ...
MOST_FAR = 4  # ... of which so many are, those that show most of what is still missing
PROBES = 400  # missing pixels by which they are chosen
FASTEST = 16  # pixels a frame that a camera moves; what is more is another place
CUT = 0.3  # of what is alike within a scene, below which there is a cut


class Scene:
    """A stretch of frames, of which motion is known.

    Args:
        frames: uint8 [T, H, W, 3]; mask: bool [T, H, W], True = missing.
        soft: whether colours are never exactly the same; None = found out.
        camera: float [T, 2], where the camera is known to have been, (y, x), NaN where it is not; None = nowhere.
    """

    def __init__(
        self, frames: np.ndarray, mask: np.ndarray, soft: bool | None = None, camera: np.ndarray | None = None
    ) -> None:
        self.rgb, self.mask, self.camera = frames, mask, camera
        self.soft = is_soft(frames, mask) if soft is None else soft
        self.tolerance = TOLERANCE if self.soft else 0
        self.size: tuple[int, int] = mask.shape[1:]
        ready = Ready(self.size)
        self.frames = [Frame(f, m, self.soft, ready) for f, m in zip(frames, mask, strict=True)]
        self.there = [t for t, frame in enumerate(self.frames) if not frame.lost]
        self._cuts: dict[tuple[int, int], bool] = {}

    @cached_property
    def position(self) -> np.ndarray:
        """float64 [T, 2]: how far what fills most of the picture has moved since the first frame, (dy, dx)."""
        at = np.zeros((len(self.frames), 2))
        for p, n in zip(self.there, self.there[1:], strict=False):
            led = self.led(p, n)
            found = whole_shifts(self.frames[p], self.frames[n], most=1) if led is None else [led]
            at[n] = at[p] + (found[0] if found else (0, 0))
        if self.there:
            every = np.arange(len(at))
            for axis in range(2):
                at[:, axis] = np.interp(every, self.there, at[self.there, axis])
        return at

    def led(self, t: int, s: int) -> Shift | None:
        """How far what stands still in the world moves from frame t to frame s, where the camera is known."""
        if self.camera is None:
            return None
        first, last = (t, s) if t <= s else (s, t)
        steps = np.diff(self.camera[first : last + 1], axis=0)
        if not (np.isfinite(self.camera[[t, s]]).all() and (np.abs(steps) <= FASTEST).all()):
            return None
        dy, dx = (self.camera[t] - self.camera[s]).astype(int).tolist()
        return dy, dx

    def losing(self, hidden: range) -> Scene:
        """The same as if these frames, too, were lost; what is known of motion and rhythm stays."""
        made = copy(self)
        made.__dict__.pop("_there", None)
        nothing = Frame(self.rgb[0], np.ones(self.size, bool), self.soft)
        made.frames = [nothing if t in hidden else frame for t, frame in enumerate(self.frames)]
        made.there = [t for t in self.there if t not in hidden]
        return made

    def sides(self, t: int) -> list[tuple[Scene, float]]:
        """Of a lost frame: this scene, or, where the gap around it hides a cut (before it and after it the picture
        hardly changes, but through it), the scenes of either side, the nearer one first. Each with how likely the frame
        is of it: as nothing tells when the cut came, it is as likely in every place."""
        before, after = self.beside(t)
        if not (before and after):
            return [(self, 1.0)]
        p, n = before[0], after[0]
        if (p, n) not in self._cuts:
            sides = [self.alike(side[1], side[0]) for side in (before, after) if len(side) > 1]
            self._cuts[p, n] = bool(sides) and self.alike(p, n) < CUT * min(sides)
        if not self._cuts[p, n]:
            return [(self, 1.0)]
        early, late = self.losing(range(n, len(self.frames))), self.losing(range(p + 1))
        both = [(early, (n - t) / (n - p)), (late, (t - p) / (n - p))]
        return both if t - p <= n - t else both[::-1]

    def alike(self, s: int, t: int) -> float:
        """Share of the texture of frame t that frame s shows, moved as most of the picture is."""
        a, b = self.frames[s], self.frames[t]
        found = [
            kernel().rows(a.colours, a.seen, shift, b.colours, b.seen, (0, 0), b.textured, self.tolerance).sum(0)
            for shift in dict.fromkeys([(0, 0), *whole_shifts(b, a)])
        ]
        return max(float(same / max(many, 1)) for many, same in found)

    @cached_property
    def rhythm(self) -> Rhythm:
        return Rhythm([frame.colours for frame in self.frames], self.there, self.tolerance)

    @cached_property
    def tile_time(self) -> np.ndarray:
        """float32 [T, tiles]: the time of each tile, that of its cells."""
        time, columns = self.rhythm.time, self.rhythm.columns
        rows, many = -(-self.size[0] // TILE), TILE // CELL
        cells = time.reshape(len(time), -1, columns)
        cells = np.pad(cells, ((0, 0), (0, rows * many - cells.shape[1]), (0, -columns % many)))
        return np.asarray(cells.reshape(len(time), rows, many, -1, many).sum((2, 4)).reshape(len(time), -1))

    def moved(self, t: int, s: int) -> Shift:
        """How far what fills most of the picture moves from frame t to frame s."""
        dy, dx = np.rint(self.position[s] - self.position[t]).astype(int).tolist()
        return dy, dx

    def away(self, t: int, side: np.ndarray, place: np.ndarray) -> np.ndarray:
        """int [n]: how many frames after t places were, or will be, seen in the frames `side`, int [n]."""
        return np.asarray(side - t)

    def beside(self, t: int) -> tuple[list[int], list[int]]:
        """Frames before and after t that are not lost, nearest first."""
        k = int(np.searchsorted(self.there, t))
        after = k + (k < len(self.there) and self.there[k] == t)
        return self.there[max(0, k - BESIDE) : k][::-1], self.there[after : after + BESIDE]

    def far(self, t: int, places: np.ndarray, taken: list[int]) -> list[int]:
        """Further frames that show what those `taken` do not; places: int64 [n] flat places that are missing in t."""
        width = self.size[1]
        some = places[np.linspace(0, len(places) - 1, min(PROBES, len(places))).astype(int)]
        y, x = some // width, some % width

        def shows(s: int) -> np.ndarray:
            dy, dx = self.moved(t, s)
            made = ~self.mask[s].reshape(-1)[some]
            yy, xx = y + dy, x + dx
            inside = (yy >= 0) & (yy < self.size[0]) & (xx >= 0) & (xx < width)
            moved = np.zeros(len(some), bool)
            moved[inside] = ~self.mask[s, yy[inside], xx[inside]]
            return np.asarray(np.stack([made, moved]))

        open_ = np.ones((2, len(some)), bool)
        for s in taken:
            open_ &= ~shows(s)
        others = {s: shows(s) for k in FAR for s in (t - k, t + k) if s in self._there and s not in taken}
        found: list[int] = []
        while others and len(found) < MOST_FAR:
            gain = {s: float((seen & open_).sum()) / (1 + 0.02 * abs(s - t)) for s, seen in others.items()}
            s = max(gain, key=lambda one: gain[one])
            if gain[s] < 0.01 * len(some):
                break
            found.append(s)
            open_ &= ~others.pop(s)
        return found

    @cached_property
    def _there(self) -> frozenset[int]:
        return frozenset(self.there)


class Points:
    """Missing pixels of a frame, those of a tile together.

    Attributes:
        place: int32 [n], y * W + x; y, tile: int32 [n]; start: int32 [tiles + 1], where those of each tile begin.
    """

    def __init__(self, place: np.ndarray, y: np.ndarray, tile: np.ndarray, start: np.ndarray) -> None:
        self.place, self.y, self.tile, self.start = place, y, tile, start

    @classmethod
    def of(cls, mask: np.ndarray) -> Points:
        """All of bool [H, W]."""
        place = np.flatnonzero(mask)
        width = mask.shape[1]
        y = place // width
        tile = y // TILE * -(-width // TILE) + (place - y * width) // TILE
        order = np.argsort(tile, kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(tile, minlength=tiles(mask.shape)))])
        return cls(*(a.astype(np.int32) for a in (place[order], y[order], tile[order], start)))

    def some(self, chosen: np.ndarray) -> Points:
        """Those that are `chosen`, bool [n]."""
        start = np.concatenate([[0], np.cumsum(chosen)])[self.start].astype(np.int32)
        return Points(self.place[chosen], self.y[chosen], self.tile[chosen], start)

    def parts(self, most: int) -> Iterator[Points]:
        """Those of some tiles each, about `most` points together."""
        count = len(self.place)
        for k in range(0, max(count, 1), most):
            first, end = (int(self.start[np.searchsorted(self.start, min(n, count))]) for n in (k, k + most))
            if end > first or not count:
                own = slice(first, end)
                start = np.clip(self.start, first, end) - first
                yield Points(self.place[own], self.y[own], self.tile[own], start)
