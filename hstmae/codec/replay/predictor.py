"""What a machine must be able to do so that replay streams can be coded with it, and input that starts one."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...errors import CodecError
from ..container.numbers import Reader, varint

MAX_STEPS = 600  # frames that are run for one recorded frame
_MAX_SCRIPT = 20_000  # frames


@dataclass(frozen=True)
class Script:
    """Input from power-on: (frames, buttons) in order; (frame, address, value), memory written before that frame."""

    runs: tuple[tuple[int, int], ...]
    pokes: tuple[tuple[int, int, int], ...] = ()

    @staticmethod
    def of(buttons: bytes, pokes: tuple[tuple[int, int, int], ...] = ()) -> Script:
        """From the buttons of each frame."""
        ends = [k + 1 for k in range(len(buttons)) if buttons[k + 1 : k + 2] != buttons[k : k + 1]]
        lengths = [b - a for a, b in zip([0, *ends], ends, strict=False)]
        return Script(tuple((n, buttons[end - 1]) for n, end in zip(lengths, ends, strict=True)), pokes)

    def pack(self) -> bytes:
        out = [varint(len(self.runs)), *(varint(n) + bytes([buttons]) for n, buttons in self.runs)]
        last = 0
        for frame, address, value in self.pokes:
            out.append(varint(frame - last) + varint(address) + bytes([value]))
            last = frame
        return b"".join(out)

    @staticmethod
    def unpack(data: bytes) -> Script:
        """Raises CodecError where that is no script, or a long one."""
        reader, frame = Reader(data), 0
        runs = tuple((reader.varint(), reader.byte()) for _ in range(reader.varint()))
        pokes = []
        while not reader.done:
            frame += reader.varint()
            pokes.append((frame, reader.varint(), reader.byte()))
        if sum(n for n, _ in runs) > _MAX_SCRIPT or any(address > 0x7FF for _, address, _ in pokes):
            raise CodecError("damaged stream: a script that no encoder writes")
        return Script(runs, tuple(pokes))

    def frames(self) -> list[int]:
        """Buttons of each frame."""
        return [buttons for n, buttons in self.runs for _ in range(n)]


class Predictor(Protocol):
    """A machine. All that it does follows from its program, its state, and the buttons, on every computer.

    Attributes:
        kind: name of the sort of machine.
        emulator: the emulator and its version, "cynes-0.1.2".
        program: SHA-256 of what it runs, 64 hexadecimal digits.
        memory: bytes of memory that recordings hold.
        size: height and width of its pictures.
        lock: to be held while it is used: it has one state.
        begin: the shortest script after which its program runs as it does in play.
    """

    kind: str
    emulator: str
    program: str
    memory: int
    size: tuple[int, int]
    lock: AbstractContextManager[object]
    begin: Script

    def start(self, script: Script) -> np.ndarray:
        """The state, as `save` gives it, after power-on and `script`. Raises CodecError where it cannot be run."""

    def save(self) -> np.ndarray:
        """uint8 [N], everything the machine holds."""

    def load(self, state: np.ndarray) -> None:
        """Back to a state of `save`."""

    def memory_of(self, state: np.ndarray) -> np.ndarray:
        """uint8 [memory], a view of a saved state: changing it changes the state."""

    def screen_of(self, state: np.ndarray) -> tuple[np.ndarray, ...]:
        """What else of a state decides pictures: arrays uint8 [rows, bytes], in which neighbouring rows are alike."""

    def put_screen(self, state: np.ndarray, screen: tuple[np.ndarray, ...]) -> None:
        """The inverse: write it into a saved state."""

    def rest_of(self, state: np.ndarray) -> np.ndarray:
        """Positions int64 [N] in a state of all that is neither."""

    def mend(self, state: np.ndarray, wanted: np.ndarray) -> np.ndarray | None:
        """A state with other picture memory whose picture is nearer to a wanted one, int16 [H, W], -1 = anything. None
        where the machine finds none."""

    def leave(self, buttons: int, frames: int) -> np.ndarray:
        """Go on by so many frames (0 or more) with these buttons held. Where the program crashes, since it was given
        memory that it cannot have, the machine stays as it was and shows zeros.

        Returns:
            uint8 [H, W], the picture that belongs to the state it leaves.
        """
