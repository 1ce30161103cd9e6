"""What a movie is: which buttons were held in each frame since power-on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import DataError

MAX_FRAMES = 4_000_000  # 18 hours at 60 frames per second
MAX_EVENTS = 100_000  # pokes, and resets
RESETS = ("soft", "hard")
# As the recorder of smbdataset writes them: in the order in which Lua 5.1 goes through the buttons' names. (The data
# set's page has start and select the other way round.) T is start.
BUTTONS = {"A": 0x80, "U": 0x40, "L": 0x20, "B": 0x10, "S": 0x08, "R": 0x04, "D": 0x02, "T": 0x01}


@dataclass(frozen=True)
class Movie:
    """Input from power-on.

    Attributes:
        game: registered game, or name of a Gymnasium environment.
        actions: uint8 [T] controller byte per frame (MSB to LSB: A, up, left, B, select, right, down, start), or
            action number.
        pokes: (frame, address, value), by ascending frame: memory written before that frame.
        resets: (frame, one of RESETS), by ascending frame: done before that frame.
        rom: "md5:" or "sha1:" and the hexadecimal hash of the ROM it was made with; "" where the file does not say.
        remarks: what somebody who plays it should know.
    """

    game: str
    actions: np.ndarray
    pokes: tuple[tuple[int, int, int], ...] = ()
    resets: tuple[tuple[int, str], ...] = ()
    rom: str = ""
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.actions)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Movie):
            return NotImplemented
        same = (self.game, self.pokes, self.resets) == (other.game, other.pokes, other.resets)
        return same and np.array_equal(self.actions, other.actions)

    __hash__ = None  # type: ignore[assignment]


def check_events(length: int, pokes: Iterable[tuple[Any, ...]], resets: Iterable[tuple[Any, ...]]) -> None:
    """Raise DataError for pokes or resets that are out of range or order in a movie of so many frames."""
    last = 0
    for frame, address, value in pokes:
        limits = ((frame, length - 1), (address, 0x7FF), (value, 0xFF))
        if any(type(number) is not int or not 0 <= number <= limit for number, limit in limits) or frame < last:
            raise DataError("a poke needs a frame of the movie (ascending), an address up to 2047, a value up to 255")
        last = frame
    last = -1
    for frame, kind in resets:
        if type(frame) is not int or not last < frame < length or kind not in RESETS:
            raise DataError('a reset needs a frame of the movie (ascending) and "soft" or "hard"')
        last = frame
