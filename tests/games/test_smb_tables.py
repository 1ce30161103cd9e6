"""The fast decoding of Super Mario Bros. equals the plain one bit by bit, on random memory and on real play."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import plain_smb
import pytest

from hstmae.bundled import SAMPLES
from hstmae.data.sources.smb.listing import list_episodes
from hstmae.games import GameState, get_game

GAME = get_game("smb")


def arrays(state: GameState) -> dict[str, np.ndarray]:
    found = {}
    for field in fields(state):
        value = getattr(state, field.name)
        for i, array in enumerate(value if isinstance(value, tuple) else (value,)):
            found[f"{field.name} {i}"] = array
    return found


def assert_equal(got: GameState, wanted: GameState) -> None:
    first, second = arrays(got), arrays(wanted)
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.dtype == second[name].dtype and array.shape == second[name].shape, name
        assert array.tobytes() == second[name].tobytes(), name


@pytest.mark.parametrize("frames", [0, 1, 16, 300])
def test_random_memory(frames: int) -> None:
    rng = np.random.default_rng(frames)
    state, context = (rng.integers(0, 256, (frames, n)).astype(np.uint8) for n in (2048, GAME.context_size))
    state[::2] %= 4  # flags and small codes as well
    for told in (context, None):
        assert_equal(GAME.decode(state, told), plain_smb.decode(state, told))


def test_every_byte_value_everywhere() -> None:
    state = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 2048, 1)
    context = state[:, : GAME.context_size]
    assert_equal(GAME.decode(state, context), plain_smb.decode(state, context))


def test_recorded_play(root: Path) -> None:
    (episode,) = list_episodes(SAMPLES / "sample_session")
    frames = [frame for frame in episode.frames(lambda problem: None, {}) if frame.state is not None]
    state = np.stack([frame.state for frame in frames if frame.state is not None])
    context = GAME.context(state, np.array([frame.number for frame in frames]))
    assert len(state) > 90
    assert_equal(GAME.decode(state, context), plain_smb.decode(state, context))
    assert_equal(GAME.decode(state[5:20:4], None), plain_smb.decode(state[5:20:4], None))


def test_the_comparison_notices_one_different_number() -> None:
    state = np.zeros((2, 2048), np.uint8)
    other = GAME.decode(state, None)
    other.boxes[1, 0, 2] += 1
    with pytest.raises(AssertionError, match="boxes"):
        assert_equal(GAME.decode(state, None), other)
