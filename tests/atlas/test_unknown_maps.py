"""Scenery that no state tells, on maps that the atlas lacks: who may say what, and how candidates are weighed."""

from __future__ import annotations

import numpy as np

from hstmae.atlas.kinds import KINDS
from hstmae.atlas.maps import LEVELS, Atlas, WorldMap
from hstmae.atlas.tiles import TileLooks
from hstmae.atlas.unknown_maps import complete
from hstmae.games import get_game
from hstmae.games.pixels import View

GAME = get_game("smb")
H, W = GAME.native_size
LOOKS, CELL, TOP = GAME.looks, 16, 32
GUESSED = next(t for t in LOOKS.guessed_tiles if t not in LOOKS.landmark_tiles)
LANDMARK = next(t for t in LOOKS.guessed_tiles if t in LOOKS.landmark_tiles)
OTHER = next(t for t in LOOKS.unrecorded_tiles if t not in LOOKS.landmark_tiles and t != GUESSED)
BRICK = 7  # the colour of GUESSED; LANDMARK and OTHER have the next ones


def guess(tile: int) -> int:
    return LOOKS.first_guess + LOOKS.guessed_tiles.index(tile)


def atlas(world: np.ndarray | None = None) -> Atlas:
    """Knows the look of three tiles, and, where it is given, another map's tiles int16 [13, cells]."""
    pictures = np.stack([np.full((CELL, CELL), BRICK + n, np.uint8) for n in range(3)])
    keys = np.array([[0] * len(LOOKS.tile_globals) + [tile] for tile in (GUESSED, LANDMARK, OTHER)], np.int32)
    made = Atlas("smb", looks=TileLooks(keys, pictures, np.full(pictures.shape, KINDS - 1, np.uint8)))
    made.look_trust[0, KINDS - 1] = 1
    if world is not None:
        blank = np.zeros((H, W), np.uint8)
        made.maps[1] = WorldMap(blank, blank, world, blank, blank, np.zeros((H, W, 3), np.uint8), TOP)
    made.trust = np.ones((len(LEVELS), KINDS), np.float32)
    return made


def view(tiles: np.ndarray, shown: dict[tuple[int, int], int]) -> View:
    """One frame on map 9 of which only the cells of `shown` are visible, each in one colour."""
    state = GAME.decode(np.zeros((1, GAME.state_size), np.uint8), None)
    state.scene[:], state.camera[:] = 9, 0
    state.sprites[..., 1], state.tile_xy[0][:] = H, (0, TOP)
    state.tiles[0][:] = tiles[None, :, : state.tiles[0].shape[2]]
    frames, mask = np.zeros((1, H, W), np.uint8), np.ones((1, H, W), bool)
    for (row, column), colour in shown.items():
        part = (0, slice(TOP + row * CELL, TOP + (row + 1) * CELL), slice(column * CELL, (column + 1) * CELL))
        frames[part], mask[part] = colour, False
    return View(frames, mask, GAME, state, "full")


def grid(fill: int, **cells: int) -> np.ndarray:
    made = np.full((13, 17), fill, np.int16)
    for place, tile in cells.items():
        row, column = (int(part) for part in place[1:].split("_"))
        made[row, column] = tile
    return made


def cell(array: np.ndarray, row: int, column: int) -> np.ndarray:
    return array[0, TOP + row * CELL : TOP + (row + 1) * CELL, column * CELL : (column + 1) * CELL]


UNKNOWN = GAME.tile_layers[0].ids - 1


def test_guesses_are_drawn_but_not_those_at_landmarks() -> None:
    colours, trust = complete(view(grid(UNKNOWN, c3_4=guess(GUESSED), c3_6=guess(LANDMARK), c5_5=0), {}), atlas())
    assert (cell(colours, 3, 4) == BRICK).all() and (cell(trust, 3, 4) > 0.9).all()
    assert not cell(trust, 3, 6).any()  # where a wall begins is not known
    assert not cell(trust, 5, 5).any()  # there the state gives the tile
    assert not trust[:, :TOP].any()


def test_landmarks_come_from_maps_and_stand_in_front_of_the_guess() -> None:
    other = np.full((13, 17), -1, np.int16)
    other[3, 4] = LANDMARK
    tiles = grid(UNKNOWN, c3_4=guess(GUESSED))
    colours, _ = complete(view(tiles, {(3, 3): BRICK + 5}), atlas(other))
    assert (cell(colours, 3, 4) == BRICK).all()  # nothing speaks for the map
    tiles = grid(UNKNOWN, c3_4=guess(GUESSED), c4_4=guess(GUESSED), c3_5=guess(GUESSED))
    seen = view(tiles, {(4, 4): BRICK + 1})
    other[4, 4] = LANDMARK
    colours, trust = complete(seen, atlas(other))  # what is visible below it does
    assert (cell(colours, 3, 4) == BRICK + 1).all() and (cell(trust, 3, 4) > 0.9).all()
    assert (cell(colours, 3, 5) == BRICK).all() and (cell(trust, 3, 5) > 0.9).all()  # the guess goes on beside them


def test_a_map_tells_what_states_leave_out() -> None:
    other = np.full((13, 17), -1, np.int16)
    other[3, 4] = other[4, 4] = GUESSED
    other[9, 9] = 0  # a tile that a state does tell: the map has no say in it
    assert GUESSED in LOOKS.unrecorded_tiles
    colours, trust = complete(view(grid(UNKNOWN), {(4, 4): BRICK}), atlas(other))
    assert (cell(colours, 3, 4) == BRICK).all() and (cell(trust, 3, 4) > 0.9).all()


def test_of_two_maps_the_one_that_fits_elsewhere_is_believed() -> None:
    first, second = (np.full((13, 17), -1, np.int16) for _ in range(2))
    first[3, 4], second[3, 4] = OTHER, GUESSED
    first[5, 12], second[5, 12] = OTHER, GUESSED
    both = atlas(first)
    both.maps[2] = atlas(second).maps[1]
    for shown in (BRICK, BRICK + 2):  # far away
        colours, _ = complete(view(grid(UNKNOWN), {(5, 12): shown}), both)
        assert (cell(colours, 3, 4) == shown).all()


def test_what_contradicts_all_candidates_leaves_doubt() -> None:
    other = np.full((13, 17), -1, np.int16)
    other[3, 4] = LANDMARK
    _, sure = complete(view(grid(UNKNOWN, c3_4=guess(GUESSED)), {}), atlas())
    _, doubt = complete(view(grid(UNKNOWN, c3_4=guess(GUESSED)), {}), atlas(other))
    assert (cell(sure, 3, 4) > cell(doubt, 3, 4)).all() and cell(doubt, 3, 4).min() > 0.4


def test_known_maps_and_visible_pixels_need_no_completion() -> None:
    tiles = grid(UNKNOWN, c3_4=guess(GUESSED))
    here = atlas(np.full((13, 17), -1, np.int16))
    here.maps[9] = here.maps.pop(1)
    assert not complete(view(tiles, {}), here)[1].any()
    seen = view(tiles, {})
    seen.mask[:] = False
    assert not complete(seen, atlas())[1].any()


def test_pictures_that_scroll_up_and_down_are_left_to_the_network() -> None:
    tiles = grid(UNKNOWN, c3_4=guess(GUESSED))
    one = view(tiles, {})
    state = one.needed_state()
    two = state.map(lambda a: np.concatenate([a, a]))
    two.camera_y[1] = 3
    both = View(np.zeros((2, H, W), np.uint8), np.ones((2, H, W), bool), GAME, two, "full")
    assert not complete(both, atlas())[1].any() and complete(one, atlas())[1].any()


def test_a_landmark_is_one_thing() -> None:
    """What is seen of one of its columns tells of all of them, and the guess beside it stays what it was."""
    other = grid(-1, c3_2=LANDMARK, c3_3=LANDMARK, c3_4=LANDMARK, c3_5=LANDMARK, c3_6=LANDMARK, c3_7=LANDMARK)
    other[5, :] = OTHER  # what the map shows beside its landmark is not what is guessed
    tiles = grid(UNKNOWN)
    tiles[5, 2:8] = guess(GUESSED)
    tiles[3, 2:8] = guess(0) if 0 in LOOKS.guessed_tiles else UNKNOWN
    colours, trust = complete(view(tiles, {(3, 2): BRICK + 1}), atlas(other))
    assert (cell(colours, 3, 7) == BRICK + 1).all() and cell(trust, 3, 7).min() > 0.9
    assert (cell(colours, 5, 5) == BRICK).all() and cell(trust, 5, 5).min() > 0.5
