"""Byte rows in plain Python: the twin of hst_rows in _kernel.c."""

from __future__ import annotations

import numpy as np

from .coding_models import RowModel
from .reference_coder import MASK, Mixer, hash2, mix32


def code_rows(mixer: Mixer, rows: np.ndarray, side: np.ndarray, model: RowModel) -> None:
    """Encode `rows` uint8 [T, S], or fill them, knowing `side` uint8 [T, K]."""
    size, decoding = rows.shape[1], mixer.coder.decoding
    order, partners, start = model.order.tolist(), model.partners.tolist(), model.start.tolist()
    own, shared = model.own.tolist(), model.shared.tolist()
    done: list[list[int]] = []
    cur = start + [0] * side.shape[1]
    last, older = list(cur), list(cur)
    past, since = [0] * size, [0] * size
    for t in range(len(rows)):
        row = rows[t].tolist()
        first, recent, busy = int(t == 0), 0, 0
        cur[size:] = side[t].tolist()
        held = hash2(cur[size], last[size]) if side.shape[1] else 0
        third, sixth = done[t - 3] if t >= 3 else start, done[t - 6] if t >= 6 else start
        for a in order:
            v = last[a]
            contexts = _contexts(a, first, v, cur, last, older, third, sixth, partners[a], past, since, held, recent)
            busyness = min(busy, 15)
            changed = _bit(mixer, contexts, 0, int(row[a] != v), own[a][0], shared[busyness])
            value = v
            if changed:
                node = 1
                for i in range(7, -1, -1):
                    weights = shared[16 + i + 8 * first]
                    node = node * 2 + _bit(mixer, contexts, node, row[a] >> i & 1, own[a][1], weights)
                value = node & 255
            row[a] = cur[a] = value
            changed = int(value != v)
            past[a] = (past[a] << 1 | changed) & 255
            since[a] = 0 if changed else min(since[a] + 1, 255)
            recent = (recent << 1 | changed) & MASK
            busy = busy * 15 // 16 + changed * 4
        done.append(row)
        if decoding:
            rows[t] = row
        older, last = last, list(cur)


def _bit(mixer: Mixer, contexts: list[int], node: int, bit: int, a: list[int], b: list[int]) -> int:
    return mixer.bit([], [mix32((c + node * 0x9E3779B1) & MASK) for c in contexts], a, b, bit)


def _contexts(
    a: int, first: int, v: int, cur: list[int], last: list[int], older: list[int], third: list[int], sixth: list[int],
    partners: list[int], past: list[int], since: list[int], held: int, recent: int,
) -> list[int]:  # fmt: skip
    """One hash for each way of looking at a byte, in the order of the kernel."""
    v2, v3 = older[a], third[a]
    q = [cur[p] for p in partners]
    d = [(cur[p] - last[p]) & 255 for p in partners]
    d1 = (v - v2) & 255
    w1, w2 = cur[a - 1] if a else 0, cur[a - 2] if a > 1 else 0
    w4, w16 = cur[a - 4] if a > 3 else 0, cur[a - 16] if a > 15 else 0
    dw = (w1 - last[a - 1]) & 255 if a else 0
    dw4 = (w4 - last[a - 4]) & 255 if a > 3 else 0
    here = a * 2 + first
    h = hash2(here, v)
    found = [
        here,
        h,
        hash2(h, v2),
        hash2(here, d1),
        hash2(hash2(h, v2), v3),
        hash2(here, past[a]),
        hash2(h, since[a]),
        hash2(h, w1),
        hash2(here, dw << 8 | d1),
        hash2(h, q[0]),
        hash2(here, q[0] << 8 | q[1]),
        hash2(h, q[1]),
        hash2(h, q[2]),
        hash2(h, q[0] << 16 | q[1] << 8 | q[2]),
        hash2(h, q[3] << 8 | q[4]),
        hash2(h, d[0]),
        hash2(h, d[1]),
        hash2(h, d[2] << 8 | d[3]),
        hash2(h, held),
        hash2(here, recent & 15),
        hash2(w2 << 8 | w1, v),
        hash2(here, w16 << 8 | w1),
        hash2(w4 << 8 | dw4, (a & 3) << 8 | v),
        hash2(here, v3 << 8 | sixth[a]),
        hash2(here, d[0] << 24 | d[1] << 16 | d[2] << 8 | d1),
        hash2(hash2(h, q[4]), q[5]),
        hash2(here, q[0] << 24 | q[1] << 16 | q[2] << 8 | q[3]),
        hash2(h, dw4 << 8 | dw),
        hash2(h, q[5]),
        hash2(here, w4 << 16 | w2 << 8 | w1),
        hash2(here, (v >> 1 | (last[a - 1] if a else 0) << 7 | 0x100) & 0x1FF),  # shift registers
        hash2(here, ((v + d[0]) & 255) << 8 | ((v + d[1]) & 255)),
    ]
    return [hash2(c, i + 1) for i, c in enumerate(found)]
