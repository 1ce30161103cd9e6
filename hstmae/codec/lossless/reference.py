"""The lossless kernel again in plain Python: slow, easy to follow, and byte for byte the same. See _kernel.h."""

import numpy as np

from .coding_models import PictureModel, RowModel
from .range_coder import MASK, Coder
from .reference_mixer import Mixer, hash2, mix32
from .reference_pictures import Pictures
from .scene import Scene


class Reference:
    """The backend without a compiler; see kernel.Backend."""

    name = "reference"

    def __init__(self, limit: int = 15, speed: int = 6) -> None:
        self._limit, self._speed = limit, speed

    def rows(self, mode: int, rows: np.ndarray, side: np.ndarray, model: RowModel, data: bytes) -> bytes:
        coder = Coder(mode, data)
        code_rows(Mixer(coder, model.slots, self._limit, self._speed), rows, side, model)
        return coder.finish()

    def pictures(self, mode: int, frames: np.ndarray, scene: Scene, model: PictureModel, data: bytes) -> bytes:
        coder = Coder(mode, data)
        Pictures(Mixer(coder, model.slots, self._limit, self._speed), frames.shape[1:], scene, model).code(frames)
        return coder.finish()


def code_rows(mixer: Mixer, rows: np.ndarray, side: np.ndarray, model: RowModel) -> None:
    """Encode `rows` uint8 [T, S], or fill them, knowing `side` uint8 [T, K]: the twin of hst_rows in _kernel.c."""
    size, sides = rows.shape[1], side.shape[1]
    partners, own, shared = model.partners.tolist(), model.own.tolist(), model.shared.tolist()
    history = [model.start.tolist() + [0] * sides] * 6
    past, since = [0] * size, [0] * size
    for t in range(len(rows)):
        row, first, recent, busy = rows[t].tolist(), int(t == 0), 0, 0
        last, older, third, sixth = (history[-n] for n in (1, 2, 3, 6))
        cur = last[:size] + side[t].tolist()
        held = hash2(cur[size], last[size]) if sides else 0
        for a in model.order.tolist():
            v, v2, v3 = last[a], older[a], third[a]
            w1, w2, w4, w16 = (cur[a - n] if a >= n else 0 for n in (1, 2, 4, 16))
            before, before4 = (last[a - n] if a >= n else 0 for n in (1, 4))
            d1, dw, dw4 = (v - v2) & 255, (w1 - before) & 255, (w4 - before4) & 255
            q = [cur[p] for p in partners[a]]
            d = [(cur[p] - last[p]) & 255 for p in partners[a]]
            here, h = a * 2 + first, hash2(a * 2 + first, v)
            pairs = [(h, v2), (here, d1), (hash2(h, v2), v3), (here, past[a]), (h, since[a]), (h, w1)]
            pairs += [(here, dw << 8 | d1), (h, q[0]), (here, q[0] << 8 | q[1]), (h, q[1]), (h, q[2])]
            pairs += [(h, q[0] << 16 | q[1] << 8 | q[2]), (h, q[3] << 8 | q[4]), (h, d[0]), (h, d[1])]
            pairs += [(h, d[2] << 8 | d[3]), (h, held), (here, recent & 15), (w2 << 8 | w1, v), (here, w16 << 8 | w1)]
            pairs += [(w4 << 8 | dw4, (a & 3) << 8 | v), (here, v3 << 8 | sixth[a])]
            pairs += [(here, d[0] << 24 | d[1] << 16 | d[2] << 8 | d1), (hash2(h, q[4]), q[5])]
            pairs += [(here, q[0] << 24 | q[1] << 16 | q[2] << 8 | q[3]), (h, dw4 << 8 | dw), (h, q[5])]
            pairs += [
                (here, w4 << 16 | w2 << 8 | w1),
                (here, (v >> 1 | before << 7 | 0x100) & 0x1FF),
            ]  # shift registers
            pairs += [(here, ((v + d[0]) & 255) << 8 | ((v + d[1]) & 255))]
            found = [here, h, *(hash2(x, y) for x, y in pairs)]
            contexts = [hash2(c, n + 1) for n, c in enumerate(found)]
            changed = _bit(mixer, contexts, 0, int(row[a] != v), own[a][0], shared[min(busy, 15)])
            if changed:
                node = 1
                for i in range(7, -1, -1):
                    weights = shared[16 + i + 8 * first]
                    node = node * 2 + _bit(mixer, contexts, node, row[a] >> i & 1, own[a][1], weights)
                cur[a] = node & 255
            changed = int(cur[a] != v)
            past[a] = (past[a] << 1 | changed) & 255
            since[a] = 0 if changed else min(since[a] + 1, 255)
            recent = (recent << 1 | changed) & MASK
            busy = busy * 15 // 16 + changed * 4
        history.append(cur)
        if mixer.coder.decoding:
            rows[t] = cur[:size]


def _bit(mixer: Mixer, contexts: list[int], node: int, bit: int, a: list[int], b: list[int]) -> int:
    return mixer.bit([], [mix32((c + node * 0x9E3779B1) & MASK) for c in contexts], a, b, bit)
