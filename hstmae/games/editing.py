"""What a game says of changes to its memory beyond single bytes: numbers, looks, mirror images, what must agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..errors import GameError


@dataclass(frozen=True)
class DigitsAndCount:
    """A number that the memory holds as decimal digits, and maybe once more as one byte.

    Attributes:
        digits: bytes of the memory, the highest digit first.
        count: the byte that holds all of it; -1 = none.
    """

    digits: tuple[int, ...]
    count: int = -1

    @property
    def most(self) -> int:
        return int(10 ** len(self.digits) - 1) if self.count < 0 else min(10 ** len(self.digits) - 1, 255)


@dataclass(frozen=True)
class Mirrored:
    """A clip mirrored left to right.

    Attributes:
        state: uint8 [T, S].
        frames: uint8 [T, H, W] palette entries.
        said: what of it could not be mirrored, one sentence each.
    """

    state: np.ndarray
    frames: np.ndarray
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Joints:
    """What decides whether one recording can go on as another: the state of moments, compared.

    Attributes:
        same: uint8 [T, N], must be equal.
        near: int [T, K], numbers that may differ ...
        most: ... by as much each, int [K].
    """

    same: np.ndarray
    near: np.ndarray
    most: np.ndarray


@dataclass(frozen=True)
class Place:
    """Where an object shall be, or how far it is moved: pixels of the picture, from frame to frame where it moves.

    Attributes:
        x, y: pixels.
        kind: what it is; "" where that is not asked.
    """

    x: int = 0
    y: int = 0
    kind: str = ""


class Editing:
    """The default knows nothing but bytes; a game's own is `GameSpec.editing`.

    Attributes:
        numbers: by name; see `DigitsAndCount`.
        looks: by name, edits of bytes (see `hstmae.scenarios`) that give a map another look.
        objects: kinds of objects, and how many of each there are.
        things: kinds of objects that can be added, and of what.
        grid: columns and rows of the tiles that the picture shows; (0, 0) = tiles are not edited.
    """

    numbers: ClassVar[Mapping[str, DigitsAndCount]] = {}
    looks: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    objects: ClassVar[Mapping[str, int]] = {}
    things: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    grid: ClassVar[tuple[int, int]] = (0, 0)

    def mirror(self, state: np.ndarray, frames: np.ndarray) -> Mirrored:
        """State uint8 [T, S] and pictures uint8 [T, H, W] mirrored left to right.

        Raises:
            GameError: the game does not say how.
        """
        raise GameError("does not say how its memory is mirrored; see Editing.mirror")

    def elsewhere(self, state: np.ndarray) -> np.ndarray:
        """The same state at a place that is on no map that was ever recorded: a copy."""
        return state

    def joints(self, state: np.ndarray) -> Joints:
        """See `Joints`; by default all of the memory must be equal."""
        return Joints(state, np.zeros((len(state), 0), np.int64), np.zeros(0, np.int64))

    def broken(self, state: np.ndarray, recorded: np.ndarray) -> dict[str, int]:
        """What in memory uint8 [T, S] does not agree with itself, or not with what was changed of the recorded memory
        of the same frames: sentences, and in how many frames. Recordings may have some of it, too."""
        return {}

    def move(self, state: np.ndarray, kind: str, which: int, by: Place) -> tuple[np.ndarray, tuple[str, ...]]:
        """Move object `which` of a kind in all frames: a changed copy, and what could not be done.

        Raises:
            GameError: the game has no such objects.
        """
        raise GameError(f"has no objects '{kind}' that can be moved")

    def remove(self, state: np.ndarray, kind: str, which: int) -> tuple[np.ndarray, tuple[str, ...]]:
        """Take it away in all frames. Returns and raises as `move` does."""
        raise GameError(f"has no objects '{kind}' that can be removed")

    def add(self, state: np.ndarray, kind: str, at: Place) -> tuple[np.ndarray, tuple[str, ...]]:
        """Put a new object into a place that is not in use in any frame. Returns and raises as `move` does."""
        raise GameError(f"has no objects '{kind}' that can be added")

    def tile(self, state: np.ndarray, column: int, row: int, number: int) -> tuple[np.ndarray, tuple[str, ...]]:
        """Another tile at a place of the world that the first frame shows there. Returns and raises as `move` does."""
        raise GameError("has no tiles that can be edited")


@dataclass
class Counted:
    """Sentences, and in how many of T frames each is true."""

    found: dict[str, int] = field(default_factory=dict)

    def add(self, sentence: str, where: np.ndarray | np.bool_) -> None:
        """where: bool [T]."""
        if count := int(np.count_nonzero(where)):
            self.found[sentence] = self.found.get(sentence, 0) + count


def crowded(top: np.ndarray, height: np.ndarray, lines: int, most: int) -> np.ndarray:
    """Whether more than `most` sprites lie on a line of the picture, bool [T]: top int [T, N] first line of each
    sprite, `lines` or more where it is hidden; height int [T]."""
    edges = np.zeros((len(top), lines + 1), np.int64)
    rows = np.repeat(np.arange(len(top)), top.shape[1])
    first = np.minimum(top, lines).reshape(-1)
    last = np.minimum(top + height[:, None], lines).reshape(-1)
    np.add.at(edges, (rows, first), 1)
    np.add.at(edges, (rows, last), -1)
    return np.asarray((np.cumsum(edges, 1)[:, :lines] > most).any(1))
