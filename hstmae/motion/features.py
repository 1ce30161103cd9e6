"""Offers of other frames and of the surroundings as rows of numbers that say how much each can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from .candidates import PART, WHOLE, ZERO, Offer, Points, Scene, offers
from .frames import pack, unpack
from .spatial import Still, sides, smooth

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
BAND = 4  # rows above and below whose movement counts for a row


@dataclass
class Choices:
    """All offers for the missing pixels of a frame, one row each, those of a pixel together.

    Where every other frame that shows a pixel shows the same colour there is nothing to weigh: it is settled.

    Attributes:
        points: the pixels; open: int64 [m], which of them are not settled; known: uint32 [n], colours of those that
            are; by: uint8 [n], the kind of the first offer.
        start: int64 [m + 1], where the rows of each open one begin.
        rgb: float32 [rows, 3]; key: uint32 [rows], the colour rounded; kind: uint8 [rows], see KINDS.
        numbers: float32 [rows, COUNT].
    """

    points: Points
    open: np.ndarray
    known: np.ndarray
    by: np.ndarray
    start: np.ndarray
    rgb: np.ndarray
    key: np.ndarray
    kind: np.ndarray
    numbers: np.ndarray


@dataclass
class _Part:
    """Offers of one kind: for which points, int64 [k], colours, uint32 [k], and what makes their numbers."""

    kind: int
    at: np.ndarray
    key: np.ndarray
    numbers: Callable[[np.ndarray], np.ndarray]  # bool [k], those that are wanted -> float32 [., COUNT]


class _Votes:
    """Whether all offers of other frames for a pixel are of one colour."""

    def __init__(self, count: int) -> None:
        self.key, self.many, self.one = np.zeros(count, np.uint32), np.zeros(count, np.int32), np.ones(count, bool)
        self.kind = np.zeros(count, np.uint8)

    def add(self, part: _Part) -> None:
        new = self.many[part.at] == 0
        self.key[part.at[new]], self.kind[part.at[new]] = part.key[new], part.kind
        self.one[part.at] &= self.key[part.at] == part.key
        self.many[part.at] += 1

    def settled(self) -> np.ndarray:
        """bool [n]."""
        return np.asarray(self.one & (self.many >= ENOUGH))


def choices(scene: Scene, t: int, points: Points, still: Still, near: np.ndarray) -> Choices:
    """Everything that is offered for the `points` of frame t.

    Args:
        near: int [2, n], the nearest frames before and after in which the pixel is seen, -1 = none.
    """
    frame, n = scene.frames[t], len(points.place)
    parts, votes = list(_of_frames(scene, t, points, near)), _Votes(n)
    for part in parts:
        votes.add(part)
    settled = votes.settled()
    place = points.place
    at = np.flatnonzero(still.usual[1].reshape(-1)[place] & ~settled)
    parts.append(_Part(USUAL, at, pack(still.usual[0].reshape(-1, 3)[place[at]]), _plain_of(0)))
    edge = np.full(n, 64, np.float32)
    at, soft = np.flatnonzero(~settled), np.zeros((n, 3), np.float32)
    if not frame.lost and len(at):
        colour, away = sides(frame.colours, frame.seen, place)
        edge = np.where(away > 0, away, 64).min(0).astype(np.float32)
        parts += [_side(k, colour, away, settled) for k in range(4)]
        soft = smooth(frame.rgb, scene.mask[t]).reshape(-1, 3)[place]
        parts.append(_Part(SMOOTH, at, pack(np.rint(soft[at])), _plain_of(0)))
    parts.append(_Part(MEAN, at, np.full(len(at), pack(np.rint(still.mean)), np.uint32), _plain_of(0)))
    return _sorted(scene, t, points, parts, votes, settled, edge, soft, still)


def _of_frames(scene: Scene, t: int, points: Points, near: np.ndarray) -> Iterator[_Part]:
    asked: set[int] = set()
    for offer in offers(scene, t, points):
        kind = {ZERO: 0, WHOLE: 1, PART: 2}[offer.kind] + 3 * offer.through
        if offer.kind == ZERO:
            asked.add(offer.source)
        yield _Part(kind, offer.shown, offer.colour[offer.shown], partial(_numbers, offer, points))
    for side in near:
        for s in set(np.unique(side[side >= 0]).tolist()) - asked:
            at = np.flatnonzero(side == s)
            colour = scene.frames[s].colours.reshape(-1)[points.place[at]]
            yield _Part(NEAREST, at, colour, _plain_of(s - t))


def _side(k: int, colour: np.ndarray, away: np.ndarray, settled: np.ndarray) -> _Part:
    """The pixel to the left, right, above or below."""
    at, other = np.flatnonzero((away[k] > 0) & ~settled), k ^ 1

    def numbers(wanted: np.ndarray) -> np.ndarray:
        own = at[wanted]
        made = _plain(len(own), 0)
        made[:, N["side away"]] = np.log2(1 + away[k][own]) / 6
        same = 2.0 * (colour[other][own] == colour[k][own]) - 1
        made[:, N["opposite"]] = np.where(away[other][own] > 0, same, 0)
        return made

    return _Part(SIDE, at, colour[k][at], numbers)


def _plain_of(distance: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda wanted: _plain(int(np.count_nonzero(wanted)), distance)


def _numbers(offer: Offer, points: Points, wanted: np.ndarray) -> np.ndarray:
    shown = offer.shown[wanted]
    evidence = offer.evidence[shown]
    e = evidence.astype(np.float32)
    made = _plain(len(e), offer.distance)
    made[:, N["seen 5"]], made[:, N["alike 5"]] = e[:, 1] / 25, _share(e[:, 2], e[:, 1])
    made[:, N["seen 13"]], made[:, N["alike 13"]] = e[:, 3] / 169, _share(e[:, 4], e[:, 3])
    made[:, N["textured"]], made[:, N["alike textured"]] = np.log2(1 + e[:, 5]) / 7, _share(e[:, 6], e[:, 5])
    made[:, N["shift"]] = np.minimum(np.log2(1 + offer.size[points.tile[shown]]) / 6, 1)
    made[:, N["centre alike"]], made[:, N["centre other"]] = evidence[:, 0] == 3, evidence[:, 0] == 5
    if offer.rows is not None:
        total = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(offer.rows, 0)])
        height = len(offer.rows)
        y = np.arange(height)
        band = (total[np.minimum(y + BAND + 1, height)] - total[np.maximum(y - BAND, 0)]).astype(np.float32)
        at = points.y[shown]
        made[:, N["rows"]] = np.log2(1 + band[at, 0]) / 10
        made[:, N["alike rows"]] = _share(band[at, 1], band[at, 0])
        made[:, N["alike picture"]] = total[-1, 1] / max(total[-1, 0], 1)
    return made


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """A share of few things is drawn towards a half."""
    return np.asarray((part + 0.5) / (whole + 1))


def _plain(n: int, distance: int) -> np.ndarray:
    made = np.zeros((n, COUNT), np.float32)
    made[:, N["distance"]], made[:, N["early"]] = np.log2(1 + abs(distance)) / 6, distance < 0
    for name in ("alike 5", "alike 13", "alike textured", "alike rows"):
        made[:, N[name]] = 0.5
    return made


def _sorted(
    scene: Scene, t: int, points: Points, parts: list[_Part], votes: _Votes, settled: np.ndarray,
    edge: np.ndarray, soft: np.ndarray, still: Still,
) -> Choices:  # fmt: skip
    """Rows of one pixel together, with what they say of each other."""
    wanted = [~settled[part.at] for part in parts]
    every = [part.at[some] for part, some in zip(parts, wanted, strict=True)]
    at = np.concatenate(every)
    key = np.concatenate([part.key[some] for part, some in zip(parts, wanted, strict=True)])
    kind = np.repeat(np.array([part.kind for part in parts], np.uint8), [len(some) for some in every])
    order = np.argsort(at.astype(np.int64) << 24 | key, kind="stable")
    numbers = np.concatenate([part.numbers(some) for part, some in zip(parts, wanted, strict=True)])[order]
    at, key, kind = at[order], key[order], kind[order]
    rgb = unpack(key).astype(np.float32)
    rgb[kind == SMOOTH] = soft[at[kind == SMOOTH]]
    rgb[kind == MEAN] = still.mean
    numbers[np.arange(len(kind)), kind] = 1
    numbers[:, N["edge away"]] = np.log2(1 + edge[at]) / 6
    numbers[:, N["soft"]] = scene.soft
    numbers[:, N["share"]] = scene.frames[t].share
    place = points.place[at]
    numbers[:, N["like usual"]] = key == pack(still.usual[0].reshape(-1, 3)[place])
    numbers[:, N["activity"]], numbers[:, N["activity around"]] = still.activity.reshape(2, -1)[:, place]
    left = np.flatnonzero(~settled)
    start = np.searchsorted(at, np.append(left, len(settled)))
    if len(at):
        _compare(np.searchsorted(left, at), start, key, kind, numbers)
    return Choices(points, left, votes.key, votes.kind, start, rgb, key, kind, numbers)


def _compare(at: np.ndarray, start: np.ndarray, key: np.ndarray, kind: np.ndarray, numbers: np.ndarray) -> None:
    """How much each offer leads over the others of its pixel, and how many offer the same colour."""
    recall = (kind < NEAREST).astype(np.float32)
    agree = numbers[:, N["alike textured"]] * numbers[:, N["alike 13"]] * recall
    begins = np.ones(len(at), bool)
    begins[1:] = (at[1:] != at[:-1]) | (key[1:] != key[:-1])
    first = np.flatnonzero(begins)
    group = np.cumsum(begins) - 1
    support = np.add.reduceat(agree, first)
    whole = np.maximum(np.add.reduceat(agree, start[:-1]), 1e-6)
    numbers[:, N["support"]] = support[group] / whole[at]
    numbers[:, N["best support"]] = np.maximum.reduceat(agree, first)[group]
    for name, other in (("lead 13", "alike 13"), ("lead textured", "alike textured")):
        value = np.where(recall > 0, numbers[:, N[other]], 0)
        numbers[:, N[name]] = value - np.maximum.reduceat(value, start[:-1])[at]
    temporal = (kind < USUAL).astype(np.float32)
    many = np.add.reduceat(temporal, first)
    numbers[:, N["votes"]] = many[group] / np.maximum(np.add.reduceat(temporal, start[:-1]), 1)[at]
    # Whether the place looks alike in the nearest frames before and after.
    still = np.isin(kind, (0, 3, NEAREST)).astype(np.float32)
    early = np.maximum.reduceat(still * numbers[:, N["early"]], first)
    late = np.maximum.reduceat(still * (1 - numbers[:, N["early"]]), first)
    numbers[:, N["kept"]] = (early + late)[group] / 2
    value = support[group]
    numbers[:, N["lead support"]] = (value - np.maximum.reduceat(value, start[:-1])[at]) / whole[at]
