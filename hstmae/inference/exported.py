"""Exported models for restoration: the same pictures where PyTorch is not installed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ..atlas.maps import Atlas
from ..errors import CheckpointError
from ..games import GameState, get_game
from ..games.pixels import View
from ..model_folders import ATLAS
from ..notebook import Row
from ..portable.cubes import from_cubes, shown_units, visible_from_pixels
from ..portable.folder import INT8, NETWORK, Export
from ..portable.network import Network
from ..restoration.clips import STATE_LEVELS, UNIT
from ..restoration.result import Restoration
from .footage_restorer import FootageRestorer


class ExportedPredictor(FootageRestorer):
    """An exported model with its game: recall, atlas and `restore` as a `Predictor` has them."""

    def __init__(self, export: Export, graph: str, atlas: Atlas | None, *, recall: bool = True) -> None:
        super().__init__(export.config, recall=recall, atlas=atlas)
        self.export, self.graph, self.clip = export, graph, export.clip
        self.network = Network(export, self.game, graph)

    def fingerprint(self) -> str:
        digest = hashlib.sha256(self.export.fingerprint(self.graph).encode())
        if self.atlas is not None and self.recall:
            for name, array in self.atlas.arrays().items():
                digest.update(name.encode() + array.tobytes())
        return digest.hexdigest()

    def _rows(self) -> list[Row]:
        return [("runtime", "ONNX Runtime"), ("graph", self.graph)]

    def draw(
        self,
        frames: np.ndarray,
        masks: tuple[np.ndarray, ...],
        palette: np.ndarray,
        state: GameState | None,
        view: View,
        size: tuple[int, int],
    ) -> Restoration:
        """See `ClipRestorer.draw`. Footage shorter than a clip goes on with its last frame, which is not shown."""
        length, grid = len(frames), (frames.shape[1] // UNIT, frames.shape[2] // UNIT)
        more = self.clip - length

        def longer(array: np.ndarray) -> np.ndarray:
            return np.concatenate([array, np.repeat(array[-1:], more, 0)]) if more > 0 else array

        frames, masks = longer(frames), tuple(longer(mask) for mask in masks)
        state = None if state is None else state.map(longer)
        wanted = masks[2].copy()
        wanted[length:] = False
        (visible, _), (own, _) = (visible_from_pixels(mask) for mask in masks[:2])
        queries = visible_from_pixels(wanted)[1]
        shown = shown_units(own, visible, grid)
        made = self.network.draw(frames, shown, queries, state, STATE_LEVELS[view.level], view.origin, palette)
        cubes = grid[0] * grid[1] * (self.clip // 2)
        rgb = np.zeros((cubes, 2, 16, 16, 3), np.uint8)
        entry, sure = np.zeros(rgb.shape[:-1], np.uint8), np.ones(rgb.shape[:-1], np.float32)
        rgb[queries], entry[queries], sure[queries] = made.colour, made.entry, made.confidence
        shape = (frames.shape[1], frames.shape[2])
        parts = (from_cubes(a.reshape(grid[0] * grid[1], -1, *a.shape[1:]), shape)[:length] for a in (rgb, entry, sure))
        return Restoration(*parts)


def load_export(folder: str | Path, atlas: str | Path | None = "auto", *, int8: bool = False) -> ExportedPredictor:
    """An export (`hstmae export`) for restoration by ONNX Runtime.

    Args:
        atlas: "auto" takes the one of the export; a file, or None for none.
        int8: use the graph with 8-bit weights.
    Raises:
        CheckpointError: no export, a damaged one, one without that graph, or an atlas of another game.
        ConfigError: ONNX Runtime is not installed.
    """
    export = Export(folder)
    maps = None
    if atlas is not None:
        path = export.folder / ATLAS if atlas == "auto" else Path(atlas)
        if atlas != "auto" or path.is_file():
            maps = Atlas.load(path)
            if maps.game != export.config.game:
                raise CheckpointError(
                    f"{path}: an atlas of game '{maps.game}'; the export is for '{export.config.game}'"
                )
            maps.check_game(get_game(maps.game), path)
    return ExportedPredictor(export, INT8 if int8 else NETWORK, maps)
