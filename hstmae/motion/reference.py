"""The loops of `_motion.c` in NumPy: the same answers, several times slower."""

from __future__ import annotations

import numpy as np

from .loops import EVIDENCE, NEAR, NOWHERE, REACH, Index

COMMON = 24  # a descriptor that stands in more places than this says nothing about motion
WEIGHT = 48


class Reference:
    """See `loops.Kernel`."""

    def descriptors(self, label: np.ndarray, seen: np.ndarray) -> np.ndarray:
        out = np.zeros(label.shape, np.uint32)
        a, left, up = label[1:, 1:].astype(np.uint32), label[1:, :-1], label[:-1, 1:]
        all_seen = (seen[1:, 1:] & seen[1:, :-1] & seen[:-1, 1:]).astype(bool)
        with np.errstate(over="ignore"):
            d = _mix(a + np.uint32(0x9E3779B9) * _mix(left + np.uint32(0x85EBCA6B) * _mix(up + np.uint32(1))))
        d = np.maximum(d, 1)
        out[1:, 1:] = np.where(all_seen & ((a != left) | (a != up)), d, 0)
        return out

    def index(self, descriptors: np.ndarray) -> Index:
        places = np.flatnonzero(descriptors)
        places = places[np.argsort(descriptors.reshape(-1)[places], kind="stable")]
        return descriptors, descriptors.reshape(-1)[places], places

    def votes(self, a: np.ndarray, b: Index, centre: tuple[int, int], reach: tuple[int, int]) -> np.ndarray:
        out = np.zeros((2 * reach[0] + 1, 2 * reach[1] + 1), np.int32)
        _, dy, dx, weight = _pairs(a, b)
        dy, dx = dy - centre[0] + reach[0], dx - centre[1] + reach[1]
        inside = (dy >= 0) & (dy < out.shape[0]) & (dx >= 0) & (dx < out.shape[1])
        np.add.at(out, (dy[inside], dx[inside]), weight[inside])
        return out

    def local_shifts(
        self, a: np.ndarray, b: Index, known: np.ndarray, tile: int, reach: int, best: int, least: int
    ) -> np.ndarray:
        height, width = a.shape
        rows, columns, wide = -(-height // tile), -(-width // tile), 2 * reach + 1
        place, dy, dx, weight = _pairs(a, b)
        y, x = place // width, place % width
        free = np.ones(len(place), bool)
        for sy, sx in known.tolist():
            yy, xx = y + sy, x + sx
            inside = (yy >= 0) & (yy < height) & (xx >= 0) & (xx < width)
            same = b[0][yy.clip(0, height - 1), xx.clip(0, width - 1)] == a[y, x]
            free &= ~(inside & same)
        free &= (abs(dy) <= reach) & (abs(dx) <= reach)
        part = np.zeros((rows + 2, columns + 2, wide, wide), np.int64)
        at = (y[free] // tile + 1, x[free] // tile + 1, dy[free] + reach, dx[free] + reach)
        np.add.at(part, at, weight[free])
        around = sum(part[i : i + rows, j : j + columns] for i in range(3) for j in range(3))
        out = np.full((rows * columns, best, 2), NOWHERE, np.int16)
        for own, votes in zip(out, np.asarray(around).reshape(-1, wide, wide), strict=True):
            for n in range(best):
                ty, tx = divmod(int(votes.argmax()), wide)
                if votes[ty, tx] < least:
                    break
                own[n] = ty - reach, tx - reach
                votes[max(0, ty - 1) : ty + 2, max(0, tx - 1) : tx + 2] = 0
        return out

    def evidence(
        self, a: np.ndarray, seen_a: np.ndarray, sa: np.ndarray, b: np.ndarray, seen_b: np.ndarray, sb: np.ndarray,
        textured: np.ndarray, tile: int, points: np.ndarray, start: np.ndarray, tolerance: int,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        colour, out = np.zeros(len(points), np.uint32), np.zeros((len(points), EVIDENCE), np.uint8)
        owner = np.repeat(np.arange(len(start) - 1), np.diff(start))
        tried = (sa[owner, 0] != NOWHERE) & (sb[owner, 0] != NOWHERE)
        pairs = np.concatenate([sa, sb], 1)[owner]
        for shift in np.unique(pairs[tried], axis=0):
            mine = np.flatnonzero(tried & (pairs == shift).all(1))
            shift_a, shift_b = (int(shift[0]), int(shift[1])), (int(shift[2]), int(shift[3]))
            both = (_moved(seen_a, shift_a) & _moved(seen_b, shift_b)).astype(bool)
            same = both & alike(_moved(a, shift_a), _moved(b, shift_b), tolerance)
            edge = both & _moved(textured, shift_b).astype(bool)
            place = points[mine]
            shows = _moved(seen_a, shift_a).reshape(-1)[place].astype(bool)
            mine, place = mine[shows], place[shows]
            colour[mine] = _moved(a, shift_a).reshape(-1)[place]
            flag = np.where(both, np.where(same, 3, 5), 1).reshape(-1)[place]
            counts = [_box(both, NEAR), _box(same, NEAR), _box(both, REACH), _box(same, REACH)]
            counts += [_box(edge, REACH), _box(edge & same, REACH)]
            out[mine] = np.stack([flag, *(c.reshape(-1)[place] for c in counts)], 1)
        return colour, out

    def wide(
        self, a: np.ndarray, seen_a: np.ndarray, shift: tuple[int, int], b: np.ndarray, seen_b: np.ndarray,
        textured: np.ndarray, tolerance: int, points: np.ndarray, radius: np.ndarray,
    ) -> np.ndarray:  # fmt: skip
        both = (_moved(seen_a, shift) & seen_b).astype(bool)
        same, edge = both & alike(_moved(a, shift), b, tolerance), both & textured.astype(bool)
        (height, width), (y, x) = a.shape, divmod(points, a.shape[1])
        top, end = np.maximum(y - radius, 0), np.minimum(y + radius + 1, height)
        left, right = np.maximum(x - radius, 0), np.minimum(x + radius + 1, width)
        made = []
        for part in (both, same, edge, edge & same):
            total = np.pad(part, ((1, 0), (1, 0))).cumsum(0, np.int32).cumsum(1, np.int32)
            made.append(total[end, right] - total[end, left] - total[top, right] + total[top, left])
        return np.stack(made, 1).astype(np.int32)

    def rows(
        self, a: np.ndarray, seen_a: np.ndarray, sa: tuple[int, int], b: np.ndarray, seen_b: np.ndarray,
        sb: tuple[int, int], textured: np.ndarray, tolerance: int,
    ) -> np.ndarray:  # fmt: skip
        both = (_moved(seen_a, sa) & _moved(seen_b, sb) & _moved(textured, sb)).astype(bool)
        same = both & alike(_moved(a, sa), _moved(b, sb), tolerance)
        return np.stack([both.sum(1), same.sum(1)], 1).astype(np.int32)

    def nearest(self, seen: np.ndarray) -> np.ndarray:
        out = np.zeros((4, *seen.shape), np.int16)
        for k, (array, step) in enumerate(((seen, 1), (seen[:, ::-1], 1), (seen.T, 1), (seen[::-1].T, 1))):
            away = np.zeros(array.shape, np.int16)
            for x in range(1, array.shape[1]):
                before = away[:, x - 1]
                away[:, x] = np.where(array[:, x - 1] > 0, step, np.where(before > 0, before + 1, 0))
            out[k] = (away, away[:, ::-1], away.T, away.T[::-1])[k]
        return out


def alike(a: np.ndarray, b: np.ndarray, tolerance: int) -> np.ndarray:
    """Whether colours uint32 differ by at most `tolerance` in each of their parts."""
    if not tolerance:
        return np.asarray(a == b)
    far = [abs((a >> k & 255).astype(np.int16) - (b >> k & 255).astype(np.int16)) for k in (0, 8, 16)]
    return np.asarray(np.maximum.reduce(far) <= tolerance)


def _mix(h: np.ndarray) -> np.ndarray:
    h = h ^ (h >> np.uint32(16))
    h = h * np.uint32(0x7FEB352D)
    h = h ^ (h >> np.uint32(15))
    h = h * np.uint32(0x846CA68B)
    return np.asarray(h ^ (h >> np.uint32(16)))


def _pairs(a: np.ndarray, b: Index) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Places of a and of b that hold the same descriptor: int64 [n] place in a, dy, dx and weight of each pair."""
    width = a.shape[1]
    _, values, places = b
    mine = np.flatnonzero(a)
    first, last = (np.searchsorted(values, a.reshape(-1)[mine], side) for side in ("left", "right"))
    count = last - first
    keep = (count > 0) & (count <= COMMON)
    mine, first, count = mine[keep], first[keep], count[keep]
    place = np.repeat(mine, count)
    inner = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
    other = places[np.repeat(first, count) + inner]
    dy, dx = other // width - place // width, other % width - place % width
    return place, dy, dx, WEIGHT // np.repeat(count, count)


def _moved(a: np.ndarray, shift: tuple[int, int]) -> np.ndarray:
    """out[y, x] = a[y + dy, x + dx], 0 outside."""
    out = np.zeros_like(a)
    (h, w), (dy, dx) = a.shape, shift
    y0, y1, x0, x1 = max(0, -dy), min(h, h - dy), max(0, -dx), min(w, w - dx)
    if y0 < y1 and x0 < x1:
        out[y0:y1, x0:x1] = a[y0 + dy : y1 + dy, x0 + dx : x1 + dx]
    return out


def _box(a: np.ndarray, reach: int) -> np.ndarray:
    """Sums of bool [H, W] over squares of `reach` around each pixel."""
    total = np.pad(a, ((reach + 1, reach), (reach + 1, reach))).astype(np.int64).cumsum(0).cumsum(1)
    k = 2 * reach + 1
    return np.asarray(total[k:, k:] - total[:-k, k:] - total[k:, :-k] + total[:-k, :-k])
