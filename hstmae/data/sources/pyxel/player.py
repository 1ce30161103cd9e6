"""Plays a Pyxel program without a window and writes its frames to stdout: `python -m ...player PROGRAM FRAMES SEED`.

A process of its own, since Pyxel can be begun once in a process. First a line of JSON (width, height, fps, palette),
then for each frame: a byte of buttons, the state, the picture.
"""

from __future__ import annotations

import json
import os
import random
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ....games.pyxel.memory import BANK_COUNT, COLOURS, SIDE
from .log import Log, state_of

MOST_HOLD, JUMPS = 14, 0.4  # frames that buttons are held; how often one of the last four is, too
KEYS = (
    "KEY_SPACE",
    "KEY_UP",
    "KEY_LEFT",
    "KEY_Z",
    "KEY_RETURN",
    "KEY_RIGHT",
    "KEY_DOWN",
    "KEY_X",
)  # the highest bit first
_DIRECTIONS = (0, 4, 4, 4, 4, 32, 64, 2)  # mostly to the right
_OTHERS = (128, 128, 128, 16, 1)


class _Over(Exception):
    """The program has ended."""


def play(program: Path, frames: int, seed: int, write: Callable[[bytes], object]) -> None:
    """Play a program by chance and write what `PyxelEpisode` reads."""
    import pyxel

    found: dict[str, Any] = {"fps": 30}
    begin = pyxel.init

    def init(width: int, height: int, title: Any = None, fps: int = 30, *_: Any, **__: Any) -> None:
        found["fps"] = fps
        begin(width, height, headless=True, fps=100_000)  # no waiting
        os.chdir(program.parent)

    def over(*_: Any, **__: Any) -> None:
        raise _Over

    pyxel.init = init  # type: ignore[assignment]
    pyxel.run = lambda update, draw: found.update(update=update, draw=draw)
    pyxel.quit = pyxel.show = pyxel.reset = over  # type: ignore[assignment]
    log = Log(pyxel)
    random.seed(seed)
    runpy.run_path(str(program), run_name="__main__")
    if "draw" not in found:
        raise SystemExit("the program does not call pyxel.init and pyxel.run")
    pyxel.rseed(seed)
    colours = [int(colour) for colour in list(pyxel.colors)]
    size = pyxel.width, pyxel.height
    if len(colours) != COLOURS or max(size) > SIDE:
        raise SystemExit(
            f"has {size[0]}x{size[1]} pixels in {len(colours)} colours, at most {SIDE}x{SIDE} in {COLOURS}"
        )
    head = {"width": size[0], "height": size[1], "fps": found["fps"], "palette": colours}
    write(json.dumps(head).encode() + b"\n")
    for _, held in zip(range(frames), buttons(seed), strict=False):
        for bit, name in enumerate(KEYS):
            pyxel.set_btn(getattr(pyxel, name), bool(held >> (7 - bit) & 1))
        log.begin()
        try:
            found["update"]()
            found["draw"]()
        except _Over:
            return
        pyxel.flip()
        shown = np.frombuffer(pyxel.screen.data_ptr(), np.uint8).reshape(size[1], size[0])
        banks = [np.frombuffer(pyxel.images[k].data_ptr(), np.uint8).reshape(SIDE, SIDE) for k in range(BANK_COUNT)]
        write(bytes([held]) + state_of(log, np.stack(banks), shown).tobytes() + shown.tobytes())


def buttons(seed: int) -> Iterator[int]:
    """Without end."""
    rng, left, held = np.random.default_rng(seed), 0, 0
    while True:
        if not left:
            left, held = int(rng.integers(4, MOST_HOLD + 1)), int(rng.choice(_DIRECTIONS))
            held |= int(rng.choice(_OTHERS)) if rng.random() < JUMPS else 0
        left -= 1
        yield held


def main() -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the program prints is no frame
    play(Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3]), out.write)
    out.flush()


if __name__ == "__main__":
    main()
