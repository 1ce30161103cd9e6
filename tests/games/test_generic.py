"""The game of which nothing is known."""

import numpy as np
import pytest

from hstmae.errors import GameError
from hstmae.games import game_names, get_game
from hstmae.games.true_colour import Generic


def test_it_is_registered_and_has_no_state() -> None:
    game = get_game("generic")
    assert "generic" in game_names() and game.name == "generic"
    assert game.state_size == 0 and game.context_size == 0 and not game.tile_layers and not game.token_names
    assert game.palette.shape == (0, 3) and game.palette.dtype == np.uint8


def test_every_place_is_unknown() -> None:
    game = get_game("generic")
    regions = game.region_map(None, 3)
    assert regions.shape == (3, *game.native_size) and regions.dtype == np.uint8
    assert {game.regions[k] for k in np.unique(regions)} == {"unknown"}


def test_memory_of_an_unknown_game_is_not_decoded() -> None:
    game = get_game("generic")
    assert game.context(np.zeros((5, 7), np.uint8), np.arange(5)).shape == (5, 0)
    with pytest.raises(GameError, match="unknown game"):
        game.decode(np.zeros((5, 7), np.uint8), None)


def test_a_game_with_context_has_to_say_how_it_is_found() -> None:
    class Forgetful(Generic):
        name = "forgetful"
        context_size = 4

    for call in (
        lambda g: g.context(np.zeros((2, 0), np.uint8), np.arange(2)),
        lambda g: g.carry(np.zeros(4, np.uint8), np.zeros((2, 0), np.uint8)),
    ):
        with pytest.raises(GameError, match="does not say how its context"):
            call(Forgetful())
    assert Generic().context(np.zeros((2, 8), np.uint8), np.arange(2)).shape == (2, 0)
