"""What every place of a game's maps looks like, learned from recordings: the level memory that a checkpoint may carry.

Each map is a picture as long as the level: per pixel the colour that most visits to the place showed while nothing
moved over it, and how far that is to be trusted, measured on visits that had no part in it. A state that tells map and
camera makes a clip's scenery a look-up; without a state, visible pixels are matched against the maps to find the place
(see `locate`). Nothing of a game's graphics or maps is in the code, and a game is never needed to use an atlas.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import replacing
from ..errors import CheckpointError
from ..games import GameSpec, GameState
from ..games.camera_steps import CameraSteps
from ..games.pixels import View
from .kinds import KINDS, usual_means
from .objects import ObjectLooks
from .tiles import TileLooks, rows_of

FORMAT = 2
# What NumPy and zipfile raise over damaged archives: wrong headers, sizes, methods, checksums and streams.
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    RuntimeError,  # NotImplementedError among them
    MemoryError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)
LEVELS = ("none", "compact", "full")  # rows of `Atlas.trust`


@dataclass
class WorldMap:
    """One map of the game.

    Attributes:
        colours: uint8 [Y, X], palette entries; row and column 0 are the world's y and x 0, and Y is the native height
            where the camera stays at y 0. Zero where never seen.
        kinds: uint8 [Y, X], see `kinds_of`; 0 = never seen.
        tiles: int16 [rows, cells], what stood there when the colours were seen; -1 = not known. [0, 0] without tiles.
        fixed: uint8 [H, W] palette entries of the parts of the picture that do not scroll, fixed_kinds likewise;
            fixed_mean uint8 [H, W, 3], their mean colour over all visits.
    """

    colours: np.ndarray
    kinds: np.ndarray
    tiles: np.ndarray
    fixed: np.ndarray
    fixed_kinds: np.ndarray
    fixed_mean: np.ndarray
    grid_top: int | None = None  # world y of the first row of tiles; None, of files of earlier versions: see check_game

    def tile_at(self, cell: int, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Ids of the tiles of `cell` pixels at world rows y [h] and columns x [w]: int16 [h, w], -1 = not known."""
        row, column = (y - (self.grid_top or 0)) // cell, x // cell
        rows, columns = self.tiles.shape
        inside = ((row >= 0) & (row < rows))[:, None] & (column < columns)
        found = self.tiles[row.clip(0, rows - 1)[:, None], column.clip(0, columns - 1)]
        return np.where(inside, found, -1)


PARTS: dict[str, Any] = {
    **dict.fromkeys(("objects", "sprites", "glow"), ObjectLooks),
    **dict.fromkeys(("looks", "text"), TileLooks),
    "steps": CameraSteps,
}
LATER = frozenset({"steps"})  # parts that files of earlier versions do not have
MAP_ARRAYS = tuple(name for name in WorldMap.__dataclass_fields__ if name != "grid_top")  # what a file holds of each


@dataclass(frozen=True)
class Located:
    """Where frames were taken, by their state or found out: integer [T], see GameState. `camera_y` left out is 0."""

    scene: np.ndarray
    camera: np.ndarray
    camera_y: Any = None

    def __post_init__(self) -> None:
        if self.camera_y is None:
            object.__setattr__(self, "camera_y", np.zeros_like(self.camera))

    @classmethod
    def of_state(cls, state: GameState) -> Located:
        """As a state tells; a camera of 16 bits that a maze has set back beyond the map's beginning is below 0."""
        scene, camera, camera_y = (np.asarray(a).astype(np.int64) for a in (state.scene, state.camera, state.camera_y))
        return cls(scene, np.where(camera >= 1 << 15, camera - (1 << 16), camera), camera_y)

    def take(self, index: np.ndarray) -> Located:
        return Located(self.scene[index], self.camera[index], self.camera_y[index])


@dataclass
class Atlas:
    """The maps of one game by `GameState.scene`.

    Attributes:
        trust: float32 [3, KINDS], how often a colour of each kind is right, by state level (`LEVELS`).
        looks: what tiles look like wherever they stand, for maps that are not here.
        text: what the characters of a status bar look like (`tile_layers[1]`).
        objects: what moving objects look like; sprites: what hardware sprites look like.
        glow: what tiles look like whose colours change while they stand there.
        steps: how the camera moves from frame to frame.
        look_trust: float32 [2, KINDS], likewise for `looks` and `text`.
    """

    game: str
    maps: dict[int, WorldMap] = field(default_factory=dict)
    trust: np.ndarray = field(default_factory=lambda: np.zeros((len(LEVELS), KINDS), np.float32))
    looks: TileLooks = field(default_factory=TileLooks)
    text: TileLooks = field(default_factory=TileLooks)
    objects: ObjectLooks = field(default_factory=ObjectLooks)
    sprites: ObjectLooks = field(default_factory=ObjectLooks)
    glow: ObjectLooks = field(default_factory=ObjectLooks)
    steps: CameraSteps = field(default_factory=CameraSteps)
    look_trust: np.ndarray = field(default_factory=lambda: np.zeros((2, KINDS), np.float32))

    @cached_property
    def _means(self) -> dict[int, np.ndarray]:
        return usual_means({number: (m.fixed, m.fixed_kinds, m.fixed_mean) for number, m in self.maps.items()})

    def look_up(self, place: Located, view: View, tile_ids: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """What the maps show at the places of a clip, whatever may move in front of them.

        Args:
            place: of each frame.
            view: the frames; the less its level gives, the more moves unseen, and the lower trust is.
            tile_ids: int16 [T, H, W] of the first layer (see `View.tile_ids`), -1 = not known; where another tile
                stands than the map shows, nothing is known.
        Returns:
            (uint8 [T, H, W] palette entries, float32 [T, H, W] trust in them, 0 = not known).
        """
        colours, trust = np.zeros(view.shape, np.uint8), np.zeros(view.shape, np.float32)
        table = self.trust[LEVELS.index(view.level)]
        (top, left), (rows, columns) = view.origin, view.inside
        native = (slice(top, top + rows.stop), slice(left, left + columns.stop))
        bar = view.fixed[0][view.inside]
        for t in range(len(colours)):
            world = self.maps.get(int(place.scene[t]))
            if world is None:
                continue
            x = int(place.camera[t]) + left + np.arange(columns.stop)
            y = int(place.camera_y[t]) + top + np.arange(rows.stop)
            at_y, at_x = (np.clip(a, 0, max(n - 1, 0)) for a, n in zip((y, x), world.colours.shape, strict=True))
            here = at_y[:, None], at_x
            sure = table[world.kinds[here]] * ((x == at_x) & (y == at_y)[:, None])
            if tile_ids is not None and world.tiles.size:
                stood = world.tile_at(view.game.tile_layers[0].cell, at_y, at_x)
                now = tile_ids[t][view.inside]
                sure = sure * ((stood == now) | (stood < 0) | (now < 0))
            colours[t][view.inside] = np.where(bar, world.fixed[native], world.colours[here])
            trust[t][view.inside] = np.where(bar, table[world.fixed_kinds[native]], sure)
        return colours, trust

    def paint_tiles(self, ids: np.ndarray, view: View, number: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """What tiles of a layer look like: (uint8 [T, H, W] palette entries, float32 [T, H, W] trust).

        `ids` int16 [T, H, W] as of `View.tile_ids`.
        """
        colours, kinds = (self.looks, self.text)[number].paint(ids, view, number)
        trust, rows = np.zeros(ids.shape, np.float32), rows_of(ids)
        trust[:, rows] = self.look_trust[number][kinds[:, rows]]
        return colours, trust

    def mean_of_fixed(self, place: Located, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Mean colours uint8 [T, H, W, 3] of what does not scroll, and bool [T, H, W], where there are any."""
        mean, seen = np.zeros((*view.shape, 3), np.uint8), np.zeros(view.shape, bool)
        (top, left), (rows, columns) = view.origin, view.inside
        native = (slice(top, top + rows.stop), slice(left, left + columns.stop))
        for t in range(len(mean)):
            world = self.maps.get(int(place.scene[t]))
            if world is not None:
                mean[t][view.inside] = self._means[int(place.scene[t])][native]
                seen[t][view.inside] = view.fixed[t][view.inside] & (world.fixed_kinds[native] > 0)
        return mean, seen

    def backdrop(self, scene: np.ndarray) -> np.ndarray:
        """The colour that most of a map shows, int16 [T] palette entries, for maps integer [T]; -1 for unknown maps."""
        made = np.full(len(scene), -1, np.int16)
        for number in np.unique(scene):
            world = self.maps.get(int(number))
            if world is not None and world.kinds.any():
                made[scene == number] = np.bincount(world.colours[world.kinds > 0]).argmax()
        return made

    def arrays(self) -> dict[str, Any]:
        """All of it, by the names that a file uses."""
        head = {"format": FORMAT, "game": self.game, "areas": sorted(self.maps)}
        arrays: dict[str, Any] = {"head": np.frombuffer(json.dumps(head).encode(), np.uint8)}
        arrays |= {"trust": self.trust, "look_trust": self.look_trust}
        for part, kind in PARTS.items():
            arrays |= {f"{part}.{name}": getattr(getattr(self, part), name) for name in kind.ARRAYS}
        for area in sorted(self.maps):
            for name in MAP_ARRAYS:
                arrays[f"{area}.{name}"] = getattr(self.maps[area], name)
            if self.maps[area].grid_top is not None:
                arrays[f"{area}.grid_top"] = np.int64(self.maps[area].grid_top or 0)
        return arrays

    def save(self, path: str | Path) -> None:
        """Write the atlas as a compressed NumPy archive, whole or not at all."""
        with replacing(path) as file:
            np.savez_compressed(file, **self.arrays())

    @staticmethod
    def load(path: str | Path) -> Atlas:
        """Read what `save` wrote.

        Raises:
            CheckpointError: missing, damaged or not an atlas.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                head = json.loads(file["head"].tobytes())
                if head["format"] != FORMAT:
                    raise CheckpointError(f"{path}: atlas of format {head['format']}, this program reads {FORMAT}")
                maps = {int(a): WorldMap(**{n: file[f"{a}.{n}"] for n in MAP_ARRAYS}) for a in head["areas"]}
                for area, world in maps.items():
                    if f"{area}.grid_top" in file:
                        world.grid_top = int(file[f"{area}.grid_top"])
                parts = {
                    part: kind(**{n: file[f"{part}.{n}"] for n in kind.ARRAYS})
                    for part, kind in PARTS.items()
                    if part not in LATER or f"{part}.{kind.ARRAYS[0]}" in file
                }
                made = Atlas(str(head["game"]), maps, file["trust"], look_trust=file["look_trust"], **parts)
        except FileNotFoundError as error:
            raise CheckpointError(f"{path}: no such file") from error
        except _UNREADABLE as error:
            raise CheckpointError(f"{path}: not a readable atlas ({error})") from error
        made.check(path)
        return made

    def check_game(self, game: GameSpec, path: str | Path) -> None:
        """Raise a CheckpointError where the atlas does not fit its game.

        Earlier versions took for granted, and did not write down, that the grid of tiles ends where the picture does.
        """
        height, width = game.native_size
        for world in self.maps.values():
            if world.grid_top is None and game.tile_layers:
                world.grid_top = height - game.tile_layers[0].rows * game.tile_layers[0].cell
        colours, layers = len(game.palette), game.tile_layers
        fits = all(
            len(m.colours) >= height
            and m.fixed.shape == (height, width)
            and len(m.tiles) >= (layers[0].rows if layers else 0)
            and max(m.colours.max(initial=0), m.fixed.max(initial=0)) < colours
            for m in self.maps.values()
        )
        for number, looks in enumerate((self.looks, self.text)):
            if len(looks.keys) and fits:
                cell, ids = (layers[number].cell, layers[number].ids) if number < len(layers) else (0, 0)
                fits = (
                    looks.colours.shape[1:] == (cell, cell)
                    and looks.keys.shape[1] == 1 + len(game.looks.tile_globals)
                    and looks.colours.max() < colours
                    and 0 <= looks.keys[:, -1].min() <= looks.keys[:, -1].max() <= ids
                )
        fits = fits and all(looks.entry.max(initial=0) < colours for looks in (self.objects, self.sprites, self.glow))
        if len(self.sprites.keys):  # tile, attribute, what decides the palette: otherwise learned by another version
            fits = fits and self.sprites.keys.shape[1] == 2 + max(len(numbers) for numbers in game.looks.sprite_globals)
        if not fits:
            raise CheckpointError(
                f"{path}: damaged atlas, it does not fit the game {game.name}; learn it again with hstmae atlas"
            )

    def check(self, path: str | Path) -> None:
        """Raise a CheckpointError where arrays do not fit each other."""
        fits = self.trust.shape == (len(LEVELS), KINDS) and self.look_trust.shape == (2, KINDS)
        fits = fits and all(getattr(self, part).fits() for part in PARTS)
        fits = fits and all(
            m.colours.ndim == 2
            and m.colours.dtype == m.kinds.dtype == m.fixed.dtype == m.fixed_kinds.dtype == np.uint8
            and m.tiles.dtype == np.int16
            and m.tiles.ndim == 2
            and m.kinds.shape == m.colours.shape
            and m.fixed.shape == m.fixed_kinds.shape
            and m.fixed_mean.shape == (*m.fixed.shape, 3)
            and max(m.kinds.max(initial=0), m.fixed_kinds.max(initial=0)) < KINDS
            for m in self.maps.values()
        )
        if not fits:
            raise CheckpointError(f"{path}: damaged atlas, its arrays do not fit each other")
