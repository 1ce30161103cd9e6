"""One sequence of frames to restore, read a stretch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ...data.sources.snapped import Snapper
from ...errors import DataError
from ...pictures.base import Picture
from ...pictures.indexed import IndexedPicture
from ...pictures.true_colour import RgbPicture

COMPARE = "compare"  # folder for side-by-side pictures inside that of a sequence, which no other one gets ...
CONFIDENCE = "confidence"  # ... and for grey ones that tell how sure each pixel is
RESERVED = (COMPARE, CONFIDENCE)


@dataclass
class Stretch:
    """Some consecutive frames of a footage.

    Attributes:
        files: the name to write each restored frame to.
        pictures: one per frame.
        state: uint8 [T, S] or None; context: uint8 [T, C] or None.
        frame_numbers: int64 [T].
        corner: y and x of the pictures in the game's native one.
        snapper: of a palette game's film, whose pictures are the film's; None where they are the game's own.
        told: bool [T], False where the state is not that of the picture, which is none's (see `data.pairing`), but of
            the frame beside it; None = of all.
        near: bool [T], those of them that are followed by the frame whose state they have.
    """

    files: list[str]
    pictures: Sequence[Picture]
    state: np.ndarray | None
    context: np.ndarray | None
    frame_numbers: np.ndarray
    corner: tuple[int, int] = (0, 0)
    snapper: Snapper | None = None
    told: np.ndarray | None = None
    near: np.ndarray | None = None


class Footage(Protocol):
    """One sequence of frames of one size.

    `name` is "" for an input that is itself the sequence; `count` is its number of frames, of a film about that; `fps`
    is None for what is no film; `place` names the input in messages.
    """

    name: str
    count: int

    @property
    def has_state(self) -> bool: ...

    @property
    def fps(self) -> float | None: ...

    @property
    def place(self) -> str: ...

    def signature(self) -> list[list[object]]:
        """JSON values that change when the input changes."""

    def read(self, start: int, end: int) -> Stretch:
        """The frames from position `start` to `end`, or to where the footage ends.

        Raises:
            DataError: a frame cannot be read.
        """


def lost_like(picture: Picture) -> Picture:
    """A frame of which nothing is left, of the size and the palette of another one."""
    if isinstance(picture, IndexedPicture):
        return picture.lost()
    return RgbPicture(np.zeros((*picture.size, 3), np.uint8), np.ones(picture.size, bool))


def one_size(path: Path, picture: Picture, size: tuple[int, int] | None) -> tuple[int, int]:
    """`size` (height, width), which `picture` has to have; its own where there is none yet. Raises DataError."""
    if size not in (None, picture.size):
        raise DataError(
            f"{path}: is {picture.size[1]}x{picture.size[0]}, the frames before it {size[1]}x{size[0]}; "
            "restore sizes one by one"
        )
    return picture.size
