"""The NES as a console: pictures drawn from what the picture unit holds, in memory made here by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hstmae.atlas.known_pixels import known_pixels
from hstmae.errors import GameError
from hstmae.games import get_game, registry
from hstmae.games.nes.game import Nes
from hstmae.games.nes.memory import (
    BACKGROUND,
    BACKGROUND_LEFT,
    COLOURS,
    MIRRORS,
    MOST_RUNS,
    PATTERNS,
    RUNS,
    SIZE,
    SPRITES,
    SPRITES_LEFT,
    SPRITES_SHOWN,
    TABLES,
    Run,
    pack_runs,
    runs_of,
)
from hstmae.games.nes.picture import PictureUnit
from hstmae.games.pixels import View

ALL = BACKGROUND | BACKGROUND_LEFT | SPRITES_SHOWN | SPRITES_LEFT


def memory(*runs: Run, seed: int = 0) -> np.ndarray:
    """Everything at random, but for four name tables of their own and no sprite on the screen."""
    out = np.random.default_rng(seed).integers(0, 256, SIZE, dtype=np.uint8)
    out[MIRRORS] = range(4)
    out[COLOURS] = np.arange(1, 33)
    out[SPRITES] = 255
    out[RUNS] = pack_runs(list(runs) or [Run(0, mask=ALL)])
    return out


def by_hand(held: np.ndarray, x: int, y: int, patterns: int = 0) -> int:
    """NES colour of the background at column x and row y of the name tables (240 rows each), as the wiki has it."""
    table = held[TABLES].reshape(4, 1024)[y // 240 * 2 + x // 256]
    x, y = x % 256, y % 240
    tile = int(table[y // 8 * 32 + x // 8])
    low, high = (int(held[PATTERNS][patterns * 4096 + tile * 16 + y % 8 + 8 * k]) >> (7 - x % 8) & 1 for k in (0, 1))
    packed = int(table[960 + y // 32 * 8 + x // 32]) >> ((y // 16 % 2) * 4 + (x // 16 % 2) * 2) & 3
    entry = 4 * packed + low + 2 * high if low or high else 0
    return int(held[COLOURS][entry])


@pytest.mark.parametrize(("x", "row"), [(0, 0), (13, 0), (300, 256 + 17), (511, 239)])
def test_scrolled_background_is_as_the_hardware_makes_it(x: int, row: int) -> None:
    held = memory(Run(0, x, row, background=1, mask=ALL))
    drawn = PictureUnit().draw(held)
    first = row // 256 * 240 + row % 256
    for at_y, at_x in np.random.default_rng(1).integers(0, (240, 256), (60, 2)).tolist():
        assert drawn[at_y, at_x] == by_hand(held, (x + at_x) % 512, (first + at_y) % 480, 1)


def test_runs_draw_their_own_lines_and_what_is_not_told_stays_open() -> None:
    runs = [Run(0, 5, 0, mask=ALL), Run(32, 100, 32, background=1, mask=ALL), Run(100, told=False), Run(110, mask=0)]
    held = memory(*runs)
    assert runs_of(held) == runs
    drawn = PictureUnit().draw(held)
    assert (drawn[100:110] == -1).all() and (drawn[110:] == held[COLOURS][0]).all()
    assert drawn[31, 0] == by_hand(held, 5, 31) and drawn[32, 0] == by_hand(held, 100, 32, 1)
    held[RUNS][0] = 7  # damaged: it does not begin at the top
    assert (PictureUnit().draw(held)[:7] == -1).all()
    many = [Run(k, mask=ALL) for k in range(MOST_RUNS + 9)]
    kept = runs_of(memory(*many))
    assert kept[:-1] == many[: MOST_RUNS - 1] and not kept[-1].told
    held[RUNS] = np.random.default_rng(3).integers(0, 256, RUNS.stop - RUNS.start)
    assert PictureUnit().draw(held).shape == (240, 256)


def test_rows_of_palettes_are_drawn_as_tiles_where_a_game_scrolls_there() -> None:
    rows = Run(0, y=250).rows(12).tolist()
    assert rows == [250, 251, 252, 253, 254, 255, 0, 1, 2, 3, 4, 5]
    assert Run(0, y=256 + 238).rows(4).tolist() == [494, 495, 0, 1]


@pytest.mark.parametrize("large", [False, True])
def test_sprites(large: bool) -> None:
    """The first in the list is in front; one behind the background shows where that is empty; eight on a line."""
    held = memory(Run(0, large=large, mask=ALL))
    held[PATTERNS] = 0
    held[PATTERNS][:4096].reshape(256, 16)[3] = 255  # a full tile of colour 3
    held[PATTERNS][4096:].reshape(256, 16)[3] = 255
    held[TABLES] = 0
    sprites = held[SPRITES].reshape(64, 4)
    sprites[0], sprites[1], sprites[2] = (9, 3, 0, 20), (9, 3, 1, 24), (9, 3, 2 | 32, 60)
    drawn = PictureUnit().draw(held)
    top = 18 if large else 10  # the lower half of a large one, whose number is odd, is tile 3
    assert (drawn[top : top + 8, 20:28] == held[COLOURS][19]).all()
    assert (drawn[top : top + 8, 28:32] == held[COLOURS][23]).all()
    assert (drawn[top, 60:68] == held[COLOURS][27]).all() and drawn[top - 1, 20] == held[COLOURS][0]
    held[TABLES] = 3  # a full background
    assert PictureUnit().draw(held)[top, 60] != held[COLOURS][27]
    held[TABLES] = 0
    sprites[:10] = [(9, 3, 0, 20 * k) for k in range(10)]
    drawn = PictureUnit().draw(held)[top]
    assert [int(drawn[20 * k] == held[COLOURS][19]) for k in range(10)] == [1] * 8 + [0, 0]


def test_masked_pixels_are_drawn_from_the_state_unless_it_lies() -> None:
    game, state = get_game("nes"), np.stack([memory(seed=k) for k in range(2)])
    decoded = game.decode(state, None)
    frames = (decoded.tiles[0] - 1).astype(np.uint8)
    mask = np.random.default_rng(0).random(frames.shape) < 0.9
    known = known_pixels(View(np.where(mask, 0, frames).astype(np.uint8), mask, game, decoded, "full"))
    assert known.found[mask].all() and (known.indices[mask] == frames[mask]).all()
    others = decoded.map(lambda array: array[::-1].copy())  # of other frames
    known = known_pixels(View(np.where(mask, 0, frames).astype(np.uint8), mask, game, others, "full"))
    assert not known.found.any()


def test_mirrored_twice_is_as_before_and_the_camera_is_followed_around() -> None:
    game = get_game("nes")
    state = np.stack([memory(Run(0, x % 512, mask=ALL)) for x in (500, 508, 516, 510)])
    state[:, SPRITES] = np.random.default_rng(2).integers(0, 256, (4, 256))
    decoded = game.decode(state, None)
    assert decoded.camera.tolist() == [0, 8, 16, 10]
    mirrored = game.flip(decoded)
    assert np.array_equal(mirrored.tiles[0], decoded.tiles[0][..., ::-1])
    for a, b in zip(game.flip(mirrored).arrays(), decoded.arrays(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_layer_that_tells_pixels_has_an_entry_for_each_id() -> None:
    layer = Nes.tile_layers[0]
    for wrong in (replace(layer, entries=layer.entries[:-1]), replace(layer, cell=8)):
        with pytest.raises(GameError, match="an entry for each id"):
            registry.check_game(type("Wrong", (Nes,), {"name": "wrong", "tile_layers": (wrong,)}))


def test_a_network_reads_a_told_picture_without_any_sprite_of_its_own() -> None:
    import torch

    from hstmae.config import ModelConfig
    from hstmae.models import build_model
    from hstmae.models.inputs import MaskedClips
    from hstmae.models.masking import tube_visible

    small = ModelConfig(
        name="small", game="nes", dims=(16, 16, 16, 16), head_dim=16, depths=(1, 1, 1, 1), decoder_dim=16,
        decoder_head_dim=16, decoder_depth=1, state_dim=16, texture_dim=4, pixel_dim=8, code_dim=4,
    )  # fmt: skip
    model, game = build_model(small).train(), get_game("nes")
    states = [game.decode(np.stack([memory(seed=k) for k in (one, one)]), None) for one in (0, 1)]
    visible = tube_visible(1, 6, 0.5, torch.Generator().manual_seed(0))
    made = []
    for one in states:
        state = one.map(lambda array: torch.from_numpy(np.ascontiguousarray(array))[None])
        clips = MaskedClips(torch.zeros(1, 2, 32, 48, dtype=torch.uint8), visible, state, torch.tensor([2]))
        made.append(model(clips))
    assert made[0].isfinite().all() and not torch.equal(*made)
    made[0].square().mean().backward()
