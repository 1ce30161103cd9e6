"""Simple fillers beside the model: they see the same pixels of a clip, and are measured alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..games import GameSpec
from .baselines import camera_copy, inpainting, level_memory, mode_colour
from .metrics import MetricSums

if TYPE_CHECKING:
    from ..atlas.maps import Atlas

NO_CAMERA = "state level none: without the camera, tubes hide the same screen positions in every frame of the clip"


class Baselines:
    """Sums of the fillers' figures over the clips of an evaluation."""

    def __init__(self, game: GameSpec, level: str, atlas: Atlas | None = None, inpaint: bool = False) -> None:
        self.game = game
        self.level = level
        self.atlas = atlas if level != "none" else None
        self.memory = MetricSums() if self.atlas is not None else None
        self.inpainted = MetricSums() if inpaint else None
        self.mode = MetricSums()
        self.camera = MetricSums() if level != "none" else None
        self.found = 0  # masked pixels that camera_copy found in another frame

    def add(
        self,
        truth: np.ndarray,
        palette: np.ndarray,
        mask: np.ndarray,
        camera: np.ndarray | None,
        fixed: np.ndarray,
        regions: np.ndarray,
        counted: np.ndarray | None = None,
        scene: np.ndarray | None = None,
        origin: tuple[int, int] = (0, 0),
        sprites: np.ndarray | None = None,
    ) -> None:
        """Fill one clip and measure it.

        Args:
            truth: uint8 [T, H, W]; read where `mask` is False, and to measure.
            palette: uint8 [K, 3].
            mask: bool [T, H, W], True = hidden.
            camera: integer [T] world x of the left edge, or None.
            fixed: bool [T, H, W], where the picture does not scroll.
            regions: region ids [T, H, W].
            counted: bool [T], frames that are measured; None = all.
            scene: integer [T], which map is shown, or None.
            origin: y and x of the frames' corner in the native picture.
            sprites: bool [T, H, W], where sprites are, or None.
        """
        keep = np.ones(len(truth), bool) if counted is None else counted
        seen = np.where(mask, np.uint8(0), truth)

        def measure(sums: MetricSums, filled: np.ndarray, colours: np.ndarray | None = None) -> None:
            sums.add(
                truth=truth[keep],
                indices=filled[keep] if colours is None else None,
                rgb=palette[filled[keep]] if colours is None else colours[keep],
                palette=palette,
                mask=mask[keep],
                regions=regions[keep],
                sprites=None if sprites is None else sprites[keep],
            )

        measure(self.mode, mode_colour(seen, mask))
        if self.camera is not None and camera is not None:
            filled, found = camera_copy(seen, mask, camera, fixed)
            self.found += int((found & mask)[keep].sum())
            measure(self.camera, filled)
        if self.memory is not None and self.atlas is not None and scene is not None and camera is not None:
            place = self.atlas.look_up(scene, camera, self.game, "compact", truth.shape, origin)
            measure(self.memory, level_memory(seen, mask, *place))
        if self.inpainted is not None:
            measure(self.inpainted, seen, inpainting(seen, mask, palette))

    def result(self) -> dict[str, Any]:
        """Figures by filler: `mode_colour`; `camera_copy` with coverage, or null with a reason; and those asked for."""
        report: dict[str, Any] = {"mode_colour": self.mode.result(), "camera_copy": None}
        if self.camera is not None and self.camera.clips:
            report["camera_copy"] = {**self.camera.result(), "coverage": self.found / self.camera.masked}
        else:
            report["camera_copy_reason"] = NO_CAMERA
        for name, sums in (("level_memory", self.memory), ("opencv_inpainting", self.inpainted)):
            if sums is not None and sums.clips:
                report[name] = sums.result()
        return report
