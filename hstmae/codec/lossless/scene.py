"""What a game's state says about its pictures, as the plain arrays that the lossless kernel reads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...games.hints import PIECE
from ...games.spec import GameSpec


@dataclass(frozen=True)
class Scene:
    """Tiles, sprites and looks of T frames; empty arrays where nothing is known.

    Attributes:
        layout: int32 [L, 3] rows, columns, cell side of each tile layer.
        tiles: int16 [T, cells of all layers].
        corners: int16 [T, L, 2] x, y.
        sprites: int16 [T, N, 4] x, y, tile, attribute with flip bits 64 and 128.
        size: pixels of a sprite's side.
        look: uint32 [T, 2] hashes of what changes how everything looks.
        hints: uint8 [T] movement of the camera.
    """

    layout: np.ndarray
    tiles: np.ndarray
    corners: np.ndarray
    sprites: np.ndarray
    size: int
    look: np.ndarray
    hints: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """int64 [4]: layers, cells, sprites, size."""
        return np.array([len(self.layout), self.tiles.shape[1], self.sprites.shape[1], self.size], np.int64)

    def seen_from(self, corner: tuple[int, int]) -> Scene:
        """The same scene in pictures whose corner lies at y, x of the native one."""
        if corner == (0, 0):
            return self
        corners, sprites = self.corners - np.array(corner[::-1], np.int16), self.sprites.copy()
        sprites[..., :2] -= np.array(corner[::-1], np.int16)
        return replace(self, corners=np.ascontiguousarray(corners), sprites=sprites)

    @staticmethod
    def nothing(frames: int) -> Scene:
        """For pictures of which no state is known."""
        return Scene(
            layout=np.zeros((0, 3), np.int32),
            tiles=np.zeros((frames, 0), np.int16),
            corners=np.zeros((frames, 0, 2), np.int16),
            sprites=np.zeros((frames, 0, 4), np.int16),
            size=0,
            look=np.zeros((frames, 2), np.uint32),
            hints=np.zeros(frames, np.uint8),
        )

    @staticmethod
    def of_pieces(size: tuple[int, int], pieces: np.ndarray) -> Scene:
        """Pieces of objects int16 [T, N, 4], as `GameSpec.pieces` gives them, before scenery that stays where it is:
        each place of pictures of `size` (height, width) is a tile of its own."""
        frames, (rows, columns) = len(pieces), (-(-side // PIECE) for side in size)
        return replace(
            Scene.nothing(frames),
            layout=np.array([[rows, columns, PIECE]], np.int32),
            tiles=np.repeat(np.arange(rows * columns, dtype=np.int16)[None], frames, 0),
            corners=np.zeros((frames, 1, 2), np.int16),
            sprites=np.ascontiguousarray(pieces, np.int16),
            size=PIECE,
        )

    @staticmethod
    def of(game: GameSpec, state: np.ndarray, context: np.ndarray | None = None) -> Scene:
        """Read uint8 [T, S] memory. Of what came before it is known what `context` [T, C] says; None = nothing.

        Raises GameError."""
        frames = len(state)
        if context is None and game.context_size:
            context = game.context(state, np.arange(frames))
        s = game.decode_for_coding(state, context)
        look = np.zeros((frames, 2), np.uint32)
        for k, chosen in enumerate((game.coding.seldom_globals, game.coding.often_globals)):
            for i in range(s.globals.shape[1]) if chosen is None else chosen:
                look[:, k] = look[:, k] * np.uint32(0x01000193) + s.globals[:, i] + np.uint32(1)
        hints = np.zeros(frames, np.uint8)
        hints[1:] = np.clip(np.diff(s.camera.astype(np.int64)), -100, 100) + 128
        flat = [ids.reshape(frames, -1) for ids in s.tiles]
        return Scene(
            layout=np.array([(x.rows, x.cols, x.cell) for x in game.tile_layers], np.int32).reshape(-1, 3),
            tiles=np.ascontiguousarray(np.concatenate([np.zeros((frames, 0)), *flat], 1), np.int16),
            corners=np.stack([np.zeros((frames, 0, 2)), *s.tile_xy][1:], 1).astype(np.int16)
            if s.tile_xy
            else np.zeros((frames, 0, 2), np.int16),
            sprites=np.ascontiguousarray(s.sprites, np.int16),
            size=game.sprite_size,
            look=look,
            hints=hints,
        )
