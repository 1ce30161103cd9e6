"""Blocks, points and colours that the memory holds and the picture shows later, or in other colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hstmae.atlas.recall import recall
from hstmae.games import GameState, get_game
from hstmae.games.boxes import sprites
from hstmae.games.pixels import View
from hstmae.games.smb.blocks import BOUNCING, USED, USED_AS_BRICK, block_address
from hstmae.games.smb.screen import PLAYER

GAME = get_game("smb")
ROW, COLUMN, KIND = 7, 20, 0x74E  # column 4 of the second screen
BLANK, BLOCK = [0x24] * 2, [0x57, 0x58]


def hit(now: int, characters: list[int], first: int = 6) -> np.ndarray:
    """A block, 16 columns from the left edge, that is `now` in the block buffer; what it shows waits."""
    ram = np.zeros((1, 2048), np.uint8)
    buffer = [0x26, 0x48, 2, *characters, 0x26, 0x68, 2, *characters]
    ram[0, 0x300], ram[0, 0x773], ram[0, KIND], ram[0, 0x71C] = len(buffer), first, 1, 64
    ram[0, 0x301 : 0x301 + len(buffer)] = buffer
    ram[0, block_address(ROW, COLUMN)] = now
    return ram


def shown(ram: np.ndarray, drawn: int | None = None) -> int:
    context = None if drawn is None else np.full((1, GAME.context_size), drawn, np.uint8)
    state = GAME.decode(ram, context)
    assert GAME.decode_for_coding(ram, context).tiles[0][0, ROW, 16] == ram[0, block_address(ROW, COLUMN)]
    return int(state.tiles[0][0, ROW, 16])


def test_a_block_that_waits_is_shown_as_before() -> None:
    assert shown(hit(BOUNCING, BLANK), 0xC1) == 0xC0
    assert shown(hit(BOUNCING, BLANK, first=0), 0xC1) == BOUNCING  # it does not wait
    assert shown(hit(USED, BLOCK), 0xC1) == BOUNCING  # what it becomes afterwards
    assert shown(hit(USED, BLOCK, first=0), 0xC1) == USED


def test_what_a_block_was_is_told_by_what_it_becomes() -> None:
    ram = hit(BOUNCING, BLANK)
    assert shown(ram) == BOUNCING
    ram[0, 0x3E7], ram[0, 0x3E5] = 0xD4, 16 * ROW
    for becomes, kind, before in ((USED, 1, 0xC0), (0x51, 1, 0x51), (0, 1, 0x51), (0, 2, 0x52)):
        ram[0, 0x3E9], ram[0, KIND] = becomes, kind
        assert shown(ram) == before


def test_a_used_block_keeps_the_palette_of_what_it_was() -> None:
    ram = np.zeros((1, 2048), np.uint8)
    ram[0, block_address(0, 0)] = USED
    for kind, drawn, tile in ((3, 0x5F, USED_AS_BRICK), (3, 0xC0, USED), (3, 255, USED), (1, 0x5F, USED)):
        ram[0, KIND] = kind
        context = np.full((1, GAME.context_size), drawn, np.uint8)
        assert GAME.decode(ram, context).tiles[0][0, 0, 0] == tile
        assert GAME.decode_for_coding(ram, context).tiles[0][0, 0, 0] == USED


def test_points_from_numbers_in_the_air_are_no_coins() -> None:
    coin, score = [0x20, 0x6D, 2, 0, 3], [0x20, 0x62, 6, 0, 0, 0, 0, 7, 0]
    ram = np.zeros((2, 2048), np.uint8)
    buffer = [*coin, *score] * 2
    ram[:, 0x300], ram[:, 0x773] = len(buffer), 6
    ram[:, 0x301 : 0x301 + len(buffer)] = buffer
    ram[:, 0x7EE], ram[:, 0x7E1] = 3, 7
    ram[1, 0x112], ram[1, 0x12E] = 4, 0x29  # 500 points, of which a frame ago 0x2A was left
    rows = GAME.shown_text(GAME.decode(ram, None), "full")[:, 3]
    assert rows[:, 13:15].tolist() == [[1, 2], [1, 3]] and rows[:, 3:8].tolist() == [[1, 1, 1, 4, 1], [1, 1, 1, 1, 1]]


def test_colours_of_sprites_are_those_shown() -> None:
    ram = np.zeros((3, 2048), np.uint8)
    ram[:, 0x200:0x300:4], ram[:, 0x202:0x300:8] = 80, 1
    ram[:, KIND], ram[:, 0x744], ram[:, 0x756] = 1, [0, 7, 7], [2, 0, 2]
    buffer = [0x3F, 0x10, 4, 34, 22, 39, 24]
    ram[1:, 0x300], ram[1:, 0x301:0x308], ram[1:, 0x773] = len(buffer), buffer, 6
    state: GameState = GAME.decode(ram, None)
    assert (state.undrawn & PLAYER > 0).tolist() == [False, True, True]
    found = sprites(state, GAME)
    assert found is not None
    assert found.keys[:, -1, 2].tolist() == [1, 3, 3]  # of palette 1: with this backdrop that of castles
    assert found.keys[:, -2, 2].tolist() == [2, 2, 1]  # the player: as before being hurt, and before fire
    alone = sprites(replace(state, undrawn=0 * state.undrawn), GAME)
    assert alone is not None and alone.keys[:, -2, 2].tolist() == [2, 0, 2]


def test_a_long_buffer_moves_the_picture_down_and_no_file() -> None:
    ram = np.zeros((3, 2048), np.uint8)
    ram[:, 0x300], ram[2, 0x773] = [60, 67, 67], 6
    state, coded = GAME.decode(ram, None), GAME.decode_for_coding(ram, None)
    assert [xy[:, 1].tolist() for xy in state.tile_xy] == [[32, 33, 32], [0, 1, 0]]
    assert state.camera_y.tolist() == [0, -1, 0] and not coded.camera_y.any()
    assert [xy[:, 1].tolist() for xy in coded.tile_xy] == [[32] * 3, [0] * 3]
    frames = np.zeros((3, *GAME.native_size), np.uint8)
    for t, y in enumerate((0, 1, 0)):
        frames[t, 16 + y] = 7  # one line of a status bar
    mask = np.zeros(frames.shape, bool)
    mask[:2, 8:24, :128] = True
    mask[2, 8:24, 128:] = True
    seen = recall(View(frames, mask, GAME, state, "full"))
    assert seen.found[:, 12:20].sum((1, 2)).tolist() == [8 * 128] * 3
    assert (seen.indices == frames)[seen.found].all()
