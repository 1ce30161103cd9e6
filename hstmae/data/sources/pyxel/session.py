"""Episodes of a program written with Pyxel, played by chance while they are read."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

from ....errors import DataError
from ....games.pyxel.memory import SIZE
from ..base import AT_HAND, Report, SourceFrame

_SAID = 400  # characters of an error of the program's that are told


def find_program(path: Path) -> Path:
    """A program of the user's, or one of Pyxel's own examples by its name.

    Raises:
        DataError: there is none, or Pyxel is not installed.
    """
    found = find_spec("pyxel")
    if found is None or found.origin is None:
        raise DataError("recording Pyxel programs needs Pyxel: pip install 'hstmae[pyxel]'")
    if path.is_file():
        return path
    folder = Path(found.origin).with_name("examples")
    example = folder / f"{path.name.removesuffix('.py')}.py"
    if len(path.parts) == 1 and example.is_file():
        return example
    names = ", ".join(sorted(p.stem for p in folder.glob("*.py")))
    raise DataError(f"{path}: no such program; Pyxel's own examples are {names}")


@dataclass
class PyxelEpisode:
    """A `SourceEpisode`; it ends early where the program does.

    Attributes:
        program: a Python file that calls `pyxel.run`. It is run, by a process of its own.
        frames_wanted: how many frames to record.
        seed: of the player, and of the random numbers of the program.
    """

    program: Path
    frames_wanted: int
    seed: int = 0
    level: ClassVar[str] = ""
    outcome: ClassVar[str] = "cut"
    fps: float | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        return f"{re.sub('[^A-Za-z0-9.-]+', '-', self.program.stem)}_random_s{self.seed}_n{self.size}"

    @property
    def size(self) -> int:
        return self.frames_wanted

    def signature(self, content: bool = False) -> list[list[object]]:
        return [["pyxel", hashlib.sha256(self.program.read_bytes()).hexdigest(), self.size, self.seed]]

    @cached_property
    def game(self) -> str:
        """Name of the description, which says how large pictures are. Raises DataError as `frames` does."""
        with self._played(1) as (head, _):
            return f"pyxel-{head['width']}x{head['height']}"

    def frames(
        self, report: Report | None = None, notes: dict[str, int] | None = None, known: Container[int] = ()
    ) -> Iterator[SourceFrame]:
        """Play. Raises DataError where the program fails or is none."""
        with self._played(self.frames_wanted) as (head, stream):
            self.fps = float(head["fps"])
            colours = np.array(head["palette"], np.int64)
            palette = np.stack([colours >> 16 & 255, colours >> 8 & 255, colours & 255], 1).astype(np.uint8)
            shape = head["height"], head["width"]
            length = 1 + SIZE + shape[0] * shape[1]
            number = 0
            while len(row := stream.read(length)) == length:
                number += 1
                values = np.frombuffer(row, np.uint8)
                pixels = AT_HAND if number in known else values[1 + SIZE :].reshape(shape)
                yield SourceFrame(number, pixels, palette, values[1 : 1 + SIZE], int(values[0]))

    def _played(self, frames: int) -> _Played:
        return _Played([sys.executable, "-m", f"{__package__}.player", str(self.program), str(frames), str(self.seed)],
                       self.program)  # fmt: skip


class _Played:
    """The process that plays: what it says first, and the stream of its frames."""

    def __init__(self, command: list[str], program: Path) -> None:
        self._command, self._program = command, program

    def __enter__(self) -> tuple[dict[str, Any], IO[bytes]]:
        self._said = tempfile.TemporaryFile()
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=self._said)
        assert self._process.stdout is not None
        try:
            return json.loads(self._process.stdout.readline()), self._process.stdout
        except ValueError:
            self._process.wait()
            raise self._failed() from None

    def __exit__(self, kind: object, *_: object) -> None:
        assert self._process.stdout is not None
        whole = kind is None and not self._process.stdout.read(1)
        self._process.stdout.close()
        if not whole:
            self._process.terminate()
        code = self._process.wait()
        error = self._failed() if whole and code else None
        self._said.close()
        if error is not None:
            raise error

    def _failed(self) -> DataError:
        self._said.seek(0)
        lines = [line for line in self._said.read().decode("utf-8", "replace").splitlines() if line.strip()]
        return DataError(f"{self._program}: cannot be played: {lines[-1][-_SAID:] if lines else 'it says nothing'}")
