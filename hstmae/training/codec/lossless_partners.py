"""Which bytes of a row say most about another one, and about whether a line of them changes."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from ...codec.lossless.coding_models import LINE, RowModel
from ...codec.lossless.kernel import Compiled, backend
from ...errors import CodecError

Rows = tuple[np.ndarray, np.ndarray]  # memory uint8 [T, S] and controllers uint8 [T, A] of a group


def compiled() -> Compiled:
    found = backend()
    if not isinstance(found, Compiled):
        raise CodecError("pretraining needs the compiled kernel: install a C compiler and the package again")
    return found


def choose_partners(rows: list[np.ndarray], size: int, last: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Order of coding, uint16 [size], and the bytes that say most about each, uint16 [size, PARTNERS].

    Args:
        rows: groups of uint8 [T, size + sides].
        last: positions to be coded last.
    """
    late = [a for a in last if a < size]
    order = np.array([*sorted(set(range(size)) - set(late)), *late], np.uint16)
    now = np.ascontiguousarray(np.concatenate([r[1:] for r in rows]).T)
    before = np.ascontiguousarray(np.concatenate([r[:-1] for r in rows]).T)
    changed = (now != before).astype(np.uint8)
    rate = changed.mean(1)
    useful = (rate > 0.002) | (np.ptp(now, 1) > 3)
    partners = RowModel.neutral(size, len(now) - size).partners.copy()
    for a, candidates in _earlier(order, useful, len(now), 1):
        if rate[a] >= 0.0008:
            known = before[a].astype(np.uint32) * np.uint32(0x1003F)
            partners[a] = _greedy(now, now[a], changed[a], known, candidates, partners[a])
    return order, partners


def choose_first(groups: list[Rows], order: np.ndarray, partners: np.ndarray) -> np.ndarray:
    """The bytes that say most about each byte of a group's first row, uint16 [size, PARTNERS]."""
    columns = np.ascontiguousarray(np.concatenate([np.concatenate(pair, 1)[::8] for pair in groups]).T)
    most = np.array([np.bincount(column, minlength=256).max() for column in columns]) / columns.shape[1]
    always = np.ones(columns.shape[1], np.uint8)
    useful, out = most < 0.995, partners.copy()
    for a, candidates in _earlier(order, useful, len(columns), 1):
        if most[a] < 0.98:
            out[a] = _greedy(columns, columns[a], always, np.zeros_like(always, np.uint32), candidates, out[a])
    return out


def choose_lines(groups: list[Rows], order: np.ndarray) -> np.ndarray:
    """The bytes whose change says most about whether each line is touched, uint16 [lines, LINE_PARTNERS]."""
    size = len(order)
    rows = [np.concatenate(pair, 1) for pair in groups]
    steps = np.ascontiguousarray(np.concatenate([r[2:] - r[1:-1] for r in rows]).T)
    before = np.ascontiguousarray(np.concatenate([(r[1:-1] != r[:-2]) for r in rows]).T)
    useful = (steps != 0).mean(1) > 0.002
    neutral = RowModel.neutral(size, len(steps) - size).line_partners
    assert neutral is not None
    out = neutral.copy()
    for k, candidates in _earlier(order, useful, len(steps), LINE):
        line = order[k : k + LINE]
        touched = (steps[line] != 0).any(0).astype(np.uint8)
        if touched.mean() < 0.0008:
            continue
        known = np.zeros(steps.shape[1], np.uint32)
        for column in before[line]:
            known = known * np.uint32(2) + column
        out[k // LINE] = _greedy(steps, np.zeros_like(touched), touched, known, candidates, out[k // LINE])
    return out


def _earlier(order: np.ndarray, useful: np.ndarray, count: int, step: int) -> Iterator[tuple[int, np.ndarray]]:
    """Every `step`-th byte in the order of coding (its address; for lines its place), and what is known before it."""
    place = np.full(count, -1)
    place[order] = np.arange(len(order))
    for k in range(0, len(order), step):
        yield (k if step > 1 else int(order[k])), np.flatnonzero(useful & (place < k)).astype(np.int32)


def _greedy(
    columns: np.ndarray, value: np.ndarray, changed: np.ndarray, known: np.ndarray, candidates: np.ndarray,
    usual: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """As many of `candidates` as `usual` has, each the one that says most beside those before it."""
    log2 = _log2()
    chosen: list[int] = []
    cost = np.empty(len(candidates), np.int64)
    taken = np.zeros(len(candidates), bool)
    start = known
    for n in range(min(len(usual), len(candidates))):
        if n == 3:  # three that belong together, then more beside the best of them
            known = _join(start, columns[chosen[0]])
        compiled().partners(columns, value, changed, known, candidates, log2, cost)
        cost[taken] = np.iinfo(np.int64).max
        best = cost.argmin()
        taken[best] = True
        chosen.append(int(candidates[best]))
        known = _join(known, columns[chosen[-1]])
    return np.array([*chosen, *usual[len(chosen) :]], np.uint16)


@functools.cache
def _log2() -> np.ndarray:
    return np.round(np.log2(np.maximum(np.arange(65536), 1)) * 65536).astype(np.int32)


def _join(known: np.ndarray, column: np.ndarray) -> np.ndarray:
    return (known * np.uint32(0x85EBCA6B)) ^ (column.astype(np.uint32) * np.uint32(0xC2B2AE35))
