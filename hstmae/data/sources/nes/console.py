"""What the picture unit of the NES holds, read out of a save state of cynes 0.1.2."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....errors import DataError
from ....games.nes.memory import COLOURS, MIRRORS, PAGE, PATTERNS, SIZE, SPRITES, TABLES, WORK, Run
from ..smb.emulator import NesEmulator, shown_colours

# A save state: processor (20 bytes), picture unit, sound (both up to 194), where 64 pages of the processor and 16 of
# the picture unit lie (10 bytes each: place, read only, there at all), the cartridge's memory, its own registers; at
# the end work memory (2,048), sprites (256), palette (32) and controllers (4).
_UNIT = 20
_PAGES_AT, _PAGE_BYTES = 194, 10
_UNIT_PAGES = _PAGES_AT + 64 * _PAGE_BYTES
_MEMORY = _UNIT_PAGES + 16 * _PAGE_BYTES
_WORK, _SPRITES, _COLOURS = slice(-2340, -292), slice(-292, -36), slice(-36, -4)
# Of the picture unit: flags of its control and mask registers, its registers for scrolling.
_SPRITE_SET, _BACKGROUND_SET, _LARGE = _UNIT + 9, _UNIT + 10, _UNIT + 11
_MASK = slice(_UNIT + 13, _UNIT + 18)  # grey, background left, sprites left, background, sprites
_EMPHASIS = _UNIT + 18
_NEXT, _WHERE, _FINE = _UNIT + 28, _UNIT + 30, _UNIT + 34
_LINE_OF_END, _LINE_ABOVE = 241, 261
_STACK, _AT, _STATUS = 5, slice(6, 8), 10  # of the processor
_HANDLER = (0xFFFA, 0xFFFB)  # where it is told that a picture is over
_SIGNALS = slice(16, 20)  # that a picture is over, in four stages


@dataclass(frozen=True)
class Registers:
    """What the picture unit was told last, at the end of a picture: see `Run`; `y` is that of line 240."""

    x: int
    y: int
    background: int
    sprites: int
    large: bool
    mask: int


class NesConsole:
    """A console whose picture unit can be read.

    Args:
        rom: an iNES file of the user's.
    Raises:
        DataError: it is none, or cannot be run; cynes is missing, or another version.
    """

    def __init__(self, rom: Path) -> None:
        try:
            data = rom.read_bytes()
        except OSError as error:
            raise DataError(f"{rom}: cannot be read: {error.strerror}") from None
        if data[:4] != b"NES\x1a" or len(data) < 16 + 16384 * max(data[4], 1):
            found = data[:4].hex(" ").upper() or "nothing"
            raise DataError(
                f"{rom} is no ROM of the NES: expected a whole file that begins with 4E 45 53 1A, found {found}"
            )
        if data[6] & 8:
            raise DataError(f"{rom}: has four name tables of its own, which cynes does not run")
        begin = 16 + 512 * (data[6] >> 2 & 1)
        self._program = 16384 * data[4]
        self._patterns = np.frombuffer(data, np.uint8)[begin + self._program :][: 8192 * data[5]]  # empty: it has RAM
        self.emulator = NesEmulator(rom)
        self._check()
        packed = _packed(shown_colours())
        order = [0x0F, *range(64)]  # of colours that look alike the first in this order stands for all
        first = {int(packed[k]): k for k in reversed(order)}
        self.alike = np.array([first[int(colour)] for colour in packed], np.uint8)
        self._keys = np.array(sorted(first), np.int64)
        self._entries = np.array([first[int(key)] for key in self._keys], np.uint8)

    def _check(self) -> None:
        """Raises DataError where save states are laid out otherwise."""
        self.emulator.step(0)
        state = self.emulator.save()
        pages = self._pages(state)
        line = int(state[_UNIT + 2]) + 256 * int(state[_UNIT + 3])
        whole = self._program + max(len(self._patterns), 8192)
        if line != _LINE_OF_END or (pages % PAGE != 0).any() or (pages[:12] < self._program).any() or whole <= 0:
            raise DataError("this version of cynes lays out its save states differently: install cynes 0.1.2")
        self.emulator.power()

    @staticmethod
    def _pages(state: np.ndarray) -> np.ndarray:
        rows = state[_UNIT_PAGES:_MEMORY].reshape(16, _PAGE_BYTES)
        return np.ascontiguousarray(rows[:, :8]).view("<u8")[:, 0].astype(np.int64)

    def registers(self, state: np.ndarray) -> Registers:
        """Of a save state."""
        where, then = (int(state[at]) + 256 * int(state[at + 1]) for at in (_WHERE, _NEXT))
        row = (where >> 12 & 7) + 8 * (where >> 5 & 31) + 256 * (where >> 11 & 1)
        column = 8 * (then & 31) + 256 * (then >> 10 & 1) + int(state[_FINE])
        mask = int((state[_MASK] > 0) @ (1 << np.arange(5))) + 32 * int(state[_EMPHASIS])
        return Registers(column, row, int(state[_BACKGROUND_SET]), int(state[_SPRITE_SET]), bool(state[_LARGE]), mask)

    def memory(self, state: np.ndarray) -> np.ndarray:
        """Of a save state, uint8 [SIZE] as `hstmae.games.nes.memory` lays it out, without runs."""
        out = np.zeros(SIZE, np.uint8)
        out[WORK], out[SPRITES], out[COLOURS] = state[_WORK], state[_SPRITES], state[_COLOURS]
        pages = self._pages(state)
        patterns = out[PATTERNS].reshape(8, PAGE)
        tables = out[TABLES].reshape(4, PAGE)
        for k, at in enumerate(pages[:8].tolist()):
            patterns[k] = self._page(state, at)
        for k, at in enumerate(pages[8:12].tolist()):
            first = pages[8:12].tolist().index(at)
            out[MIRRORS.start + k] = first
            if first == k:
                tables[k] = self._page(state, at)
        return out

    def redraw(self, state: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, Run]:
        """The picture that the console itself makes of other memory of its picture unit, all of it with the settings
        of a picture's end.

        The unit is set back to the line above the picture and nobody tells the program that one is over; where it
        changes what is shown meanwhile all the same, so does the picture. The console stands elsewhere afterwards.

        Args:
            state: a save state, as it is at a picture's end.
            memory: as of `memory`; patterns count where the cartridge has RAM for them.
        Returns:
            As of `picture`; the run that all of its lines are.
        """
        state = self._holding(state, memory)
        state[_UNIT : _UNIT + 4] = 0, 0, _LINE_ABOVE & 255, _LINE_ABOVE >> 8
        state[_SIGNALS] = 0
        state[_UNIT + 21] = 0  # nor does it look as if one were over
        if state[_AT].tolist() == [
            self.emulator.peek(at) for at in _HANDLER
        ]:  # it was told already: as if it had ended
            work, stack = state[_WORK], int(state[_STACK])
            state[_STATUS], *back = (work[256 + (stack + k & 255)] for k in (1, 2, 3))
            state[_AT], state[_STACK] = back, stack + 3 & 255
        then = int(state[_NEXT]) + 256 * int(state[_NEXT + 1])
        row = (then >> 12 & 7) + 8 * (then >> 5 & 31) + 256 * (then >> 11 & 1)
        now = self.registers(state)
        self.emulator.load(state)
        self.emulator.step(0)
        run = Run(0, now.x, row, now.background, now.sprites, now.large, now.mask & 31)
        return self.picture()[0], run

    def put(self, state: np.ndarray, memory: np.ndarray) -> tuple[str, ...]:
        """Go on from a save state with other memory, work memory included.

        Args:
            memory: as of `memory`.
        Returns:
            What of it the cartridge does not allow, one sentence each.
        """
        changed = self._holding(state, memory)
        changed[_WORK] = memory[WORK]
        self.emulator.load(changed)
        held = self.memory(changed)
        said = []
        if not np.array_equal(held[PATTERNS], memory[PATTERNS]):
            said.append("patterns are in the cartridge's ROM, which cannot be edited: they are as recorded")
        if not np.array_equal(held[MIRRORS], memory[MIRRORS]) or not np.array_equal(held[TABLES], memory[TABLES]):
            said.append("which name tables are the same memory, the cartridge decides: they are as it has them")
        return tuple(said)

    def _holding(self, state: np.ndarray, memory: np.ndarray) -> np.ndarray:
        """A save state whose picture unit holds other memory: a copy. Patterns in ROM stay."""
        state = state.copy()
        state[_SPRITES], state[_COLOURS] = memory[SPRITES], memory[COLOURS]
        pages = self._pages(state).tolist()
        held = [*memory[PATTERNS].reshape(8, PAGE), *memory[TABLES].reshape(4, PAGE)[memory[MIRRORS] & 3]]
        for page, at in zip(held, pages[:12], strict=True):
            if at - self._program >= len(self._patterns):
                begin = _MEMORY + at - self._program - len(self._patterns)
                state[begin : begin + PAGE] = page
        return state

    def _page(self, state: np.ndarray, at: int) -> np.ndarray:
        """The page that lies at a place of program, patterns and the cartridge's memory, one behind the other."""
        at -= self._program
        if at < len(self._patterns):
            return self._patterns[at : at + PAGE]
        begin = _MEMORY + at - len(self._patterns)
        return state[begin : begin + PAGE]

    def picture(self) -> tuple[np.ndarray, int]:
        """NES colours uint8 [240, 256] of what was just shown, of those that look alike the first; and how many pixels
        have none of the 64 colours (emphasis): they got the nearest."""
        packed = _packed(self.emulator.pixels)
        at = np.minimum(np.searchsorted(self._keys, packed), len(self._keys) - 1)
        strange = self._keys[at] != packed
        shown = self._entries[at]
        count = int(strange.sum())
        if count:
            known = shown_colours().astype(np.int64)
            colours, inverse = np.unique(self.emulator.pixels[strange], axis=0, return_inverse=True)
            distance = ((colours[:, None].astype(np.int64) - known) ** 2).sum(-1)
            shown[strange] = self.alike[distance.argmin(1)][inverse.reshape(-1)]
        return shown, count


def _packed(rgb: np.ndarray) -> np.ndarray:
    wide = rgb.astype(np.int64)
    return np.asarray(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2])
