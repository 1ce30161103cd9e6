from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from random_play import random_state

from hstmae.errors import ConfigError
from hstmae.games import get_game
from hstmae.games.state import NOWHERE
from hstmae.models.inputs import Places
from hstmae.models.state.place_memory import PlaceMemory
from hstmae.models.zoo import build_model
from hstmae.training.run.setup import initial_model

GAME = get_game("smb")


def codes(camera: int, area: int, unit: int, level: int = 1, memory: PlaceMemory | None = None) -> torch.Tensor:
    """Codes [2, 2, code] of the four cells under one cube of the first slice, 16 units a row."""
    torch.manual_seed(0)
    if memory is None:
        memory = PlaceMemory(GAME, 6)  # in training: every place is noted, so recalled
    state = random_state(1, 2)
    xy = torch.zeros_like(state.tile_xy[0])
    xy[..., 0], xy[..., 1] = -(camera % 16), 32
    state = replace(
        state,
        camera=torch.full_like(state.camera, camera),
        area=torch.full_like(state.area, area),
        tile_xy=(xy, *state.tile_xy[1:]),
    )
    at = Places.of(torch.tensor([[unit]]), 1, 16, torch.zeros(1, 2, dtype=torch.long))
    return memory(state, torch.tensor([level]), at)[0, 0, 0]


def test_a_place_keeps_its_code_wherever_it_is_on_the_screen() -> None:
    here = codes(camera=1000, area=5, unit=16 * 6 + 9)
    assert torch.equal(here, codes(camera=1000 + 48, area=5, unit=16 * 6 + 6))
    assert torch.equal(here[:, 1], codes(camera=1000 + 64, area=5, unit=16 * 6 + 6)[:, 0])  # the next column
    assert torch.equal(here[1], codes(camera=1000, area=5, unit=16 * 7 + 9)[0])  # the next row


def test_other_places_have_other_codes() -> None:
    here = codes(camera=1000, area=5, unit=105)
    for other in (codes(1000, 6, 105), codes(1016, 5, 105), codes(1000, 5, 121)):
        assert not torch.allclose(here, other, atol=1e-4)


def test_without_a_known_place_nothing_is_recalled() -> None:
    assert not codes(1000, 5, 105, level=0).any()
    above = codes(1000, 5, unit=16 + 3)  # cells from y = 16: the first row lies in the status bar
    assert not above[0].any() and above[1].any()


def test_only_places_seen_in_training_are_recalled() -> None:
    torch.manual_seed(0)
    memory = PlaceMemory(GAME, 6)
    there = codes(1000, 5, 105, memory=memory)
    memory.eval()
    assert torch.equal(codes(1000, 5, 105, memory=memory), there)
    strange = [codes(1000 + 16 * k, 5 + area, 105, memory=memory) for k in (0, 40) for area in (1, 7, 300)]
    assert not torch.stack(strange).any()
    noted = memory.trained.clone()
    assert noted[:-1].sum() <= 8 + 8  # four cells (in two frames the same), two marks each
    assert torch.equal(noted, memory.trained)  # evaluation notes nothing


def test_a_lost_place_is_not_recalled_and_maps_begin_alike() -> None:
    torch.manual_seed(0)
    memory = PlaceMemory(GAME, 6)
    assert not codes(1000, NOWHERE, 105, memory=memory).any()
    assert not memory.trained[:-1].any()
    memory.eval()
    start = codes(32, 5, 105, memory=memory)
    assert start.any() and torch.equal(start, codes(32, NOWHERE, 105, memory=memory))
    assert torch.equal(start, codes(32, 9, 105, memory=memory))


def test_places_are_told_apart_by_what_the_configuration_names() -> None:
    """The game's area changes in mid-map and is shared by maps; its scene does neither."""
    memory = PlaceMemory(GAME, 6, "scene")
    state = random_state(1, 2)
    at = Places.of(torch.tensor([[105]]), 1, 16, torch.zeros(1, 2, dtype=torch.long))

    def of(scene: int, area: int) -> torch.Tensor:
        told = replace(
            state, scene=torch.full_like(state.area, scene), area=torch.full_like(state.area, area),
            camera=torch.full_like(state.camera, 1000),
        )  # fmt: skip
        return memory(told, torch.tensor([1]), at)

    assert torch.equal(of(5, 1), of(5, 2)) and not torch.allclose(of(5, 1), of(6, 1), atol=1e-4)
    with pytest.raises(ConfigError, match="places"):
        PlaceMemory(GAME, 6, "camera")


def test_weights_that_remember_by_another_number_begin_with_an_empty_memory(tmp_path: Path) -> None:
    small = {"depths": (1, 1, 1, 1), "decoder_depth": 1}
    old = build_model("hst-mae-nano", places="area", **small)
    old.head.memory.trained.fill_(1)
    old.save_pretrained(tmp_path)
    for places, marks in (("area", 1), ("scene", 0)):
        new = initial_model(str(tmp_path), build_model("hst-mae-nano", places=places, **small).config)
        assert new.head.memory.trained[0] == marks
        same = torch.equal(new.head.memory.entries.weight, old.head.memory.entries.weight)
        assert same == (places == "area")
        assert torch.equal(new.decoder.mask_token, old.decoder.mask_token)
