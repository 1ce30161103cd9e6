"""Search with save states: an archive of reached places, each of which play can go on from.

The archive keeps one save state per *cell*, a small region of the game's world that the player `Explored` defines. A
rollout picks a cell, plays random moves from it while they find new cells, and archives those. Cells near the furthest
are preferred, the less the longer nothing further has been found: that walks straight on where it can and back out of
dead ends where it must. The archive is the idea of Go-Explore (Ecoffet et al., 2021, doi:10.1038/s41586-020-03157-9).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

_NEAR = 100.0  # progress over which the furthest cells are preferred by a factor of e
_PATIENCE = 1200  # frames without progress after which that distance has doubled, then tripled, ...
_CREDIT = 3  # known cells in a row after which a rollout ends
_MAX_CELLS = 20_000  # a save state of the NES takes 13.6 KB


@dataclass(frozen=True)
class Place:
    """Where a player is: the cell's key, how far that is, and whether play can well go on from here.

    A place without `footing` (in mid-air, say, perhaps above a pit) is passed but not archived.
    """

    key: Hashable
    progress: float
    footing: bool = True


class Explored(Protocol):
    """A game with save states, and a player who makes random moves in it."""

    def save(self) -> Any:
        """Everything that decides how the game goes on."""

    def load(self, state: Any) -> None:
        """Back to what `save` gave."""

    def move(self, taken: bytearray) -> bool:
        """Play one random move of at least one frame, adding each frame's buttons; False when it ends in death."""

    def place(self) -> Place:
        """Where the player is now."""

    def won(self) -> bool:
        """Whether the goal is reached."""


@dataclass
class Cell:
    """A reached state, and how it was reached: `buttons` played after `parent`.

    Attributes:
        frames: length of the way from the start.
        tries: rollouts begun here.
    """

    state: Any
    parent: Cell | None
    buttons: bytes
    frames: int
    progress: float
    tries: int = 0

    def path(self) -> bytes:
        """Buttons per frame from the start to here."""
        parts, cell = [], self
        while cell.parent is not None:
            parts.append(cell.buttons)
            cell = cell.parent
        return b"".join(reversed(parts))


class Archive:
    """The search. It begins in the state that `game` is in.

    Attributes:
        best: the furthest cell; the goal once `won`.
        frames: frames played so far.
    """

    def __init__(self, game: Explored, rng: np.random.Generator) -> None:
        self.game, self.rng = game, rng
        place = game.place()
        root = Cell(game.save(), None, b"", 0, place.progress)
        self.cells: dict[Hashable, Cell] = {place.key: root}
        self.best, self.won = root, game.won()
        self.frames = 0
        self._improved = 0  # frames played when `best` was found

    def rollout(self) -> None:
        """Some moves from one cell; finding the goal ends it."""
        cell = self.choose()
        cell.tries += 1
        self.game.load(cell.state)
        credit, taken = _CREDIT, bytearray()
        while credit:
            before = len(taken)
            alive = self.game.move(taken)
            self.frames += len(taken) - before
            if self.game.won():
                self.won, self.best = True, self._reached(cell, taken, self.best.progress)
                return
            if not alive:
                return
            place = self.game.place()
            if not place.footing:
                continue
            new = place.key not in self.cells and len(self.cells) < _MAX_CELLS
            credit = _CREDIT if new else credit - 1
            if new:
                cell, taken = self._reached(cell, taken, place.progress), bytearray()
                self.cells[place.key] = cell
                if place.progress > self.best.progress:
                    self.best, self._improved = cell, self.frames

    def choose(self) -> Cell:
        """The cell to go on from."""
        cells = list(self.cells.values())
        progress = np.array([cell.progress for cell in cells])
        tries = np.array([cell.tries for cell in cells])
        near = _NEAR * (1 + (self.frames - self._improved) / _PATIENCE)
        weight = np.exp((progress - progress.max()) / near) / (1 + tries) ** 1.5
        return cells[int(self.rng.choice(len(cells), p=weight / weight.sum()))]

    def _reached(self, parent: Cell, taken: bytearray, progress: float) -> Cell:
        return Cell(self.game.save(), parent, bytes(taken), parent.frames + len(taken), progress)
