"""What is known before the network draws: the network sees it, does not draw it, and it comes out as it was found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_networks import Painter, footage

from hstmae.atlas.known_pixels import Known
from hstmae.atlas.maps import Atlas
from hstmae.config import ModelConfig
from hstmae.games import get_game
from hstmae.games.pixels import View
from hstmae.models.fast.head import FastHead
from hstmae.models.zoo import build_model
from hstmae.restoration import clips as room
from hstmae.restoration.mixing import HINT
from hstmae.restoration.restorer import Restorer

GAME = get_game("smb")
SIZE = (32, 48)  # 2 x 3 units
PAINT = 7  # what the network draws


class Door:
    """Stands in for `known_pixels`."""

    def __init__(self, known: Known | None = None) -> None:
        self.known, self.views, self.locators = known, [], []  # type: ignore[var-annotated]

    def __call__(self, view: View, locator: Any) -> Known:
        self.views.append(view)
        self.locators.append(locator)
        assert self.known is not None
        return self.known


def known(frames: int, trust: float, where: tuple[Any, ...], entry: int = 3) -> Known:
    indices, sure = np.zeros((frames, *SIZE), np.uint8), np.zeros((frames, *SIZE), np.float32)
    indices[where], sure[where] = entry, trust
    return Known(indices, sure)


@pytest.fixture
def network() -> Painter:
    return Painter()


def restorer(network: Painter, **options: Any) -> Restorer:
    return Restorer(network, ModelConfig(), atlas=Atlas("smb"), **options)


UNIT = (slice(None), slice(0, 16), slice(16, 32))  # the second unit, in all frames


def hidden(frames: int = 4) -> np.ndarray:
    mask = np.zeros((frames, *SIZE), bool)
    mask[UNIT] = mask[:, 16:, :16] = True
    return mask


def stand_in(monkeypatch: pytest.MonkeyPatch, door: Any) -> None:
    """Asked with a state or without."""
    for name in ("known_by_state", "known_without_state"):
        monkeypatch.setattr(room, name, door)


def test_what_is_found_is_not_drawn(network: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, Door(known(4, 0.99, UNIT)))
    made = restorer(network).restore_clip(footage(4, SIZE), hidden())
    assert made.indices is not None and made.confidence is not None
    assert (made.indices[UNIT] == 3).all() and np.allclose(made.confidence[UNIT], 0.99)
    assert (made.rgb[UNIT] == GAME.palette[3]).all() and (made.indices[:, 16:, :16] == PAINT).all()
    assert network.calls[0]["visible"][0].tolist() == [0, 2, 4, 5]  # enough without what was found


def test_what_is_found_is_shown_to_the_network_where_little_else_is(
    network: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = hidden()
    mask[1] = True  # a lost frame: no unit is whole
    stand_in(monkeypatch, Door(known(4, 0.99, UNIT)))
    restorer(network).restore_clip(footage(4, SIZE), mask)
    frames, visible = network.calls[0]["frames"], network.calls[0]["visible"]
    assert visible[0].tolist() == [1] and (frames[0].numpy()[UNIT] == 3).all()


def test_hints_are_mixed_into_what_is_drawn(network: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, Door(known(4, 0.6, UNIT)))
    made = restorer(network).restore_clip(footage(4, SIZE), hidden())
    mixed = np.rint(HINT * GAME.palette[3] + (1 - HINT) * GAME.palette[PAINT])
    assert made.indices is not None and (made.indices[UNIT] == 3).all()
    assert (np.abs(made.rgb[UNIT].astype(int) - mixed) <= 1).all()


def test_frames_that_only_help_come_back_cleared(network: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, Door(known(4, 0.99, UNIT)))
    wanted = np.array([True, True, False, False])
    steps: list[int] = []
    made = restorer(network).restore_clip(footage(4, SIZE), hidden(), wanted=wanted, progress=steps.append)
    assert made.indices is not None and sum(steps) == 2
    assert (made.indices[UNIT][:2] == 3).all() and not made.indices[UNIT][2:].any()
    assert (made.rgb[UNIT][2:] == GAME.palette[0]).all() and not made.indices[2:, 16:, :16].any()


def test_the_level_decides_what_is_asked_with(network: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(known(4, 0.0, UNIT))
    stand_in(monkeypatch, door)
    state, one = GAME.decode(np.zeros((4, GAME.state_size), np.uint8), None), restorer(network)
    for level in ("full", "compact", "none"):
        one.restore_clip(footage(4, SIZE), hidden(), state, level=level, origin=(64, 80))
    one.restore_clip(footage(4, SIZE), hidden(), None, level="full")
    assert [(v.level, v.state is None) for v in door.views] == [
        ("full", False), ("compact", False), ("none", True), ("none", True)
    ]  # fmt: skip
    assert door.views[0].origin == (64, 80) and not door.views[0].frames[hidden()].any()  # masked pixels are gone
    assert door.locators[0] is not None and all(found is door.locators[0] for found in door.locators)  # made once


def test_nothing_is_asked_where_nothing_can_be_known(network: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door()
    stand_in(monkeypatch, door)
    restorer(network, recall=False).restore_clip(footage(4, SIZE), hidden())
    assert not door.views


def test_networks_of_ours_draw_by_the_fast_head_unless_their_weights_move() -> None:
    config = ModelConfig(dims=(16, 16, 32, 32), depths=(1, 1, 1, 1), head_dim=16, decoder_dim=32, decoder_depth=1,
                         decoder_head_dim=16, state_dim=16, texture_dim=8, pixel_dim=16, code_dim=8)  # fmt: skip
    network = build_model(config)
    one = Restorer(network, config)
    assert isinstance(one._fast_head(), FastHead) and one._fast_head() is one._fast_head()
    assert Restorer(network, config, fast=False)._fast_head() is None
    assert Restorer(Painter(), config)._fast_head() is None
