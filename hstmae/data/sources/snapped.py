"""Films of a palette game as the game's own pixels: scaled and compressed, they are snapped to its grid and palette."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...errors import DataError
from ...film.reading import FilmReader
from ...games import GameSpec
from ...games.palette import preferred_entries
from ...pictures.snapping import Geometry, drawn, find_geometry, sampled, snap

LOOKED_AT = 300  # frames at the beginning of a film by which its geometry is found ...
SAMPLES = 6  # ... so many of them, those with the most in them
STEP = 15  # one of so many is a candidate
ENOUGH = 16  # pixels whose mean tells how a film shows a colour


class Snapper:
    """Turns frames of one film into palette entries.

    Attributes:
        place: where the native picture lies in the film's frames.
        corner: y and x in the game's native picture of the part that the film shows.

    Args:
        frames: the film's first ones, RGB uint8 [H, W, 3].
    Raises:
        DataError: the film does not show this game, at any size.
    """

    def __init__(self, frames: Iterable[np.ndarray], game: GameSpec) -> None:
        self.game = game
        # One entry for each colour: of twins, the one that software uses.
        order = preferred_entries(game.palette, game)
        first = np.sort(np.unique(game.palette[order], axis=0, return_index=True)[1])
        self._entries = order[first].astype(np.uint8)
        self._colours = game.palette[self._entries]
        some = telling(frames)
        if not some:
            raise DataError("holds no frame that can be read")
        sizes = [game.native_size, *game.cut_sizes]
        self.place: Geometry = find_geometry(some, sizes, self._colours)
        found = [game.corner_of(self.entries(frame)[0].astype(np.int16)) for frame in some]
        known = [corner for corner in found if corner is not None]
        self.corner = max(known, key=known.count) if known else (0, 0)

    @property
    def remark(self) -> str:
        """How the film was read, for the user."""
        down, across = self.place.scale
        return (
            f"brought back to {self.place.columns}x{self.place.rows} pixels of {self.game.name}'s palette (scaled "
            f"{across:.3g} x {down:.3g}, {self.place.error:.1f} levels off)"
        )

    def entries(self, frame: np.ndarray, hidden: np.ndarray | None = None) -> tuple[np.ndarray, float]:
        """Palette entries uint8 [rows, columns] of an RGB frame, and how many levels of luma they are off (RMS).

        Args:
            hidden: bool [rows, columns], native pixels whose colours are somebody else's.
        """
        chosen, apart = snap(frame, self.place, self._colours, hidden)
        seen = apart if hidden is None else apart[~hidden]
        return self._entries[chosen], float(np.sqrt(np.square(seen).mean())) if seen.size else 0.0

    def native_mask(self, mask: np.ndarray) -> np.ndarray:
        """Native pixels bool [rows, columns] that a mask of film pixels bool [H, W] touches; with those beside them
        where the film blends neighbours."""
        y, x = self.place.owners((mask.shape[0], mask.shape[1]))
        touched = np.zeros((self.place.rows, self.place.columns), bool)
        rows, columns = np.nonzero(mask)
        inside = (y[rows] >= 0) & (x[columns] >= 0)
        touched[y[rows[inside]], x[columns[inside]]] = True
        if self.place.soft or min(self.place.scale) < 2:
            wide = np.pad(touched, 1)
            wide = wide[:-2] | wide[1:-1] | wide[2:]
            touched = wide[:, :-2] | wide[:, 1:-1] | wide[:, 2:]
        return touched

    def shown(self, native: np.ndarray, frame: np.ndarray) -> np.ndarray:
        """What the film would show of native colours uint8 [rows, columns, 3]: uint8 [H, W, 3], `frame` outside."""
        out = frame.copy()
        y, x = self.place.owners((frame.shape[0], frame.shape[1]))
        inside = np.ix_(np.flatnonzero(y >= 0), np.flatnonzero(x >= 0))
        out[inside] = np.rint(drawn(native.astype(np.float32), self.place, frame)[inside]).clip(0, 255).astype(np.uint8)
        return out

    def own_colours(self, frame: np.ndarray, entries: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """The palette as this film shows it, float32 [K, 3]: the mean over the pixels `seen` bool [rows, columns] of
        each entry, the game's own where there are few. Other tables of colours and other matrices are met so."""
        table = self.game.palette.astype(np.float32)
        colours, index = sampled(frame, self.place)[seen], entries[seen].astype(np.int64)
        counts = np.bincount(index, minlength=len(table))
        for channel in range(3):
            total = np.bincount(index, colours[:, channel], minlength=len(table))
            table[:, channel] = np.where(counts >= ENOUGH, total / np.maximum(counts, 1), table[:, channel])
        return table


def telling(frames: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Of the first frames of a film, SAMPLES of those with the most detail, in order."""
    kept: list[tuple[float, int, np.ndarray]] = []
    for number, frame in enumerate(frames):
        if number >= LOOKED_AT:
            break
        if number % STEP == 0:
            small = frame[::4, ::4].astype(np.int16)
            kept.append((-float(np.abs(np.diff(small, axis=1)).mean()), number, frame))
            kept = sorted(kept, key=lambda one: one[:2])[:SAMPLES]
    return [frame for _, _, frame in sorted(kept, key=lambda one: one[1])]


def snapper_of(reader: FilmReader, game: GameSpec) -> Snapper:
    """The snapper of a film. Raises DataError where it does not show this game."""
    try:
        return Snapper((reader.rgb(frame) for frame in reader.frames() if not frame.damaged), game)
    except DataError as error:
        raise DataError(f"{reader.path}: does not show '{game.name}': {error}") from None
