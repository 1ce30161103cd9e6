"""Footage of the game of an atlas is told from other footage in the same colours."""

from __future__ import annotations

import numpy as np
import pytest

from hstmae.atlas.locate import Locator
from hstmae.atlas.maps import Atlas
from hstmae.atlas.recognising import MANY, Evidence, look
from hstmae.bundled import CHECKPOINTS
from hstmae.data.store.reader import EpisodeStore
from hstmae.games import get_game
from hstmae.games.pixels import View
from hstmae.masks.tubes import numbered_tube

GAME = get_game("smb")


@pytest.fixture(scope="module")
def locator() -> Locator:
    return Locator(Atlas.load(CHECKPOINTS / "hst-mae-nano" / "atlas.npz"), GAME)


@pytest.fixture(scope="module")
def frames(sample_store: EpisodeStore) -> np.ndarray:
    return sample_store.read(0, np.array([0, 60])).frames


def seen(frames: np.ndarray, mask: np.ndarray, locator: Locator, corner: tuple[int, int] = (0, 0)) -> Evidence:
    made = Evidence()
    look(View(np.where(mask, np.uint8(0), frames), mask, GAME, origin=corner), locator, made)
    return made


def hidden(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    if kind == "status bar":
        mask[:, :32] = True
    elif kind == "scenery":
        mask[:, 32:] = True
    elif kind == "left half":
        mask[:, :, :128] = True
    elif kind == "tubes":
        mask = numbered_tube((2, *shape[1:]), 0.9, 0, 3)
    return mask


@pytest.mark.parametrize("kind", ["nothing", "status bar", "scenery", "left half", "tubes"])
def test_the_game_is_known_by_what_is_left_of_it(kind: str, frames: np.ndarray, locator: Locator) -> None:
    made = seen(frames, hidden(kind, frames.shape), locator)
    assert made.proof and not made.contradicts


def test_a_part_of_the_picture_is_enough(frames: np.ndarray, locator: Locator) -> None:
    part = frames[:, 8:232, 16:]
    assert seen(part, np.zeros(part.shape, bool), locator, (8, 16)).proof


def other(kind: str, frames: np.ndarray) -> np.ndarray:
    """Pictures in the same colours that are not of the game."""
    rng = np.random.default_rng(0)
    colours = np.unique(frames)
    if kind == "tiles":  # made up, of 8x8 pixels, repeated as a console does, with letters in the upper rows
        tiles = rng.choice(colours, (24, 8, 8))
        picture = tiles[rng.integers(0, 24, (30, 32))].swapaxes(1, 2).reshape(240, 256)
        return np.stack([picture, np.roll(picture, 8, 1)]).astype(np.uint8)
    if kind == "cells in another order":
        cells = frames.reshape(2, 30, 8, 32, 8).swapaxes(2, 3).reshape(2, 960, 8, 8)[:, rng.permutation(960)]
        return cells.reshape(2, 30, 32, 8, 8).swapaxes(2, 3).reshape(frames.shape)
    if kind == "colours exchanged":
        table = np.arange(64, dtype=np.uint8)
        table[colours] = np.roll(colours, 1)
        return table[frames]
    if kind == "two colours":
        return np.where(frames == colours[0], colours[0], colours[-1])
    if kind == "noise":
        return rng.choice(colours, frames.shape).astype(np.uint8)
    return np.full_like(frames, colours[0])


@pytest.mark.parametrize(
    "kind", ["tiles", "cells in another order", "colours exchanged", "two colours", "noise", "flat"]
)
def test_another_game_in_the_same_colours_is_not(kind: str, frames: np.ndarray, locator: Locator) -> None:
    picture = other(kind, frames)
    made = seen(picture, np.zeros(picture.shape, bool), locator)
    assert not made.proof
    assert made.contradicts == (made.patches >= MANY)
    assert kind in ("two colours", "flat") or made.contradicts


def test_masked_pixels_say_nothing(frames: np.ndarray, locator: Locator) -> None:
    view = View(frames, np.ones(frames.shape, bool), GAME)
    made = Evidence()
    look(view, locator, made)
    assert made == Evidence() and not made.found and not made.proof and not made.contradicts
