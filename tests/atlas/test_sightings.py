"""What a stream has shown of its status bar, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest

from hstmae.atlas.sightings import LevelSightings
from hstmae.games import get_game
from hstmae.games.pixels import View

SMB = get_game("smb")


@pytest.mark.parametrize("late", [(0,), (2,), (0, 1), ()])
def test_a_status_bar_that_is_a_line_down_once_is_remembered_where_it_belongs(late: tuple[int, ...]) -> None:
    """Much in the console's buffer: the picture begins a line late, first, later, or twice in a row."""
    memory = np.zeros((7, 2048), np.uint8)
    memory[list(late), 0x300] = 67
    picture = np.random.default_rng(1).integers(0, 60, (1, *SMB.native_size), np.uint8)
    sightings, found = LevelSightings(SMB.native_size), []
    for t, row in enumerate(memory):
        state = SMB.decode(row[None], SMB.context(row[None], np.arange(1)))
        mask = np.zeros(picture.shape, bool)
        mask[:, :32] = t in (5, 6)
        colours, there = sightings.pass_by(View(picture, mask, SMB, state, "full"))
        assert np.array_equal(colours[there], picture[there])
        found.append(int(there.sum()))
    assert min(found[5:]) > 2000 and not any(found[:5])
