"""What frames of the past showed of each place of a level: recall for footage that comes frame by frame.

Memory is bounded however far the camera travels: what lies too far back is forgotten. Rules are those of `recall`, for
the past alone.
"""

from __future__ import annotations

import numpy as np

from ..games.pixels import View
from .maps import Located

WIDE = 4096  # columns that are remembered of a level; a picture that is wider makes it more
Corner = tuple[int, int]  # world y and x of a picture's upper left corner


class Sightings:
    """Colours of places in a world of pictures of one size.

    Args:
        size: height and width of the pictures.
        columns: how many of the world are remembered, at least.
    """

    def __init__(self, size: tuple[int, int], columns: int = WIDE) -> None:
        self._size = size
        self._shape = (2 * size[0], max(columns, 2 * size[1])) if columns else size
        self.forget()

    def forget(self) -> None:
        self._corner: list[int] | None = None  # of the part of the world that is remembered
        self._colours, self._what = np.zeros(self._shape, np.uint8), np.full(self._shape, -1, np.int16)
        self._seen = np.zeros(self._shape, bool)

    def look_up(self, corner: Corner, ids: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """What was seen last at a picture's places: uint8 [H, W] colours, and bool [H, W], where that is known.

        Args:
            ids: int16 [H, W], tiles that stand there now, -1 = not known; where another one stood, nothing is known.
        """
        here = self._here(corner)
        known = self._seen[here]
        if ids is not None:
            stood = self._what[here]
            known = known & ((stood == ids) | (stood < 0) | (ids < 0))
        return self._colours[here], known

    def enter(self, corner: Corner, picture: np.ndarray, shown: np.ndarray, ids: np.ndarray | None) -> None:
        """Take over the pixels of a picture uint8 [H, W] that are `shown`, bool [H, W]; `ids` as of `look_up`."""
        here = self._here(corner)
        np.copyto(self._colours[here], picture, where=shown)
        np.copyto(self._what[here], -1 if ids is None else ids, where=shown)
        self._seen[here] |= shown

    def _here(self, corner: Corner) -> tuple[slice, slice]:
        """The part of the arrays that a picture shows."""
        if self._corner is None:
            self._corner = [c - (n - h) // 2 for c, n, h in zip(corner, self._shape, self._size, strict=True)]
        first = [c - own for c, own in zip(corner, self._corner, strict=True)]
        for axis, (at, count, whole) in enumerate(zip(first, self._size, self._shape, strict=True)):
            if at < 0 or at + count > whole:
                first[axis] = (whole - count) // 2
                self._move(axis, at - first[axis])
        return slice(first[0], first[0] + self._size[0]), slice(first[1], first[1] + self._size[1])

    def _move(self, axis: int, by: int) -> None:
        """Let the arrays begin `by` places later; what lies before that is forgotten."""
        assert self._corner is not None
        self._corner[axis] += by
        whole = self._shape[axis]
        kept = max(0, whole - abs(by))
        old, new = (slice(by, by + kept), slice(0, kept)) if by > 0 else (slice(0, kept), slice(whole - kept, whole))
        for name in ("_colours", "_what", "_seen"):
            array = getattr(self, name)
            made = np.zeros_like(array)
            made[(slice(None),) * axis + (new,)] = array[(slice(None),) * axis + (old,)]
            setattr(self, name, made)


class LevelSightings:
    """What a stream of frames with states has shown: of the level, and of status bars."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._level, self._bar = Sightings(size), Sightings(size, 0)
        self._last: tuple[int, int] | None = None  # scene, camera
        self._bar_at: list[int] | None = None  # where the status bar is, and where it was in the last frame
        self._bar_was: list[int] | None = None

    def pass_by(self, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Masked pixels of a view of one frame that were seen before, uint8 [1, H, W] and bool [1, H, W]; what is
        visible is remembered."""
        colours, found = np.zeros(view.shape, np.uint8), np.zeros(view.shape, bool)
        hidden = view.mask[0]
        damaged = hidden.any()
        for seen, corner, where, ids in self._parts(view):
            if damaged:
                colour, known = seen.look_up(corner, ids)
                known = known & where & hidden
                colours[0][known], found[0][known] = colour[known], True
            seen.enter(corner, view.frames[0], where & ~hidden, ids)
        return colours, found

    def _parts(self, view: View) -> list[tuple[Sightings, Corner, np.ndarray, np.ndarray | None]]:
        """Level and status bar: where they were seen, the picture's corner in them, the pixels bool [H, W] that show
        them and nothing else, and the tiles there."""
        state = view.needed_state()
        place = Located.of_state(state)
        here = int(np.asarray(state.scene)[0]), int(place.camera[0])
        if self._last is not None and self._left(view, here):
            self._level.forget()
            self._bar.forget()
        self._last = here
        still = ~view.moving[0]
        scene, bar = still & ~view.fixed[0], still & view.fixed[0]
        tiles = text = None
        if view.level == "full" and view.game.tile_layers:
            tiles = view.tile_ids(0)[0]
            scene &= ~np.isin(tiles, view.game.looks.cycling_tiles)
            if bar.any() and len(view.game.tile_layers) > 1:
                text = view.tile_ids(1)[0]
                bar &= text >= 0  # where the state gives no id, the network draws
                at = np.asarray(state.tile_xy[1])[0].tolist()
                if at != self._bar_at and at in (self._bar_was, self._bar_at or at):  # twice in a row, or the first one
                    self._bar.forget()
                    self._bar_at = at
                self._bar_was = at
                bar &= at == self._bar_at
        corner = (int(place.camera_y[0]), here[1])
        return [(self._level, corner, scene, tiles), (self._bar, (0, 0), bar, text)]

    def _left(self, view: View, here: tuple[int, int]) -> bool:
        """Whether this is another map than that of the frame before, or a maze that has led back (see `mazes`)."""
        assert self._last is not None
        moved, step = here[1] - self._last[1], view.game.looks.maze_step
        back = step > 0 and moved <= -view.game.native_size[1] and moved % step <= step // 8
        return here[0] != self._last[0] or back
