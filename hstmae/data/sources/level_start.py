"""Starting Super Mario Bros. at any level: memory is changed on the title screen, then Start is pressed."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from ...errors import DataError, UsageError
from .emulator import START, NesEmulator
from .movies import Movie

_TITLE_LIMIT = 600  # frames until the title screen must have come, and a level must have begun


def parse_level(text: str) -> tuple[int, int]:
    """ "1-2" -> (1, 2). Raises UsageError for anything but worlds 1-8 and levels 1-4."""
    match = re.fullmatch(r"([1-8])-([1-4])", text.strip())
    if match is None:
        raise UsageError(f"level {text!r}: expected a world 1-8 and a level 1-4, such as 1-2")
    return int(match[1]), int(match[2])


def area_number(world: int, level: int) -> int:
    """The game's own number of a level's first map: the walk into the pipe before some x-2 takes one of its own."""
    return level - 1 + (world in (1, 2, 4, 7) and level > 2)


class _Tape:
    """An emulator whose input is written down."""

    def __init__(self, emulator: NesEmulator) -> None:
        self.emulator = emulator
        self.buttons = bytearray()
        self.pokes: list[tuple[int, int, int]] = []

    def step(self, buttons: int) -> None:
        self.emulator.step(buttons)
        self.buttons.append(buttons)

    def poke(self, address: int, value: int) -> None:
        self.emulator.poke(address, value)
        self.pokes.append((len(self.buttons), address, value))

    def until(self, done: Callable[[], bool]) -> None:
        for _ in range(_TITLE_LIMIT):
            if done():
                return
            self.step(0)
        raise DataError("the title screen or the level did not come up: is this ROM Super Mario Bros.?")


def start_level(emulator: NesEmulator, world: int, level: int, *, wait: int = 0, power: int = 0) -> Movie:
    """From power-on to the first playable frame of a level; the emulator is left there.

    Args:
        wait: frames to stay on the title screen, which changes the game's random numbers.
        power: 0 small, 1 big, 2 fire.
    Returns:
        The input so far.
    """
    emulator.power()
    tape, read = _Tape(emulator), emulator.read
    tape.until(lambda: len(tape.buttons) > 30 and read(0x770) == 0 and read(0x772) == 3)
    for _ in range(wait):
        tape.step(0)
    for address, value in ((0x75F, world - 1), (0x75C, level - 1), (0x760, area_number(world, level))):
        tape.poke(address, value)
    for _ in range(4):
        tape.step(START)
    tape.until(lambda: read(0x770) == 1 and read(0x772) >= 1)
    if power:
        tape.poke(0x754, 0)
        tape.poke(0x756, power)
    tape.until(lambda: read(0x772) == 3)
    return Movie("smb", np.frombuffer(bytes(tape.buttons), np.uint8), tuple(tape.pokes))
