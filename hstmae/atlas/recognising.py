"""Whether footage shows the game of an atlas: colours alone do not tell, other games of a console have the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..games.pixels import View
from .locate import Locator

PATCHES = 0.03  # share of the patches of several colours that occur in the maps; of another game next to none
MANY = 64  # patches of which some would have to be the game's
DIFFERENT = 6  # such patches, each counted once, that are proof enough
SURE = 0.98  # trust from which what a map shows in a part that does not scroll counts
LETTERS = 96  # pixels of its letters and beside them that have to be seen ...
ALIKE = 0.9  # ... and the share of them that look so


@dataclass
class Evidence:
    """What was seen of a game, added up over pictures.

    Attributes:
        patches: of several colours; found: those of them that occur in the maps, by their hashes.
        matched: how many patches are among `found`, each time it is seen.
        bar, alike: pixels of the letters of fixed parts (status bars), and beside them, that are seen; those that look
            so.
    """

    patches: int = 0
    matched: int = 0
    bar: int = 0
    alike: int = 0

    def __post_init__(self) -> None:
        self.found: set[int] = set()

    @property
    def contradicts(self) -> bool:
        """Whether much was seen, and nothing of it is the game's."""
        return not self.proof and self.patches >= MANY

    @property
    def proof(self) -> bool:
        """Whether this is enough to say that the footage shows the game."""
        scenery = len(self.found) >= DIFFERENT and self.matched >= PATCHES * self.patches
        return scenery or (self.bar >= LETTERS and self.alike >= ALIKE * self.bar)


def look(view: View, locator: Locator, evidence: Evidence) -> None:
    """Add what the visible pixels of some pictures say, until it is a proof. Bars first, which cost least."""
    bars = _bars(view, locator)
    for frame, mask in zip(view.frames, view.mask, strict=True):
        best = max(((_alike(frame, ~mask, *bar)) for bar in bars), default=(0, 0))
        evidence.alike, evidence.bar = evidence.alike + best[0], evidence.bar + best[1]
        if evidence.proof:
            return
        count, found = locator.familiar(frame, ~mask & ~view.fixed[0], view.origin)
        evidence.patches += count
        evidence.matched += len(found)
        evidence.found.update(found.tolist())


def _alike(frame: np.ndarray, seen: np.ndarray, colours: np.ndarray, letters: np.ndarray) -> tuple[int, int]:
    """How many pixels of a bar's letters, and beside them, look so, and how many are seen."""
    beside = np.zeros_like(letters)
    beside[:, 1:] |= letters[:, :-1]
    beside &= ~letters & seen
    letters = letters & seen
    drawn = np.unique(colours[letters])
    right = int((frame[letters] == colours[letters]).sum()) + int((~np.isin(frame[beside], drawn)).sum())
    return right, int(letters.sum()) + int(beside.sum())


def _bars(view: View, locator: Locator) -> list[tuple[np.ndarray, np.ndarray]]:
    """What maps show where the picture does not scroll: colours uint8 [H, W], and bool [H, W], where in others than the
    most frequent one."""
    made: list[tuple[np.ndarray, np.ndarray]] = []
    (top, left), (rows, columns) = view.origin, view.inside
    native = (slice(top, top + rows.stop), slice(left, left + columns.stop))
    trust = locator.atlas.trust[0]
    for world in locator.atlas.maps.values():
        colours, letters = np.zeros(view.shape[1:], np.uint8), np.zeros(view.shape[1:], bool)
        sure = (trust[world.fixed_kinds[native]] >= SURE) & view.fixed[0][view.inside]
        shown = world.fixed[native]
        if sure.any():
            colours[view.inside] = shown
            letters[view.inside] = sure & (shown != np.bincount(shown[sure]).argmax())
            if letters.any() and not any(np.array_equal(colours * letters, c * some) for c, some in made):
                made.append((colours, letters))
    return made
