"""What moving objects look like, for a state that tells where they are but not how they are drawn (level `compact`)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..games import GameSpec, GameState

ARRAYS = ("keys", "size", "seen", "clear", "entry", "share", "rgb")  # what a file holds
_ENOUGH = 3  # sights from which a look is believed


@dataclass
class ObjectLooks:
    """Pictures of objects by `object_keys`, counted over the sights of training, from the box's upper left corner.

    Attributes:
        keys: int32 [N, F], ascending.
        size: uint8 [N, 2], height and width of the box.
        seen: int32 [N], sights.
        clear: uint8 [N, h, w], share (of 255) of the sights in which what is behind was seen through the box.
        entry: uint8 [N, h, w], the palette entry most often seen of the object itself ...
        share: uint8 [N, h, w], ... in this share (of 255) of all sights.
        rgb: uint8 [N, h, w, 3], mean colour of the object where it was seen.
    """

    keys: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), np.int32))
    size: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.uint8))
    seen: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    clear: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1), np.uint8))
    entry: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1), np.uint8))
    share: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1), np.uint8))
    rgb: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1, 3), np.uint8))
    _row: dict[bytes, int] | None = field(default=None, init=False, repr=False)

    def paint(
        self,
        state: GameState,
        game: GameSpec,
        behind: np.ndarray,
        known: np.ndarray,
        palette: np.ndarray,
        origin: tuple[int, int] = (0, 0),
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw a clip's objects over what is behind them.

        Args:
            state: decoded, leading axis T.
            behind: uint8 [T, H, W] palette entries, believed where `known` bool [T, H, W].
            palette: uint8 [K, 3].
            origin: y and x of the frames' corner in the native picture.
        Returns:
            (palette entries uint8 [T, H, W], trust float32 [T, H, W], mean colours uint8 [T, H, W, 3]); trust is 0
            where no single object of a known look is.
        """
        entries, trust = behind.copy(), np.zeros(behind.shape, np.float32)
        mean = np.zeros((*behind.shape, 3), np.uint8)
        if not len(self.keys):
            return entries, trust, mean
        if self._row is None:
            self._row = {key.tobytes(): i for i, key in enumerate(np.ascontiguousarray(self.keys))}
        keys, boxes = object_keys(state, game), np.asarray(state.boxes).astype(int)
        height, width = behind.shape[1:]
        for t in range(len(behind)):
            covered = np.zeros((height, width), np.uint8)
            for box, key in zip(boxes[t], keys[t], strict=True):
                if not box[0]:
                    continue
                x0, y0, x1, y1 = box[1] - origin[1], box[2] - origin[0], box[3] - origin[1], box[4] - origin[0]
                here = (slice(max(y0, 0), max(y1, 0)), slice(max(x0, 0), max(x1, 0)))
                covered[here] += 1
                row = self._row.get(np.ascontiguousarray(key).tobytes())
                if row is None or self.seen[row] < _ENOUGH or (y1 - y0, x1 - x0) != tuple(self.size[row].tolist()):
                    continue
                h, w = behind[t][here].shape
                inner = (slice(max(-y0, 0), max(-y0, 0) + h), slice(max(-x0, 0), max(-x0, 0) + w))
                clear = self.clear[row][inner].astype(np.float32) / 255
                share = self.share[row][inner].astype(np.float32) / 255
                through = clear >= share
                back = known[t][here]
                entries[t][here] = np.where(through, behind[t][here], self.entry[row][inner])
                surely = np.maximum(clear, share) * self.seen[row] / (self.seen[row] + 1)
                trust[t][here] = np.where(back, surely, 0)
                blend = clear[..., None] * palette[behind[t][here]] + (1 - clear[..., None]) * self.rgb[row][inner]
                mean[t][here] = np.rint(blend)
            trust[t][covered > 1] = 0  # which of two is in front is not told
        return entries, trust, mean

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
        )


def object_keys(state: GameState, game: GameSpec) -> np.ndarray:
    """What decides the look of the object in each box: int32 [T, M, F], from the tokens of `compact` and the map.

    `GameSpec.box_looks` names, for each box, the kind of object, its token, and those of the token's features that are
    bits of a code.
    """
    tokens = np.asarray(state.tokens)
    look = np.asarray(state.globals)[:, list(game.look_globals)].astype(np.int32)
    keys = []
    for kind, token, features in game.box_looks:
        bits = (tokens[:, token, list(features)] > 0.5).astype(np.int64) @ (1 << np.arange(len(features)))
        keys.append(np.column_stack([np.full(len(tokens), kind), bits, look]).astype(np.int32))
    return np.stack(keys, 1)
