"""Decoded state against real pictures: the bundled session, and made-up memory where pictures cannot tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.state_check import StateCheck, check_episode, pairing_in_store
from hstmae.bundled import SAMPLES
from hstmae.data.store.preprocessing import preprocess
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import GameError
from hstmae.games import get_game

GAME = get_game("smb")


def shares(store: EpisodeStore, lag: int, least: int = 40) -> dict[str, float]:
    check = StateCheck(seen=10)
    for learn in (True, False):
        check_episode(check, store, 0, 90, lag, np.random.default_rng(learn), learn)
    counts = check.result()
    assert all(total >= least for _, total in counts.values()), counts
    return {name: agree / total for name, (agree, total) in counts.items()}


def test_state_agrees_with_the_pictures(sample_store: EpisodeStore) -> None:
    figures = shares(sample_store, 0)
    assert figures["sprites"] >= 0.97 and figures["scroll"] >= 0.999  # learned from 48 frames alone
    assert figures["hud digits"] >= 0.98 and figures["player box"] >= 0.999


@pytest.mark.parametrize("lag", [-1, 1])
def test_a_lag_of_one_frame_shows(sample_store: EpisodeStore, lag: int) -> None:
    figures = shares(sample_store, lag)
    assert figures["sprites"] < 0.96 and figures["scroll"] < 0.95


@pytest.mark.parametrize("lag", [-1, 1])
def test_a_wrong_pairing_that_looks_are_learned_in_step_with_shows(
    sample_store: EpisodeStore, tmp_path: Path, lag: int
) -> None:
    preprocess(SAMPLES / "sample_session", tmp_path / "store", workers=1, lag=lag)
    wrong = EpisodeStore(tmp_path / "store")
    figures, right = shares(wrong, 0, 10), shares(sample_store, 0, 10)
    assert figures["sprites"] < 0.96 < 0.97 < right["sprites"] and figures["scroll"] < 0.95
    assert figures["sprite texels told"] < 0.3 * right["sprite texels told"]
    assert pairing_in_store(sample_store, 0).lag == 0 and pairing_in_store(wrong, 0).lag == -lag


def test_pictures_hold_no_colour_that_the_game_cannot_show(sample_store: EpisodeStore) -> None:
    seen = np.unique(np.concatenate([np.unique(e.frames) for e in sample_store]))
    assert len(seen) > 8 and np.isin(seen, GAME.shown_entries).all()


def test_history_remembers_columns_and_forgets_at_gaps_and_new_maps() -> None:
    ram = np.zeros((6, 2048), np.uint8)
    ram[:, 0x71F] = 8  # nothing complete ...
    ram[1, 0x71F], ram[1, 0x725], ram[1, 0x726] = 3, 3, 5  # ... but in frame 1: column 53 = 21 mod 32
    ram[1, 0x6A1:0x6AE] = np.arange(13) + 1
    numbers = np.array([1, 2, 3, 4, 5, 6])

    def known(numbers: np.ndarray) -> list[bool]:
        grid = GAME.context(ram, numbers).reshape(-1, 13, 32)
        assert (np.delete(grid, 21, axis=2) == 255).all()
        return [bool((frame[:, 21] == np.arange(13) + 1).all()) for frame in grid]

    assert known(numbers) == [False, True, True, True, True, True]
    assert known(numbers + np.array([0, 0, 0, 9, 9, 9])) == [False, True, True, False, False, False]
    assert known(numbers + np.array([0, 0, 0, 8, 8, 8])) == [False, True, True, True, True, True]
    ram[4:, 0x750] = 7
    assert known(numbers) == [False, True, True, True, False, False]


def test_tiles_merge_what_is_solid_with_remembered_scenery() -> None:
    ram = np.zeros((1, 2048), np.uint8)
    ram[0, 0x71A], ram[0, 0x71C] = 1, 20  # camera at 276: columns 17 to 33, the first drawn 4 pixels off the screen
    context = np.full((13, 32), 255, np.uint8)
    context[2, 17], context[3, 17], context[4, 17] = 0x05, 0x54, 0x00  # scenery, a broken brick, blank
    ram[0, 0x500 + 0xD0 + 16 * 5 + 1] = 0x51  # column 17 is the second of the second page
    state = GAME.decode(ram, context.reshape(1, -1))
    assert state.tile_xy[0].tolist() == [[-4, 32]]
    assert state.tiles[0][0, :7, 0].tolist() == [256, 256, 5, 0, 0, 0x51, 256]  # 256: guessed to be blank
    assert int(state.camera[0]) == 276


def test_status_bar_sprites_and_boxes() -> None:
    ram = np.zeros((1, 2048), np.uint8)
    ram[0, 0x7DD:0x7E3] = [0, 1, 2, 3, 4, 5]
    ram[0, 0x75F], ram[0, 0x75C] = 7, 3
    ram[0, 0x200:0x204] = [99, 0x32, 0b11100010, 40]
    ram[0, 0x3AD], ram[0, 0x3B8], ram[0, 0xB5], ram[0, 0x754] = 100, 150, 1, 1
    state = GAME.decode(ram, None)
    row = state.tiles[1][0, 3]
    assert row[3:8].tolist() == [2, 3, 4, 5, 6] and row[19] == 9 and row[21] == 5
    assert row[2] >= 40  # a leading zero is not drawn
    assert state.sprites[0, 0].tolist() == [40, 100, 0x32, 64 | 128 | 4 | 2]
    assert state.boxes[0, -1].tolist() == [5, 100, 166, 116, 183]  # small: the lower half of the box
    regions = GAME.region_map(state, 1)[0]
    assert regions[170, 108] == GAME.regions.index("player") and regions[160, 108] == GAME.regions.index("background")
    assert (regions[:32] == GAME.regions.index("hud")).all()


def test_compact_tokens_are_bounded_and_mark_what_is_used() -> None:
    rng = np.random.default_rng(0)
    state = GAME.decode(rng.integers(0, 256, (50, 2048)).astype(np.uint8), None)
    assert state.tokens.shape == (50, len(GAME.token_names), GAME.token_features)
    assert np.isfinite(state.tokens).all() and np.abs(state.tokens).max() <= 4
    assert not state.tokens[~state.token_valid].any()
    assert state.token_valid[:, :2].all() and not state.token_valid.all()


def test_state_of_the_wrong_form_is_refused() -> None:
    for wrong in (np.zeros((3, 2047), np.uint8), np.zeros((3, 2048), np.int16), np.zeros(2048, np.uint8)):
        with pytest.raises(GameError, match="smb: state must be"):
            GAME.decode(wrong, None)
    with pytest.raises(GameError, match="unknown game 'zelda'; known: "):
        get_game("zelda")


def test_documented_fields_lie_in_memory_and_have_sources() -> None:
    assert len({f.name for f in GAME.fields}) == len(GAME.fields)
    assert all(f.address >= 0 and f.address + f.count <= GAME.state_size and f.source and f.unit for f in GAME.fields)


def test_a_timer_that_waits_is_not_drawn() -> None:
    ram = np.zeros((4, 2048), np.uint8)
    ram[:, 0x7F8], ram[:, 0x7FA] = 2, 9
    ram[:, 0x0E] = 0, 7, 8, 2  # loading, coming in, playing, going into a pipe
    state = GAME.decode(ram, None)
    for level in ("full", "compact"):
        shown = GAME.shown_text(state, level)
        changed = shown != state.tiles[1]
        assert changed[:2, 3, 26:29].all() and changed.sum() == 6
        assert (shown[:2, 3, 26:29] == state.tiles[1][0, 3, 24]).all()
