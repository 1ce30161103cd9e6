"""Where footage without a state was taken: visible pixels are matched against the atlas.

Where no map scrolls up and down, all places are weighed (see `place_search`). Otherwise visible patches of 16 x 8
pixels are looked up, by a hash, among all places of all maps; each match votes for a map and a camera. The places voted
for are compared with every visible pixel of the frame, and a path through them is chosen that explains the pixels with
few jumps (Viterbi's algorithm).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..games import GameSpec
from ..games.pixels import View
from ..games.state import NOWHERE
from .between import Likely, between
from .maps import Atlas, Located
from .place_search import ColumnIndex, weigh

_ROWS, _COLUMNS = 16, 8  # of a patch; patches stand on the rows that maps share with the screen
_COMMON = 64  # patches that occur more often than this tell nothing
_RICH = 3  # colours of a patch that other games will hardly have: lines and edges of two they all have
_BEST = 16  # places of a frame that are compared with all its pixels
_NOTHING = 0.08  # share of wrong pixels at which a frame is rather nowhere
_PIXELS = 50.0  # wrong pixels that count as much as 1 in the path's cost ...
_JUMP = 8.0  # ... where this is the cost of changing the map or moving by more than ...
_MOVE = 16  # ... pixels between two frames
_FEW = 128  # visible pixels below which a frame alone says nothing
PLACES = 6  # that may look alike
_STRANGE = 0.3  # share of wrong pixels among those that are wrong or no backdrop, in frames of one map
_SHARE = 0.02  # of the probability of the likeliest one, from which a place is one of them
_A, _B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


Place = tuple[int, int, int]  # scene, camera x and y


@dataclass
class PlaceIndex:
    """Hashes of all patches of an atlas, ascending uint64 [N], with map number and world x and y of each.

    Of maps that do not scroll up and down only patches in the bands of the picture are indexed, and a patch's band is
    part of its hash.
    """

    hashes: np.ndarray
    scene: np.ndarray
    x: np.ndarray
    y: np.ndarray

    @staticmethod
    def of(atlas: Atlas, game: GameSpec) -> PlaceIndex:
        found: list[tuple[np.ndarray, ...]] = []
        for scene, world in atlas.maps.items():
            tall = len(world.colours) > game.native_size[0]
            for row in range(len(world.colours) - _ROWS + 1) if tall else _bands(game):
                rows = slice(row, row + _ROWS)
                hashes, usable = _hashes(world.colours[rows], world.kinds[rows] > 0, -1 if tall else row)
                x = np.flatnonzero(usable)
                found.append((hashes[x], np.full(len(x), scene, np.int64), x, np.full(len(x), row, np.int64)))
        if not found:
            return PlaceIndex(np.zeros(0, np.uint64), *np.zeros((3, 0), np.int64))
        hashes, *places = (np.concatenate(a) for a in zip(*found, strict=True))
        _, inverse, count = np.unique(hashes, return_inverse=True, return_counts=True)
        rare = count[inverse] <= _COMMON
        order = np.argsort(hashes[rare], kind="stable")
        return PlaceIndex(hashes[rare][order], *(a[rare][order] for a in places))


@dataclass
class Locator:
    """Finds places in one atlas; the index is made once."""

    atlas: Atlas
    game: GameSpec
    _backdrops: dict[int, int] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def index(self) -> PlaceIndex:
        return PlaceIndex.of(self.atlas, self.game)

    @cached_property
    def columns(self) -> ColumnIndex:
        return ColumnIndex.of(self.atlas, tuple(_bands(self.game)), self.game.native_size[1])

    @cached_property
    def tall(self) -> bool:
        """Some map scrolls up and down."""
        return any(len(world.colours) > self.game.native_size[0] for world in self.atlas.maps.values())

    def likely(self, view: View) -> list[Likely]:
        """Places that frames may have been taken at, the likeliest first: where several look alike, and of frames in
        which next to nothing is seen by those before and after. `scene` is NOWHERE where no place of the atlas fits.
        The state is not read."""
        if self.tall:
            return between(self._by_patches(view), steps=self.atlas.steps)
        scene, camera, weight = self.by_columns(view)
        made = between(Located(scene[:, 0], camera[:, 0]), steps=self.atlas.steps)
        found = scene[:, 0] != NOWHERE
        for k in range(PLACES):
            if k == len(made) and weight[:, k].any():
                made.append(Likely(Located(scene[:, 0].copy(), camera[:, 0].copy()), np.zeros(len(found), np.float32)))
            if k < len(made):
                place, share = made[k].place, made[k].weight
                place.scene[found], place.camera[found], share[found] = (
                    scene[found, k],
                    camera[found, k],
                    weight[found, k],
                )
        return made

    def locate(self, view: View) -> Located:
        """The likeliest place of each frame in which enough is seen."""
        if self.tall:
            return self._by_patches(view)
        scene, camera, _ = self.by_columns(view)
        return Located(scene[:, 0], camera[:, 0])

    def by_columns(self, view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Maps and cameras int64 [T, PLACES], and their probabilities, which add up to 1; NOWHERE where none fits."""
        shown = ~view.mask & ~view.fixed
        place, weight = self._weighed(view.frames, shown, view.origin)
        scene, camera = self.columns.scene_of(place)
        wrong, telling = np.zeros((2, len(scene)), np.int64)
        for t, pixels in enumerate(shown.sum((1, 2)).tolist()):
            best = (int(scene[t, 0]), int(camera[t, 0]), 0)
            bad = None
            if pixels >= _FEW and weight[t, 0] > 0:
                bad = self._wrong(view.frames[t], shown[t], best, view.origin)
            if bad is None or bad > _NOTHING * pixels:
                scene[t], camera[t], weight[t] = NOWHERE, 0, 0
            else:
                blank = self._backdrop(best[0])
                wrong[t], telling[t] = bad, bad + (shown[t] & (view.frames[t] != blank)).sum()
        for run in np.split(np.arange(len(scene)), np.flatnonzero(np.diff(scene[:, 0])) + 1):
            if wrong[run].sum() > _STRANGE * telling[run].sum():  # another map, which is as empty at the same places
                scene[run], camera[run], weight[run] = NOWHERE, 0, 0
        weight[weight < _SHARE * weight[:, :1]] = 0
        return scene, camera, (weight / np.maximum(weight.sum(1, keepdims=True), 1e-9)).astype(np.float32)

    def _weighed(self, frames: np.ndarray, shown: np.ndarray, origin: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        return weigh(self.columns, frames, shown, origin, PLACES)

    def _backdrop(self, scene: int) -> int:
        if scene not in self._backdrops:
            self._backdrops[scene] = int(self.atlas.backdrop(np.array([scene]))[0])
        return self._backdrops[scene]

    def _by_patches(self, view: View) -> Located:
        frames, origin = view.frames, view.origin
        shown = ~view.mask & ~view.fixed
        places = [self._candidates(f, s, origin) for f, s in zip(frames, shown, strict=True)]
        path = _best_path(places, shown.sum((1, 2)))
        made = np.array([(NOWHERE, 0, 0) if p is None else p for p in path], np.int64).reshape(-1, 3)
        for order in (range(1, len(frames)), range(len(frames) - 2, -1, -1)):
            for t in order:
                near = made[t - order.step]
                if made[t, 0] == NOWHERE and near[0] != NOWHERE:
                    found = self._follow(frames[t], shown[t], (int(near[0]), int(near[1]), int(near[2])), origin)
                    if found is not None:
                        made[t] = found
        return Located(*made.T)

    def _candidates(self, frame: np.ndarray, shown: np.ndarray, origin: tuple[int, int]) -> list[tuple[Place, int]]:
        """Places that visible patches vote for, each with its number of wrong pixels."""
        index = self.index
        votes: dict[Place, float] = {}
        for band, x, hashes in self._patches(frame, shown, origin):
            for n, own in zip(x.tolist(), hashes, strict=True):
                first, last = (int(np.searchsorted(index.hashes, own, side)) for side in ("left", "right"))
                for i in range(first, last):
                    place = (int(index.scene[i]), int(index.x[i]) - n - origin[1], int(index.y[i]) - band)
                    votes[place] = votes.get(place, 0.0) + 1 / (last - first)
        best = sorted(votes, key=lambda place: -votes[place])[:_BEST]
        counted = [(place, self._wrong(frame, shown, place, origin)) for place in best]
        return [(place, wrong) for place, wrong in counted if wrong is not None]

    def _patches(
        self, frame: np.ndarray, shown: np.ndarray, origin: tuple[int, int]
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Bands, with the columns and the hashes of the patches in each that are whole and not of one colour."""
        for band in _bands(self.game):
            row = band - origin[0]
            if row < 0 or row + _ROWS > len(frame):
                continue
            for key in {band, -1} if self.tall else {band}:
                hashes, usable = _hashes(frame[row : row + _ROWS], shown[row : row + _ROWS], key)
                x = np.flatnonzero(usable)
                yield band, x, hashes[x]

    def familiar(self, frame: np.ndarray, shown: np.ndarray, origin: tuple[int, int]) -> tuple[int, np.ndarray]:
        """How many patches of at least _RICH colours are shown of a frame; hashes of those that the maps have."""
        every = [np.zeros(0, np.uint64)]
        for band, x, hashes in self._patches(frame, shown, origin):
            rows = frame[band - origin[0] :][:_ROWS]
            some = np.lib.stride_tricks.sliding_window_view(rows, _COLUMNS, axis=1)[:, x]  # [16, n, 8]
            values = np.sort(some.swapaxes(0, 1).reshape(len(x), _ROWS * _COLUMNS), 1)
            every.append(hashes[(np.diff(values) > 0).sum(1) + 1 >= _RICH])
        own, index = np.concatenate(every), self.index.hashes
        if not len(index):
            return len(own), own[:0]
        at = np.searchsorted(index, own).clip(0, len(index) - 1)
        return len(own), own[index[at] == own]

    def _wrong(self, frame: np.ndarray, shown: np.ndarray, place: Place, origin: tuple[int, int]) -> int | None:
        """How many visible pixels differ from the map; None where the map shows less than half of them."""
        world = self.atlas.maps[place[0]]
        sides = [np.arange(n) + c + o for n, c, o in zip(frame.shape, place[:0:-1], origin, strict=True)]
        if any(side[-1] < 0 or side[0] >= n for side, n in zip(sides, world.colours.shape, strict=True)):
            return None
        y, x = (np.clip(side, 0, n - 1) for side, n in zip(sides, world.colours.shape, strict=True))
        known = (world.kinds[y[:, None], x] > 0) & (y == sides[0])[:, None] & (x == sides[1]) & shown
        if 2 * known.sum() < shown.sum():
            return None
        return int((known & (world.colours[y[:, None], x] != frame)).sum())

    def _follow(self, frame: np.ndarray, shown: np.ndarray, near: Place, origin: tuple[int, int]) -> Place | None:
        """The place near that of a neighbouring frame; of equally good ones the nearest. None where none is good."""
        pixels = int(shown.sum())
        if pixels < _FEW:
            return None
        up = _MOVE // 4 if len(self.atlas.maps[near[0]].colours) > self.game.native_size[0] else 0
        steps = [(x, y) for y in range(-up, up + 1) for x in range(-_MOVE, _MOVE + 1)]
        tried = [(near[0], near[1] + x, near[2] + y) for x, y in sorted(steps, key=lambda s: abs(s[0]) + abs(s[1]))]
        wrong = [self._wrong(frame, shown, place, origin) for place in tried]
        good = [(w, k) for k, w in enumerate(wrong) if w is not None and w <= _NOTHING * pixels]
        return tried[min(good)[1]] if good else None


def _bands(game: GameSpec) -> range:
    """First picture rows of the bands that patches stand in: not across the edge of a status bar at the top."""
    bars = [y1 for _, _, y0, _, y1 in game.fixed_regions if y0 == 0]
    return range(max(bars, default=0), game.native_size[0] - _ROWS + 1, _ROWS)


def _hashes(pixels: np.ndarray, usable: np.ndarray, band: int) -> tuple[np.ndarray, np.ndarray]:
    """Hash of each patch of a band, uint64 [W - 7], and whether it is whole and has more than one colour.

    Args:
        pixels: uint8 [16, W]; usable: bool [16, W].
        band: first row, which is part of the hash where pictures do not scroll up and down; else -1.
    """
    if pixels.shape[1] < _COLUMNS:
        return np.zeros(0, np.uint64), np.zeros(0, bool)
    with np.errstate(over="ignore"):
        factors = np.cumprod(np.full(_ROWS, _A))
        column = ((pixels.astype(np.uint64) + np.uint64(1)) * factors[:, None]).sum(0, dtype=np.uint64)
        column ^= column >> np.uint64(29)
        windows = np.lib.stride_tricks.sliding_window_view(column, _COLUMNS)
        hashes = (windows * np.cumprod(np.full(_COLUMNS, _B))).sum(1, dtype=np.uint64) + np.uint64(band + 1) * _A
    whole = np.lib.stride_tricks.sliding_window_view(usable.all(0), _COLUMNS).all(1)
    low = np.lib.stride_tricks.sliding_window_view(pixels.min(0), _COLUMNS).min(1)
    high = np.lib.stride_tricks.sliding_window_view(pixels.max(0), _COLUMNS).max(1)
    return hashes, whole & (low != high)


def _best_path(places: list[list[tuple[Place, int]]], pixels: np.ndarray) -> list[Place | None]:
    """One place per frame, or None, of least cost: wrong pixels and jumps."""
    states: list[list[Place | None]] = []
    costs: list[np.ndarray] = []
    back: list[np.ndarray] = []
    for found, count in zip(places, pixels, strict=True):
        here: list[Place | None] = [*(place for place, _ in found), None]
        own = np.array([w / _PIXELS for _, w in found] + [_NOTHING * float(count) / _PIXELS])
        if not states:
            back.append(np.zeros(len(here), np.int64))
            costs.append(own)
        else:
            step = np.array([[_step(a, b) for a in states[-1]] for b in here])
            total = step + costs[-1]
            back.append(total.argmin(1))
            costs.append(total.min(1) + own)
        states.append(here)
    if not states:
        return []
    path, at = [], int(costs[-1].argmin())
    for t in range(len(states) - 1, -1, -1):
        path.append(states[t][at])
        at = int(back[t][at])
    return path[::-1]


def _step(a: Place | None, b: Place | None) -> float:
    if a is None or b is None:
        return 0.0 if a is b else _JUMP / 2
    if a[0] != b[0]:
        return 4 * _JUMP
    return 0.0 if max(abs(a[1] - b[1]), abs(a[2] - b[2])) <= _MOVE else _JUMP
