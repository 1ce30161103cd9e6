"""The Nintendo Entertainment System by the cynes emulator, as a predictor."""

from __future__ import annotations

import hashlib
import threading
from contextlib import AbstractContextManager
from importlib import metadata
from pathlib import Path

import numpy as np

from ...data.sources.smb.emulator import NesEmulator, shown_colours
from ...errors import DataError, RomError
from .nes_screen import ScreenSolver, patterns_of
from .predictor import Script

_HEADER = 16  # bytes of an iNES file before the program
_LARGEST = 4 << 20
# A save state of cynes ends with name tables (2,048 bytes), RAM (2,048), sprites (256), palette (32), controllers (4).
_TABLES, _RAM, _PALETTE = slice(-4388, -2340), slice(-2340, -292), slice(-36, -4)
_KEPT = 1000  # palettes
_FEW, _MOSTLY = 8, 0.9  # pixels of a palette entry that tell its colour, and the share that has to agree
_COLUMNS, _ROWS = 32, 15  # of the two name tables, in units of 16 pixels


def read_program(rom: Path) -> str:
    """SHA-256 of what stands behind the header of an iNES file. Raises RomError where it is none."""
    try:
        with rom.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise RomError(f"{rom}: cannot be read: {error.strerror}") from None
    if data[:4] != b"NES\x1a" or len(data) <= _HEADER or len(data) > _LARGEST:
        found = data[:4].hex(" ").upper() or "nothing"
        raise RomError(f"{rom} is no ROM of the NES: expected a file that begins with 4E 45 53 1A, found {found}")
    return hashlib.sha256(data[_HEADER:]).hexdigest()


def emulator_version() -> str:
    """Name and version of the emulator that is installed, "" where none is."""
    try:
        return f"cynes-{metadata.version('cynes')}"
    except metadata.PackageNotFoundError:
        return ""


class NesPredictor:
    """See `Predictor`. The picture of a frame is drawn while the console runs on to the next one.

    Args:
        rom: the user's iNES file.
    Raises:
        RomError: no such file, or the emulator is not installed or cannot run it.
    """

    kind = "nes"
    memory = 2048
    size = (240, 256)
    begin = Script(((40, 0),))

    def __init__(self, rom: Path) -> None:
        self.lock: AbstractContextManager[object] = threading.RLock()
        self.program = read_program(rom)
        self.emulator = emulator_version()
        try:
            self._console = NesEmulator(rom)
            self._colours = shown_colours()
        except DataError as error:
            raise RomError(str(error)) from None
        patterns = patterns_of(rom)
        self._solver = None if patterns is None else ScreenSolver(patterns)
        self._tables: dict[bytes, tuple[int, bytes]] = {}  # by what the palette memory holds
        self._started: dict[Script, np.ndarray] = {}

    def start(self, script: Script) -> np.ndarray:
        if script not in self._started:
            pokes: dict[int, list[tuple[int, int]]] = {}
            for frame, address, value in script.pokes:
                pokes.setdefault(frame, []).append((address, value))
            try:
                self._console.power()
                for frame, buttons in enumerate(script.frames()):
                    for address, value in pokes.get(frame, ()):
                        self._console.poke(address, value)
                    self._console.step(buttons)
            except DataError as error:
                raise RomError(str(error)) from None
            self._started[script] = self._console.save()
        return self._started[script].copy()

    def save(self) -> np.ndarray:
        return self._console.save()

    def load(self, state: np.ndarray) -> None:
        self._console.load(state)

    def memory_of(self, state: np.ndarray) -> np.ndarray:
        return state[_RAM]

    def screen_of(self, state: np.ndarray) -> tuple[np.ndarray, ...]:
        """Name tables by columns of 16 pixels, uint8 [32, 76]: palettes of 16 cells, then the tiles of 15, four each;
        and the palette, uint8 [1, 32]."""
        tables = state[_TABLES].reshape(2, 1024)
        tiles = tables[:, :960].reshape(2, _ROWS, 2, 16, 2).transpose(0, 3, 1, 2, 4).reshape(_COLUMNS, 4 * _ROWS)
        packed = tables[:, 960:].reshape(2, 8, 8)
        palettes = np.stack([packed >> shift & 3 for shift in (0, 2, 4, 6)], -1).reshape(2, 8, 8, 2, 2)
        palettes = palettes.transpose(0, 2, 4, 1, 3).reshape(_COLUMNS, _ROWS + 1)
        return np.concatenate([palettes, tiles], 1), state[_PALETTE].reshape(1, -1).copy()

    def put_screen(self, state: np.ndarray, screen: tuple[np.ndarray, ...]) -> None:
        columns, colours = screen
        tables = np.empty((2, 1024), np.uint8)
        tiles = columns[:, _ROWS + 1 :].reshape(2, 16, _ROWS, 2, 2)
        tables[:, :960] = tiles.transpose(0, 2, 3, 1, 4).reshape(2, 960)
        palettes = (columns[:, : _ROWS + 1] & 3).reshape(2, 8, 2, 8, 2).transpose(0, 3, 1, 4, 2).reshape(2, 8, 8, 4)
        tables[:, 960:] = (palettes << np.array([0, 2, 4, 6], np.uint8)).sum(-1, dtype=np.uint8).reshape(2, 64)
        state[_TABLES] = tables.reshape(-1)
        state[_PALETTE] = colours.reshape(-1)

    def rest_of(self, state: np.ndarray) -> np.ndarray:
        known = np.zeros(len(state), bool)
        for part in (_TABLES, _RAM, _PALETTE):
            known[part] = True
        return np.flatnonzero(~known)

    def mend(self, state: np.ndarray, wanted: np.ndarray) -> np.ndarray | None:
        if self._solver is None:
            return None
        given, state = state, self._recoloured(state, wanted)
        drawn, tables, palette = self._drawn(state)
        probe = state.copy()
        probe[_TABLES] = self._solver.mixed(tables).reshape(-1)
        shown, mixed, colours = self._drawn(probe)
        shifts = self._solver.shifts(mixed, colours, shown)
        new = self._solver.solve(tables, palette, shifts, drawn.astype(np.int16), wanted)
        if new is not None:
            changed = np.flatnonzero((new != tables).reshape(-1))
            state[_TABLES][changed] = new.reshape(-1)[changed]
        return None if np.array_equal(state, given) else state

    def _recoloured(self, state: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """A copy with those palette entries changed that show one and the same other colour nearly everywhere. Drawn
        with a palette of colours that all differ, a picture tells which entry each pixel is."""
        probe, out = state.copy(), state.copy()
        probe[_PALETTE] = np.sort(np.unique(self._colours, axis=0, return_index=True)[1])[:32]
        shown, _, palette = self._drawn(probe)
        for entry in range(32):
            there = (shown == palette[entry]) & (wanted >= 0)
            if entry % 4 == 0 and entry:  # never shown, or the same as entry 0
                continue
            found = np.bincount(wanted[there], minlength=64)
            if found.sum() >= _FEW and found.max() >= _MOSTLY * found.sum():
                colour = int(found.argmax())
                if (self._colours[colour] != self._colours[out[_PALETTE][entry] & 63]).any():
                    out[_PALETTE][entry] = colour
        return out

    def _drawn(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The picture that belongs to a state, and the name tables uint8 [2, 1024] and NES colours it is drawn with."""
        self.load(state)
        picture, then = self.leave(0, 1), self.save()
        return picture, then[_TABLES].reshape(2, 1024).copy(), then[_PALETTE] & 63

    def leave(self, buttons: int, frames: int) -> np.ndarray:
        before = self.save()
        try:
            self._console.step(buttons)
            picture = self._picture()
            for _ in range(frames - 1):
                self._console.step(buttons)
        except DataError:  # what was put into its memory has crashed the program: it stands still
            self._console.power()
            frames, picture = 0, np.zeros(self.size, np.uint8)
        if not frames:  # the picture was drawn by a frame that is not gone
            self.load(before)
        return picture

    def _picture(self) -> np.ndarray:
        """NES colours of what was just drawn. Of colours that look alike the first one in the palette memory counts; a
        colour that is not in it (it was changed within the picture) becomes any other: that costs bytes, no more."""
        palette = self.save()[_PALETTE].tobytes()
        if palette not in self._tables:
            if len(self._tables) > _KEPT:
                self._tables.clear()
            self._tables[palette] = self._table(np.frombuffer(palette, np.uint8) & 63)
        channel, table = self._tables[palette]
        pixels = self._console.pixels
        if channel < 3:
            shown = pixels[..., channel].tobytes().translate(table)
        else:
            mixed = pixels[..., 0] * _MIX[0] + pixels[..., 1] * _MIX[1] + pixels[..., 2] * _MIX[2]
            shown = np.frombuffer(table, np.uint8)[mixed].tobytes()
        return np.frombuffer(shown, np.uint8).reshape(self.size)

    def _table(self, present: np.ndarray) -> tuple[int, bytes]:
        """Which NES colour each value of a channel of the screen means; channel 3: of all channels as `_MIX` mixes
        them. `present`: uint8 [32] NES colours."""
        looks = self._colours[present]
        apart = len(np.unique(looks, axis=0))
        for channel in (1, 0, 2):  # mostly one of them tells all colours of a picture apart
            if len(np.unique(looks[:, channel])) == apart:
                keys, table = looks[:, channel], np.zeros(256, np.uint8)
                break
        else:
            channel, keys, table = 3, looks @ _MIX, np.zeros(1 << 16, np.uint8)
        table[keys[::-1]] = present[::-1]
        return channel, table.tobytes()


_MIX = np.array([251, 509, 32003], np.uint16)  # keeps the colours of the NES apart, modulo 65536
