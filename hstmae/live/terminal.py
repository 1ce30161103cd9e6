"""Pictures in a terminal: two pixels in each character, the upper one its colour, the lower one its ground."""

from __future__ import annotations

import shutil
import time
from typing import IO

import numpy as np
from PIL import Image

_HOME, _CLEAR, _HIDE, _SHOW, _OTHER, _BACK = "\x1b[H", "\x1b[2J", "\x1b[?25l", "\x1b[?25h", "\x1b[?1049h", "\x1b[?1049l"
_LEAST = 1 / 30  # seconds between two pictures


def coloured(picture: np.ndarray, palette: np.ndarray | None) -> np.ndarray:
    """uint8 [H, W, 3] of indices and their palette, or of what is RGB already."""
    return picture if palette is None or picture.ndim == 3 else palette[picture]


class Screen:
    """A terminal that shows pictures, or with `plain` a line a second. Context manager."""

    def __init__(self, out: IO[str], plain: bool = False) -> None:
        self._out, self._plain = out, plain
        self._said, self._last, self._frames = "", 0.0, 0
        self._size = (0, 0)

    def __enter__(self) -> Screen:
        if not self._plain:
            self._write(_OTHER + _HIDE + _CLEAR)
        return self

    def __exit__(self, *error: object) -> None:
        if not self._plain:
            self._write("\x1b[0m" + _SHOW + _BACK)

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()

    def say(self, text: str) -> None:
        """What happens to the connection."""
        self._said = text
        if self._plain:
            self._write(text + "\n")

    def show(self, picture: np.ndarray, told: str) -> None:
        """A picture uint8 [H, W, 3] with a line of text below."""
        self._frames += 1
        now = time.monotonic()
        if now - self._last < (1.0 if self._plain else _LEAST):
            return
        self._last = now
        if self._plain:
            self._write(f"{told}  ({self._frames} frames)\n")
            return
        columns, rows = shutil.get_terminal_size()
        if (columns, rows) != self._size:
            self._size = (columns, rows)
            self._write(_CLEAR)
        self._write(
            _HOME + drawn(picture, columns, rows - 1) + f"\x1b[0m{f'{told}  {self._said}'[:columns]:<{columns}}"
        )


def drawn(picture: np.ndarray, columns: int, rows: int) -> str:
    """The picture as lines of characters with colours, as large as fits into `columns` x `rows`."""
    height, width = picture.shape[:2]
    scale = min(columns / width, 2 * rows / height)
    size = max(int(width * scale), 1), max(int(height * scale) // 2 * 2, 2)
    small = np.asarray(
        Image.fromarray(picture).resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST)
    )
    lines = []
    for upper, lower in zip(small[::2].tolist(), small[1::2].tolist(), strict=True):
        line, before = [], ""
        for (r, g, b), (x, y, z) in zip(upper, lower, strict=True):
            code = f"\x1b[38;2;{r};{g};{b};48;2;{x};{y};{z}m"
            line.append("▀" if code == before else code + "▀")
            before = code
        lines.append("".join(line) + "\x1b[0m\n")
    return "".join(lines)
