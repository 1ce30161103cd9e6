"""What other frames offer for the missing pixels of one frame, and the evidence for each offer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .frames import Frame, is_soft
from .kernel import kernel
from .shifts import TILE, Shift, everywhere, part_shifts, scaled, tiles, whole_shifts

BESIDE = 3  # frames before and after that are asked first
FAR = (4, 5, 6, 8, 11, 16, 22, 32, 45, 62)  # distances of other frames that may be asked ...
MOST_FAR = 4  # ... of which so many are, those that show most of what is still missing
BAND = 4  # rows above and below whose movement counts for a row
PROBES = 400  # missing pixels by which they are chosen
ZERO, WHOLE, PART = 0, 1, 2  # what moved


@dataclass(frozen=True)
class Move:
    """One way in which another frame is shifted onto a frame.

    Attributes:
        source: position of the frame; shifts: int16 [tiles, 2], of each tile of it.
        other: position of the frame that it is compared with; back: int16 [tiles, 2], the shifts of that.
        kind: ZERO, WHOLE or PART; through: whether the two frames are on both sides of the missing one.
        rows: int32 [H, 2] of Kernel.rows, None for PART.
    """

    source: int
    shifts: np.ndarray
    other: int
    back: np.ndarray
    kind: int
    through: bool
    rows: np.ndarray | None

    def shown(self, scene: Scene, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """What it shows of the points: uint32 [n] and uint8 [n, EVIDENCE] as of `Kernel.evidence`."""
        a, b = scene.frames[self.source], scene.frames[self.other]
        return kernel().evidence(
            a.colours, a.seen, self.shifts, b.colours, b.seen, self.back, b.textured, TILE, points.place, points.start,
            scene.tolerance,
        )  # fmt: skip

    @cached_property
    def size(self) -> np.ndarray:
        """float32 [tiles]: how far each is shifted, as the number "shift"."""
        return np.asarray(np.minimum(np.log2(1 + np.abs(self.shifts.astype(np.float32)).max(1)) / 6, 1))

    @cached_property
    def bands(self) -> tuple[np.ndarray | None, float]:
        """float32 [H, 2]: the numbers "rows" and "alike rows" of each row with those around; "alike picture"."""
        if self.rows is None:
            return None, 0.0
        total = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(self.rows, 0)])
        y, height = np.arange(len(self.rows)), len(self.rows)
        band = (total[np.minimum(y + BAND + 1, height)] - total[np.maximum(y - BAND, 0)]).astype(np.float32)
        both = np.stack([np.log2(1 + band[:, 0]) / 10, (band[:, 1] + 0.5) / (band[:, 0] + 1)], 1)
        return both, float(total[-1, 1] / max(total[-1, 0], 1))


class Scene:
    """A stretch of frames, of which motion is known.

    Args:
        frames: uint8 [T, H, W, 3]; mask: bool [T, H, W], True = missing.
        soft: whether colours are never exactly the same; None = found out.
    """

    def __init__(self, frames: np.ndarray, mask: np.ndarray, soft: bool | None = None) -> None:
        self.rgb, self.mask = frames, mask
        self.soft = is_soft(frames, mask) if soft is None else soft
        self.tolerance = 10 if self.soft else 0
        self.frames = [Frame(f, m, self.soft) for f, m in zip(frames, mask, strict=True)]
        self.size: tuple[int, int] = mask.shape[1:]
        self.there = [t for t, frame in enumerate(self.frames) if not frame.lost]

    @cached_property
    def position(self) -> np.ndarray:
        """float64 [T, 2]: how far what fills most of the picture has moved since the first frame, (dy, dx)."""
        at = np.zeros((len(self.frames), 2))
        for p, n in zip(self.there, self.there[1:], strict=False):
            found = whole_shifts(self.frames[p], self.frames[n], most=1)
            at[n] = at[p] + (found[0] if found else (0, 0))
        if self.there:
            every = np.arange(len(at))
            for axis in range(2):
                at[:, axis] = np.interp(every, self.there, at[self.there, axis])
        return at

    def moved(self, t: int, s: int) -> Shift:
        """How far what fills most of the picture moves from frame t to frame s."""
        dy, dx = np.rint(self.position[s] - self.position[t]).astype(int).tolist()
        return dy, dx

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

    def parts(self, most: int) -> Iterator[Points]:
        """Those of some tiles each, about `most` points together."""
        count = len(self.place)
        for k in range(0, max(count, 1), most):
            first, end = (int(self.start[np.searchsorted(self.start, min(n, count))]) for n in (k, k + most))
            if end > first or not count:
                own = slice(first, end)
                start = np.clip(self.start, first, end) - first
                yield Points(self.place[own], self.y[own], self.tile[own], start)


def moves(scene: Scene, t: int, place: np.ndarray) -> Iterator[Move]:
    """All ways in which other frames may show the missing pixels of frame t, int32 [n] flat places."""
    before, after = scene.beside(t)
    if not scene.frames[t].lost:
        far = scene.far(t, place, before + after)
        for s in before + after + far:
            yield from _direct(scene, t, s, s not in far)
    for p, n in zip(before[:2], after[:2], strict=False):
        yield from _through(scene, t, p, n, p == before[0])
    if scene.frames[t].lost and not (before and after):
        for s in (before + after)[:1]:
            yield from _guessed(scene, t, s)


def _direct(scene: Scene, t: int, s: int, near: bool) -> Iterator[Move]:
    """Frame s, moved as what is seen of t tells."""
    a, b = scene.frames[t], scene.frames[s]
    expected = scene.moved(t, s)
    whole = list(dict.fromkeys([(0, 0), expected, *whole_shifts(a, b, None if near else expected)]))
    still = everywhere((0, 0), scene.size)
    for shift in whole:
        rows = kernel().rows(b.colours, b.seen, shift, a.colours, a.seen, (0, 0), a.textured, scene.tolerance)
        kind = WHOLE if any(shift) else ZERO
        yield Move(s, everywhere(shift, scene.size), t, still, kind, False, rows)
    if near and abs(s - t) <= 4:
        parts = part_shifts(a, b, whole)
        for k in range(parts.shape[1]):
            yield Move(s, np.ascontiguousarray(parts[:, k]), t, still, PART, False, None)


def _through(scene: Scene, t: int, p: int, n: int, parts: bool) -> Iterator[Move]:
    """What moves evenly from frame p to frame n, on both sides of t."""
    a, b = scene.frames[p], scene.frames[n]
    share = (t - p) / (n - p)
    expected = scene.moved(p, n)
    whole = list(dict.fromkeys([(0, 0), expected, *whole_shifts(a, b)]))
    found = [(everywhere(shift, scene.size), WHOLE if any(shift) else ZERO) for shift in whole]
    if parts:
        local = part_shifts(a, b, whole)
        found += [(np.ascontiguousarray(local[:, k]), PART) for k in range(local.shape[1])]
    for shifts, kind in found:
        back = scaled(-shifts, share)
        on = shifts + back
        on[shifts[:, 0] == shifts.dtype.type(-32768)] = -32768
        rows = None
        if kind != PART:
            one, two = tuple(back[0].tolist()), tuple(on[0].tolist())
            rows = kernel().rows(a.colours, a.seen, one, b.colours, b.seen, two, b.textured, scene.tolerance)
        yield Move(p, back, n, on, kind, True, rows)
        yield Move(n, on, p, back, kind, True, rows)


def _guessed(scene: Scene, t: int, s: int) -> Iterator[Move]:
    """Frame s as it is and as the picture would have moved on, where nothing tells."""
    speed = _speed(scene, s, t)
    on = tuple(np.rint(np.array(speed) * (s - t)).astype(int).tolist())
    for shift in dict.fromkeys([(0, 0), on]):
        shifts = everywhere(shift, scene.size)
        yield Move(s, shifts, t, shifts * 0, WHOLE if any(shift) else ZERO, False, None)


def _speed(scene: Scene, s: int, t: int) -> tuple[float, float]:
    """Movement per frame near s, away from the missing frame t."""
    inner = [q for q in scene.there if (q <= s if s < t else q >= s) and abs(q - s) <= 4]
    if len(inner) < 2:
        return 0.0, 0.0
    dy, dx = ((scene.position[inner[-1]] - scene.position[inner[0]]) / (inner[-1] - inner[0])).tolist()
    return dy, dx
