"""What moving objects look like: objects whose boxes level `compact` gives, and hardware sprites."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..games.state import ObjectBoxes

_ENOUGH = 3  # sights from which a look is believed
_OPAQUE = 0.1  # share of the sights in which something behind may show without having to be known
_PHASE, _ALIKE = 2, 0.4  # number of a key; how far what looks alike at other times is believed to be the same
_MORE, _EXACT = 1.0, 0.05  # wrong sights more than were seen; of what looks the same each time it is drawn


@dataclass
class ObjectLooks:
    """Pictures of objects by their keys (see `hstmae.games.boxes`), counted over the sights of training.

    Attributes:
        keys: int32 [N, F], ascending.
        size: uint8 [N, 2], height and width of the box, from whose upper left corner pictures begin.
        seen: int32 [N], sights.
        clear: uint8 [N, h, w], share (of 255) of the sights in which what is behind was seen through the box.
        entry: uint8 [N, h, w], the palette entry most often seen of the object itself ...
        share: uint8 [N, h, w], ... in this share (of 255) of all sights.
        rgb: uint8 [N, h, w, 3], mean colour of the object where it was seen.
    """

    ARRAYS: ClassVar = ("keys", "size", "seen", "clear", "entry", "share", "rgb")  # what a file holds

    keys: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), np.int32))
    size: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.uint8))
    seen: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    clear: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1), np.uint8))
    entry: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1), np.uint8))
    share: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1), np.uint8))
    rgb: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1, 3), np.uint8))
    _row: dict[bytes, int] | None = field(default=None, init=False, repr=False)
    _usual: dict[tuple[bytes, int, int], tuple[np.ndarray, ...] | None] = field(
        default_factory=dict, init=False, repr=False
    )
    _turned: dict[tuple[bytes, int, int], tuple[int, int, int] | None] = field(
        default_factory=dict, init=False, repr=False
    )

    def paint(
        self,
        seen: ObjectBoxes | None,
        behind: np.ndarray,
        known: np.ndarray,
        palette: np.ndarray,
        origin: tuple[int, int] = (0, 0),
        backdrop: np.ndarray | None = None,
        solid: np.ndarray | None = None,
        *,
        means: bool = True,
        flips: tuple[int, int] = (0, 0),
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw a clip's objects over what is behind them.

        Args:
            seen: the objects, by `objects` or `sprites`; None = there are none.
            behind: uint8 [T, H, W] palette entries, believed where `known` bool [T, H, W].
            palette: uint8 [K, 3].
            origin: y and x of the frames' corner in the native picture.
            backdrop: int16 [T], see `Atlas.backdrop`; without one, and where it is -1, objects behind the background
                are not drawn.
            solid: bool [T, H, W], background that is in front of them though it has the backdrop's colour.
            means: False leaves out the mean colours, which then are empty, and says that a key tells all of a look.
            flips: bits of a key's second number that mirror its picture left to right, and upside down.
        Returns:
            (palette entries uint8 [T, H, W], trust float32 [T, H, W], mean colours uint8 [T, H, W, 3]); trust is 0
            where there is no object of a known look, or what shows through it is not known.
        """
        entries, trust = behind.copy(), np.zeros(behind.shape, np.float32)
        mean = np.zeros((*behind.shape, 3) if means else (0, 3), np.uint8)
        if not len(self.keys) or seen is None:
            return entries, trust, mean
        keys, boxes, used = seen.keys, seen.boxes, seen.used
        doubt = np.float32(_MORE if means else _EXACT)
        for t in range(len(behind)):
            if means:
                mean[t] = palette.take(behind[t], axis=0)
            believed = known[t].astype(np.float32)  # that `entries` are right
            for m in np.flatnonzero(used[t]):
                x0, x1 = boxes[t, m, [0, 2]] - origin[1]
                y0, y1 = boxes[t, m, [1, 3]] - origin[0]
                here = (slice(max(y0, 0), max(y1, 0)), slice(max(x0, 0), max(x1, 0)))
                found, alike = self._found(keys[t, m], flips), None
                hidden = seen.behind is not None and bool(seen.behind[t, m])
                free = None
                if hidden and backdrop is not None and backdrop[t] >= 0:
                    free = behind[t][here] == backdrop[t]
                    free = free if solid is None else free & ~solid[t][here]
                if hidden and free is None:
                    found = None
                elif means and found is None:
                    alike = self._alike(keys[t, m], (int(y1 - y0), int(x1 - x0)))
                if alike is None and (found is None or (y1 - y0, x1 - x0) != tuple(self.size[found[0]].tolist())):
                    # What is not free is in front of it, and for it may be in front of others.
                    kept = False if free is None else ~free & (entries[t][here] == behind[t][here])
                    believed[here] = trust[t][here] = np.where(kept, believed[here], np.float32(0))
                    continue
                h, w = believed[here].shape
                inner = (slice(max(-y0, 0), max(-y0, 0) + h), slice(max(-x0, 0), max(-x0, 0) + w))
                pictures = alike if found is None else self._pictures(*found)
                assert pictures is not None
                clear, share, entry, rgb = (part[inner] for part in pictures)
                if seen.lines is not None:
                    clear = np.where(seen.lines[t, m][inner[0], None], clear, np.float32(1))
                if seen.cut is not None:
                    clear = np.where(np.arange(w0 := inner[1].start, w0 + w) < seen.cut[t, m], np.float32(1), clear)
                hides = None
                if free is not None:  # the console asks the foremost object alone whether it is behind the background
                    hides = ~free & (clear < share) & (entries[t][here] != behind[t][here])
                    clear = np.where(free, clear, np.float32(1))
                through = clear >= share
                entries[t][here] = np.where(through, entries[t][here], entry)
                surely = np.where(through, clear * believed[here], share)
                sights = _ALIKE if found is None else self.seen[found[0]] / (self.seen[found[0]] + doubt)
                surely *= sights
                surely[(believed[here] == 0) & (clear > _OPAQUE)] = 0
                if hides is not None and hides.any():
                    entries[t][here][hides] = behind[t][here][hides]
                    surely[hides] = (share * sights * known[t][here])[hides]
                believed[here] = trust[t][here] = surely
                if means:
                    blend = clear[..., None] * mean[t][here] + (1 - clear[..., None]) * rgb
                    mean[t][here] = np.rint(blend)
        return entries, trust, mean

    def _found(self, key: np.ndarray, flips: tuple[int, int]) -> tuple[int, int, int] | None:
        """Row of the look of a key, and the steps -1 or 1 in which its rows and columns are read; None = not known."""
        name = (key.tobytes(), *flips)
        if name not in self._turned:
            if self._row is None:
                self._row = {key.tobytes(): i for i, key in enumerate(np.ascontiguousarray(self.keys))}
            self._turned[name] = None
            across, down = flips
            for bits, steps in ((0, (1, 1)), (across, (1, -1)), (down, (-1, 1)), (across | down, (-1, -1))):
                other = key.copy()
                other[1:2] ^= bits
                row = self._row.get(other.tobytes())
                if row is not None and self.seen[row] >= _ENOUGH:
                    self._turned[name] = (row, *steps)
                    break
        return self._turned[name]

    def _alike(self, key: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, ...] | None:
        """What objects of the same kind, code and surroundings mostly look like, whatever the phase of their motion: as
        `_pictures`, None where none was seen."""
        name = (key.tobytes(), *size)
        if name not in self._usual:
            kept = [n for n in range(self.keys.shape[1]) if n != _PHASE]
            same = (self.keys[:, kept] == key[kept]).all(1) & (self.size == size).all(1) & (self.seen >= _ENOUGH)
            self._usual[name] = None
            if same.any() and len(kept) > 1:
                some = np.flatnonzero(same)
                parts = [self._pictures(row, 1, 1) for row in some.tolist()]
                weight = self.seen[some] / self.seen[some].sum()
                clear, share, rgb = (np.stack([part[k] for part in parts]) for k in (0, 1, 3))
                solid = weight[:, None, None] * (1 - clear)
                mean = (solid[..., None] * rgb).sum(0) / np.maximum(solid.sum(0), 1e-6)[..., None]
                best = parts[int(weight.argmax())]
                every = [np.tensordot(weight, part, 1).astype(np.float32) for part in (clear, share)]
                self._usual[name] = (every[0], every[1], best[2], mean.astype(np.float32))
        return self._usual[name]

    def _pictures(self, row: int, down: int, across: int) -> tuple[np.ndarray, ...]:
        """`clear` and `share` as float32 from 0 to 1, `entry` and `rgb` of one look, mirrored."""
        height, width = self.size[row].tolist()
        clear, share, entry, rgb = (
            array[row, :height, :width][::down, ::across] for array in (self.clear, self.share, self.entry, self.rgb)
        )
        return clear.astype(np.float32) / 255, share.astype(np.float32) / 255, entry, rgb

    def fits(self) -> bool:
        """Whether the arrays fit each other."""
        n = len(self.keys)
        return (
            self.keys.dtype == self.seen.dtype == np.int32
            and self.size.shape == (n, 2)
            and self.seen.shape == (n,)
            and self.clear.shape == self.entry.shape == self.share.shape == self.rgb.shape[:3]
            and all(a.dtype == np.uint8 for a in (self.size, self.clear, self.entry, self.share, self.rgb))
            and len(self.clear) == n
            and bool((self.size <= self.clear.shape[1:]).all())
        )
