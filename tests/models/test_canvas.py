"""The state canvas against a painter that draws the same layers sprite by sprite and pixel by pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from random_play import random_state

from hstmae.games import GameState, get_game
from hstmae.models.cubes import to_cubes
from hstmae.models.inputs import CubeGrid
from hstmae.models.state.canvas import Canvas


def texture_numbers(canvas: Canvas) -> None:
    """Give every texel its own number as its one feature."""
    with torch.no_grad():
        for table in [*canvas.tiles, canvas.sprite]:
            table.weight[:, 0] = torch.arange(len(table.weight), dtype=torch.float64)
        canvas.attribute.weight[:, 0] = torch.arange(9, dtype=torch.float64) * 1e5


def paint(state: GameState, size: tuple[int, int], origin: tuple[int, int]) -> np.ndarray:
    """[T, H, W, 3] numbers of the ground layers, the front sprite and the next one, for the first clip of a batch."""
    game = get_game("smb")
    height, width = 400, 500
    frames = state.camera.shape[1]
    out = np.zeros((frames, height, width, 3))
    for t in range(frames):
        for layer, ids, xy in zip(game.tile_layers, state.tiles, state.tile_xy, strict=True):
            c = layer.cell
            for row in range(layer.rows):
                for col in range(layer.cols):
                    for dy in range(c):
                        y = int(xy[0, t, 1]) + row * c + dy
                        x = int(xy[0, t, 0]) + col * c
                        first = max(0, -x)
                        texels = 1 + (int(ids[0, t, row, col]) * c + dy) * c + np.arange(first, c)
                        out[t, y, x + first : x + c, 0] += texels
        for n in reversed(range(game.sprite_slots)):  # from back to front: what was in front becomes second
            x, y, tile, attribute = (int(a) for a in state.sprites[0, t, n])
            if y >= game.native_size[0]:
                continue
            texels = 1 + tile * 64 + np.arange(64).reshape(8, 8)
            texels = texels[:, ::-1] if attribute & game.looks.flip_x_bit else texels
            texels = texels[::-1] if attribute & game.looks.flip_y_bit else texels
            there = out[t, y : y + 8, x : x + 8]
            there[..., 2] = there[..., 1]
            there[..., 1] = texels + (1 + attribute % 64) * 1e5
    y, x = origin
    return out[:, y : y + size[0], x : x + size[1]]


def check(origin: tuple[int, int], size: tuple[int, int], move: int = 0) -> float:
    state = random_state(1, 4, seed=5)
    canvas = Canvas(get_game("smb"), 1).double()
    texture_numbers(canvas)
    at_origin = torch.tensor([origin])
    units = (size[0] // 16, size[1] // 16)
    grid = CubeGrid(units, 2, at_origin, torch.tensor([[240, 256]]))
    at = grid.places(torch.arange(units[0] * units[1] * 2)[None])
    at = replace(at, x=at.x + move)
    features = canvas.features(state, torch.tensor([True]), at, grid)[0]
    truth = to_cubes(torch.from_numpy(paint(state, size, origin))[None])[0].flatten(0, 1)
    return float((features - truth).abs().max())


def test_canvas_places_every_texel_where_the_painter_does() -> None:
    assert check((0, 0), (240, 256)) == 0
    assert check((7, 19), (224, 224)) == 0


def test_the_comparison_notices_a_shift_of_one_pixel() -> None:
    assert check((0, 0), (224, 224), move=1) > 0


def test_without_full_state_the_canvas_is_empty() -> None:
    state = random_state(1, 2)
    canvas = Canvas(get_game("smb"), 3)
    origin = torch.zeros(1, 2, dtype=torch.long)
    grid = CubeGrid((2, 2), 1, origin, torch.tensor([[240, 256]]))
    at = grid.places(torch.arange(4)[None])
    assert canvas.features(state, torch.tensor([False]), at, grid).abs().max() == 0
    assert canvas.features(state, torch.tensor([True]), at, grid).abs().max() > 0
