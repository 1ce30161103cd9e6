"""What other frames offer for the missing pixels of one frame, and the evidence for each offer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .frames import Frame, is_soft
from .kernel import kernel
from .loops import EVIDENCE
from .shifts import TILE, Shift, everywhere, part_shifts, scaled, tiles, whole_shifts

BESIDE = 3  # frames before and after that are asked first
FAR = (4, 5, 6, 8, 11, 16, 22, 32, 45, 62)  # distances of other frames that may be asked ...
MOST_FAR = 4  # ... of which so many are, those that show most of what is still missing
PROBES = 400  # missing pixels by which they are chosen
ZERO, WHOLE, PART = 0, 1, 2  # what moved


@dataclass
class Offer:
    """What one frame, shifted in one way, shows of the missing pixels.

    Attributes:
        source: position of the frame; distance: in frames, negative = earlier.
        kind: ZERO, WHOLE or PART; through: whether the evidence compares two frames on both sides of the missing one.
        shown: int64 [k], which of the points it shows.
        colour: uint32 [n]; evidence: uint8 [n, EVIDENCE], see Kernel, both of all points.
        size: float32 [tiles], how far it is shifted.
        rows: int32 [H, 2] of Kernel.rows, None for PART.
    """

    source: int
    distance: int
    kind: int
    through: bool
    shown: np.ndarray
    colour: np.ndarray
    evidence: np.ndarray
    size: np.ndarray
    rows: np.ndarray | None


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
        place: int32 [n], y * W + x; y, x: int64 [n]; start: int32 [tiles + 1]; tile: int64 [n].
    """

    def __init__(self, mask: np.ndarray) -> None:
        place = np.flatnonzero(mask)
        width = mask.shape[1]
        tile = place // width // TILE * -(-width // TILE) + place % width // TILE
        order = np.argsort(tile, kind="stable")
        self.place = place[order].astype(np.int32)
        self.tile = tile[order]
        self.y, self.x = self.place // width, self.place % width
        count = np.bincount(self.tile, minlength=tiles(mask.shape))
        self.start = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)


def offers(scene: Scene, t: int, points: Points) -> Iterator[Offer]:
    """Everything that other frames show of the `points` of frame t."""
    before, after = scene.beside(t)
    if not scene.frames[t].lost:
        far = scene.far(t, points.place, before + after)
        for s in before + after + far:
            yield from _direct(scene, t, s, points, s not in far)
    for p, n in zip(before[:2], after[:2], strict=False):
        yield from _through(scene, t, p, n, points, p == before[0])
    if scene.frames[t].lost and not (before and after):
        for s in (before + after)[:1]:
            yield from _guessed(scene, t, s, points)


def _direct(scene: Scene, t: int, s: int, points: Points, near: bool) -> Iterator[Offer]:
    """Frame s, moved as what is seen of t tells."""
    a, b = scene.frames[t], scene.frames[s]
    expected = scene.moved(t, s)
    whole = list(dict.fromkeys([(0, 0), expected, *whole_shifts(a, b, None if near else expected)]))
    still = everywhere((0, 0), scene.size)
    for shift in whole:
        rows = kernel().rows(b.colours, b.seen, shift, a.colours, a.seen, (0, 0), a.textured, scene.tolerance)
        kind = WHOLE if any(shift) else ZERO
        yield from _offer(scene, t, s, everywhere(shift, scene.size), t, still, points, kind, False, rows)
    if near and abs(s - t) <= 4:
        parts = part_shifts(a, b, whole)
        for k in range(parts.shape[1]):
            yield from _offer(scene, t, s, np.ascontiguousarray(parts[:, k]), t, still, points, PART, False, None)


def _through(scene: Scene, t: int, p: int, n: int, points: Points, parts: bool) -> Iterator[Offer]:
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
        yield from _offer(scene, t, p, back, n, on, points, kind, True, rows)
        yield from _offer(scene, t, n, on, p, back, points, kind, True, rows)


def _guessed(scene: Scene, t: int, s: int, points: Points) -> Iterator[Offer]:
    """Frame s as it is and as the picture would have moved on, where nothing tells."""
    speed = _speed(scene, s, t)
    on = tuple(np.rint(np.array(speed) * (s - t)).astype(int).tolist())
    for shift in dict.fromkeys([(0, 0), on]):
        shifts = everywhere(shift, scene.size)
        yield from _offer(scene, t, s, shifts, t, shifts * 0, points, WHOLE if any(shift) else ZERO, False, None)


def _speed(scene: Scene, s: int, t: int) -> tuple[float, float]:
    """Movement per frame near s, away from the missing frame t."""
    inner = [q for q in scene.there if (q <= s if s < t else q >= s) and abs(q - s) <= 4]
    if len(inner) < 2:
        return 0.0, 0.0
    dy, dx = ((scene.position[inner[-1]] - scene.position[inner[0]]) / (inner[-1] - inner[0])).tolist()
    return dy, dx


def _offer(
    scene: Scene, t: int, source: int, sa: np.ndarray, other: int, sb: np.ndarray, points: Points, kind: int,
    through: bool, rows: np.ndarray | None,
) -> Iterator[Offer]:  # fmt: skip
    a, b = scene.frames[source], scene.frames[other]
    colour, evidence = kernel().evidence(
        a.colours, a.seen, sa, b.colours, b.seen, sb, b.textured, TILE, points.place, points.start, scene.tolerance
    )
    shown = np.flatnonzero(evidence[:, 0])
    if len(shown):
        size = np.abs(sa.astype(np.float32)).max(1)
        yield Offer(source, source - t, kind, through, shown, colour, evidence, size, rows)


assert EVIDENCE == 7
