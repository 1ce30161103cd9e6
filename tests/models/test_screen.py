"""The screen memory: where its pixels and objects are, what it may know, and that the fast head draws the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hstmae.config import ModelConfig
from hstmae.errors import ConfigError
from hstmae.games import GameState, get_game
from hstmae.models.cubes import from_cubes
from hstmae.models.fast.head import FastHead
from hstmae.models.inputs import CubeGrid, MaskedClips
from hstmae.models.mae import HSTMAE
from hstmae.models.state.screen import SIDE, Screen, binary_digits

GAME = get_game("atari2600-boxing")
SIZE = (224, 160)  # 210 lines, filled up
SMALL = ModelConfig(
    game=GAME.name, dims=(8, 8, 8, 8), depths=(1, 1, 1, 1), head_dim=8, decoder_dim=16, decoder_depth=1,
    decoder_head_dim=8, colour_dim=4, state_dim=8, texture_dim=4, pixel_dim=8, code_dim=4, screen=True,
)  # fmt: skip


def a_state(frames: int = 2) -> GameState:
    memory = np.random.default_rng(3).integers(0, 256, (frames, 128)).astype(np.uint8)
    memory[:, 32:36] = (20, 60, 40, 90)  # the boxers' places: x of both, y of both
    state = GAME.decode(memory, None)
    return GameState.stack([state], lambda arrays: torch.from_numpy(np.stack(arrays)))


def everywhere(frames: int = 2) -> tuple[CubeGrid, torch.Tensor]:
    grid = CubeGrid((14, 10), frames // 2, torch.zeros(1, 2, dtype=torch.long), torch.tensor([GAME.native_size]))
    return grid, torch.arange(140 * frames // 2)[None]


def test_pixels_and_objects_are_where_the_picture_has_them() -> None:
    screen, state = Screen(GAME, 1), a_state()
    with torch.no_grad():
        screen.still.weight[:, 0] = torch.arange(210 * 160 + 1)
        screen.objects.weight[:, 0] = 1 + torch.arange(2 * SIDE**2 + 1)
        for layer in (screen.gate[0], screen.gate[2]):  # type: ignore[index]
            layer.weight.zero_(), layer.bias.zero_()  # type: ignore[operator, union-attr]
    grid, cubes = everywhere()
    told = screen.features(state, torch.tensor([2]), grid.places(cubes))
    still, scenery, objects = from_cubes(told.view(1, 140, 1, 2, 16, 16, 3), SIZE)[0].unbind(-1)
    assert torch.equal(still[0, :210], torch.arange(210 * 160).view(210, 160).float())
    assert (still[:, 210:] == 210 * 160).all() and not scenery.any()
    wanted = np.zeros(SIZE)
    for region, x0, y0, x1, y1 in state.boxes[0, 0].tolist():
        for y in range(y0, y1):
            wanted[y, x0:x1] = 1 + ((region - 1) * SIDE + y - y0) * SIDE + np.arange(x1 - x0)
    assert np.array_equal(objects[0].detach().numpy(), wanted) and len(np.unique(wanted)) == 1 + 14 * 27 + 14 * 28


def test_numbers_are_read_bit_by_bit() -> None:
    digits = binary_digits(torch.tensor([0, 1, 130, 255]).view(1, 1, 1, 4) / 255).view(4, 8)
    assert [int(((row > 0).long() << torch.arange(8)).sum()) for row in digits] == [0, 1, 130, 255]


def test_without_the_state_nothing_of_it_is_told_and_the_fast_head_draws_the_same() -> None:
    torch.manual_seed(1)
    model, state = HSTMAE(SMALL).eval(), a_state()
    frames = torch.randint(0, 128, (1, 2, *SIZE), dtype=torch.uint8)
    visible, queries = torch.arange(0, 140, 9)[None], torch.tensor([[1, 50, 75, 139, 2]])
    other = a_state()
    other.tokens[..., :8, :] = 1 - other.tokens[..., :8, :]
    drawn = {}
    for level in (0, 1, 2):
        clips = [MaskedClips(frames, visible, s, torch.tensor([level])) for s in (state, other)]
        with torch.no_grad():
            drawn[level], turned = (model(one, queries) for one in clips)
            assert torch.equal(drawn[level], turned) == (level == 0)
            sure, entry = drawn[level].softmax(-1).max(-1)
            fast = FastHead.of(model)
            assert fast is not None
            made = fast.paint(model.decode(clips[0], queries), model.palette)
        assert (made.entry == entry).float().mean() > 0.999 and made.confidence is not None
        assert (made.confidence - sure).abs().max() < 1e-4
    assert torch.equal(drawn[1], drawn[2])  # these games have nothing that only `full` tells


def test_games_with_tiles_have_none() -> None:
    with pytest.raises(ConfigError, match=r"model\.screen"):
        HSTMAE(replace(SMALL, game="smb"))
