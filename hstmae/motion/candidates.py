"""What other frames offer for the missing pixels of one frame, and the evidence for each offer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .frames import TILE, Frame, Shift, everywhere, part_shifts, scaled, whole_shifts
from .kernel import kernel
from .loops import NOWHERE
from .scene import Points, Scene

BAND = 4  # rows above and below whose movement counts for a row
ONWARD = 4  # frames between two by which it is told how something moves on
MOST_ONWARD = 6.0  # times as far as it moved between them
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
        return compared(a, self.shifts, b, self.back, points, scene.tolerance)

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


def compared(
    a: Frame, sa: np.ndarray, b: Frame, sb: np.ndarray, points: Points, tolerance: int
) -> tuple[np.ndarray, np.ndarray]:
    """`Kernel.evidence` of frame a, shifted by sa, and b, shifted by sb, both int16 [tiles, 2]."""
    return kernel().evidence(
        a.colours, a.seen, sa, b.colours, b.seen, sb, b.textured, TILE, points.place, points.start, tolerance
    )


def moves(scene: Scene, t: int, place: np.ndarray) -> Iterator[Move]:
    """All ways in which other frames may show the missing pixels of frame t, int32 [n] flat places."""
    before, after = scene.beside(t)
    if not scene.frames[t].lost:
        far = scene.far(t, place, before + after)
        for s in before + after + far:
            yield from _direct(scene, t, s, s not in far)
    for p, n in zip(before[:2], after[:2], strict=False):
        yield from _through(scene, t, p, n, p == before[0])
    if not scene.frames[t].lost:
        return
    for side in (before, after):
        yield from _onward(scene, t, side)
    if not (before and after):
        yield from _guessed(scene, t, before + after)


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
    share: float | np.ndarray = (t - p) / (n - p)
    if scene.frames[t].lost:
        time = scene.tile_time
        share = ((time[t] - time[p]) / (time[n] - time[p]))[:, None]
    expected, led, there = scene.moved(p, n), scene.led(p, t), scene.led(p, n)
    whole = list(dict.fromkeys([(0, 0), expected, *whole_shifts(a, b)]))
    found = [(everywhere(shift, scene.size), WHOLE if any(shift) else ZERO) for shift in whole]
    if parts:
        local = part_shifts(a, b, whole)
        found += [(np.ascontiguousarray(local[:, k]), PART) for k in range(local.shape[1])]
    for shifts, kind in found:
        part = share if kind == PART or isinstance(share, float) else float(share.mean())
        back = -_passed(shifts, part, there, led)
        on = shifts + back
        back[shifts[:, 0] == NOWHERE] = NOWHERE
        on[shifts[:, 0] == NOWHERE] = NOWHERE
        rows = None
        if kind != PART:
            one, two = tuple(back[0].tolist()), tuple(on[0].tolist())
            rows = kernel().rows(a.colours, a.seen, one, b.colours, b.seen, two, b.textured, scene.tolerance)
        yield Move(p, back, n, on, kind, True, rows)
        yield Move(n, on, p, back, kind, True, rows)


def _passed(shifts: np.ndarray, share: float | np.ndarray, whole: Shift | None, part: Shift | None) -> np.ndarray:
    """A share of shifts, int16 [tiles, 2]. Where the camera is known to have taken the picture `part` of `whole`,
    that is taken as it is, the share is of how things moved before it, and what stays in its place on screen stays."""
    if whole is None or part is None:
        return scaled(shifts, share)
    moves = shifts != 0
    own = np.where(moves, shifts - np.array(whole, np.int16), 0).astype(np.int16)
    made = np.asarray(scaled(own, share) + np.where(moves, np.array(part, np.int16), 0), np.int16)
    made[shifts[:, 0] == NOWHERE] = NOWHERE
    return made


def _onward(scene: Scene, t: int, side: list[int]) -> Iterator[Move]:
    """What moves before (or after) a gap, moved on into it: objects that look another way on its other side.

    Args:
        side: frames before or after t, nearest first.
    """
    close = [s for s in side[1:] if abs(s - side[0]) <= ONWARD]
    if not close:
        return
    s, far, time = side[0], close[-1], scene.tile_time
    a, b = scene.frames[s], scene.frames[far]
    parts = part_shifts(a, b, list(dict.fromkeys([(0, 0), scene.moved(s, far)])))
    ratio = np.clip((time[t] - time[s]) / (time[s] - time[far]), 0, MOST_ONWARD)[:, None]
    for k in range(parts.shape[1]):
        shifts = np.ascontiguousarray(parts[:, k])
        on = _passed(shifts, ratio, scene.led(s, far), scene.led(t, s))
        other = on + shifts
        other[shifts[:, 0] == NOWHERE] = NOWHERE
        yield Move(s, on, far, other, PART, False, None)


def _guessed(scene: Scene, t: int, side: list[int]) -> Iterator[Move]:
    """The nearest frames as they are, and the first as the picture would have moved on, where nothing tells."""
    for s in side:
        led = scene.led(t, s)
        on = led or tuple(np.rint(np.array(_speed(scene, s, t)) * (s - t)).astype(int).tolist())
        for shift in dict.fromkeys([(0, 0), on] if s == side[0] else [(0, 0)]):
            shifts = everywhere(shift, scene.size)
            yield Move(s, shifts, t, shifts * 0, WHOLE if any(shift) else ZERO, False, None)


def _speed(scene: Scene, s: int, t: int) -> tuple[float, float]:
    """Movement per frame near s, away from the missing frame t."""
    inner = [q for q in scene.there if (q <= s if s < t else q >= s) and abs(q - s) <= 4]
    if len(inner) < 2:
        return 0.0, 0.0
    dy, dx = ((scene.position[inner[-1]] - scene.position[inner[0]]) / (inner[-1] - inner[0])).tolist()
    return dy, dx
