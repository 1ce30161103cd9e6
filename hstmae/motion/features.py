"""Offers of other frames and of the surroundings as rows of numbers that say how much each can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .candidates import PART, WHOLE, ZERO, Move
from .frames import pack
from .gaps import Gap
from .likeness import Likeness
from .loops import EVIDENCE
from .scene import Points, Scene
from .spatial import Still, Surroundings
from .weigher import weigher
from .weighing import OWN, Meaning, Offered, Rows

KINDS = (
    "still", "moved", "object", "still through", "moved through", "object through", "nearest still", "again",
    "usual", "mirrored", "repeated", "side", "smooth", "mean", "side filled", "smooth filled",
)  # fmt: skip
NEAREST, AGAIN, USUAL, MIRRORED, REPEATED, SIDE, SMOOTH, MEAN, SIDE_FILLED, SMOOTH_FILLED = range(6, 16)
NUMBERS = (
    "distance", "seen 5", "alike 5", "seen 13", "alike 13", "textured", "alike textured", "rows", "alike rows",
    "alike picture", "shift", "centre alike", "centre other", "side away", "opposite", "edge away", "soft", "share",
    "support", "best support", "lead 13", "lead textured", "lead support", "early", "votes", "like usual", "activity",
    "activity around", "kept", "first", "one scene", "passed", "much", "alike again",
    "alike wide", "edges wide", "lead wide",
)  # fmt: skip
COUNT = len(KINDS) + len(NUMBERS)
N = {name: len(KINDS) + k for k, name in enumerate(NUMBERS)}
FAR_AWAY = 1 << 20
ENOUGH = 3  # offers of other frames, all of one colour, settle a pixel
FILLERS = (NEAREST, USUAL, SMOOTH, MEAN)  # kinds whose offers alone are what a simple filler draws
MEANING = Meaning(N, COUNT, NEAREST, USUAL, SIDE)


@dataclass
class Choices:
    """All offers for some missing pixels of a frame.

    Where every other frame that shows a pixel shows the same colour there is nothing to weigh: it is settled.

    Attributes:
        points: the pixels; open: int64 [m], which of them are not settled; known: uint32 [n], colours of those that
            are; by: uint8 [n], the kind of the first offer.
        rows: the offers for the open ones.
        nowhere: whether no frame shows any of them at its place.
        fillers: uint32 [FILLERS, n], what simple fillers would draw: nearest in time, the median, a smooth surface, the
            mean colour; bool [FILLERS, n], where each has something.
    """

    points: Points
    open: np.ndarray
    known: np.ndarray
    by: np.ndarray
    rows: Rows
    fillers: tuple[np.ndarray, np.ndarray]
    nowhere: bool


class _Layers:
    """What `Offered` consists of, layer by layer."""

    def __init__(self, scene: Scene, t: int, points: Points, gap: Gap | None) -> None:
        self._points, self._height, self._gap = points, scene.size[0], gap
        self._common = np.zeros(COUNT, np.float32)
        self._common[[N["soft"], N["share"]]] = scene.soft, scene.frames[t].share
        self._common[[N[name] for name in ("alike 5", "alike 13", "alike textured", "alike rows")]] = 0.5
        self.kind: list[int] = []
        self.colour: list[np.ndarray] = []
        self.evidence: list[np.ndarray] = []
        self._base: list[np.ndarray] = []
        self._shift: list[np.ndarray] = []
        self._lists: dict[str, list[np.ndarray]] = {name: [] for name in ("band", "own", "pace", "fine")}
        self._which: dict[str, list[int]] = {name: [] for name in self._lists}
        self._own_columns: list[list[int]] = []
        self._lag: list[int] = []
        self._flat = np.zeros(len(points.start) - 1, np.float32)

    def moved(
        self, kind: int, move: Move, t: int, colour: np.ndarray, evidence: np.ndarray,
        own: dict[str, np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        """What a frame shows that is shifted onto frame t; own: as in `plain`."""
        band, picture = move.bands
        pace, lag = (None, 0) if self._gap is None else self._gap.pace(move.source)
        self._add(kind, colour, evidence, move.source - t, move.size, own, band=band, pace=pace)
        self._lag[-1] = lag
        self._base[-1][N["alike picture"]] = picture
        if self._gap is not None:
            self._base[-1][[N["first"], N["one scene"]]] = move.source == self._gap.first, self._gap.one_scene

    def plain(
        self, kind: int, colour: np.ndarray, shown: np.ndarray, fine: np.ndarray | None = None,
        own: dict[str, np.ndarray] | None = None, early: bool = False,
    ) -> None:  # fmt: skip
        """Colours of the pixels that are `shown`, bool [n]; own: float32 [n] of numbers that differ between them."""
        evidence = np.zeros((len(shown), EVIDENCE), np.uint8)
        evidence[:, 0] = shown
        self._add(kind, colour, evidence, 0, self._flat, own, fine=fine)
        self._base[-1][N["early"]] = early

    def _add(
        self, kind: int, colour: np.ndarray, evidence: np.ndarray, distance: int, shift: np.ndarray,
        own: dict[str, np.ndarray] | None = None, **more: np.ndarray | None,
    ) -> None:  # fmt: skip
        self.kind.append(kind)
        self.colour.append(colour)
        self.evidence.append(evidence)
        base = self._common.copy()
        base[kind], base[N["distance"]], base[N["early"]] = 1, _far(distance), distance < 0
        self._base.append(base)
        self._shift.append(shift)
        self._lag.append(0)
        self._own_columns.append(([N[name] for name in own or ()] + [-1] * OWN)[:OWN])
        if own:
            filled = np.zeros((len(colour), OWN), np.float32)
            filled[:, : len(own)] = np.stack(list(own.values()), 1)
            more["own"] = filled
        for name, some in self._lists.items():
            value = more.get(name)
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
        n, at, gap = len(self._points.place), self._points, self._gap
        cell, again = (np.zeros(n, np.int32), np.zeros((1, n), np.float32)) if gap is None else (gap.cell, gap.same)
        band, own, pace, fine = (
            _stack(self._lists[name], shape, np.float32)
            for name, shape in (("band", (self._height, 2)), ("own", (n, OWN)), ("pace", (0, 2)), ("fine", (n, 3)))
        )
        band_of, own_of, pace_of, fine_of = (np.array(self._which[name], np.int32) for name in self._which)
        return Offered(
            np.array(self.kind, np.uint8), _stack(self.colour, (n,), np.uint32),
            _stack(self.evidence, (n, EVIDENCE), np.uint8), _stack(self._base, (COUNT,), np.float32),
            _stack(self._shift, self._flat.shape, np.float32), at.tile, band, band_of, at.y, own, own_of,
            np.array(self._own_columns, np.int32).reshape(-1, OWN), pace, pace_of, cell, again,
            np.array(self._lag, np.int32), fine, fine_of, usual, pixel,
        )  # fmt: skip


def _stack(arrays: list[np.ndarray], shape: tuple[int, ...], kind: type) -> np.ndarray:
    return np.ascontiguousarray(np.stack(arrays), kind) if arrays else np.zeros((0, *shape), kind)


def choices(
    scene: Scene, t: int, points: Points, moves: Sequence[Move], still: Still, surroundings: Surroundings,
    near: np.ndarray, likeness: Likeness | None,
) -> Choices:  # fmt: skip
    """Everything that is offered for the `points` of frame t.

    Args:
        moves: of other frames onto frame t.
        near: int [2, n], the nearest frames before and after in which the pixel is seen, -1 = none.
        likeness: of the frame, where some pixels have no such frame.
    """
    place = points.place
    gap = Gap(scene, t, place, moves) if scene.frames[t].lost and scene.there else None
    layers = _Layers(scene, t, points, gap)
    asked = [-1]
    for move in moves:
        colour, evidence = move.shown(scene, points)
        if not evidence[:, 0].any():
            continue
        if move.kind == ZERO:
            asked.append(move.source)
        kind = {ZERO: 0, WHOLE: 1, PART: 2}[move.kind] + 3 * move.through
        layers.moved(kind, move, t, colour, evidence)
    for early, side in zip((True, False), near, strict=True):
        shown = ~np.isin(side, asked)
        if shown.any():
            colour = np.zeros(len(place), np.uint32)
            for s in np.unique(side[shown]).tolist():
                colour[side == s] = scene.frames[s].colours.reshape(-1)[place[side == s]]
            own = {"distance": _far(scene.away(t, side, place)), "early": np.full(len(place), float(early))}
            layers.plain(NEAREST, colour, shown, own=own, early=early)
    if gap is not None:
        for early, colour, shown, own in gap.again():
            layers.plain(AGAIN, colour, shown, own=own, early=early)
    known, by, settled = layers.votes()
    fillers = np.zeros((len(FILLERS), len(place)), np.uint32), np.zeros((len(FILLERS), len(place)), bool)
    fillers[0][0], fillers[1][0] = in_time(scene, t, place, near)
    open_ = np.flatnonzero(~settled)
    edge, usual = np.full(len(place), 64, np.float32), pack(still.usual[0].reshape(-1, 3)[place])
    fillers[0][1], fillers[1][1] = usual, still.usual[1].reshape(-1)[place]
    if likeness is not None:
        _of_likeness(layers, scene, points, likeness, (near < 0).all(0) & ~still.usual[1].reshape(-1)[place] & ~settled)
    if len(open_):
        layers.plain(USUAL, usual, fillers[1][1])
        every = np.ones(len(place), bool)
        if not scene.frames[t].lost:
            edge = _of_sides(layers, surroundings, place, SIDE, every)
            soft = surroundings.smooth[place]
            fillers[0][2], fillers[1][2] = pack(np.rint(soft)), every
            layers.plain(SMOOTH, fillers[0][2], every, soft)
        mean = np.broadcast_to(still.mean, (len(place), 3))
        fillers[0][3], fillers[1][3] = pack(np.rint(mean)), every
        layers.plain(MEAN, fillers[0][3], every, mean)
    pixel = np.stack([np.log2(1 + edge) / 6, *still.activity.reshape(2, -1)[:, place]], 1).astype(np.float32)
    rows = weigher().rows(layers.offered(usual, pixel), open_, MEANING)
    return Choices(points, open_, known, by, rows, fillers, likeness is not None and bool((near < 0).all()))


def in_time(scene: Scene, t: int, place: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours of the nearest frames in time that show the places, of two the earlier one, and whether there is any."""
    before, after = (np.where(side < 0, FAR_AWAY, np.abs(side.astype(np.int32) - t)) for side in near)
    source = np.where(before <= after, near[0], near[1])
    colour = np.zeros(len(place), np.uint32)
    for s in np.unique(source[source >= 0]).tolist():
        colour[source == s] = scene.frames[s].colours.reshape(-1)[place[source == s]]
    return colour, source >= 0


def _of_likeness(layers: _Layers, scene: Scene, points: Points, likeness: Likeness, nowhere: np.ndarray) -> None:
    """Other parts of the picture for the pixels that no frame shows at their place, bool [n], and what is around them
    once it is filled with what other frames show."""
    if not nowhere.any():
        return
    some = points.some(nowhere)
    for mirrored, move, *offer, numbers in likeness.offers(some):
        colour, evidence = np.zeros(len(nowhere), np.uint32), np.zeros((len(nowhere), EVIDENCE), np.uint8)
        colour[nowhere], evidence[nowhere] = offer
        own = {name: np.zeros(len(nowhere), np.float32) for name in numbers}
        for name, value in numbers.items():
            own[name][nowhere] = value
        layers.moved(MIRRORED if mirrored else REPEATED, move, move.source, colour, evidence, own)
    if likeness.around is not None:
        _of_sides(layers, likeness.around, points.place, SIDE_FILLED, nowhere)
        soft = likeness.around.smooth[points.place]
        layers.plain(SMOOTH_FILLED, pack(np.rint(soft)), nowhere, soft)


def _of_sides(
    layers: _Layers, surroundings: Surroundings, place: np.ndarray, kind: int, shown: np.ndarray
) -> np.ndarray:
    """The pixels to the left, right, above and below; float32 [n], how far the nearest of them is."""
    colour, away = surroundings.sides(place)
    far = np.log2(1 + away.astype(np.float32)) / 6
    for k in range(4):
        same = np.where(away[k ^ 1] > 0, 2.0 * (colour[k ^ 1] == colour[k]) - 1, 0)
        layers.plain(kind, colour[k], shown & (away[k] > 0), own={"side away": far[k], "opposite": same})
    return np.asarray(np.where(away > 0, away, 64).min(0).astype(np.float32))


def _far(distance: np.ndarray | int) -> np.ndarray:
    return np.asarray(np.log2(1 + np.abs(distance)) / 6)
