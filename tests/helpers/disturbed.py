"""What happens to recordings: each function makes one that a console does not follow from what was played."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hstmae.data.episode import Episode

FRAMES = 10  # of what was played


def changed(episode: Episode, **arrays: np.ndarray) -> Episode:
    return replace(episode, **arrays)


def poked(e: Episode, seed: int) -> Episode:
    """One byte of one frame is another one, as if it had been damaged."""
    state, random = e.state.copy(), np.random.default_rng(seed)
    state[random.integers(FRAMES), random.integers(2048)] ^= random.integers(1, 256, dtype=np.uint8)
    return changed(e, state=state)


def dropped(e: Episode, seed: int) -> Episode:
    """A frame is missing, and the numbers do not tell."""
    kept = np.delete(np.arange(FRAMES), np.random.default_rng(seed).integers(1, FRAMES - 1))
    return replace(e.take(kept), frame_numbers=np.arange(FRAMES - 1, dtype=np.int32))


def gap(e: Episode, seed: int) -> Episode:
    """Frames are missing, and the numbers tell."""
    at = int(np.random.default_rng(seed).integers(1, FRAMES - 6))
    return e.take(np.r_[:at, at + 4 : FRAMES])


def twice(e: Episode, seed: int) -> Episode:
    at = int(np.random.default_rng(seed).integers(1, FRAMES))
    return replace(e.take(np.r_[:at, at - 1 : FRAMES]), frame_numbers=np.arange(FRAMES + 1, dtype=np.int32))


def swapped(e: Episode, seed: int) -> Episode:
    actions, at = e.actions.copy(), np.random.default_rng(seed).integers(FRAMES, size=2)
    actions[at] = actions[at[::-1]] ^ 0x80
    return changed(e, actions=actions)


def late_pictures(e: Episode, seed: int) -> Episode:
    """Memory belongs to the next picture, and nobody has noticed."""
    return changed(e, frames=np.roll(e.frames, 1, 0))


def early_pictures(e: Episode, seed: int) -> Episode:
    return changed(e, frames=np.roll(e.frames, -1, 0))


def other_colours(e: Episode, seed: int) -> Episode:
    """Of colours that look alike other software may choose another one; some number them in their own way."""
    return changed(e, frames=np.random.default_rng(seed).permutation(64).astype(np.uint8)[e.frames])


def cut_lines(e: Episode, seed: int) -> Episode:
    return replace(e, frames=np.ascontiguousarray(e.frames[:, 8:232]), corner=(8, 0))


def noise(e: Episode, seed: int) -> Episode:
    random = np.random.default_rng(seed)
    e = e.take(np.arange(2))
    return changed(e, frames=random.integers(0, 64, e.frames.shape, np.uint8), state=random.permuted(e.state, axis=1))


def some_noise(e: Episode, seed: int) -> Episode:
    frames = e.frames.copy()
    frames[3, 100:140, 50:90] = 5
    frames[9:] ^= 1
    return changed(e, frames=frames & 63)


def strided(e: Episode, seed: int) -> Episode:
    return e.take(np.arange(0, FRAMES, 3))


def from_its_middle(e: Episode, seed: int) -> Episode:
    return e.take(np.arange(8, FRAMES))


def held(e: Episode, seed: int) -> Episode:
    """The recorder went on while the console stood still."""
    return changed(e, frames=np.repeat(e.frames[:1], FRAMES, 0), state=np.repeat(e.state[:1], FRAMES, 0))


def crashing(e: Episode, seed: int) -> Episode:
    """Memory that the program does not survive."""
    state = e.state.copy()
    state[5, 0x100:0x200] = np.random.default_rng(seed).integers(0, 256, 256)
    return changed(e, state=state)


KINDS: list[Callable[[Episode, int], Episode]] = [
    poked, dropped, gap, twice, swapped, late_pictures, early_pictures, other_colours, cut_lines, some_noise, strided,
    from_its_middle, held, noise, crashing,
]  # fmt: skip
