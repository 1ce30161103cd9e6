"""The lossless kernel again in plain Python: slow, easy to follow, and byte for byte the same. See _kernel.h."""

from __future__ import annotations

import numpy as np

from .coding_models import PictureModel, RowModel
from .reference_coder import Coder, Mixer
from .reference_pictures import Pictures
from .reference_rows import code_rows
from .scene import Scene


class Reference:
    """The backend without a compiler; see kernel.Backend."""

    name = "reference"

    def __init__(self, limit: int = 15, speed: int = 6) -> None:
        self._limit, self._speed = limit, speed

    def rows(self, mode: int, rows: np.ndarray, side: np.ndarray, model: RowModel, data: bytes) -> bytes:
        coder = Coder(mode, data)
        code_rows(Mixer(coder, model.slots.table(), model.slots.bits, self._limit, self._speed), rows, side, model)
        return coder.finish()

    def pictures(self, mode: int, frames: np.ndarray, scene: Scene, model: PictureModel, data: bytes) -> bytes:
        coder = Coder(mode, data)
        mixer = Mixer(coder, model.slots.table(), model.slots.bits, self._limit, self._speed)
        Pictures(mixer, frames.shape[1:], scene, model).code(frames)
        return coder.finish()
