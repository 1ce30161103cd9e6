"""Nintendo Entertainment System by the cynes emulator: memory, exact palette indices, save states, level starts."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import DataError
from ..movies.movie import BUTTONS

RIGHT, LEFT, DOWN, UP, START, SELECT, B, A = (BUTTONS[name] for name in "RLDUTSBA")
_CYNES_BITS = {RIGHT: 0x01, LEFT: 0x02, DOWN: 0x04, UP: 0x08, START: 0x10, SELECT: 0x20, B: 0x40, A: 0x80}
_CYNES = [sum(theirs for ours, theirs in _CYNES_BITS.items() if value & ours) for value in range(256)]

# A cynes save state ends with work RAM (2,048 bytes), sprite memory (256), palette memory (32), controllers (4).
_RAM = slice(-2340, -292)
_PALETTE = slice(-36, -4)
_SIZE = 40_976  # iNES header, two program banks, one character bank
_UNKNOWN = 255
# A program of our own that turns drawing on over and over, all of its tiles being empty.
_LOOP = bytes.fromhex("A91E 8D0120 4C00C0")
_EMPTY = b"NES\x1a\x01\x01" + bytes(10) + _LOOP.ljust(16378, b"\0") + b"\x00\xc0" * 3 + bytes(8192)


def find_rom(path: str | Path | None) -> Path:
    """The user's Super Mario Bros. ROM: `path`, or the one inside an installed gym-super-mario-bros package. Raises
    DataError where neither is there, or the file is no such ROM."""
    if path is None:
        package = find_spec("gym_super_mario_bros")  # located, not imported
        if package is None or package.origin is None:
            raise DataError(
                "no ROM: give your own Super Mario Bros. file with --rom (the package gym-super-mario-bros holds one, "
                "which is used where it is installed)"
            )
        path = Path(package.origin).parent / "_roms" / "super-mario-bros.nes"
    rom = Path(path)
    try:
        with rom.open("rb") as file:
            data = file.read(_SIZE + 1)
    except OSError as error:
        raise DataError(f"{rom}: cannot be read: {error.strerror}") from None
    mapper = data[6:8] and (data[6] >> 4 | data[7] & 0xF0)
    if len(data) != _SIZE or data[:6] != b"NES\x1a\x02\x01" or mapper != 0:
        raise DataError(
            f"{rom} is no Super Mario Bros. ROM: expected {_SIZE} bytes that begin with 4E 45 53 1A 02 01 (iNES, two "
            f"program banks, one character bank, mapper 0), found {data[:6].hex(' ').upper() or 'nothing'}"
        )
    return rom


class NesEmulator:
    """One console. All of its behaviour follows from the ROM and the buttons: a replay is exact.

    The picture of a frame is drawn from what the memory held one frame before (see `hstmae.data.sources.smb.session`).

    Args:
        rom: an iNES file.
    Raises:
        DataError: cynes is not installed (`pip install 'hstmae[emulator]'`), cannot run the ROM, or is a version whose
            save states are laid out differently.
    """

    def __init__(self, rom: str | Path) -> None:
        self._rom = str(rom)
        self.power()
        state = np.array(self._nes.save())
        self._nes[0x7FF] = state[_RAM][0x7FF] ^ 0xFF
        changed = np.flatnonzero(np.asarray(self._nes.save()) != state)
        if changed.tolist() != [len(state) - 293]:
            raise DataError("this version of cynes lays out its save states differently: install cynes 0.1.2")
        self._nes.load(state)

    def power(self) -> None:
        """Off and on: memory is cleared."""
        self._nes = _console(self._rom)
        self._pixels: np.ndarray | None = None

    def reset(self) -> None:
        """The reset button: memory is kept."""
        self._nes.reset()

    def step(self, buttons: int) -> None:
        """Run one frame with these buttons held (MSB to LSB: A, up, left, B, select, right, down, start)."""
        self._nes.controller = _CYNES[buttons]
        self._pixels = self._nes.step()
        if self._nes.has_crashed:
            raise DataError(f"{self._rom}: the program crashed the emulated processor")

    def read(self, address: int) -> int:
        """One byte of work RAM, 0 to 0x7FF."""
        return int(self._nes[address & 0x7FF])

    def peek(self, address: int) -> int:
        """One byte of what the processor sees: work RAM, or the program at 0x8000 to 0xFFFF."""
        return int(self._nes[address])

    def ram(self) -> np.ndarray:
        """Work RAM after the last frame, uint8 [2048]."""
        return np.array(self._nes.save()[_RAM])

    def poke(self, address: int, value: int) -> None:
        """Write one byte of work RAM, 0 to 0x7FF."""
        self._nes[address & 0x7FF] = value

    def save(self) -> np.ndarray:
        """Everything the console holds except the picture; for `load`."""
        return np.array(self._nes.save())

    def load(self, state: np.ndarray) -> None:
        """Back to a saved state of the same ROM."""
        self._nes.load(state)

    @property
    def pixels(self) -> np.ndarray:
        """What the last frame showed, as cynes shows it: uint8 [240, 256, 3]; the next frame changes it."""
        if self._pixels is None:
            raise ValueError("no frame has been run yet")
        return self._pixels

    def picture(self) -> np.ndarray:
        """What the last frame showed, as NES colours 0-63: uint8 [240, 256].

        cynes gives RGB. Some NES colours share one RGB value (0x20 and 0x30, and the blacks), so the console's palette
        memory decides: it cannot change between the last visible line and the end of a frame. Raises DataError for a
        colour outside of the palette memory (colour emphasis, or a palette changed within a picture).
        """
        key, keys = _screen_keys()
        table = np.full(1 << 16, _UNKNOWN, np.uint8)
        present = self._nes.save()[_PALETTE] & 63
        table[keys[present[::-1]]] = present[::-1]  # the first palette entry of a colour decides
        rgb = self.pixels.astype(np.uint16)
        out: np.ndarray = table[rgb[..., 0] * key[0] + rgb[..., 1] * key[1] + rgb[..., 2] * key[2]]
        if out.max() == _UNKNOWN:
            raise DataError("the picture shows colours outside of the console's palette memory")
        return out


def _console(rom: str) -> Any:
    try:
        from cynes import NES
    except ImportError:
        raise DataError("recording from a ROM needs cynes: pip install 'hstmae[emulator]'") from None
    try:
        nes = NES(rom)
    except Exception as error:  # cynes documents no type
        raise DataError(f"{rom}: cynes cannot run it: {error}") from None
    # cynes leaves its "picture is ready" flag as it finds it in memory: where it happens to be set, the first step ends
    # at once, having cleared the flag alone, and the whole run would be one frame late.
    fresh = np.array(nes.save())
    nes.step()
    stepped = np.array(nes.save())
    nes.load(stepped if np.count_nonzero(fresh != stepped) == 1 else fresh)
    return nes


@lru_cache(maxsize=1)
def shown_colours() -> np.ndarray:
    """How cynes shows the 64 NES colours, uint16 [64, 3], found by showing each as what is behind everything."""
    with tempfile.TemporaryDirectory() as folder:
        rom = Path(folder) / "empty.nes"
        rom.write_bytes(_EMPTY)
        nes = _console(str(rom))
    nes.step(frames=3)
    state = np.array(nes.save())
    shown = np.empty((64, 3), np.uint16)
    for colour in range(64):
        state[_PALETTE] = colour
        nes.load(state)
        shown[colour] = nes.step()[120, 128]
    return shown


@lru_cache(maxsize=1)
def _screen_keys() -> tuple[np.ndarray, np.ndarray]:
    """A key for each of the 64 NES colours: multipliers uint16 [3] and keys uint16 [64]. A pixel's key is
    r * m0 + g * m1 + b * m2 modulo 65536, with multipliers that keep different colours apart."""
    shown = shown_colours()
    distinct = len(np.unique(shown, axis=0))
    for seed in range(1000):
        key = np.random.default_rng(seed).integers(1, 1 << 16, 3).astype(np.uint16)
        keys = (shown * key).sum(1, dtype=np.uint16)
        if len(np.unique(keys)) == distinct:
            return key, keys
    raise DataError("the emulator's colours cannot be told apart")
