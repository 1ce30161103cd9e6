"""Looks of tiles for footage that comes frame by frame: what was worked out for a frame serves those after it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from ..games.pixels import View
from .maps import Atlas
from .recolouring import SHOWN, Pictures, completed, recoloured, steady
from .tiles import TileLooks, places

TIMES = 2  # frames in a row that have to show a pixel alike
AGAIN = 64  # frames after which what they have shown meanwhile is used to tell colours anew


@dataclass
class _Look:
    """One look.

    Attributes:
        learned: tiles as training saw them; made: with what frames so far show, and the colours that all this tells.
        open: bool [ids + 1], tiles not all of whose pixels training is certain of; wanted: those of them that were
            asked for when `made` was.
        shown: uint8 [ids + 1, cell, cell], what frames showed last; times: uint8, how often in a row.
        waits: frames that have shown something since.
    """

    learned: Pictures
    made: Pictures
    open: np.ndarray
    wanted: np.ndarray
    shown: np.ndarray
    times: np.ndarray
    waits: int = 0

    @classmethod
    def of(cls, learned: Pictures) -> _Look:
        open_ = np.asarray(~steady(learned[1]).all((1, 2)))
        nothing = np.zeros_like(learned[0])
        return cls(learned, learned, open_, np.zeros_like(open_), nothing, nothing.copy())

    def add(self, shown: Pictures) -> None:
        """Take over what one frame shows, see `completed`."""
        where = shown[1] > 0
        again = where & (self.times > 0) & (self.shown == shown[0])
        self.times[where & ~again] = 1
        self.times[again & (self.times < TIMES)] += 1
        self.shown[where] = shown[0][where]
        self.made = self.with_shown(self.made)
        self.waits += 1

    def with_shown(self, pictures: Pictures) -> Pictures:
        """These, and where they are not certain what frames have shown more than once."""
        sure = (self.times >= TIMES) & ~steady(self.learned[1])
        return np.where(sure, self.shown, pictures[0]), np.where(sure, np.uint8(SHOWN), pictures[1])


@dataclass
class RunningLooks(TileLooks):
    """As `TileLooks`, for views of one frame each, in order of time. Remembers a bounded number of pixels: those of
    each look of the atlas."""

    _looks: dict[tuple[int, ...], _Look] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, looks: TileLooks) -> RunningLooks:
        return cls(looks.keys, looks.colours, looks.kinds)

    def of_clip(
        self, ids: np.ndarray, view: View, number: int = 0
    ) -> tuple[np.ndarray, dict[tuple[int, ...], Pictures]]:
        game, layer = view.game, view.game.tile_layers[number]
        look = np.asarray(view.needed_state().globals)[:, list(game.looks.tile_globals)].astype(np.int32)
        key = tuple(look[0].tolist())
        if key not in self._looks:
            self._looks[key] = _Look.of(self.seen(look[0], layer.ids))
        kept = self._looks[key]
        here = np.zeros(layer.ids + 1, bool)  # -1 is the last
        here[ids[0]] = True
        here[-1] = False
        self._complete(kept, ids, view, number, here)
        if number == 0:
            here[list(game.looks.guessed_tiles)] = True
        here &= kept.open
        if (here & ~kept.wanted).any() or kept.waits >= AGAIN:
            kept.wanted |= here
            palettes = (0,) * layer.ids if number else game.looks.tile_palettes
            seen, kept.waits = kept.with_shown(kept.learned), 0
            kept.made = recoloured(seen, self._others(key, layer.ids), palettes) if palettes else seen
        return look, {key: kept.made}

    def _complete(self, kept: _Look, ids: np.ndarray, view: View, number: int, here: np.ndarray) -> None:
        """Take over what the frame shows of tiles that are not known well."""
        if not (here & kept.open).any():
            return
        layer = view.game.tile_layers[number]
        usable = (~view.mask & ~view.moving & kept.open[ids])[0] & (ids[0] >= 0)
        if not usable.any():
            return
        y, x = view.from_corner(number)
        place = places(ids[0], y[0], x[0], layer.cell)[usable]
        changing = (view.game.looks.cycling_tiles, view.game.looks.cycling_text)[number]
        nothing = np.zeros_like(kept.shown)
        kept.add(completed((nothing, nothing), place, view.frames[0][usable], changing))

    def _others(self, own: tuple[int, ...], ids: int) -> list[Pictures]:
        every = np.unique(self.keys[:, :-1], axis=0)
        return [self.seen(other, ids) for other in every if tuple(other.tolist()) != own]


@dataclass
class RunningAtlas(Atlas):
    """An atlas for one stream of frames, which stays as it is."""

    _backdrops: dict[int, int] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, atlas: Atlas) -> RunningAtlas:
        parts = {part.name: getattr(atlas, part.name) for part in fields(Atlas)}
        return cls(**parts | {"looks": RunningLooks.of(atlas.looks), "text": RunningLooks.of(atlas.text)})

    def backdrop(self, scene: np.ndarray) -> np.ndarray:
        for number in set(scene.tolist()) - self._backdrops.keys():
            self._backdrops[number] = int(super().backdrop(np.array([number]))[0])
        return np.array([self._backdrops[number] for number in scene.tolist()], np.int16)
