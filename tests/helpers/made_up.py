"""Small made-up sessions and files for tests of the codec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from plain_profile import PlainProfile

from hstmae.codec.session.writer import HstWriter
from hstmae.data.episode import Episode


def session(frames: int = 10, seed: int = 0, *, size: tuple[int, int] = (6, 8), rgb: bool = False, state: int = 5,
            name: str = "a", numbers: list[int] | None = None) -> Episode:  # fmt: skip
    rng = np.random.default_rng(seed)
    return Episode(
        name=name,
        game="generic" if rgb else "smb",
        frames=rng.integers(0, 256 if rgb else 64, (frames, *size, 3) if rgb else (frames, *size), dtype=np.uint8),
        palette=None if rgb else rng.integers(0, 256, (64, 3), dtype=np.uint8),
        state=rng.integers(0, 256, (frames, state), dtype=np.uint8) if state else None,
        context=None,
        actions=rng.integers(0, 256, frames, dtype=np.uint8) if state else None,
        frame_numbers=np.arange(1, frames + 1, dtype=np.int32) if numbers is None else np.array(numbers, np.int32),
        outcome="win",
        level="1-1",
        fps=60.0988,
        source=name,
        notes={"repaired": 3},
    )


def write(path: Path, *episodes: Episode, gop: int = 4) -> Path:
    with HstWriter(path) as writer:
        for episode in episodes:
            writer.add(PlainProfile(), episode, gop=gop)
    return path


def assert_same(got: Episode, wanted: Episode) -> None:
    for name in ("frames", "palette", "state", "actions", "frame_numbers"):
        a, b = getattr(got, name), getattr(wanted, name)
        assert (a is None) == (b is None), name
        if a is not None:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b, err_msg=name)
    for name in ("name", "game", "level", "outcome", "fps", "source", "notes"):
        assert getattr(got, name) == getattr(wanted, name), name
