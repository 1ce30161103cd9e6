"""The game's memory of picture files: each picture with the memory that belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from ...data.pairing import LAGS, Pairing, partners, usual
from ...data.sources.finding import layout_of
from ...games import GameSpec


class PictureMemory:
    """Memory in or beside T files, put together with their pictures: see `data.pairing`.

    Args:
        rows: of each file, uint8 [S]; None where it cannot be read; of one file at least it can.
        numbers: int [T] frame numbers, ascending.
        entries: gives a picture's palette entries by its position, negative where they are unknown, or None.
        lag: between memory and pictures; None = found.
        lost: positions of files that cannot be read: at lag 0 such a frame, of which nothing is left, has the memory of
            the one before it.
    Attributes:
        pairing: None for a game that nothing is known of that could tell it.
        state, context: uint8 [T, S] and [T, C] or None. A picture that no memory belongs to has that of the frame
            beside it.
        told: bool [T], False for those; None = there are none.
        near: bool [T], those of them that are followed by the frame whose state they have.
    """

    def __init__(
        self,
        rows: Sequence[np.ndarray | None],
        numbers: np.ndarray,
        game: GameSpec,
        entries: Callable[[int], np.ndarray | None],
        lag: int | None = None,
        lost: Collection[int] = (),
    ) -> None:
        self._lost = lost
        self._rows, self._numbers, self._game = rows, numbers, game
        self._layout = layout_of(game)
        self.pairing: Pairing | None = None
        if self._layout is None:
            self._take(np.arange(len(rows)))
        else:
            given = None if lag is None else Pairing(lag, "given")
            self.pair(given or self._layout.find_pairing(numbers, rows.__getitem__, entries))

    def pair(self, pairing: Pairing) -> None:
        """Put memory and pictures together by this lag."""
        assert self._layout is not None and pairing.lag in LAGS
        self.pairing = pairing
        self._take(partners(self._layout.all_follow(self._numbers, _filled(self._rows)), pairing.lag))

    def _take(self, partner: np.ndarray) -> None:
        known = np.array([row is not None for row in self._rows])
        if self.pairing is None or not self.pairing.lag:
            known[list(self._lost)] = True
        told = (partner >= 0) & known[partner]
        # The memory of a picture's own file is that of the picture beside it.
        chosen = np.where(told, partner, np.arange(len(partner)))
        self.told = None if told.all() else told
        self.state = _filled(self._rows)[chosen]
        self.near = np.zeros(len(partner), bool)
        for t in np.flatnonzero(~told[:-1]).tolist():
            self.near[t] = partner[t + 1] == t and known[t]  # its file's memory is that of the next picture
        self.context = self._game.context(self.state, self._numbers) if self._game.context_size else None

    @property
    def untold(self) -> int:
        """Pictures that no memory belongs to."""
        return 0 if self.told is None else int((~self.told).sum())


def settle(memories: Sequence[PictureMemory]) -> None:
    """Those of one input that do not tell their lag get that of the others."""
    found = usual(memory.pairing for memory in memories)
    for memory in memories:
        if memory.pairing is not None and memory.pairing.by == "nothing":
            memory.pair(found)


def _filled(rows: Sequence[np.ndarray | None]) -> np.ndarray:
    """uint8 [T, S]; a frame without memory has that of the one before it, or of the first that has some."""
    before = next(row for row in rows if row is not None)
    state = []
    for row in rows:
        before = before if row is None else row
        state.append(before)
    return np.stack(state)
