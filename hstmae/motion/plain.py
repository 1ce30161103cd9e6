"""The weighing of `_weighing.c` and `_network.c` in NumPy: the same answers to rounding, several times slower."""

from __future__ import annotations

import numpy as np

from .frames import unpack
from .weighing import OWN, Layers, Meaning, Offered, Rows

BLOCK = 32768  # offers weighed at a time


class Plain:
    """See `weighing.Weigher`."""

    def settled(
        self, kind: np.ndarray, colour: np.ndarray, evidence: np.ndarray, least: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = colour.shape[1]
        known, by, many, one = np.zeros(n, np.uint32), np.zeros(n, np.uint8), np.zeros(n, np.int32), np.ones(n, bool)
        for own, colours, shows in zip(kind, colour, evidence[..., 0] > 0, strict=True):
            new = shows & (many == 0)
            known[new], by[new] = colours[new], own
            one &= ~shows | (known == colours)
            many += shows
        return known, by, one & (many >= least)

    def rows(self, offered: Offered, open_: np.ndarray, meaning: Meaning) -> Rows:
        o, col = offered, meaning.columns
        layer, at = np.nonzero(o.evidence[:, open_, 0])
        pixel = open_[at]
        key = o.colour[layer, pixel]
        order = np.lexsort((key, at))  # stable: of one colour as the layers are
        layer, at, pixel, key = layer[order], at[order], pixel[order], key[order]
        kind, evidence = o.kind[layer], o.evidence[layer, pixel]
        start = np.searchsorted(at, np.arange(len(open_) + 1))
        numbers = o.base[layer]
        moved = meaning.laid(kind)
        e = evidence[moved].astype(np.float32)

        def put(name: str, where: np.ndarray, value: np.ndarray) -> None:
            numbers[where, col[name]] = value

        put("seen 5", moved, e[:, 1] / 25)
        put("alike 5", moved, _share(e[:, 2], e[:, 1]))
        put("seen 13", moved, e[:, 3] / 169)
        put("alike 13", moved, _share(e[:, 4], e[:, 3]))
        put("textured", moved, np.log2(1 + e[:, 5]) / 7)
        put("alike textured", moved, _share(e[:, 6], e[:, 5]))
        put("shift", moved, o.shift[layer[moved], o.tile[pixel[moved]]])
        put("centre alike", moved, e[:, 0] == 3)
        put("centre other", moved, e[:, 0] == 5)
        banded = o.band_of[layer] >= 0
        for k, name in enumerate(("rows", "alike rows")):
            put(name, banded, o.band[o.band_of[layer[banded]], o.y[pixel[banded]], k])
        owned = np.flatnonzero(o.own_of[layer] >= 0)
        for k in range(OWN):
            some = owned[o.own_columns[layer[owned], k] >= 0]
            numbers[some, o.own_columns[layer[some], k]] = o.own[o.own_of[layer[some]], pixel[some], k]
        paced = np.flatnonzero(o.pace_of[layer] >= 0)
        own_layer, own_pixel = layer[paced], pixel[paced]
        for k, name in enumerate(("passed", "much")):
            put(name, paced, o.pace[o.pace_of[own_layer], o.cell[own_pixel], k])
        put("alike again", paced, o.again[o.lag_of[own_layer], own_pixel])
        for k, name in enumerate(("edge away", "activity", "activity around")):
            numbers[:, col[name]] = o.pixel[pixel, k]
        numbers[:, col["like usual"]] = key == o.usual[pixel]
        rgb = unpack(key).astype(np.float32)
        fine = o.fine_of[layer] >= 0
        rgb[fine] = o.fine[o.fine_of[layer[fine]], pixel[fine]]
        if len(at):
            _compare(at, start, key, kind, numbers, meaning)
        return Rows(start.astype(np.int64), rgb, key, kind, numbers)

    def scores(self, numbers: np.ndarray, layers: Layers) -> np.ndarray:
        made = np.empty(len(numbers), np.float32)
        for k in range(0, len(numbers), BLOCK):
            x = numbers[k : k + BLOCK]
            for n, (weight, bias) in enumerate(layers):
                x = x @ weight + bias
                if n < len(layers) - 1:
                    np.maximum(x, 0, out=x)
            made[k : k + BLOCK] = x[:, 0]
        return made

    def softmax(self, scores: np.ndarray, start: np.ndarray) -> np.ndarray:
        size, first = np.diff(start), start[:-1]
        if not len(first):
            return np.zeros(0, np.float32)
        made = np.exp(scores - np.repeat(np.maximum.reduceat(scores, first), size))
        return np.asarray(made / np.repeat(np.add.reduceat(made, first), size))

    def drawn(
        self, rows: Rows, shares: np.ndarray, exact: bool, snap: float, surroundings: int, shown: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        first, size = rows.start[:-1], np.diff(rows.start)
        if not len(first):
            none = np.zeros((0, 3), np.uint8)
            return none, np.zeros(0, np.float32), none, np.zeros(0, bool), np.zeros(0, np.uint8)
        pixel = np.repeat(np.arange(len(size)), size)
        mean = np.stack([np.add.reduceat(shares * rows.rgb[:, k], first) for k in range(3)], 1)
        begins = np.ones(len(pixel), bool)
        begins[1:] = (pixel[1:] != pixel[:-1]) | (rows.key[1:] != rows.key[:-1])
        group = np.flatnonzero(begins)
        together = np.add.reduceat(shares, group)
        # Of equal shares the last one: a stable sort by share within each pixel.
        order = np.lexsort((together, pixel[group]))
        last = order[np.searchsorted(pixel[group], np.arange(len(size)), side="right") - 1]
        sure, colour = together[last], rows.rgb[group[last]]
        rgb = np.where((exact | (sure >= snap))[:, None], colour, mean)
        top = np.lexsort((shares, pixel))[rows.start[1:] - 1]
        others = np.add.reduceat(np.where(rows.kind < surroundings, shares, 0), first)
        made, likely = (np.clip(np.rint(colours), 0, 255).astype(np.uint8) for colours in (rgb, colour))
        return made, np.minimum(sure, 1), likely, others >= shown, rows.kind[top]

    def smooth(self, rgb: np.ndarray, seen: np.ndarray) -> np.ndarray:
        weight = (seen > 0).astype(np.float32)[..., None]
        levels: list[tuple[np.ndarray, np.ndarray]] = [(rgb * weight, weight)]
        while min(levels[-1][1].shape[:2]) > 1 and (levels[-1][1] < 1).any():
            value, weight = levels[-1]
            value, weight = _half(value), _half(weight)
            levels.append((value / np.maximum(weight, 1e-6) * np.minimum(weight, 1), np.minimum(weight, 1)))
        value, weight = levels.pop()
        total = weight.sum()
        mean = value.sum((0, 1)) / total if total > 0 else np.full(3, 128, np.float32)
        made = np.where(weight > 0, value / np.maximum(weight, 1e-6), mean).astype(np.float32)
        for value, weight in reversed(levels):
            made = value + (1 - weight) * _double(made, value.shape[:2])
        return made


def _compare(
    at: np.ndarray, start: np.ndarray, key: np.ndarray, kind: np.ndarray, numbers: np.ndarray, meaning: Meaning
) -> None:
    """How much each offer leads over the others of its pixel, and how many offer the same colour."""
    col = meaning.columns
    recall = meaning.laid(kind).astype(np.float32)
    agree = numbers[:, col["alike textured"]] * numbers[:, col["alike 13"]] * recall
    begins = np.ones(len(at), bool)
    begins[1:] = (at[1:] != at[:-1]) | (key[1:] != key[:-1])
    first = np.flatnonzero(begins)
    group = np.cumsum(begins) - 1
    support = np.add.reduceat(agree, first)
    whole = np.maximum(np.add.reduceat(agree, start[:-1]), 1e-6)
    numbers[:, col["support"]] = support[group] / whole[at]
    numbers[:, col["best support"]] = np.maximum.reduceat(agree, first)[group]
    for name, other in (("lead 13", "alike 13"), ("lead textured", "alike textured")):
        value = np.where(recall > 0, numbers[:, col[other]], 0)
        numbers[:, col[name]] = value - np.maximum.reduceat(value, start[:-1])[at]
    temporal = (kind < meaning.usual).astype(np.float32)
    many = np.add.reduceat(temporal, first)
    numbers[:, col["votes"]] = many[group] / np.maximum(np.add.reduceat(temporal, start[:-1]), 1)[at]
    # Whether the place looks alike in the nearest frames before and after.
    still = np.isin(kind, (0, 3, meaning.nearest)).astype(np.float32)
    early = np.maximum.reduceat(still * numbers[:, col["early"]], first)
    late = np.maximum.reduceat(still * (1 - numbers[:, col["early"]]), first)
    numbers[:, col["kept"]] = (early + late)[group] / 2
    value = support[group]
    numbers[:, col["lead support"]] = (value - np.maximum.reduceat(value, start[:-1])[at]) / whole[at]


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """A share of few things is drawn towards a half."""
    return np.asarray((part + 0.5) / (whole + 1))


def _half(a: np.ndarray) -> np.ndarray:
    """Sums of 2 x 2 pixels."""
    h, w = a.shape[:2]
    a = np.pad(a, ((0, h % 2), (0, w % 2), (0, 0)))
    return np.asarray(a[::2, ::2] + a[1::2, ::2] + a[::2, 1::2] + a[1::2, 1::2])


def _double(a: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Twice as large, linear between the middles of pixels."""
    for axis in (0, 1):
        after = np.concatenate([a.take(range(1, a.shape[axis]), axis), a.take([-1], axis)], axis)
        before = np.concatenate([a.take([0], axis), a.take(range(a.shape[axis] - 1), axis)], axis)
        pair = np.stack([0.75 * a + 0.25 * before, 0.75 * a + 0.25 * after], axis + 1)
        a = pair.reshape(*a.shape[:axis], -1, *a.shape[axis + 1 :])
    return a[: size[0], : size[1]]
