"""What is coded frame by frame, and the arrays that coders read and write while they are open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .coding_models import PictureModel, RowModel
from .scene import Scene


@dataclass(frozen=True)
class Parts:
    """The parts of a group of at most T frames. What belongs to frame t is read, or filled, when t is coded.

    Attributes:
        actions, state: uint8 [T, A] and [T, S]; A or S = 0 where there are none.
        picture: uint8 [H, W], the picture of the frame that is being coded; None = pictures are coded elsewhere.
        scene: what the state says of T frames.
    """

    actions: np.ndarray
    state: np.ndarray
    picture: np.ndarray | None
    scene: Scene
    action_model: RowModel
    state_model: RowModel
    picture_model: PictureModel

    @property
    def nothing(self) -> np.ndarray:
        """uint8 [T, 0]: what is known beside the buttons."""
        return self.actions[:, :0]
