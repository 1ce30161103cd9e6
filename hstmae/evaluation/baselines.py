"""The fillers' figures beside the model's: they see the same pixels of a clip, and are measured alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..atlas.maps import Atlas, Located
from ..games import GameSpec
from ..games.pixels import View
from .fillers import camera_copy, inpainting, level_memory, mean_colour, mode_colour, mode_rgb, nearest_pixel
from .metrics import MetricSums
from .truth import Truth

NO_STATE = "state level none: without the camera, tubes hide the same screen positions in every frame of the clip"
NO_CAMERA = "the footage does not say how its camera moves, and tubes hide the same places in every frame of the clip"

Filled = tuple[str, np.ndarray | None, np.ndarray]  # filler, palette entries (None: true colour), RGB


@dataclass
class FillerSums:
    """The fillers' figures over clips, from which the pooled ones are computed.

    Attributes:
        sums: by filler.
        found: masked pixels that camera_copy found in another frame.
    """

    sums: dict[str, MetricSums] = field(default_factory=dict)
    found: int = 0

    def merge(self, other: FillerSums) -> None:
        """Add the sums of other clips."""
        for name, sums in other.sums.items():
            self.sums.setdefault(name, MetricSums()).merge(sums)
        self.found += other.found

    def pooled(self, indexed: bool) -> dict[str, Any]:
        """Figures by filler; `camera_copy` with its coverage, or null with a reason."""
        report: dict[str, Any] = {name: sums.result() for name, sums in self.sums.items()}
        if "camera_copy" in self.sums:
            report["camera_copy"]["coverage"] = self.found / self.sums["camera_copy"].masked
        else:
            report |= {"camera_copy": None, "camera_copy_reason": NO_STATE if indexed else NO_CAMERA}
        return report


class Baselines(FillerSums):
    """Fills the clips of an evaluation, and sums up the figures."""

    def __init__(self, game: GameSpec, level: str, atlas: Atlas | None = None, inpaint: bool = False) -> None:
        super().__init__()
        self.game, self.level, self.inpaint = game, level, inpaint
        self.atlas = atlas if level != "none" else None

    def add(self, view: View, truth: Truth, counted: np.ndarray | None = None) -> None:
        """Fill one clip and measure it.

        Args:
            view: the true frames with what was hidden of them, and their state where there is one.
            truth: what is measured of it (see `Truth.of`); counted: bool [T], which of the frames; None = all.
        """
        keep = np.ones(len(view.frames), bool) if counted is None else counted
        for name, entries, rgb in self._fill(view, truth.palette, keep):
            made = None if entries is None else entries[keep]
            self.sums.setdefault(name, MetricSums()).add(truth, rgb[keep], made)

    def _fill(self, truth: View, palette: np.ndarray | None, keep: np.ndarray) -> Iterator[Filled]:
        frames, mask = truth.frames, truth.mask
        if palette is None:
            seen = np.where(mask[..., None], np.uint8(0), frames)
            for name, fill in (
                ("mode_colour", mode_rgb),
                ("mean_colour", mean_colour),
                ("nearest_pixel", nearest_pixel),
            ):
                yield name, None, fill(seen, mask)
            return
        seen = np.where(mask, np.uint8(0), frames)
        mode = mode_colour(seen, mask)
        yield "mode_colour", mode, palette[mode]
        if self.level != "none" and truth.state is not None:
            copied, found = camera_copy(seen, mask, np.asarray(truth.state.camera), truth.fixed)
            self.found += int((found & mask)[keep].sum())
            yield "camera_copy", copied, palette[copied]
        if self.atlas is not None and truth.state is not None:
            place = self.atlas.look_up(Located.of_state(truth.state), truth.at_level("compact"))
            remembered = level_memory(seen, mask, *place)
            yield "level_memory", remembered, palette[remembered]
        if self.inpaint:
            yield "opencv_inpainting", None, inpainting(seen, mask, palette)

    def result(self) -> dict[str, Any]:
        """As `pooled`."""
        return self.pooled(self.game.indexed)
