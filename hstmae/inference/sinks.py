"""Where restored frames go: one at a time, as they are finished, which need not be their order in the footage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..atomic import sync_files
from ..drawing.panels import show_confidence, show_error, show_masked
from ..games.palette import unpack_rgb
from ..pictures.base import Picture
from .footage.animation import Animation
from .footage.base import Footage
from .visualizer import save_mp4, side_by_side

WIDE = 400  # pixels across from which pictures are no longer enlarged
COMPARE = "compare"  # folder of side-by-side pictures inside the output


@dataclass(frozen=True)
class RestoredFrame:
    """One finished frame.

    Attributes:
        position: in its footage.
        file: the name it has as a picture file.
        picture: as it was read.
        mask: bool [H, W], what was missing.
        synthetic: what the mask hides is known, so that errors can be shown.
        pixels: what `Picture.restored` takes, read where `mask` is True.
        rgb: uint8 [H, W, 3], mean colours, as of Restoration.
        confidence: float32 [H, W], as of Restoration; None where the model gives none.
    """

    position: int
    file: str
    picture: Picture
    mask: np.ndarray
    synthetic: bool
    pixels: np.ndarray
    rgb: np.ndarray
    confidence: np.ndarray | None


class Sink(Protocol):
    """Takes the finished frames of one footage. An interrupted run goes on with a new sink of the same place."""

    def write(self, frame: RestoredFrame) -> None:
        """Keep a frame. One that an interrupted run kept, but did not settle, may come again."""

    def settle(self) -> None:
        """Return when all frames so far are on the disk: they are called finished then, and do not come again."""

    def finish(self, footage: Footage) -> None:
        """All frames were written and settled: make what needs all of them."""


class FolderSink:
    """Writes every frame under its own name; comparisons of damaged ones, and a film of footage that is one, beside.

    Args:
        folder: of the output; it as a whole is what appears or not.
        compare: write side-by-side pictures.
    """

    def __init__(self, folder: Path, *, compare: bool = False) -> None:
        self.folder, self._compare = folder, compare
        self._written: list[Path] = []

    def write(self, frame: RestoredFrame) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / frame.file
        path.write_bytes(frame.picture.restored(frame.pixels, frame.mask))
        self._written.append(path)
        if self._compare and frame.mask.any():
            path = self.folder / COMPARE / frame.file
            path.parent.mkdir(parents=True, exist_ok=True)
            _comparison(path, frame)
            self._written.append(path)

    def settle(self) -> None:
        sync_files(self._written)
        self._written.clear()

    def finish(self, footage: Footage) -> None:
        if isinstance(footage, Animation):
            footage.gather(self.folder)
        if footage.fps:
            write_film(self.folder, Path(footage.place).stem, footage.fps)


def _comparison(path: Path, frame: RestoredFrame) -> None:
    picture, mask = frame.picture, frame.mask
    before = unpack_rgb(picture.packed)
    after = np.where(mask[..., None], picture.colours(frame.pixels), before)
    panels = [("input", before), ("missing", show_masked(before, mask)), ("restored", after)]
    if frame.synthetic:
        panels.append(("error x2", show_error(after, before)))
    if frame.confidence is not None:
        panels.append(("confidence", show_confidence(np.where(mask, frame.confidence, 1))))
    side_by_side(panels, 2 if mask.shape[1] <= WIDE else 1).save(path)


def write_film(folder: Path, name: str, fps: float) -> None:
    """`name`.mp4 of the frames f000000.png ... in `folder`. The film is compressed; the pictures are exact."""
    from PIL import Image

    def pictures() -> Iterator[Image.Image]:
        for path in sorted(folder.glob("f*.png")):
            with Image.open(path) as file:
                rgb = np.asarray(file.convert("RGB"))
            height, width = rgb.shape[:2]  # players want even sides
            yield Image.fromarray(np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))

    save_mp4(pictures(), folder / f"{name}.mp4", fps)
