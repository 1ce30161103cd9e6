"""Records the sample game of `hstmae demo --any`: the platformer that comes with Pyxel, as an animated PNG file.

    pip install pyxel
    python scripts/record_sample_game.py --out hstmae/bundled/samples/platformer.png

A player that mostly runs to the right and jumps now and then plays without a window; of its seeds the default one gets
farthest. The game and its pictures are Takashi Kitao's, under the MIT licence (hstmae/bundled/samples/README.md).
"""

from __future__ import annotations

import argparse
import os
import runpy
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from hstmae.atomic import replacing
from hstmae.pictures.png import encode_apng

EXAMPLE, RATE = "10_platformer.py", 30
JUMPS, RUNS = 0.45, 0.9  # how often an action is one
HOLD = (4, 14)  # frames that it lasts
SEED, START, FRAMES = 154, 60, 96


class Platformer:
    """The example, a step at a time: its own loop is not entered."""

    def __init__(self) -> None:
        import pyxel

        self.pyxel: Any = pyxel
        found: dict[str, Callable[[], None]] = {}
        folder = Path(pyxel.__file__).with_name("examples")
        begin = pyxel.init

        def init(width: int, height: int, **_: object) -> None:
            begin(width, height, headless=True, fps=100_000)  # no waiting
            os.chdir(folder)

        pyxel.init = init  # type: ignore[assignment]
        pyxel.run = lambda update, draw: found.update(update=update, draw=draw)
        here = Path.cwd()
        runpy.run_path(str(folder / EXAMPLE))
        os.chdir(here)
        self._update, self._draw = found["update"], found["draw"]
        self._world = self._update.__func__.__globals__  # type: ignore[attr-defined]
        self.palette = np.array([[c >> 16, c >> 8 & 255, c & 255] for c in list(pyxel.colors)], np.uint8)

    def play(self, frames: int, seed: int) -> Iterator[np.ndarray]:
        """uint8 [H, W, 3] each, until the player is caught."""
        rng, pyxel = np.random.default_rng(seed), self.pyxel
        self._world["game_over"]()
        left = 0
        for _ in range(frames):
            pyxel.set_btn(pyxel.KEY_SPACE, left == 0 and bool(rng.random() < JUMPS))
            if left == 0:
                pyxel.set_btn(pyxel.KEY_RIGHT, bool(rng.random() < RUNS))
                left = int(rng.integers(*HOLD))
            left -= 1
            before = self._world["scroll_x"]
            self._update()
            self._draw()
            pyxel.flip()
            if self._world["scroll_x"] < before:
                return
            screen = pyxel.screen
            size = (pyxel.height, pyxel.width)
            yield self.palette[np.frombuffer(screen.data_ptr(), np.uint8).reshape(size)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--start", type=int, default=START, help="frames that are left out (%(default)s)")
    parser.add_argument("--frames", type=int, default=FRAMES, help="(%(default)s)")
    args = parser.parse_args()
    out = args.out.absolute()
    game = Platformer()
    frames = list(game.play(args.start + args.frames, args.seed))[args.start :]
    with replacing(out) as temp, temp.open("wb") as file:
        for piece in encode_apng(frames, [Fraction(1, RATE)] * len(frames), 0):
            file.write(piece)
    print(f"{len(frames)} frames, {out.stat().st_size:,} bytes in {out}")


if __name__ == "__main__":
    main()
