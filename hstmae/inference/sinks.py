"""Where restored frames go: one at a time, as they are finished, which need not be their order in the footage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..atomic import sync_files
from ..data.sources.film import lost_as_rgb, varying_times
from ..drawing.panels import show_confidence, show_error, show_masked, show_tinted
from ..film.layout import Planes
from ..games.palette import unpack_rgb
from ..pictures.base import Picture
from .footage.animation import Animation
from .footage.base import COMPARE, CONFIDENCE, Footage
from .footage.film import Film
from .visualizer import side_by_side

Frames = Iterator[tuple[int, Planes]]
Watch = Callable[[Frames, int, str], Frames]  # of about so many frames, written to a file of this name
WIDE = 400  # pixels across from which pictures are no longer enlarged


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
        method: uint8 [H, W], and shown: bool [H, W], as of Restoration.
    """

    position: int
    file: str
    picture: Picture
    mask: np.ndarray
    synthetic: bool
    pixels: np.ndarray
    rgb: np.ndarray
    confidence: np.ndarray | None
    method: np.ndarray | None = None
    shown: np.ndarray | None = None

    @property
    def known(self) -> np.ndarray:
        """bool [H, W]: masked pixels whose true colours the picture holds, as a synthetic mask leaves them."""
        return self.mask & ~self.picture.missing & self.picture.readable & self.synthetic

    @property
    def damaged(self) -> np.ndarray:
        """uint8 [H, W, 3], the input as people are to see it: a checker where nothing is seen."""
        unseen = self.mask if self.synthetic else self.picture.missing
        return show_masked(unpack_rgb(self.picture.packed), unseen)

    @property
    def marked(self) -> np.ndarray:
        """uint8 [H, W, 3], the same with what is missing tinted."""
        hidden = self.synthetic | self.picture.missing
        return show_tinted(self.damaged, self.mask & ~hidden)

    @property
    def restored(self) -> np.ndarray:
        """uint8 [H, W, 3]."""
        picture = self.picture
        return np.where(self.mask[..., None], picture.colours(self.pixels), unpack_rgb(picture.packed)).astype(np.uint8)


def unwatched(frames: Frames, count: int, name: str) -> Frames:
    return frames


class Sink(Protocol):
    """Takes the finished frames of one footage. An interrupted run goes on with a new sink of the same place."""

    def write(self, frame: RestoredFrame) -> None:
        """Keep a frame. One that an interrupted run kept, but did not settle, may come again."""

    def settle(self) -> None:
        """Return when all frames so far are on the disk: they are called finished then, and do not come again."""

    def finish(self, footage: Footage) -> list[str]:
        """All frames were written and settled: make what needs all of them.

        Returns:
            What of the footage is not kept, one sentence each.
        """


class EverySink:
    """Hands frames to several sinks."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = sinks

    def write(self, frame: RestoredFrame) -> None:
        for sink in self._sinks:
            sink.write(frame)

    def settle(self) -> None:
        for sink in self._sinks:
            sink.settle()

    def finish(self, footage: Footage) -> list[str]:
        return [line for sink in self._sinks for line in sink.finish(footage)]


class FolderSink:
    """Writes every frame under its own name; comparisons of damaged ones beside.

    Args:
        folder: of the output; it as a whole is what appears or not.
        compare: write side-by-side pictures.
        confidence: write how sure each pixel is, see `save_confidence`.
    """

    def __init__(self, folder: Path, *, compare: bool = False, confidence: bool = False) -> None:
        self.folder, self._compare, self._confidence = folder, compare, confidence
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
        if self._confidence:
            self._written.append(save_confidence(frame, self.folder / CONFIDENCE))

    def settle(self) -> None:
        sync_files(self._written)
        self._written.clear()

    def finish(self, footage: Footage) -> list[str]:
        if isinstance(footage, Animation):
            footage.gather(self.folder)
        if not isinstance(footage, Film):
            return []
        facts = footage.reader.facts
        lost = [*lost_as_rgb(facts), *varying_times(facts)]
        if facts.streams or facts.chapters:
            lost.append("pictures hold no sound, subtitles or chapters: --out NAME.mp4 or NAME.mkv keeps them")
        return lost


def save_confidence(frame: RestoredFrame, folder: Path) -> Path:
    """Write how sure each pixel of a frame is into `folder`, and return the file: a grey PNG, 255 times the probability
    that the colour is right, rounded down; visible pixels are 255, text that nothing tells is 0."""
    from PIL import Image

    assert frame.confidence is not None  # asked for only of models that give one
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (frame.file if frame.file.lower().endswith(".png") else f"{frame.file}.png")
    sure = np.where(frame.mask, np.clip(frame.confidence, 0, 1), 1)
    Image.fromarray((255 * sure).astype(np.uint8)).save(path)
    return path


def _comparison(path: Path, frame: RestoredFrame) -> None:
    picture, mask = frame.picture, frame.mask
    before, after = unpack_rgb(picture.packed), frame.restored
    panels = [("input", before), ("missing", show_masked(before, mask)), ("restored", after)]
    if frame.synthetic:
        panels.append(("error x2", show_error(after, before)))
    if frame.confidence is not None:
        panels.append(("confidence", show_confidence(np.where(mask, frame.confidence, 1))))
    side_by_side(panels, 2 if mask.shape[1] <= WIDE else 1).save(path)
