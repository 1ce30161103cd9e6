"""Where footage without a state was taken: visible pixels are matched against the atlas.

Visible patches of 16 x 8 pixels are looked up, by a hash, among all places of all maps; each match votes for a map and
a camera. The places voted for are compared with every visible pixel of the frame, and a path through them is chosen
that explains the pixels with few jumps (Viterbi's algorithm).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..games import GameSpec
from ..games.pixels import View
from ..games.state import NOWHERE
from .maps import Atlas, Located, WorldMap

_ROWS, _COLUMNS = 16, 8  # of a patch; patches stand on the rows that maps share with the screen
_COMMON = 64  # patches that occur more often than this tell nothing
_BEST = 16  # places of a frame that are compared with all its pixels
_NOTHING = 0.08  # share of wrong pixels at which a frame is rather nowhere
_PIXELS = 50.0  # wrong pixels that count as much as 1 in the path's cost ...
_JUMP = 8.0  # ... where this is the cost of changing the map or moving by more than ...
_MOVE = 16  # ... pixels between two frames
_FEW = 128  # visible pixels below which a frame alone says nothing
_A, _B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


@dataclass
class PlaceIndex:
    """Hashes of all patches of an atlas, ascending uint64 [N], with map number and world x of each."""

    hashes: np.ndarray
    scene: np.ndarray
    x: np.ndarray

    @staticmethod
    def of(atlas: Atlas, game: GameSpec) -> PlaceIndex:
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for scene, world in atlas.maps.items():
            for band in _bands(game):
                rows = slice(band, band + _ROWS)
                hashes, usable = _hashes(world.colours[rows], world.kinds[rows] > 0, band)
                x = np.flatnonzero(usable)
                found.append((hashes[x], np.full(len(x), scene, np.int64), x))
        if not found:
            return PlaceIndex(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.int64))
        hashes, scenes, xs = (np.concatenate(a) for a in zip(*found, strict=True))
        _, inverse, count = np.unique(hashes, return_inverse=True, return_counts=True)
        rare = count[inverse] <= _COMMON
        order = np.argsort(hashes[rare], kind="stable")
        return PlaceIndex(hashes[rare][order], scenes[rare][order], xs[rare][order])


@dataclass
class Locator:
    """Finds places in one atlas; the index is made once."""

    atlas: Atlas
    game: GameSpec
    _index: PlaceIndex | None = field(default=None, repr=False)

    def locate(self, view: View) -> Located:
        """The place of each frame; `scene` is NOWHERE where no place of the atlas fits. The state is not read."""
        frames, origin = view.frames, view.origin
        if self._index is None:
            self._index = PlaceIndex.of(self.atlas, self.game)
        shown = ~view.mask & ~view.fixed
        places = [self._candidates(f, s, origin) for f, s in zip(frames, shown, strict=True)]
        path = _best_path(places, shown.sum((1, 2)))
        scene = np.array([NOWHERE if p is None else p[0] for p in path], np.int64)
        camera = np.array([0 if p is None else p[1] for p in path], np.int64)
        for order in (range(1, len(frames)), range(len(frames) - 2, -1, -1)):
            for t in order:
                near = t - order.step
                if scene[t] == NOWHERE and scene[near] != NOWHERE:
                    found = self._follow(frames[t], shown[t], int(scene[near]), int(camera[near]), origin)
                    if found is not None:
                        scene[t], camera[t] = scene[near], found
        return Located(scene, camera)

    def _candidates(self, frame: np.ndarray, shown: np.ndarray, origin: tuple[int, int]) -> list[tuple[int, int, int]]:
        """Places that visible patches vote for: (scene, camera, wrong pixels)."""
        index = self._index
        assert index is not None
        votes: dict[tuple[int, int], float] = {}
        for band in _bands(self.game):
            row = band - origin[0]
            if row < 0 or row + _ROWS > len(frame):
                continue
            hashes, usable = _hashes(frame[row : row + _ROWS], shown[row : row + _ROWS], band)
            for x in np.flatnonzero(usable):
                first, last = (int(np.searchsorted(index.hashes, hashes[x], side)) for side in ("left", "right"))
                for i in range(first, last):
                    key = (int(index.scene[i]), int(index.x[i]) - int(x) - origin[1])
                    votes[key] = votes.get(key, 0.0) + 1 / (last - first)
        best = sorted(votes, key=lambda key: -votes[key])[:_BEST]
        found = []
        for scene, camera in best:
            wrong = self._wrong(frame, shown, self.atlas.maps[scene], camera, origin)
            if wrong is not None:
                found.append((scene, camera, wrong))
        return found

    def _wrong(
        self, frame: np.ndarray, shown: np.ndarray, world: WorldMap, camera: int, origin: tuple[int, int]
    ) -> int | None:
        """How many visible pixels differ from the map; None where the map shows less than half of them."""
        top, left = origin
        x = camera + left + np.arange(frame.shape[1])
        if x[-1] < 0 or x[0] >= world.colours.shape[1]:
            return None
        at = np.clip(x, 0, world.colours.shape[1] - 1)
        rows = min(len(frame), world.colours.shape[0] - top)
        known = (world.kinds[top : top + rows, at] > 0) & (x == at) & shown[:rows]
        if 2 * known.sum() < shown.sum():
            return None
        return int((known & (world.colours[top : top + rows, at] != frame[:rows])).sum())

    def _follow(
        self, frame: np.ndarray, shown: np.ndarray, scene: int, camera: int, origin: tuple[int, int]
    ) -> int | None:
        """The camera near that of a neighbouring frame; of equally good ones the nearest. None where none is good."""
        pixels = int(shown.sum())
        if pixels < _FEW:
            return None
        tried = sorted(range(camera - _MOVE, camera + _MOVE + 1), key=lambda c: abs(c - camera))
        wrong = [(self._wrong(frame, shown, self.atlas.maps[scene], c, origin), c) for c in tried]
        good = [(w, abs(c - camera), c) for w, c in wrong if w is not None and w <= _NOTHING * pixels]
        return min(good)[2] if good else None


def _bands(game: GameSpec) -> range:
    """First picture rows of the bands that patches stand in."""
    height = game.native_size[0]
    first = game.native_size[0] - game.tile_layers[0].rows * game.tile_layers[0].cell if game.tile_layers else 0
    return range(first, height - _ROWS + 1, _ROWS)


def _hashes(pixels: np.ndarray, usable: np.ndarray, band: int) -> tuple[np.ndarray, np.ndarray]:
    """Hash of each patch of a band, uint64 [W - 7], and whether it is whole and has more than one colour.

    Args:
        pixels: uint8 [16, W]; usable: bool [16, W].
        band: first row, which is part of the hash: pictures do not scroll up and down.
    """
    if pixels.shape[1] < _COLUMNS:
        return np.zeros(0, np.uint64), np.zeros(0, bool)
    with np.errstate(over="ignore"):
        factors = np.cumprod(np.full(_ROWS, _A))
        column = ((pixels.astype(np.uint64) + np.uint64(1)) * factors[:, None]).sum(0, dtype=np.uint64)
        column ^= column >> np.uint64(29)
        windows = np.lib.stride_tricks.sliding_window_view(column, _COLUMNS)
        hashes = (windows * np.cumprod(np.full(_COLUMNS, _B))).sum(1, dtype=np.uint64) + np.uint64(band) * _A
    whole = np.lib.stride_tricks.sliding_window_view(usable.all(0), _COLUMNS).all(1)
    low = np.lib.stride_tricks.sliding_window_view(pixels.min(0), _COLUMNS).min(1)
    high = np.lib.stride_tricks.sliding_window_view(pixels.max(0), _COLUMNS).max(1)
    return hashes, whole & (low != high)


def _best_path(places: list[list[tuple[int, int, int]]], pixels: np.ndarray) -> list[tuple[int, int] | None]:
    """One place per frame, or None, of least cost: wrong pixels and jumps."""
    states: list[list[tuple[int, int] | None]] = []
    costs: list[np.ndarray] = []
    back: list[np.ndarray] = []
    for found, count in zip(places, pixels, strict=True):
        here: list[tuple[int, int] | None] = [(s, c) for s, c, _ in found] + [None]
        own = np.array([w / _PIXELS for *_, w in found] + [_NOTHING * float(count) / _PIXELS])
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


def _step(a: tuple[int, int] | None, b: tuple[int, int] | None) -> float:
    if a is None or b is None:
        return 0.0 if a is b else _JUMP / 2
    if a[0] != b[0]:
        return 4 * _JUMP
    return 0.0 if abs(a[1] - b[1]) <= _MOVE else _JUMP
