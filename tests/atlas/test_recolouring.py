"""Tiles in colours that training has not shown: by other tiles of their palette, and by what a clip shows."""

from __future__ import annotations

import numpy as np
import pytest

from hstmae.atlas.kinds import KINDS, kinds_of
from hstmae.atlas.recolouring import SHOWN, Pictures, completed, recoloured, steady

CELL = 16
SLOTS = np.random.default_rng(5).integers(0, 4, (4, CELL, CELL))  # shapes of four tiles, in colours of their palette
DAY, NIGHT, SNOW = ((34, 15, 23, 41), (15, 16, 0, 48), (34, 9, 26, 48))
FULL = KINDS - 1


def look(colours: tuple[int, ...], known: tuple[int, ...], kind: int = FULL) -> Pictures:
    """The four tiles in these colours, some of them known."""
    kinds = np.zeros(SLOTS.shape, np.uint8)
    kinds[list(known)] = kind
    return np.where(kinds > 0, np.array(colours)[SLOTS], 0).astype(np.uint8), kinds


def right(made: Pictures, colours: tuple[int, ...]) -> list[bool]:
    return ((made[0] == np.array(colours)[SLOTS]) & (made[1] > 0)).all((1, 2)).tolist()


def test_a_shape_seen_elsewhere_takes_the_colours_of_its_palette() -> None:
    made = recoloured(look(SNOW, (0, 1)), [look(DAY, (0, 1, 2)), look(NIGHT, (1, 3))], (0,) * 4)
    assert right(made, SNOW) == [True] * 4
    assert not recoloured(look(SNOW, (0, 1)), [look(DAY, (0, 1, 2))], (0, 0, 1, 1))[1][2:].any()  # another palette


def test_what_only_one_visit_saw_in_part_gives_way_and_what_is_sure_stays() -> None:
    colours, kinds = look(SNOW, (0, 1, 2))
    colours[2], kinds[2] = 7, 1
    made = recoloured((colours, kinds), [look(DAY, (0, 1, 2))], (0,) * 4)
    assert right(made, SNOW) == [True, True, True, False] and not steady(np.uint8(1))
    kinds[2] = FULL
    assert (recoloured((colours, kinds), [look(DAY, (0, 1, 2))], (0,) * 4)[0][2] == 7).all()


@pytest.mark.parametrize("third", [True, False])
def test_colours_that_look_alike_elsewhere_are_not_told_apart(third: bool) -> None:
    """At night the outline has the colour of the backdrop; which is which is not known of a tile only seen then."""
    night = (15, 15, 0, 48)
    others = [look(night, (0, 2)), *([look(DAY, (0, 1, 2))] if third else [])]
    made = recoloured(look(SNOW, (0, 1) if third else (1,)), others, (0,) * 4)
    for tile in (2, 3):
        wrong = (made[1][tile] > 0) & (made[0][tile] != np.array(SNOW)[SLOTS[tile]])
        assert not wrong.any()
    assert right(made, SNOW)[2] == third  # by day it was seen, too


def test_a_clip_shows_tiles_itself() -> None:
    seen = look(SNOW, (0,))
    place = np.flatnonzero(np.ones(SLOTS.shape))
    colours = np.array(SNOW)[SLOTS].ravel().astype(np.uint8)
    assert right(completed(seen, place, colours, ()), SNOW) == [True] * 4
    assert right(completed(seen, place, colours, (2,)), SNOW) == [True, True, False, True]  # its colours change
    unsure = completed(seen, np.concatenate([place, place]), np.concatenate([colours, colours + 1]), ())
    assert right(unsure, SNOW) == [True, False, False, False] and unsure[1][0].max() == FULL
    assert completed(seen, place, colours, ())[1][1].max() == SHOWN


def test_steady_kinds_are_those_on_which_all_visits_agreed() -> None:
    for total in range(1, 12):
        for most in range(1, total + 1):
            _, kind = kinds_of(np.array([[most], [total - most]]), np.array([total]))
            assert steady(kind)[0] == (most == total)
