"""A program for the NES of our own, in 100 bytes: it scrolls, draws and counts by the buttons. And sessions of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hstmae.codec.replay.nes import NesPredictor
from hstmae.codec.replay.predictor import Script
from hstmae.data.episode import Episode
from hstmae.games import get_game

_RESET = """
78 D8 A2 FF 9A A9 00 8D 00 20 8D 01 20 2C 02 20 10 FB 2C 02 20 10 FB
A9 3F 8D 06 20 A9 00 8D 06 20 A2 00 BD 00 C1 8D 07 20 E8 E0 20 D0 F5
A9 20 8D 06 20 A9 00 8D 06 20 A0 08 A2 00 8A 8D 07 20 E8 D0 F9 88 D0 F6
A9 90 8D 00 20 A9 1E 8D 01 20
"""  # palette from C100, name tables full of tiles, then frames
_FRAME = """
A9 00 8D 03 20 A9 02 8D 14 40
A9 20 8D 06 20 A5 12 8D 06 20 A5 13 8D 07 20 A9 90 8D 00 20 A5 11 8D 05 20 A9 00 8D 05 20
A9 01 8D 16 40 A9 00 8D 16 40 A2 08 AD 16 40 4A 26 10 CA D0 F7
E6 12 A5 13 0A 65 10 45 12 85 13 A5 10 29 01 18 65 11 85 11
A5 13 8D 00 02 A5 12 8D 01 02 A5 11 8D 03 02 A6 12 A5 13 9D 00 03 40
"""  # sprites, a tile, the camera; then buttons (10), count (12), a number that all so far decides (13), camera (11)


def rom_bytes(seed: int = 0) -> bytes:
    """An iNES file; other seeds have other tiles."""
    program = bytearray(16384)
    reset, frame = bytes.fromhex(_RESET), bytes.fromhex(_FRAME)
    loop = 0xC000 + len(reset)
    code = reset + bytes([0x4C, loop & 255, loop >> 8])
    program[: len(code)] = code
    program[0x100:0x120] = bytes.fromhex("0f001020 0f162738 0f1a2b3c 0f021222 0f051525 0f081828 0f0b1b2b 0f011131")
    program[0x200 : 0x200 + len(frame)] = frame
    program[0x3FFA:] = bytes.fromhex("00C2 00C0 00C0")
    tiles = b"".join(bytes([k ^ seed] * 8 + [0, k & 0xF0] * 4) for k in [*range(256)] * 2)
    return b"NES\x1a\x01\x01\x01\x00" + bytes(8) + bytes(program) + tiles


# Patterns in RAM, written by the program; then, in each frame, sprites of 16 lines, and other scrolling further down.
_PATTERNS = "A9 00 8D 06 20 8D 06 20 A0 20 A2 00 8A 8D 07 20 E8 D0 F9 88 D0 F6 A9 20 8D 06 20 A9 00 8D 06 20 A0 08"
_FURTHER_DOWN = "A2 08 A0 00 88 D0 FD CA D0 F8 A9 33 8D 05 20 A9 00 8D 05 20 40"


def unusual_rom_bytes() -> bytes:
    """Another iNES file, with name tables above each other and all that is unusual about it."""
    program = bytearray(16384)
    reset = bytes.fromhex(_RESET.replace("A9 20 8D 06 20 A9 00 8D 06 20 A0 08", _PATTERNS).replace("A9 90", "A9 B0"))
    frame = bytes.fromhex(_FRAME.replace("A9 90", "A9 B0"))[:-1] + bytes.fromhex(_FURTHER_DOWN)
    loop = 0xC000 + len(reset)
    code = reset + bytes([0x4C, loop & 255, loop >> 8])
    program[: len(code)] = code
    program[0x100:0x120] = bytes.fromhex("0f001020 0f162738 0f1a2b3c 0f021222 0f051525 0f081828 0f0b1b2b 0f011131")
    program[0x200 : 0x200 + len(frame)] = frame
    program[0x3FFA:] = bytes.fromhex("00C2 00C0 00C0")
    return b"NES\x1a\x01\x00\x00\x00" + bytes(8) + bytes(program)


def write_rom(path: Path, seed: int = 0) -> Path:
    path.write_bytes(rom_bytes(seed))
    return path


def session(rom: Path, frames: int, seed: int = 0, name: str = "own", still: bool = False) -> Episode:
    """Frames as a recorder has them that pairs memory with its own picture. `still`: no button is held."""
    console, random = NesPredictor(rom), np.random.RandomState(seed)
    buttons = np.repeat(random.choice([0, 4, 0x84, 0x14], frames), 5)[: frames + 1].astype(np.uint8)
    buttons *= not still
    console.load(console.start(Script(((60 + seed, 0),))))
    pictures, memory = [], []
    for t in range(frames):
        memory.append(console.memory_of(console.save()).copy())
        pictures.append(console.leave(int(buttons[t + 1]), 1).copy())
    game = get_game("smb")
    return Episode(
        name=name, game=game.name, frames=np.stack(pictures), palette=game.palette, state=np.stack(memory),
        context=None, actions=buttons[:frames], frame_numbers=np.arange(1, frames + 1, dtype=np.int32), fps=60.0,
    )  # fmt: skip
