"""Offers of other frames and of the surroundings as rows of numbers that say how much each can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

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
BAND = 4  # rows above and below whose movement counts for a row


@dataclass
class Choices:
    """All offers for the missing pixels of a frame, one row each, those of a pixel together.

    Attributes:
        points: the pixels; start: int64 [n + 1], where the rows of each begin.
        rgb: float32 [rows, 3]; key: uint32 [rows], the colour rounded; kind: uint8 [rows], see KINDS.
        numbers: float32 [rows, COUNT]; distance: int16 [rows], in frames.
    """

    points: Points
    start: np.ndarray
    rgb: np.ndarray
    key: np.ndarray
    kind: np.ndarray
    numbers: np.ndarray
    distance: np.ndarray


def choices(scene: Scene, t: int, points: Points, still: Still, near: np.ndarray) -> Choices:
    """Everything that is offered for the `points` of frame t.

    Args:
        near: int [2, n], the nearest frames before and after in which the pixel is seen, -1 = none.
    """
    usual, mean = still.usual, still.mean
    frame, n = scene.frames[t], len(points.place)
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, int, int]] = []  # points, colours, numbers, kind, distance
    asked: set[tuple[int, int]] = set()
    for offer in offers(scene, t, points):
        kind = {ZERO: 0, WHOLE: 1, PART: 2}[offer.kind] + 3 * offer.through
        if offer.kind == ZERO:
            asked.add((offer.source, 0))
        parts.append((offer.shown, offer.colour, _numbers(offer, points, scene.size[1]), kind, offer.distance))
    for side in near:
        for s in np.unique(side[side >= 0]):
            if (int(s), 0) in asked:
                continue
            at = np.flatnonzero(side == s)
            colour = scene.frames[int(s)].colours.reshape(-1)[points.place[at]]
            parts.append((at, colour, _plain(len(at), int(s) - t), NEAREST, int(s) - t))
    at = np.flatnonzero(usual[1].reshape(-1)[points.place])
    parts.append((at, pack(usual[0].reshape(-1, 3)[points.place[at]]), _plain(len(at), 0), USUAL, 0))
    edge = np.full(n, 64, np.float32)
    soft: np.ndarray | None = None
    if not frame.lost:
        colour, away = sides(frame.colours, frame.seen, points.place)
        edge = np.where(away > 0, away, 64).min(0).astype(np.float32)
        for k in range(4):
            at = np.flatnonzero(away[k])
            made = _plain(len(at), 0)
            made[:, N["side away"]] = np.log2(1 + away[k][at]) / 6
            other = k ^ 1
            made[:, N["opposite"]] = np.where(away[other][at] > 0, 2.0 * (colour[other][at] == colour[k][at]) - 1, 0)
            parts.append((at, colour[k][at], made, SIDE, 0))
        soft = smooth(frame.rgb, scene.mask[t]).reshape(-1, 3)[points.place]
        parts.append((np.arange(n), pack(np.rint(soft)), _plain(n, 0), SMOOTH, 0))
    parts.append((np.arange(n), np.full(n, pack(np.rint(mean))), _plain(n, 0), MEAN, 0))
    return _sorted(scene, t, points, parts, edge, soft, still)


def _numbers(offer: Offer, points: Points, width: int) -> np.ndarray:
    e = offer.evidence.astype(np.float32)
    made = _plain(len(e), offer.distance)
    made[:, N["seen 5"]], made[:, N["alike 5"]] = e[:, 1] / 25, _share(e[:, 2], e[:, 1])
    made[:, N["seen 13"]], made[:, N["alike 13"]] = e[:, 3] / 169, _share(e[:, 4], e[:, 3])
    made[:, N["textured"]], made[:, N["alike textured"]] = np.log2(1 + e[:, 5]) / 7, _share(e[:, 6], e[:, 5])
    made[:, N["shift"]] = np.minimum(np.log2(1 + offer.size) / 6, 1)
    made[:, N["centre alike"]], made[:, N["centre other"]] = offer.evidence[:, 0] == 3, offer.evidence[:, 0] == 5
    if offer.rows is not None:
        total = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(offer.rows, 0)])
        height = len(offer.rows)
        y = np.arange(height)
        band = (total[np.minimum(y + BAND + 1, height)] - total[np.maximum(y - BAND, 0)]).astype(np.float32)
        at = points.y[offer.shown]
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
    scene: Scene, t: int, points: Points, parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, int, int]],
    edge: np.ndarray, soft: np.ndarray | None, still: Still,
) -> Choices:  # fmt: skip
    """Rows of one pixel together, with what they say of each other."""
    at = np.concatenate([part[0] for part in parts])
    key = np.concatenate([part[1] for part in parts]).astype(np.uint32)
    numbers = np.concatenate([part[2] for part in parts])
    sizes = [len(part[0]) for part in parts]
    kind = np.repeat(np.array([part[3] for part in parts], np.uint8), sizes)
    distance = np.repeat(np.array([part[4] for part in parts], np.int16), sizes)
    rgb = unpack(key).astype(np.float32)
    if soft is not None:
        rgb[kind == SMOOTH] = soft
    rgb[kind == MEAN] = still.mean
    numbers[np.arange(len(kind)), kind] = 1
    numbers[:, N["edge away"]] = np.log2(1 + edge[at]) / 6
    numbers[:, N["soft"]] = scene.soft
    numbers[:, N["share"]] = scene.frames[t].share
    place = points.place[at]
    numbers[:, N["like usual"]] = key == pack(still.usual[0].reshape(-1, 3))[place]
    numbers[:, N["activity"]], numbers[:, N["activity around"]] = still.activity.reshape(2, -1)[:, place]
    order = np.argsort(at.astype(np.int64) << 24 | key, kind="stable")
    at, key, kind, distance = at[order], key[order], kind[order], distance[order]
    rgb, numbers = rgb[order], numbers[order]
    start = np.searchsorted(at, np.arange(len(points.place) + 1))
    _compare(at, start, key, kind, numbers)
    return Choices(points, start, rgb, key, kind, numbers, distance)


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
