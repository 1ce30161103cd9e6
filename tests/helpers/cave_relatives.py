"""Relatives of the Cave of docs/adding-a-game.md: a status bar below a map that scrolls to the right, and a map that
scrolls down. Made known by HSTMAE_GAMES; needs the page's cave.py in `sys.path`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from cave import Cave  # type: ignore[import-not-found]

from hstmae.games import GameState, TileLayer

FRAMES = 40


def world(rows: int, cols: int) -> np.ndarray:
    """Kinds of tiles, uint8 [rows, cols], that differ from place to place and are the same in every session."""
    return np.random.default_rng(5).integers(0, 3, (rows, cols)).astype(np.uint8)


def textured(kinds: np.ndarray) -> np.ndarray:
    """Tiles as a picture; the colour of a pixel says where in the tile it is."""
    cell = ((3 * np.arange(16)[:, None] + np.arange(16)) % 4).astype(np.uint8)
    return np.repeat(np.repeat(5 * kinds, 16, 0), 16, 1) + np.tile(cell, kinds.shape)


class Relative(Cave):
    """Memory: the tiles on the screen, the camera, then Cave's miner, bat and lamp."""

    state_size = 48

    def cave(self, state: np.ndarray) -> GameState:
        """What Cave makes of the sprites."""
        self.check_state(state)
        memory = np.zeros((len(state), Cave.state_size), np.uint8)
        memory[:, 0x18:0x1D] = state[:, self.shown + 1 : self.shown + 6]
        return Cave().decode(memory, None)

    @property
    def shown(self) -> int:
        return self.tile_layers[0].rows * self.tile_layers[0].cols

    def play(self, start: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Memory uint8 [48] and picture uint8 [H, W] of each frame of a session."""
        for t in range(FRAMES):
            camera, sprites = start + 2 * t, (t, 40, 90 - t, max(30 - t, 0), 1)
            tiles, picture = self.scene(camera)
            memory = np.zeros(self.state_size, np.uint8)
            memory[: self.shown], memory[self.shown : self.shown + 6] = tiles.ravel(), (camera, *sprites)
            x, y, bat_x, bat_y, _ = sprites
            if bat_y:
                picture[bat_y : bat_y + 8, bat_x : bat_x + 8] = 14
            picture[y : y + 8, x : x + 8] = 15
            yield memory, picture


class Bar(Relative):
    """The bar's one character says how far the camera has gone."""

    name = "bar"
    native_size = (80, 96)
    tile_layers = (TileLayer("map", 4, 7, 16, ids=4), TileLayer("bar", 2, 12, 8, ids=12, text="0123456789"))
    regions = (*Cave.regions, "hud")
    fixed_regions = ((len(Cave.regions), 0, 64, 96, 80),)

    def decode(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        camera = state[:, self.shown].astype(np.int32)
        text = np.zeros((len(state), 2, 12), np.int16)
        text[:, 1, 3] = 1 + camera // 16
        return replace(
            self.cave(state),
            tiles=(state[:, : self.shown].reshape(-1, 4, 7).astype(np.int16), text),
            tile_xy=(
                np.stack([-(camera % 16), 0 * camera], 1).astype(np.int16),
                np.tile(np.array([0, 64], np.int16), (len(state), 1)),
            ),
            camera=camera,
        )

    def scene(self, camera: int) -> tuple[np.ndarray, np.ndarray]:
        tiles = world(4, 16)[:, camera // 16 : camera // 16 + 7]
        picture = np.zeros(self.native_size, np.uint8)
        picture[:64] = textured(tiles)[:, camera % 16 : camera % 16 + 96]
        picture[72:80, 24:32] = 13 - camera // 16
        return tiles, picture


class Deep(Relative):
    name = "deep"
    tile_layers = (TileLayer("map", 5, 6, 16, ids=4),)

    def decode(self, state: np.ndarray, context: np.ndarray | None) -> GameState:
        camera = state[:, self.shown].astype(np.int32)
        return replace(
            self.cave(state),
            tiles=(state[:, : self.shown].reshape(-1, 5, 6).astype(np.int16),),
            tile_xy=(np.stack([0 * camera, -(camera % 16)], 1).astype(np.int16),),
            camera_y=camera,
        )

    def scene(self, camera: int) -> tuple[np.ndarray, np.ndarray]:
        tiles = world(16, 6)[camera // 16 : camera // 16 + 5]
        return tiles, textured(tiles)[camera % 16 : camera % 16 + 64]
