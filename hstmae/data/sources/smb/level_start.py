"""Starting Super Mario Bros. at any level (memory is changed on the title screen, then Start is pressed); its maps."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from ....errors import DataError, UsageError
from ..movies.movie import Movie
from .emulator import START, NesEmulator

_TITLE_LIMIT = 600  # frames until the title screen must have come, and a level must have begun
_MAP_END = 0xFD  # of a map's list of objects


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
    """The input from power-on to the first playable frame of a level, where the emulator is left.

    Args:
        wait: frames to stay on the title screen, which changes the game's random numbers.
        power: 0 small, 1 big, 2 fire.
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


def map_number(console: NesEmulator) -> int:
    """Which map is loaded: the address of its objects in the program, 0x8000 to 0xFFFF."""
    return console.read(0xE7) | console.read(0xE8) << 8


def map_length(console: NesEmulator) -> int:
    """Length of the loaded map in pixels: the right edge of its last object, mostly a flag's castle or an exit pipe.

    A map is a list of objects of two bytes: column and row, then a bit that turns to the next page of 256 pixels and
    the kind; "row" 13 without bit 6 of the kind jumps to a page instead (SMBDIS.ASM, `ProcessAreaData`). Raises
    DataError where there is no such list: the program is another game.
    """
    address, page, length = map_number(console), 0, 0
    for _ in range(128):  # the game indexes the list by one byte
        place, kind = console.peek(address), console.peek(address + 1)
        if place == _MAP_END:
            return max(length, 256)
        if place & 0x0F == 13 and not kind & 0x40:
            page = kind & 0x1F
        else:
            page += kind >> 7
            length = max(length, 256 * page + 16 * (place >> 4) + 16)
        address += 2
    raise DataError("the loaded map has no end: is this ROM Super Mario Bros.?")
