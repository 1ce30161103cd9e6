"""Sheets and films of an episode: the picture, what the state says about it, and both with most of it hidden."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..data.episode import Episode
from ..games import GameSpec, GameState
from ..games.pixels import on_native
from .overlay import SPRITE_COLOUR, TILE_COLOUR, draw_regions, draw_state, enlarged, readings, region_colour
from .panels import show_masked
from .sheet import Row, compose

if TYPE_CHECKING:
    from PIL.Image import Image

PANEL = 512  # pixel art is enlarged to about this width by a whole number

Legend = list[tuple[str, tuple[int, int, int]]]


class Exhibit:
    """Some frames of an episode with everything that can be drawn over them.

    Args:
        episode: frames, with state where the footage has it.
        game: their game; without pictures of its native size, or without state, only pixels are shown.
        mask: bool [H, W], True = hidden.
        scale: enlargement; 0 = chosen by the width.
    """

    def __init__(self, episode: Episode, game: GameSpec, mask: np.ndarray, scale: int = 0) -> None:
        if episode.corner != (0, 0):  # what a recorder cut off is shown as empty
            frames, known = on_native(episode.frames, episode.corner, game)
            hidden = np.zeros(known.shape, bool)
            hidden[known] = mask.ravel()
            episode, mask = replace(episode, frames=frames, corner=(0, 0)), hidden
        self._episode, self._game, self._mask = episode, game, mask
        height, width = episode.frames.shape[1:3]
        self._scale = scale or max(1, PANEL // width)
        self._state: GameState | None = None
        self._regions: np.ndarray | None = None
        if (height, width) == game.native_size and len(game.regions) > 1:
            if episode.state is not None and game.state_size:
                self._state = game.decode(episode.state, episode.context)
            self._regions = game.region_map(self._state, len(episode))

    def __len__(self) -> int:
        return len(self._episode)

    def _panels(self, t: int) -> list[tuple[str, np.ndarray]]:
        episode, scale, game = self._episode, self._scale, self._game
        frame = episode.frames[t]
        picture = frame if episode.palette is None else episode.palette[frame]
        hidden = show_masked(picture, self._mask)
        share = f"{self._mask.mean():.0%} hidden"
        panels = [("picture", enlarged(picture, scale))]
        if self._regions is not None:
            panels.append(("regions", draw_regions(picture, self._regions[t], scale)))
        if self._state is not None:
            panels.append(("state", draw_state(panels[0][1], game, self._state, t, scale)))
        panels.append((share, enlarged(hidden, scale)))
        if self._state is not None and self._regions is not None:
            known = draw_regions(hidden, self._regions[t], scale)
            panels.append((f"{share}, with state", draw_state(known, game, self._state, t, scale)))
        return panels

    def _caption(self, t: int) -> str:
        episode = self._episode
        words = [f"frame {episode.frame_numbers[t]}"]
        if self._state is not None and episode.state is not None:
            words += [f"camera {self._state.camera[t]}", readings(self._game.fields, episode.state[t])]
        return "   ".join(word for word in words if word)

    def _legend(self) -> Legend:
        legend: Legend = []
        if self._regions is not None:
            legend += [(self._game.regions[k], region_colour(k)) for k in range(1, len(self._game.regions))]
        if self._state is not None:
            known = {name for name, _ in legend}  # a game's regions may be called so, too
            for name, colour in (("sprite", SPRITE_COLOUR), ("tile", TILE_COLOUR)):
                legend.append((f"{name} outline" if name in known else name, colour))
        return legend

    def _title(self) -> str:
        episode = self._episode
        height, width = episode.frames.shape[1:3]
        title = [episode.name, self._game.name, episode.level, episode.outcome, f"{width}x{height}"]
        return "  ·  ".join(word for word in title if word)

    def sheet(self) -> Image:
        """One row per frame."""
        rows = [Row(self._caption(t), self._panels(t)) for t in range(len(self))]
        return compose(self._title(), self._legend(), rows)

    def film(self) -> Iterator[Image]:
        """One picture per frame, all of one even size: panels in two rows."""
        for t in range(len(self)):
            panels = self._panels(t)
            panels = panels if len(panels) < 4 else [panels[0], panels[1], panels[-2], panels[-1]]
            half = len(panels) if len(panels) < 4 else 2
            rows = [Row(self._caption(t), panels[:half]), *([Row("", panels[half:])] if half < len(panels) else [])]
            yield compose(self._title(), self._legend(), rows)
