"""A made-up console that answers like Super Mario Bros. does at the memory addresses the autoplayer reads.

The world is one row of floor with pits, and a gallery: from x = 480 on, the player walks on the upper floor where they
jumped from the step at 448-479, else on the lower one, which ends in a wall at x = 800. Only the upper one has a flag.
"""

from __future__ import annotations

import numpy as np

from hstmae.data.sources.smb.emulator import LEFT, RIGHT, START, A

FLAG, FORK, WALL = 1000, 480, 800
PITS = ((160, 192), (320, 368), (880, 912))
MAP = 0x9000
_GROUND, _UPPER = 176, 112  # y of a player on the lower and the upper floor


class ToyConsole:
    """Buttons in, memory out; `dead_end=False` lets both ways lead on."""

    def __init__(self, dead_end: bool = True) -> None:
        self.dead_end = dead_end
        self.frames = 0
        self.power()

    def power(self) -> None:
        self.memory = np.zeros(2048, np.uint8)
        self.memory[0x772] = 3  # the title screen
        self.memory[0xE7], self.memory[0xE8] = MAP & 255, MAP >> 8
        self.x, self.height, self.rise, self.upper = 40, 0, 0, False
        self._draw_map()

    def save(self) -> object:
        return self.memory.copy(), self.x, self.height, self.rise, self.upper

    def load(self, state: tuple[np.ndarray, int, int, int, bool]) -> None:
        ram, self.x, self.height, self.rise, self.upper = state
        self.memory = ram.copy()

    def read(self, address: int) -> int:
        return int(self.memory[address & 0x7FF])

    def poke(self, address: int, value: int) -> None:
        self.memory[address] = value

    def peek(self, address: int) -> int:
        """One object, in column 14 of page 3."""
        return (0x0D, 0x03, 0xE7, 0x50, 0xFD)[address - MAP] if MAP <= address < MAP + 5 else self.read(address)

    def step(self, buttons: int) -> None:
        self.frames += 1
        ram = self.memory
        if ram[0x770] == 0:
            if buttons & START:
                ram[0x770], ram[0x75A] = 1, 2
        elif ram[0x770] == 1 and ram[0x0E] not in (6, 0x0B):
            self._play(buttons)
        x = self.x
        if ram[0x6D] != x >> 8:
            ram[0x6D] = x >> 8
            self._draw_map()
        ram[0x86] = x & 255
        ram[0xCE] = min((_UPPER if self.upper else _GROUND) - self.height, 255)
        ram[0xB5] = 1
        ram[0x1D] = int(self.height != 0 or self._over_a_pit())
        if ram[0x0E] == 0:
            ram[0x0E] = 8

    def _over_a_pit(self) -> bool:
        return any(left <= self.x < right for left, right in PITS)

    def _draw_map(self) -> None:
        """The player's page and the next, as blocks."""
        for page in (self.x >> 8, (self.x >> 8) + 1):
            blocks = np.zeros((13, 16), np.uint8)
            for column in range(16):
                x = 256 * page + 16 * column
                blocks[11:, column] = not any(left <= x < right for left, right in PITS)
                blocks[7, column] = x >= FORK
                blocks[8:11, column] = self.dead_end and x > WALL
            start = 0x500 + 0xD0 * (page & 1)
            self.memory[start : start + 0xD0] = blocks.ravel()

    def _play(self, buttons: int) -> None:
        if self.height == 0 and buttons & A:
            self.rise = 16
        if self.rise > 0:
            self.rise -= 1
            self.height += 2
        elif self.height > 0:
            self.height -= 2
        elif self._over_a_pit():
            self.memory[0x0E] = 0x0B
            return
        step = 2 * (bool(buttons & RIGHT) - bool(buttons & LEFT))
        crossing = self.x < FORK <= self.x + step
        self.x = max(self.x + step, 0)
        if crossing:
            self.upper = self.height > 10
        elif self.x < FORK:
            self.upper = False
        if self.dead_end and not self.upper and self.x > WALL:
            self.x = WALL
        if self.x >= FLAG:
            self.memory[0x770] = 2
