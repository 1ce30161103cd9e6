"""Learn what moving objects look like from frames whose background the atlas knows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...games import GameSpec
from ...games.state import ObjectBoxes
from ..objects import ObjectLooks

_LEAST = 3  # sights without which an object is not kept


@dataclass
class ObjectCounter:
    """Sights of objects, pixel by pixel: how often each palette entry was seen where something else is behind, and
    how often where the same entry is, which may be the object or not."""

    game: GameSpec
    _counts: dict[tuple[bytes, int, int], np.ndarray] = field(default_factory=dict, repr=False)

    def add(
        self, frames: np.ndarray, seen: ObjectBoxes | None, behind: np.ndarray, known: np.ndarray, backdrop: np.ndarray
    ) -> None:
        """Count the objects of some frames.

        Args:
            frames: uint8 [T, H, W], whole native pictures.
            seen: the objects, by `objects` or `sprites`; None = there are none.
            behind: uint8 [T, H, W], what the maps show there, believed where `known` bool [T, H, W].
            backdrop: int16 [T], see `Atlas.backdrop`.
        """
        if seen is None:
            return
        keys, boxes, used = seen.keys, seen.boxes, seen.used
        height, width = frames.shape[1:]
        colours = len(self.game.palette)
        for t in range(len(frames)):
            some = np.flatnonzero(used[t])
            covered = np.zeros((height, width), np.uint8)
            for m in some:
                x0, y0, x1, y1 = boxes[t, m]
                covered[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] += 1
            for m in some:
                x0, y0, x1, y1 = boxes[t, m]
                if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
                    continue
                here = (slice(y0, y1), slice(x0, x1))
                usable = known[t][here] & (covered[here] == 1)
                if seen.behind is not None and seen.behind[t, m]:
                    usable &= behind[t][here] == backdrop[t]
                if seen.lines is not None:
                    usable &= seen.lines[t, m][:, None]
                if not usable.any():
                    continue
                where = (keys[t, m].tobytes(), int(y1 - y0), int(x1 - x0))
                if where not in self._counts:
                    self._counts[where] = np.zeros((2 * colours, *where[1:]), np.uint16)
                same = frames[t][here] == behind[t][here]
                shown = frames[t][here].astype(np.intp) + colours * same
                y, x = np.nonzero(usable)
                self._counts[where][shown[y, x], y, x] += 1

    def result(self) -> ObjectLooks:
        """The looks of all objects that were seen often enough."""
        palette = self.game.palette.astype(np.float64)
        best: dict[bytes, tuple[tuple[bytes, int, int], np.ndarray]] = {}
        for where, counts in self._counts.items():  # one size per key: the one seen most
            if counts.sum(0).max() >= _LEAST:
                other = best.get(where[0])
                if other is None or other[1].sum() < counts.sum():
                    best[where[0]] = (where, counts)
        order = sorted(best, key=lambda key: tuple(np.frombuffer(key, np.int32).tolist()))
        if not order:
            return ObjectLooks()
        height = max(best[key][0][1] for key in order)
        width = max(best[key][0][2] for key in order)
        n = len(order)
        clear, entry, share = np.zeros((3, n, height, width), np.uint8)
        looks = ObjectLooks(
            keys=np.array([np.frombuffer(key, np.int32) for key in order], np.int32),
            size=np.array([best[key][0][1:] for key in order], np.uint8),
            seen=np.zeros(n, np.int32),
            clear=clear,
            entry=entry,
            share=share,
            rgb=np.zeros((n, height, width, 3), np.uint8),
        )
        for i, key in enumerate(order):
            (_, h, w), counts = best[key]
            total = counts.sum(0).astype(np.float64)
            opaque, same = counts.astype(np.float64).reshape(2, -1, h, w)  # 255 times a small integer would wrap round
            looks.seen[i] = int(np.median(total))
            looks.entry[i, :h, :w] = first = opaque.argmax(0)
            most, alike = opaque.max(0), np.take_along_axis(same, first[None], 0)[0]
            through = same.sum(0)
            solid = most > through - alike  # then what looks alike was the object, too
            looks.clear[i, :h, :w] = np.rint(255 * np.where(solid, through - alike, through) / np.maximum(total, 1))
            looks.share[i, :h, :w] = np.rint(255 * np.where(solid, most + alike, most) / np.maximum(total, 1))
            mean = np.einsum("khw,kc->hwc", opaque, palette) / np.maximum(opaque.sum(0), 1)[..., None]
            looks.rgb[i, :h, :w] = np.rint(mean)
        return looks
