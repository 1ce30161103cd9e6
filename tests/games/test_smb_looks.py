"""Where the objects of `compact` are drawn: against hardware sprites of real recordings, and offsets seen in them."""

from __future__ import annotations

import numpy as np
import pytest

from hstmae.data.store.reader import EpisodeStore
from hstmae.games import GameState, get_game
from hstmae.games.pixels import View

GAME = get_game("smb")
BALL = 64


def memory(**values: int) -> np.ndarray:
    """One frame's memory: keys are hexadecimal addresses after an x."""
    made = np.zeros((1, GAME.state_size), np.uint8)
    for address, value in values.items():
        made[0, int(address[1:], 16)] = value
    return made


def boxes(state: GameState, kind: int) -> list[list[int]]:
    seen = GAME.drawn_objects(state)
    assert seen is not None
    return seen.boxes[seen.used & (seen.keys[..., 0] == kind)].tolist()


@pytest.mark.parametrize(
    "angle, right, down",
    [(0, 0, -39), (2, 15, -36), (8, 40, 1), (11, 33, 23), (16, 0, 41), (19, -22, 34), (24, -40, 1), (28, -28, -27)],
)
def test_balls_of_a_fire_bar_lie_where_sprites_were_seen(angle: int, right: int, down: int) -> None:
    bar = {"x0f": 1, "x16": 0x1B, "xb6": 1, "x87": 100, "xcf": 120, "xa0": angle}
    found = boxes(GAME.decode(memory(**bar), None), BALL)
    assert len(found) == 6 and [100 + right, 120 + down, 108 + right, 128 + down] in found
    assert len(boxes(GAME.decode(memory(**{**bar, "x16": 0x1F}), None), BALL)) == 12  # the long one


def test_small_lifts_come_in_pairs() -> None:
    found = boxes(GAME.decode(memory(x0f=1, x16=0x2B, xb6=1, x87=60, xcf=200), None), 0x2B)
    assert sorted(box[1] for box in found) == [71, 199]


def test_the_flag_is_drawn_though_its_screen_is_not_told() -> None:
    state = GAME.decode(memory(x14=1, x1b=0x30, x8c=150, xd4=0x30), None)
    assert boxes(state, 67) == [[150, 48, 166, 65]]


@pytest.mark.parametrize(
    ("x", "hidden"), [(30, 0), (2, 0), (1, 0), (0, 9), (-1, 9), (-7, 9), (-8, 17), (-15, 17), (-16, 25)]
)
def test_columns_of_sprites_at_the_left_edge_are_not_drawn(x: int, hidden: int) -> None:
    """Counted from the box, which is a pixel wider."""
    left = 1000 + x
    told = {"x0f": 1, "x16": 6, "xb6": 1, "xcf": 184, "x6e": left >> 8, "x87": left & 255}
    state = GAME.decode(memory(**told, x71a=1000 >> 8, x71c=1000 & 255), None)
    seen = GAME.drawn_objects(state)
    assert seen is not None and seen.cut is not None and seen.boxes[0, 0, 0] == x - 1
    assert seen.cut[seen.used & (seen.keys[..., 0] == 6)].tolist() == [hidden]


def test_boxes_are_where_sprites_are(sample_store: EpisodeStore) -> None:
    """The sprites of an enemy that walks lie in its box."""
    read = sample_store.read(0, np.arange(sample_store.info(0).frames))
    assert read.state is not None
    state = GAME.decode(read.state, read.context)
    seen = GAME.drawn_objects(state)
    assert seen is not None
    held = {shift: [0, 0] for shift in (0, 3)}
    for t in range(len(read.state)):
        ram = read.state[t].astype(int)
        for slot in range(5):
            at = ram[0x6E5 + slot]  # first of the object's six sprites in the sprite table
            if not (ram[0x0F + slot] and ram[0xB6 + slot] == 1 and ram[0x16 + slot] == 6 and not ram[0x1E + slot]):
                continue  # an enemy that walks
            y, x = ram[0x200 + at] + 1, ram[0x203 + at]
            if y >= 240 or not 16 < x < 230:
                continue
            for shift, counts in held.items():
                x0, y0, x1, y1 = seen.boxes[t, slot] + [shift, 0, shift, 0]
                counts[0] += x0 <= x and x + 16 <= x1 and y0 <= y and y + 24 <= y1
                counts[1] += 1
    assert held[0][1] > 20
    assert held[0][0] >= 0.98 * held[0][1]
    assert held[3][0] < 0.5 * held[3][1]  # control: boxes beside the sprites


def test_ropes_end_at_their_lifts_and_stay_when_these_fall() -> None:
    """Offsets seen in recordings of 4-3; the grid tells ropes as they were when their columns were drawn."""
    ram = np.repeat(memory(x0f=1, x10=1, x16=0x24, x17=0x24, xb6=1, xb7=1, x87=32, x88=144, x1e=255), 4, 0)
    ram[:, 0xCF], ram[:, 0xD0] = [131, 161, 191, 20], [73, 45, 75, 118]
    ram[2:, 0xA0:0xA2], ram[3, 0xB6] = 2, 2  # they fall; the first one has left the screen
    context = np.zeros((4, 13, 32), np.uint8)
    context[:, :, [3, 10]], context[:, 1:5, [3, 10]] = 0x44, 0x40
    state = GAME.decode(ram, context.reshape(4, -1))
    frames = np.zeros((4, 200, 200), np.uint8)
    ids = View(frames, frames > 0, GAME, state, "full", (40, 30)).tile_ids(0)
    for x, ends in ((50, [136, 168, 168, 168]), (162, [80, 48, 48, 48])):
        for t, end in enumerate(ends):
            rope = np.flatnonzero(ids[t, :, x - 30] == 0x40) + 40
            assert rope.tolist() == list(range(48, end))
