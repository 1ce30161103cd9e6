"""Restoring a clip by a network of PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..atlas.maps import Atlas
from ..config import ModelConfig
from ..games import GameState
from ..games.pixels import View
from ..models.adaptive import palette_of
from ..models.cubes import grid_size
from ..models.inputs import MaskedClips
from ..models.masking import shown_units, visible_from_pixels
from .clips import STATE_LEVELS, UNIT, ClipRestorer, padded
from .reconstruct import reconstruct
from .result import Restoration

if TYPE_CHECKING:
    from ..models.fast.head import FastHead

__all__ = ["UNIT", "Restorer", "padded"]


class Restorer(ClipRestorer):
    """A network of PyTorch with its game and atlas.

    Attributes:
        model: the network, in eval mode.
        config, game, recall, atlas: see `ClipRestorer`.
    """

    def __init__(
        self,
        model: Any,
        config: ModelConfig,
        device: str | torch.device = "cpu",
        *,
        recall: bool = True,
        atlas: Atlas | None = None,
        fast: bool = True,
    ) -> None:
        """fast: draw with products of the model's weights (`FastHead`), which stay as they are from then on."""
        self.model = model.to(device).eval() if isinstance(model, torch.nn.Module) else model
        super().__init__(config, recall=recall, atlas=atlas)
        self.device = torch.device(device)
        self._fast = fast
        self._head: FastHead | None = None

    def draw(
        self,
        frames: np.ndarray,
        masks: tuple[np.ndarray, ...],
        palette: np.ndarray,
        state: GameState | None,
        view: View,
        size: tuple[int, int],
    ) -> Restoration:
        given = None if state is None else state.map(lambda a: torch.from_numpy(a)[None].to(self.device))
        hidden = masks[0]
        (visible, _), (own, _), (_, queries) = (visible_from_pixels(torch.from_numpy(mask)) for mask in masks)
        shown = shown_units(own, visible, grid_size(*hidden.shape[1:]))
        clip, seen, asked = (x[None].to(self.device) for x in (torch.from_numpy(frames), shown, queries))
        clips = MaskedClips(
            clip,
            seen,
            given,
            torch.tensor([STATE_LEVELS[view.level]], device=self.device),
            torch.tensor([view.origin], device=self.device),
            None if self.game.indexed else torch.tensor([size], device=self.device),
            palette_of(torch.from_numpy(frames[~hidden]), self.config.clip_colours) if self.adaptive else None,
        )
        colours = torch.tensor(palette, device=self.device) if self.game.indexed else None
        rgb_head = self.config.head == "rgb"
        made = reconstruct(self.model, clips, asked, colours, rgb_head=rgb_head, fast=self._fast_head())
        indices, confidence = (None if array is None else array[0] for array in (made.indices, made.confidence))
        return Restoration(made.rgb[0], indices, confidence)

    def _fast_head(self) -> FastHead | None:
        if self._fast and self._head is None and isinstance(self.model, torch.nn.Module):
            from ..models.fast.head import FastHead

            self._head = FastHead.of(self.model)
        return self._head
