"""Flashes, broken pictures and short shots in footage of anything: they lend nothing, and nothing is lent to them."""

from __future__ import annotations

import numpy as np
import pytest

from hstmae.restoration.anything import AnythingRestorer
from hstmae.restoration.result import METHODS
from hstmae.restoration.strangers import companies

COUNT, H, W = 24, 48, 64
AT = 12


def footage(step: int = 1, seed: int = 0) -> np.ndarray:
    """A world of coloured cells that scrolls by, uint8 [T, H, W, 3]."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 255, (H // 16, (W + COUNT * step) // 16 + 1, 3), np.uint8)
    world = cells.repeat(16, 0).repeat(16, 1)
    return np.stack([world[:, t * step : t * step + W] for t in range(COUNT)])


def strangers(frames: np.ndarray, mask: np.ndarray | None = None) -> list[list[int]]:
    _, *others = companies(frames, np.zeros(frames.shape[:3], bool) if mask is None else mask)
    return [np.flatnonzero(one.frames).tolist() for one in others]


@pytest.mark.parametrize("step", [0, 1, 2])
def test_usual_footage_has_no_strangers(step: int) -> None:
    frames = footage(step)
    assert strangers(frames) == []
    cut = np.concatenate([frames[:AT], footage(step, 1)[AT:]])
    assert strangers(cut) == []  # what comes to stay is none
    moving = frames.copy()
    for t in range(COUNT):
        moving[t, 8:24, 2 * t : 2 * t + 16] = 255
    assert strangers(moving) == []
    blinking = frames.copy()
    blinking[::2, 8:24, 8:24] = 255  # drawn in every second frame
    assert strangers(blinking) == []


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_short_shot_is_found_whatever_is_missing(length: int) -> None:
    frames, other = footage(), footage(seed=1)
    frames[AT : AT + length] = other[AT : AT + length]
    assert strangers(frames) == [list(range(AT, AT + length))]
    mask = np.random.default_rng(0).random(frames.shape[:3]) < 0.7
    mask[AT + length] = True  # the frame after it is lost
    assert strangers(np.where(mask[..., None], 0, frames), mask) == [list(range(AT, AT + length))]
    assert strangers(np.concatenate([frames[: AT + length], other[AT + length :]])) == []  # it stays: a cut


def test_flashes_that_are_alike_belong_together_and_have_one_colour() -> None:
    frames = footage(0)
    frames[[8, 11, 14]] = 250
    frames[17] = footage(seed=1)[17]
    usual, flash, shot = companies(frames, np.zeros(frames.shape[:3], bool))
    assert np.flatnonzero(flash.frames).tolist() == [8, 11, 14] and flash.blank is not None
    assert flash.blank.tolist() == [250, 250, 250]
    assert np.flatnonzero(shot.frames).tolist() == [17] and shot.blank is None
    assert usual.frames.sum() == COUNT - 4


def test_a_picture_that_goes_back_and_forth_before_it_stays_is_no_stranger() -> None:
    one, other = footage(0), footage(0, 1)
    frames = np.concatenate([one[:AT], other[:1], one[:1], other[AT + 2 :]])
    assert strangers(frames) == []


def test_a_flash_costs_the_others_nothing_and_stays_a_flash() -> None:
    frames = footage(0)
    frames[:, 16:32, 16:32] = 200
    mask = np.zeros(frames.shape[:3], bool)
    mask[AT + 1 : AT + 3] = True  # lost beside it
    mask[::3, 8:40, 8:24] = True
    plain = AnythingRestorer().restore(np.where(mask[..., None], 0, frames), mask)
    flashed = frames.copy()
    flashed[AT] = 255
    mask[AT] = False
    mask[AT, 8:40, 8:24] = True
    made = AnythingRestorer().restore(np.where(mask[..., None], 0, flashed), mask)
    assert (made.rgb[AT] == 255).all() and (made.method is not None and made.shown is not None)
    assert (made.method[AT][mask[AT]] == METHODS.index("surroundings")).all() and not made.shown[AT][mask[AT]].any()
    others = np.arange(COUNT) != AT
    wrong = (made.rgb != flashed)[others].any(-1).sum()
    assert wrong <= (plain.rgb != frames)[others].any(-1).sum() + 20


def test_what_is_seen_in_one_strip_alone_makes_no_stranger() -> None:
    """A bar that flashes over a frame of which the rest is lost: the rest is as it was."""
    frames = footage(0)
    mask = np.zeros(frames.shape[:3], bool)
    mask[AT, 10:] = True
    shown = frames.copy()
    shown[AT, :10] = 255
    assert strangers(np.where(mask[..., None], 0, shown), mask) == []


def test_a_frame_lost_inside_a_shot_has_no_company_of_its_own() -> None:
    frames, other = footage(0), footage(0, 1)
    frames[AT : AT + 3] = other[AT : AT + 3]
    mask = np.zeros(frames.shape[:3], bool)
    mask[AT + 1] = True
    assert strangers(np.where(mask[..., None], 0, frames), mask) == []


def test_flashes_that_cannot_be_compared_with_each_other_hide_no_others() -> None:
    frames = footage(0)
    frames[[6, 9, 12]] = 250
    mask = np.zeros(frames.shape[:3], bool)
    mask[6, :, ::2] = mask[[9, 12], :, 1::2] = True
    assert strangers(np.where(mask[..., None], 0, frames), mask) == [[6], [9, 12]]


def test_little_to_compare_says_nothing() -> None:
    frames = footage()
    frames[AT] = 255
    mask = np.ones(frames.shape[:3], bool)
    mask[:, :2, :2] = False
    assert strangers(np.where(mask[..., None], 0, frames), mask) == []
    assert strangers(frames[:1]) == [] and strangers(frames[:2], np.ones((2, H, W), bool)) == []
