"""What the tests of other formats share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hstmae import cli
from hstmae.codec.session.reader import HstReader
from hstmae.data import Episode
from hstmae.games import get_game

FIELDS = ("frames", "palette", "state", "actions", "frame_numbers", "name", "game", "fps", "level", "outcome")


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


def needs(*modules: str) -> None:
    for module in modules:
        pytest.importorskip(module)


def episode(number: int, game: str, frames: int) -> Episode:
    """Random play: with a palette and memory for "smb", else small RGB pictures."""
    draw = np.random.default_rng(number)
    spec = get_game(game)
    if game == "smb":
        shown = np.array(spec.shown_entries or range(64))
        rows = draw.choice(shown, (frames, 240, 1)).astype(np.uint8)
        palette, pictures = spec.palette, np.broadcast_to(rows, (frames, 240, 256)).copy()
        state = draw.integers(0, 256, (frames, 2048), np.uint8)
    else:
        palette, pictures, state = None, draw.integers(0, 256, (frames, 16, 32, 3), np.uint8), None
    numbers = np.arange(frames, dtype=np.int32) + 7 * number
    return Episode(
        f"e{number}", game, pictures, palette, state, None, draw.integers(0, 256, frames).astype(np.uint8),
        numbers, outcome=("win", "cut", "fail")[number % 3], level=f"1-{number + 1}", fps=float(spec.fps),
    )  # fmt: skip


def same(first: Path, second: Path, fields: tuple[str, ...] = FIELDS) -> None:
    with HstReader(first) as a, HstReader(second) as b:
        assert len(a.entries) == len(b.entries)
        for k in range(len(a.entries)):
            x, y = a.episode(k), b.episode(k)
            for name in fields:
                assert np.array_equal(getattr(x, name), getattr(y, name)), name
