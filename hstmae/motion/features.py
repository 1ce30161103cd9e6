"""Offers of other frames and of the surroundings as rows of numbers that say how much each can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .candidates import PART, WHOLE, ZERO, Move, Points, Scene
from .frames import pack
from .loops import EVIDENCE
from .spatial import Still, Surroundings
from .weigher import weigher
from .weighing import Meaning, Offered, Rows

KINDS = (
    "still", "moved", "object", "still through", "moved through", "object through", "nearest still", "usual", "side",
    "smooth", "mean",
)  # fmt: skip
NEAREST, USUAL, SIDE, SMOOTH, MEAN = range(6, 11)
NUMBERS = (
    "distance", "seen 5", "alike 5", "seen 13", "alike 13", "textured", "alike textured", "rows", "alike rows",
    "alike picture", "shift", "centre alike", "centre other", "side away", "opposite", "edge away", "soft", "share",
    "support", "best support", "lead 13", "lead textured", "lead support", "early", "votes", "like usual", "activity",
    "activity around", "kept",
)  # fmt: skip
COUNT = len(KINDS) + len(NUMBERS)
N = {name: len(KINDS) + k for k, name in enumerate(NUMBERS)}
ENOUGH = 3  # offers of other frames, all of one colour, settle a pixel
MEANING = Meaning(N, COUNT, NEAREST, USUAL)


@dataclass
class Choices:
    """All offers for some missing pixels of a frame.

    Where every other frame that shows a pixel shows the same colour there is nothing to weigh: it is settled.

    Attributes:
        points: the pixels; open: int64 [m], which of them are not settled; known: uint32 [n], colours of those that
            are; by: uint8 [n], the kind of the first offer.
        rows: the offers for the open ones.
    """

    points: Points
    open: np.ndarray
    known: np.ndarray
    by: np.ndarray
    rows: Rows


class _Layers:
    """What `Offered` consists of, layer by layer."""

    def __init__(self, scene: Scene, t: int, points: Points) -> None:
        self._points, self._height = points, scene.size[0]
        self._common = np.zeros(COUNT, np.float32)
        self._common[[N["soft"], N["share"]]] = scene.soft, scene.frames[t].share
        self._common[[N[name] for name in ("alike 5", "alike 13", "alike textured", "alike rows")]] = 0.5
        self.kind: list[int] = []
        self.colour: list[np.ndarray] = []
        self.evidence: list[np.ndarray] = []
        self._base: list[np.ndarray] = []
        self._shift: list[np.ndarray] = []
        self._lists: dict[str, list[np.ndarray]] = {"band": [], "own": [], "fine": []}
        self._which: dict[str, list[int]] = {"band": [], "own": [], "fine": []}
        self._own_columns: list[tuple[int, int]] = []
        self._flat = np.zeros(len(points.start) - 1, np.float32)

    def moved(self, kind: int, move: Move, distance: int, colour: np.ndarray, evidence: np.ndarray) -> None:
        """What a frame shows that is shifted."""
        band, picture = move.bands
        self._add(kind, colour, evidence, distance, move.size, band=band)
        self._base[-1][N["alike picture"]] = picture

    def plain(
        self, kind: int, colour: np.ndarray, shown: np.ndarray, fine: np.ndarray | None = None,
        own: tuple[str, str, np.ndarray] | None = None, early: bool = False,
    ) -> None:  # fmt: skip
        """Colours of the pixels that are `shown`, bool [n]; own: two columns, and float32 [n, 2] what is in them."""
        evidence = np.zeros((len(shown), EVIDENCE), np.uint8)
        evidence[:, 0] = shown
        columns = (0, 0) if own is None else (N[own[0]], N[own[1]])
        self._add(kind, colour, evidence, 0, self._flat, columns, fine=fine, own=None if own is None else own[2])
        self._base[-1][N["early"]] = early

    def _add(
        self, kind: int, colour: np.ndarray, evidence: np.ndarray, distance: int, shift: np.ndarray,
        columns: tuple[int, int] = (0, 0), **own: np.ndarray | None,
    ) -> None:  # fmt: skip
        self.kind.append(kind)
        self.colour.append(colour)
        self.evidence.append(evidence)
        base = self._common.copy()
        base[kind], base[N["distance"]], base[N["early"]] = 1, _far(distance), distance < 0
        self._base.append(base)
        self._shift.append(shift)
        self._own_columns.append(columns)
        for name, some in self._lists.items():
            value = own.get(name)
            self._which[name].append(-1 if value is None else len(some))
            if value is not None:
                some.append(value)

    def votes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `Weigher.settled`."""
        n = len(self._points.place)
        return weigher().settled(
            np.array(self.kind, np.uint8), _stack(self.colour, (n,), np.uint32),
            _stack(self.evidence, (n, EVIDENCE), np.uint8), ENOUGH,
        )  # fmt: skip

    def offered(self, usual: np.ndarray, pixel: np.ndarray) -> Offered:
        n, at = len(self._points.place), self._points
        band, own, fine = (
            _stack(self._lists[name], shape, np.float32)
            for name, shape in (("band", (self._height, 2)), ("own", (n, 2)), ("fine", (n, 3)))
        )
        band_of, own_of, fine_of = (np.array(self._which[name], np.int32) for name in self._which)
        return Offered(
            np.array(self.kind, np.uint8), _stack(self.colour, (n,), np.uint32),
            _stack(self.evidence, (n, EVIDENCE), np.uint8), _stack(self._base, (COUNT,), np.float32),
            _stack(self._shift, self._flat.shape, np.float32), at.tile, band, band_of, at.y, own, own_of,
            np.array(self._own_columns, np.int32), fine, fine_of, usual, pixel,
        )  # fmt: skip


def _stack(arrays: list[np.ndarray], shape: tuple[int, ...], kind: type) -> np.ndarray:
    return np.ascontiguousarray(np.stack(arrays), kind) if arrays else np.zeros((0, *shape), kind)


def choices(
    scene: Scene, t: int, points: Points, moves: Sequence[Move], still: Still, surroundings: Surroundings,
    near: np.ndarray,
) -> Choices:  # fmt: skip
    """Everything that is offered for the `points` of frame t.

    Args:
        moves: of other frames onto frame t.
        near: int [2, n], the nearest frames before and after in which the pixel is seen, -1 = none.
    """
    layers = _Layers(scene, t, points)
    asked = [-1]
    for move in moves:
        colour, evidence = move.shown(scene, points)
        if not evidence[:, 0].any():
            continue
        if move.kind == ZERO:
            asked.append(move.source)
        kind = {ZERO: 0, WHOLE: 1, PART: 2}[move.kind] + 3 * move.through
        layers.moved(kind, move, move.source - t, colour, evidence)
    place = points.place
    for early, side in zip((True, False), near, strict=True):
        shown = ~np.isin(side, asked)
        if shown.any():
            colour = np.zeros(len(place), np.uint32)
            for s in np.unique(side[shown]).tolist():
                colour[side == s] = scene.frames[s].colours.reshape(-1)[place[side == s]]
            own = np.zeros((len(place), 2), np.float32)
            own[:, 0] = _far(side - t)
            own[:, 1] = early
            layers.plain(NEAREST, colour, shown, own=("distance", "early", own), early=early)
    known, by, settled = layers.votes()
    open_ = np.flatnonzero(~settled)
    edge, usual = np.full(len(place), 64, np.float32), pack(still.usual[0].reshape(-1, 3)[place])
    if len(open_):
        layers.plain(USUAL, usual, still.usual[1].reshape(-1)[place])
        if not scene.frames[t].lost:
            edge = _of_sides(layers, surroundings, place)
            soft = surroundings.smooth[place]
            layers.plain(SMOOTH, pack(np.rint(soft)), np.ones(len(place), bool), soft)
        mean = np.broadcast_to(still.mean, (len(place), 3))
        layers.plain(MEAN, pack(np.rint(mean)), np.ones(len(place), bool), mean)
    pixel = np.stack([np.log2(1 + edge) / 6, *still.activity.reshape(2, -1)[:, place]], 1).astype(np.float32)
    return Choices(points, open_, known, by, weigher().rows(layers.offered(usual, pixel), open_, MEANING))


def _of_sides(layers: _Layers, surroundings: Surroundings, place: np.ndarray) -> np.ndarray:
    """The pixels to the left, right, above and below; float32 [n], how far the nearest of them is."""
    colour, away = surroundings.sides(place)
    far = np.log2(1 + away.astype(np.float32)) / 6
    for k in range(4):
        same = np.where(away[k ^ 1] > 0, 2.0 * (colour[k ^ 1] == colour[k]) - 1, 0)
        own = np.stack([far[k], same], 1).astype(np.float32)
        layers.plain(SIDE, colour[k], away[k] > 0, own=("side away", "opposite", own))
    return np.asarray(np.where(away > 0, away, 64).min(0).astype(np.float32))


def _far(distance: np.ndarray | int) -> np.ndarray:
    return np.asarray(np.log2(1 + np.abs(distance)) / 6)
