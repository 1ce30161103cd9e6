"""Guessed scenery against what the bundled session really shows."""

from __future__ import annotations

import numpy as np
import pytest

from hstmae.data.store.reader import EpisodeStore
from hstmae.games import get_game
from hstmae.games.smb.scenery import IDS, PERIOD, SCENERY, complete, empty_holes, likely_scenery

GAME = get_game("smb")


def agreement(store: EpisodeStore, moved: int) -> float:
    """Share of remembered cells that are not blank which the scenery `moved` columns further shows as well."""
    episode = store[0]
    assert episode.state is not None
    told = GAME.decode(episode.state, episode.context).tiles[0]
    first = GAME.decode(episode.state, None).camera // 16 + moved
    guess = likely_scenery(episode.state, first, 17)
    block = GAME.decode(episode.state, None).tiles[0]
    compared = (told > 0) & (told < 256) & (block >= 256)  # scenery that the history tells, where nothing is solid
    assert compared.sum() > 200
    return float((guess == told)[compared].mean())


def test_guesses_agree_with_what_the_game_draws(sample_store: EpisodeStore) -> None:
    assert agreement(sample_store, 0) > 0.95
    assert agreement(sample_store, PERIOD) == agreement(sample_store, 0)
    assert agreement(sample_store, 1) < 0.6  # the wrong column: the comparison can fail


def test_a_guess_never_replaces_what_is_known(sample_store: EpisodeStore) -> None:
    episode = sample_store[0]
    assert episode.state is not None
    told = GAME.decode(episode.state, episode.context).tiles[0]
    alone = GAME.decode(episode.state, None).tiles[0]
    assert (alone[told >= 256] == told[told >= 256]).all()
    assert ((alone == told) | (alone >= 256)).all()
    assert alone.max() < 256 + len(IDS) == GAME.tile_layers[0].ids - 1


def test_solid_tiles_tell_about_their_neighbours() -> None:
    block = np.zeros((1, 13, 4), np.int16)
    block[0, 5, 1], block[0, 11, 1] = 0x17, 0x54  # a tree top, ground below it
    block[0, 8, 2] = 0x63
    found = complete(np.zeros((1, 13, 4), np.uint8), block)[0]
    assert found[6:11, 1].tolist() == [0x4C] * 5 and not found[:6, 1].any() and found[12, 1] == 0
    assert found[7, 2] == 0x0B and found[:7, 2].tolist() == [0] * 7
    assert not found[:, [0, 3]].any()


def test_nothing_stands_over_holes_in_the_ground() -> None:
    block = np.zeros((3, 13, 4), np.int16)
    block[:2, 11:, [0, 1, 3]] = 0x54
    block[2, 11:, 0] = 0x54  # a map without ground, but for the column at its beginning
    found = np.full((3, 13, 4), 0x4D, np.uint8)
    empty_holes(found, block, np.array([False, True, False]))
    assert not found[0, 8:11, 2].any() and (found[0, :, [0, 1, 3]] == 0x4D).all() and (found[0, :8] == 0x4D).all()
    assert (found[1:] == 0x4D).all()  # nor are there holes under water


def test_files_are_coded_by_the_guesses_of_the_first_ones() -> None:
    memory = np.zeros((1, GAME.state_size), np.uint8)
    memory[0, 0x742], memory[0, 0x71C], memory[0, 0x71A] = 3, 32, 1  # from column 18 on, nothing drawn yet
    memory[0, 0x74E] = 1
    better, first = (read(memory, None).tiles[0][0] for read in (GAME.decode, GAME.decode_for_coding))
    cloud = better[1:3, :3]
    assert (first[:2, :3] == cloud).all() and not (better[0, :3] == first[0, :3]).any()
    assert (better[3:] == first[3:]).all()


def test_every_guess_has_an_id() -> None:
    assert set(np.unique(SCENERY)) <= set(IDS) and len(set(IDS)) == len(IDS)


@pytest.mark.parametrize(("held", "seen"), [(0x58, 0x51), (0x5C, 0x52), (0xC1, 0xC0), (0x5F, 0), (0x44, 0)])
def test_contents_of_a_block_do_not_show(held: int, seen: int) -> None:
    ram = np.zeros((1, 2048), np.uint8)
    ram[0, 0x500 + 16 * 4 + 3] = held
    assert GAME.decode(ram, None).tiles[0][0, 4, 3] == seen
