"""The backend without a compiler: slow, easy to follow, and byte for byte the same. See _kernel.h."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..coding_models import Parts, PictureModel, RowModel
from ..range_coder import Coder
from ..scene import Scene
from .colours import Colours
from .mixer import Mixer
from .pictures import Pictures
from .rows import Rows


class Reference:
    """The backend without a compiler; see kernel.Backend."""

    name = "reference"

    def __init__(self, limit: int = 15, speed: int = 6) -> None:
        self._limit, self._speed = limit, speed

    def rows(self, mode: int, rows: np.ndarray, side: np.ndarray, model: RowModel, data: bytes) -> bytes:
        coder = Coder(mode, data)
        one = Rows(Mixer(coder, model.slots, self._limit, self._speed), side, model)
        for t, row in enumerate(rows):
            one.code(row, t)
        return coder.finish()

    def pictures(self, mode: int, frames: np.ndarray, scene: Scene, model: PictureModel, data: bytes) -> bytes:
        coder = Coder(mode, data)
        one = Pictures(Mixer(coder, model.slots, self._limit, self._speed), frames.shape[1:], scene, model)
        for t, frame in enumerate(frames):
            one.code(frame, t)
        return coder.finish()

    def blocks(
        self, mode: int, frames: np.ndarray, asked: np.ndarray, scene: Scene, model: PictureModel, data: bytes,
        spent: np.ndarray | None = None,
    ) -> bytes:  # fmt: skip
        coder = Coder(mode, data)
        one = Pictures(Mixer(coder, model.slots, self._limit, self._speed), frames.shape[1:], scene, model)
        for t, frame in enumerate(frames):
            one.asked, one.spent = asked[t], None if spent is None else spent[t]
            one.code(frame, t)
        return coder.finish()

    def paint(
        self, mode: int, size: tuple[int, int, int], back: int, model: PictureModel, data: bytes
    ) -> ReferencePainter:
        return ReferencePainter(mode, size, back, model, data, self._limit, self._speed)

    def colour(
        self, mode: int, size: tuple[int, int, int], back: int, bits: int, data: bytes
    ) -> ReferenceColourPainter:
        return ReferenceColourPainter(mode, size, back, bits, data, self._limit, self._speed)

    def open(self, mode: int, parts: Parts) -> ReferenceFrames:
        return ReferenceFrames(mode, parts, self._limit, self._speed)


class ReferenceFrames:
    """See kernel.Frames."""

    def __init__(self, mode: int, parts: Parts, limit: int, speed: int) -> None:
        self._mode, self._parts, self._coder = mode, parts, Coder(mode, b"")
        rows = ((parts.actions, parts.nothing, parts.action_model), (parts.state, parts.actions, parts.state_model))
        self._rows = [
            (array, Rows(Mixer(self._coder, model.slots, limit, speed), side, model))
            for array, side, model in rows
            if array.shape[1]
        ]
        self._pictures: Pictures | None = None
        if parts.picture is not None:
            mixer = Mixer(self._coder, parts.picture_model.slots, limit, speed)
            self._pictures = Pictures(mixer, parts.picture.shape, parts.scene, parts.picture_model)

    def code(self, t: int, packet: bytes, between: Callable[[], object]) -> bytes:
        coder = Coder(self._mode, packet)
        for array, rows in self._rows:
            rows.mixer.coder = coder
            rows.code(array[t], t)
        between()
        if self._pictures is not None and self._parts.picture is not None:
            self._pictures.mixer.coder = coder
            self._pictures.code(self._parts.picture, t)
        return coder.finish()

    def close(self) -> None:
        """There is nothing to free."""


class ReferencePainter:
    """See kernel.Painter."""

    def __init__(
        self, mode: int, size: tuple[int, int, int], back: int, model: PictureModel, data: bytes, limit: int, speed: int
    ) -> None:
        self._coder, self._t = Coder(mode, data), 0
        self._pictures = Pictures(
            Mixer(self._coder, model.slots, limit, speed), size[1:], Scene.nothing(size[0]), model
        )
        self._pictures.look_back(back, model.slots.bits)

    def picture(self, frame: np.ndarray, step: Callable[[float], object] = lambda share: None) -> None:
        self._pictures.code(frame, self._t)
        self._t += 1
        step(1.0)

    def finish(self) -> bytes:
        return self._coder.finish()

    def close(self) -> None:
        """There is nothing to free."""


class ReferenceColourPainter:
    """See kernel.Painter, for pictures of true colour."""

    def __init__(
        self, mode: int, size: tuple[int, int, int], back: int, bits: int, data: bytes, limit: int, speed: int
    ) -> None:
        self._coder = Coder(mode, data)
        self._colours = Colours(self._coder, size[1], size[2], back, bits, limit, speed)

    def picture(self, frame: np.ndarray, step: Callable[[float], object] = lambda share: None) -> None:
        self._colours.code(frame)
        step(1.0)

    def finish(self) -> bytes:
        return self._coder.finish()

    def close(self) -> None:
        """There is nothing to free."""
