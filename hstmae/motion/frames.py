"""Frames of a stretch as motion recall looks at them: colours as numbers, what is seen, descriptors, texture; and
which way a picture, or a part of it, moved between two of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import cached_property
from weakref import ref

import numpy as np

from .kernel import kernel
from .loops import NOWHERE, Index

SOFT_STEP = 12  # colours this close are alike in footage whose colours are never exactly the same
TOLERANCE = 10  # most that a channel of it differs between two pictures of the same
SOFT_SHARE = 0.6  # footage is soft where fewer of the still, textured pixels are exactly what they were
TILE = 32  # pixels of a tile's side, for which objects' shifts are found
REACH = (48, 64)  # largest shift of the whole picture that is looked for, down and across ...
AROUND = 12  # ... and around an expected one
LOCAL = 14  # largest shift of an object
LEAST = 96  # votes for an object's shift: two descriptors that stand in one place each
READY, FEWEST_READY = 8_000_000, 12  # pixels of frames whose details are ready to be found, 8 bytes each; frames
Shift = tuple[int, int]


def pack(rgb: np.ndarray) -> np.ndarray:
    """uint8 [..., 3] -> uint32 [...], 0x00RRGGBB."""
    r, g, b = (rgb[..., k].astype(np.uint32) for k in range(3))
    return r << 16 | g << 8 | b


def unpack(colours: np.ndarray) -> np.ndarray:
    """uint32 [...] -> uint8 [..., 3]."""
    return np.stack([colours >> 16 & 255, colours >> 8 & 255, colours & 255], -1).astype(np.uint8)


class Frame:
    """One frame.

    Attributes:
        colours: uint32 [H, W]; seen: uint8 [H, W], 1 where the pixel is not missing.
        lost: whether next to nothing of it is seen.
    """

    def __init__(self, rgb: np.ndarray, mask: np.ndarray, soft: bool, ready: Ready | None = None) -> None:
        """ready: of the frames that may keep what finds their details; None = all do."""
        self.rgb, self._ready = rgb, ready
        self.seen = np.ascontiguousarray(~mask).view(np.uint8)
        self.colours = pack(rgb) * self.seen
        self.soft = soft
        self.share = float(self.seen.mean())
        self.lost = self.share < 0.02

    @cached_property
    def descriptors(self) -> np.ndarray:
        if self._ready is not None:
            self._ready.add(self)
        label = self.colours
        if self.soft:  # coarse grey, so that noise seldom changes it
            grey = self.rgb[..., 1].astype(np.uint16) * 2 + self.rgb[..., 0] + self.rgb[..., 2]
            label = ((grey + 32) >> 6).astype(np.uint32)
        return kernel().descriptors(label, self.seen)

    @cached_property
    def index(self) -> Index:
        return kernel().index(self.descriptors)

    @cached_property
    def textured(self) -> np.ndarray:
        """uint8 [H, W], 1 where a seen neighbour has another colour."""
        made = np.zeros(self.seen.shape, bool)
        c, seen = self.colours & (0xE0E0E0 if self.soft else 0xFFFFFF), self.seen.astype(bool)
        across = (c[:, 1:] != c[:, :-1]) & seen[:, 1:] & seen[:, :-1]
        down = (c[1:] != c[:-1]) & seen[1:] & seen[:-1]
        made[:, 1:] |= across
        made[:, :-1] |= across
        made[1:] |= down
        made[:-1] |= down
        return made.view(np.uint8)


class Ready:
    """The frames whose details are looked for; of large pictures few, as what finds details is larger than the picture
    and soon made again."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._most = max(FEWEST_READY, READY // (size[0] * size[1]))
        self._frames: deque[ref[Frame]] = deque()  # a cycle would keep whole scenes until they are looked for

    def add(self, frame: Frame) -> None:
        self._frames.append(ref(frame))
        while len(self._frames) > self._most:
            try:
                old = self._frames.popleft()()
            except IndexError:  # another thread was faster
                return
            if old is not None:
                old.__dict__.pop("descriptors", None)
                old.__dict__.pop("index", None)


def is_soft(frames: np.ndarray, mask: np.ndarray) -> bool:
    """Whether colours that should be alike are only nearly so, as in compressed films.

    Args:
        frames: uint8 [T, H, W, 3]; mask: bool [T, H, W].
    """
    exact = near = 0
    for t in np.unique(np.linspace(0, len(frames) - 2, 12).astype(int)) if len(frames) > 1 else ():
        a, b = frames[t].astype(np.int16), frames[t + 1].astype(np.int16)
        both = ~mask[t] & ~mask[t + 1]
        far = np.abs(a - b).max(-1)
        edge = np.zeros(far.shape, bool)
        edge[:, 1:] = np.abs(a[:, 1:] - a[:, :-1]).max(-1) > 0
        both &= edge
        exact += int((far[both] == 0).sum())
        near += int((far[both] <= SOFT_STEP).sum())
    return near > 0 and exact < SOFT_SHARE * near


def whole_shifts(a: Frame, b: Frame, expected: Shift | None = None, most: int = 2) -> list[Shift]:
    """Likely shifts of the picture, best first: a[y, x] = b[y + dy, x + dx].

    Args:
        expected: where to look; None = everywhere.
    """
    near = expected is None
    centre = (0, 0) if expected is None else expected
    h, w = a.seen.shape
    reach = (min(REACH[0], h // 3), min(REACH[1], w // 3)) if near else (AROUND, AROUND)
    votes = kernel().votes(a.descriptors, b.index, centre, reach)
    found: list[Shift] = []
    least = max(4 * 48, 0.1 * votes.max())
    for _ in range(most):
        y, x = divmod(int(votes.argmax()), votes.shape[1])
        if votes[y, x] < least:
            break
        found.append((y - reach[0] + centre[0], x - reach[1] + centre[1]))
        votes[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = 0
    return found


def part_shifts(a: Frame, b: Frame, known: Iterable[Shift], best: int = 2) -> np.ndarray:
    """Likely shifts of objects: int16 [tiles, best, 2]."""
    explained = np.array(list(known), np.int16).reshape(-1, 2)
    return kernel().local_shifts(a.descriptors, b.index, explained, TILE, LOCAL, best, LEAST)


def tiles(size: tuple[int, int]) -> int:
    return -(-size[0] // TILE) * -(-size[1] // TILE)


def everywhere(shift: Shift, size: tuple[int, int]) -> np.ndarray:
    """int16 [tiles, 2]: one shift for all tiles."""
    return np.tile(np.array(shift, np.int16), (tiles(size), 1))


def scaled(shifts: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    """A share of each shift, or of each tile's, [tiles, 1], rounded; NOWHERE stays."""
    made = np.rint(shifts.astype(np.float32) * share).astype(np.int16)
    made[shifts[:, 0] == NOWHERE] = NOWHERE
    return made
