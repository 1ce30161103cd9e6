"""Where frames were taken, weighed over every place of every map that does not scroll up and down.

Columns of 16 pixels that are seen are compared with the same columns of the maps, at all places at once. What the maps
have everywhere says little, what they have nowhere (something moves before it) says nothing. From frame to frame the
camera moves a little, or seldom jumps: the places of all frames are weighed together, forward and backward in time, so
that places that look alike share the weight.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..games.state import NOWHERE
from .maps import Atlas

ROWS = 16  # of a column that is compared
COLUMNS, GROUP = 1536, 16  # columns of a frame that are compared at most, and how many of those side by side
SELDOM = 1 / 64  # share of all columns below which those of one look are listed one by one
KEPT = 256  # looks of columns whose counts are kept
RIGHT = 0.9  # share of the columns at a frame's place that look as the map says
WIDEST = 1 << 10  # pixels of a picture
INDEPENDENT = 6.0  # neighbouring columns that tell as much as one
UNKNOWN = -0.7  # what a column tells of a place where the map is not known, in units of a factor e
MANY = 1 << 13  # places of a frame that tells nothing
NEGLIGIBLE = 15.0  # places that fit worse than the best one by a factor e to the power of this are left out
FAR = 16  # pixels that the camera moves between two frames, unless it ...
JUMP = 1e-4  # ... is set to another place; how often that is
SPEEDS = 2 * FAR + 1
CHANGE = (0.02, 0.05, 0.15, 0.5, 0.15, 0.05, 0.02)  # how often the speed changes by -3 .. 3 pixels ...
ANY = 0.06  # ... or to any other one
_A = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class ColumnIndex:
    """The columns of all maps, one map after the other.

    Attributes:
        bands: first picture row of each band of ROWS rows.
        hashes: of each band, ascending uint64.
        ids: int32 [bands, X], equal numbers for equal columns, above those of the bands before; 0 where the map is not
            known.
        first: int64 [maps], where each map begins; scenes: int64 [maps].
        cameras: bool [X], the places that a picture's left edge can have.
    """

    bands: tuple[int, ...]
    hashes: list[np.ndarray]
    ids: np.ndarray
    first: np.ndarray
    scenes: np.ndarray
    cameras: np.ndarray
    _counts: dict[tuple[int, int], np.ndarray] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, atlas: Atlas, bands: tuple[int, ...], width: int) -> ColumnIndex:
        """The index of an atlas, for pictures of this native width."""
        maps = {scene: world for scene, world in sorted(atlas.maps.items()) if world.colours.shape[1] >= width}
        beyond = (0, width // 4)  # columns beyond a map's end, which earlier visits may not have come to
        sizes = [world.colours.shape[1] + beyond[1] for world in maps.values()]
        first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        cameras = np.zeros(int(first[-1]), bool)
        for start, size in zip(first, sizes, strict=False):
            cameras[start : start + size - width + 1] = True
        hashes: list[np.ndarray] = []
        ids = np.zeros((len(bands), len(cameras)), np.int32)
        for k, band in enumerate(bands if maps else ()):
            rows = slice(band, band + ROWS)
            column = np.concatenate([np.pad(_columns(world.colours[rows]), beyond) for world in maps.values()])
            known = np.concatenate([np.pad((world.kinds[rows] > 0).all(0), beyond) for world in maps.values()])
            unique, inverse = np.unique(column[known], return_inverse=True)
            ids[k, known] = inverse + 1 + sum(map(len, hashes))
            hashes.append(unique)
        return cls(bands, hashes, ids, first[:-1], np.array(list(maps), np.int64), cameras)

    def number(self, band: int, hashes: np.ndarray) -> np.ndarray:
        """Ids of columns by their hashes, 0 for those that no map has."""
        own = self.hashes[band]
        if not len(own):
            return np.zeros(len(hashes), np.int64)
        at = np.searchsorted(own, hashes).clip(0, len(own) - 1)
        return np.where(own[at] == hashes, at + 1 + sum(map(len, self.hashes[:band])), 0)

    @cached_property
    def _order(self) -> tuple[np.ndarray, np.ndarray]:
        """Columns in the order of their ids, and where those of each id begin."""
        order = np.argsort(self.ids.ravel(), kind="stable")
        ends = np.searchsorted(self.ids.ravel()[order], np.arange(sum(map(len, self.hashes)) + 2))
        return order % max(1, len(self.cameras)), ends

    def often(self, number: np.ndarray) -> np.ndarray:
        """How many columns have these ids."""
        return np.asarray(np.diff(self._order[1])[number])

    def where(self, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All columns that have one of these ids [N], int64 [M], and of each the position of its id among them."""
        order, ends = self._order
        count = self.often(number)
        which = np.repeat(np.arange(len(number)), count)
        return order[np.arange(count.sum()) - np.repeat(count.cumsum() - count, count) + ends[number][which]], which

    def count_before(self, band: int, number: int) -> np.ndarray:
        """How many columns of a band with this id come before each column, int32 [X + 1 + WIDEST]."""
        if (band, number) not in self._counts:
            if len(self._counts) > KEPT:
                self._counts.clear()
            count = (self.ids[band] == number).cumsum(dtype=np.int32)
            self._counts[band, number] = np.concatenate([np.zeros(1, np.int32), count, np.full(WIDEST, count[-1])])
        return self._counts[band, number]

    def scene_of(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Maps and cameras of places; NOWHERE if there are no maps."""
        if not len(self.first):
            return np.full(place.shape, NOWHERE, np.int64), place
        number = np.searchsorted(self.first, place, side="right") - 1
        return self.scenes[number], place - self.first[number]


@dataclass(frozen=True)
class Places:
    """Places that a frame may have been taken at: positions int64 [N], ascending, and how well it fits each."""

    at: np.ndarray
    fits: np.ndarray

    def __len__(self) -> int:
        return len(self.at)


def weigh(
    index: ColumnIndex, frames: np.ndarray, shown: np.ndarray, origin: tuple[int, int], most: int
) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest places of frames [T, H, W] of which `shown` is visible.

    Returns:
        Places int64 [T, most], for `ColumnIndex.scene_of`, and their probabilities float64, in order; 0 where there are
        fewer.
    """
    made, weight = np.zeros((len(frames), most), np.int64), np.zeros((len(frames), most))
    if not index.cameras.any():
        return made, weight
    every = [evidence(index, frame, seen, origin) for frame, seen in zip(frames, shown, strict=True)]
    told = [t for t, places in enumerate(every) if len(places) <= MANY]
    some, gaps, count = [every[t] for t in told], np.diff(told).tolist(), len(index.cameras)
    ahead = [started(places) for places in some[:1]]
    for k, gap in enumerate(gaps, 1):
        ahead.append(led_on(ahead[-1], some[k - 1], some[k], gap, count))
    after = np.ones((SPEEDS, len(some[-1]) if some else 0))
    for k in range(len(some) - 1, -1, -1):
        both = (ahead[k] * after).sum(0)
        best = np.argsort(-both, kind="stable")[:most]
        made[told[k], : len(best)], weight[told[k], : len(best)] = some[k].at[best], both[best] / both.sum()
        if k:
            value, gap = after * some[k].fits, gaps[k - 1]
            led = _near(value, some[k], some[k - 1], gap) if gap > 1 else _back(value, some[k - 1], some[k], count)
            after = _normal(led + JUMP * value.sum() / (SPEEDS * count))
    return made, weight


def started(here: Places) -> np.ndarray:
    """Shares of speeds and places [SPEEDS, N] of a first frame."""
    return np.repeat(here.fits[None], SPEEDS, 0)


def led_on(value: np.ndarray, before: Places, here: Places, gap: int, count: int) -> np.ndarray:
    """Shares of speeds and places [SPEEDS, N], before -> here, `gap` frames later; of `count` places that there are."""
    moved = _near(value, before, here, gap) if gap > 1 else _onward(value, before, here, count)
    return _normal((moved + JUMP * value.sum() / (SPEEDS * count)) * here.fits)


def _normal(value: np.ndarray) -> np.ndarray:
    return value / max(float(value.max(initial=0)), 1e-300)


def _steps(before: Places, here: Places, count: int) -> np.ndarray:
    """For each speed and place `here` the number of the place `before` that it leads from, int64 [SPEEDS, N]; -1."""
    number = np.full(count + 2 * FAR, -1, np.int64)
    number[before.at + FAR] = np.arange(len(before))
    return number[here.at - np.arange(-FAR, FAR + 1)[:, None] + FAR]


def _onward(value: np.ndarray, before: Places, here: Places, count: int) -> np.ndarray:
    """Shares of speeds and places [SPEEDS, N], before -> here. The speed by which a place is reached changes little."""
    steps = _steps(before, here, count)
    return np.where(steps >= 0, np.take_along_axis(_changed(value), steps.clip(0), 1), 0)


def _near(value: np.ndarray, one: Places, other: Places, gap: int) -> np.ndarray:
    """Shares of speeds and places [SPEEDS, N], one -> other, `gap` frames apart: what is within reach, at any speed."""
    total = np.concatenate([[0], value.sum(0).cumsum()])
    reach = FAR * gap
    low, high = np.searchsorted(one.at, other.at - reach), np.searchsorted(one.at, other.at + reach, "right")
    return np.broadcast_to((total[high] - total[low]) / (SPEEDS * (2 * FAR * gap + 1)), (SPEEDS, len(other)))


def _back(value: np.ndarray, before: Places, here: Places, count: int) -> np.ndarray:
    """What is told of speeds and places here, for those before."""
    steps = _steps(before, here, count)
    made = np.zeros((SPEEDS, len(before)))
    speed, to = np.nonzero(steps >= 0)
    made[speed, steps[speed, to]] = value[speed, to]
    return _changed(made)


def _changed(value: np.ndarray) -> np.ndarray:
    """Shares of the speeds a frame later, [SPEEDS, N]."""
    padded = np.pad(value, ((len(CHANGE) // 2,) * 2, (0, 0)))
    made = sum(share * padded[k : k + SPEEDS] for k, share in enumerate(CHANGE))
    return np.asarray(made) + ANY * value.sum(0) / SPEEDS


def evidence(
    index: ColumnIndex, frame: np.ndarray, shown: np.ndarray, origin: tuple[int, int], near: np.ndarray | None = None
) -> Places:
    """The places that a frame fits, and how well: at most 1. `near`, int64 [N] ascending: the places that are asked;
    none of them is one where the best of them has less than RIGHT of the columns right."""
    places = len(index.cameras)
    band, number, column = _seen(index, frame, shown, origin)
    often = index.often(number)
    wrong = np.log((1 - RIGHT) / np.maximum(1 - often / places, 1 - RIGHT))
    gain = np.log(RIGHT * places / np.maximum(often, 1)) - wrong
    if near is not None:
        return _fitting(index, near, (band, number, column), gain, wrong)
    rare = often < SELDOM * places
    at, which = index.where(number[rare])
    at -= column[rare][which]
    value = np.bincount(at[at >= 0], gain[rare][which][at >= 0], places) + wrong.sum()
    cut = np.flatnonzero((np.diff(number) != 0) | (np.diff(column) != 1)) + 1
    for run in np.split(np.arange(len(number)), cut):
        if len(run) and not rare[run[0]]:
            k, first, last = int(band[run[0]]), int(column[run[0]]), int(column[run[-1]]) + 1
            for one, told in ((int(number[run[0]]), gain[run[0]]), (0, UNKNOWN - wrong[run[0]])):
                table = index.count_before(k, one)
                value += np.float32(told) * (table[last : last + places] - table[first : first + places])
    value = np.where(index.cameras, value / INDEPENDENT, -np.inf)
    at = np.flatnonzero(value >= value.max() - NEGLIGIBLE)
    return Places(at, np.exp(value[at] - value.max()))


def _fitting(
    index: ColumnIndex, near: np.ndarray, seen: tuple[np.ndarray, ...], gain: np.ndarray, wrong: np.ndarray
) -> Places:
    """The same of few places, each compared by itself."""
    band, number, column = seen
    at = near[(near >= 0) & (near < len(index.cameras))]
    at = at[index.cameras[at]]
    ids = index.ids[band, np.minimum(at[:, None] + column, len(index.cameras) - 1)]  # [N, columns]
    right, known = ids == number, ids > 0
    value = (right @ gain + ~known @ (UNKNOWN - wrong) + wrong.sum()) / INDEPENDENT
    best = int(value.argmax()) if len(at) else -1
    if best < 0 or right[best].sum() < RIGHT * max(1, known[best].sum()) or 2 * known[best].sum() < len(number):
        return Places(at[:0], value[:0])
    some = value >= value[best] - NEGLIGIBLE
    return Places(at[some], np.exp(value[some] - value[best]))


def _seen(
    index: ColumnIndex, frame: np.ndarray, shown: np.ndarray, origin: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Band, id and native picture column of columns of ROWS pixels that are seen and that some map has: int64 [N] each.

    Of many seen ones some, in groups that lie all over the picture.
    """
    found = [np.zeros((3, 0), np.int64)]
    for k, band in enumerate(index.bands):
        row = band - origin[0]
        if row < 0 or row + ROWS > len(frame):
            continue
        rows = slice(row, row + ROWS)
        seen = np.flatnonzero(shown[rows].all(0))
        ids = index.number(k, _columns(frame[rows][:, seen]))
        some = ids > 0
        found.append(np.stack([np.full(int(some.sum()), k), ids[some], seen[some] + origin[1]]))
    band, number, column = np.concatenate(found, 1)
    group = (band * WIDEST + column) // GROUP
    if len(group) > COLUMNS:
        names, count = np.unique(group, return_counts=True)
        mixed = np.argsort(names * 7919 % 10007, kind="stable")
        chosen = np.isin(group, names[mixed[count[mixed].cumsum() <= COLUMNS]])
        band, number, column = band[chosen], number[chosen], column[chosen]
    return band, number, column


def _columns(pixels: np.ndarray) -> np.ndarray:
    """A hash of each column of uint8 [ROWS, W]: uint64 [W]."""
    with np.errstate(over="ignore"):
        factors = np.cumprod(np.full(ROWS, _A))
        column = ((pixels.astype(np.uint64) + np.uint64(1)) * factors[:, None]).sum(0, dtype=np.uint64)
        return np.asarray(column ^ (column >> np.uint64(29)))
