"""What the memory holds and the screen does not show yet: digits and colours that wait in the buffer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hstmae.bundled import SAMPLES
from hstmae.data.sources.smb.listing import list_episodes
from hstmae.games import get_game
from hstmae.games.smb.screen import BEGINS, colour_step, undrawn

GAME = get_game("smb")
COLUMNS = (26, 27, 28)
TIMER = [0x20, 0x7B, 2, 9, 9]  # address of column 27, two digits
GLOW = [0x3F, 0x0C, 4, 15, 39, 23, 15]


def memory(buffer: list[int], first: int = 6, frames: int = 1) -> np.ndarray:
    ram = np.zeros((frames, 2048), np.uint8)
    ram[:, 0x300], ram[:, 0x773], ram[:, 0x0E] = len(buffer), first, 8
    ram[:, 0x301 : 0x301 + len(buffer)] = buffer
    return ram


def test_what_waits_is_read_from_the_buffer() -> None:
    def waiting(buffer: list[int]) -> tuple[int, bool]:
        digits, glow = undrawn(memory(buffer), COLUMNS)
        return int(digits[0]) & 0b111, bool(glow[0])

    assert waiting(TIMER) == (0b110, False)
    assert waiting([*GLOW, *TIMER]) == (0b110, True)
    assert waiting([0x20, 0x7A, 0x42, 9, *GLOW]) == (0b011, True)  # repeated
    assert waiting([0x20, 0x7A, 0x83, 1, 2, 3]) == (0b001, False)  # down a column


def test_what_is_drawn_at_once_does_not_wait() -> None:
    assert [a.tolist() for a in undrawn(memory([*GLOW, *TIMER], first=0), COLUMNS)] == [[0], [False]]
    ram = memory([*GLOW, *TIMER])
    ram[0, 0x300] = 7  # what lies behind is old
    assert [a.tolist() for a in undrawn(ram, COLUMNS)] == [[0], [True]]


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=0, max_size=255), st.integers(0, 255))
def test_any_buffer_is_read(content: bytes, used: int) -> None:
    ram = memory(list(content))
    ram[0, 0x300] = used
    digits, _ = undrawn(ram, tuple(range(32)))
    assert digits.shape == (1,)


def test_a_step_that_waits_is_not_shown() -> None:
    ram = memory(GLOW, frames=3)
    ram[:, 0x6D4], ram[2, 0x773] = [0, 4, 4], 0
    assert GAME.decode(ram, None).glow.tolist() == [5, 3, 4]


def test_the_first_step_of_a_map_is_no_step() -> None:
    ram = np.zeros((4, 2048), np.uint8)
    ram[:, 0x7F8], ram[:, 0x787] = 4, [20, 20, 3, 0]
    ram[1, 0x6D4], ram[3, 0x7FA] = 1, 1  # 400 after a step, 400 for long, 401
    assert colour_step(ram, np.zeros(4, bool)).tolist() == [BEGINS, 1, 0, BEGINS]


def test_digits_that_wait_are_shown_as_before() -> None:
    ram = memory([*TIMER, 0x20, 0x67, 1, 0], frames=3)  # and a digit of the score, by an enemy for all that is known
    ram[:, 0x7F8], ram[:, 0x7F9], ram[:, 0x7FA] = 3, [5, 5, 4], [0, 0, 9]
    ram[:, 0x7E2], ram[:, 0x787] = [4, 5, 6], 9
    state = GAME.decode(ram, None)
    shown = GAME.shown_text(state, "full")[:, 3]
    assert shown[:, 26:29].tolist() == [[4, 6, 2], [4, 6, 2], [4, 6, 1]]  # 351, 351, 350
    assert shown[:, 7].tolist() == [GAME.tile_layers[1].ids - 1] * 3  # what it was is not known
    ram[0, 0x773], ram[:, 0x7ED], ram[:, 0x7EE] = 0, 1, [4, 5, 6]
    state = GAME.decode(ram, None)
    assert GAME.shown_text(state, "full")[:, 3, 7].tolist() == [5] * 3  # 4 until the rest is drawn
    compact = GAME.shown_text(state, "compact")[:, 3]
    ram[0, 0x0E] = 7  # not drawn at all so far
    state = GAME.decode(ram, None)
    blank = state.tiles[1][0, 3, 24]
    assert GAME.shown_text(state, "full")[:, 3, 26:29].tolist() == [[blank] * 3, [4, blank, blank], [4, 6, 1]]
    assert compact[:, 13:15].tolist() == [[2, 5], [2, 6], [2, 7]] and compact[2, 26:29].tolist() == [4, 5, 10]


def test_numbers_that_wait_are_counted_back() -> None:
    """Frames of a clip are some apart: the one before does not show what numbers were just before they changed."""
    coin, score, time = [0x20, 0x6D, 2, 0, 2], [0x20, 0x62, 6, 0, 0, 0, 0, 4, 0], [0x20, 0x7A, 3, 2, 9, 0]
    ram = memory([*coin, *score])
    ram[0, 0x7EE], ram[0, 0x7E1] = 2, 4
    row = GAME.shown_text(GAME.decode(ram, None), "full")[0, 3]
    assert row[13:15].tolist() == [1, 2] and row[3:8].tolist() == [1, 1, 1, 3, 1]  # 1 coin, 200
    assert row[2] == GAME.decode(ram, None).tiles[1][0, 3, 2]  # the leading zero stays blank
    ram = memory([*time, *score] * 2)  # points for what is left of the time
    ram[0, 0x7F8:0x7FB], ram[0, 0x7DD:0x7E3] = [2, 8, 9], [0, 1, 4, 8, 2, 5]
    row = GAME.shown_text(GAME.decode(ram, None), "full")[0, 3]
    assert row[26:29].tolist() == [3, 10, 2] and row[3:8].tolist() == [2, 5, 9, 2, 6]  # 291, 148150


def test_real_coins_have_one_colour_at_each_step(root: Path) -> None:
    """The coin of the status bar in recorded play; without what waits, some steps would have two colours."""
    (episode,) = list_episodes(SAMPLES / "sample_session")
    frames = [frame for frame in episode.frames(lambda problem: None, {}) if frame.state is not None]
    ram = np.stack([frame.state for frame in frames if frame.state is not None])
    coin = [int(frame.pixels[26, 90]) for frame in frames]
    state = GAME.decode(ram, None)
    for steps, most in ((state.glow, 1), (ram[:, 0x6D4], 2)):
        colours = Counter(step for step, _ in set(zip(steps.tolist(), coin, strict=True)))
        assert max(colours.values()) == most and len(colours) >= 6
