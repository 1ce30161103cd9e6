"""What other parts of the same picture offer for places that no frame shows: mirrored sides and repeated patterns.

Scenery of games is often drawn twice: a maze and its mirrored half, a row of bricks, one building beside the other.
What is lacking of a frame is filled from its neighbours first, so that all that was ever seen of a place tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .candidates import WHOLE, Move, compared
from .frames import TOLERANCE, Frame, Shift, everywhere, unpack
from .kernel import kernel
from .loops import REACH
from .scene import Points, Scene
from .spatial import Surroundings

SIDES, PATTERNS = 2, 3  # mirrored pictures, and distances at which it repeats, that are asked
TILT = 12  # pixels by which a mirrored picture may be out along its axis
CLOSE = 4  # a picture is like itself at smaller distances wherever nothing happens
LEAST = 192, 0.1  # votes for a distance, and of those of the best one
LOOKED_AT = 60_000  # pixels of a picture by which it is told how it is like itself throughout a stretch
ASKED, ABOVE = 2, 0.15  # distances that this tells at most, and how much more than usual has to be alike there
DEEPEST = 64  # pixels to what is known, from which on the surroundings of a place do not grow any more


Found = tuple[list[Shift], list[Shift], list[Shift]]


@dataclass(frozen=True)
class Distances:
    """How far a picture has to be moved to be like itself: across once left and right are changed, down once top and
    bottom are, and across as it is."""

    mirrored: tuple[int, ...]
    upside: tuple[int, ...]
    repeated: tuple[int, ...]


def centred(width: int) -> Distances:
    """Halves that are mirrored or the same, where nothing else is known."""
    return Distances((0,), (), (width // 2,))


def distances(rgb: np.ndarray, known: np.ndarray, soft: bool) -> Distances:
    """What a picture as a whole tells. Unlike votes of rare details this also finds how large plain shapes are alike.

    Args:
        rgb: uint8 [H, W, 3]; known: bool [H, W].
    """
    every, made = -(-known.size // LOOKED_AT), centred(known.shape[1])
    rows, columns = (
        Frame(np.ascontiguousarray(rgb[part]), ~known[part], soft)
        for part in (np.s_[::every], np.s_[:, ::every])
    )  # fmt: skip
    far = rows.seen.shape[1] * 5 // 8
    across = _alike(rows, _turned(rows, 1), [(0, dx) for dx in range(-far, far + 1)])
    again = _alike(rows, rows, [(0, dx) for dx in range(CLOSE, far + 1)])
    far = columns.seen.shape[0] * 5 // 8
    down = _alike(columns, _turned(columns, 0), [(dy, 0) for dy in range(-far, far + 1)])
    return Distances(
        tuple(dict.fromkeys([*made.mirrored, *(dx for _, dx in across)])), tuple(dy for dy, _ in down),
        tuple(dict.fromkeys([*made.repeated, *(dx for _, dx in again)])),
    )  # fmt: skip


def _turned(frame: Frame, axis: int) -> Frame:
    rgb, missing = (np.ascontiguousarray(np.flip(a, axis)) for a in (frame.rgb, frame.seen == 0))
    return Frame(rgb, missing, frame.soft)


def _alike(own: Frame, other: Frame, every: list[Shift]) -> list[Shift]:
    tolerance = TOLERANCE if own.soft else 0
    counts = np.array([
        kernel().rows(other.colours, other.seen, shift, own.colours, own.seen, (0, 0), own.textured, tolerance).sum(0)
        for shift in every
    ]).reshape(-1, 2)  # fmt: skip
    both, same = counts[:, 0], counts[:, 1]
    enough = both >= max(64, int(both.max(initial=0)) // 8)
    share = np.where(enough, same / np.maximum(both, 1), 0)
    lead = share - (np.median(share[enough]) if enough.any() else 0)
    found: list[Shift] = []
    for _ in range(min(ASKED, len(lead))):
        best = int(lead.argmax())
        if lead[best] < ABOVE:
            break
        found.append(every[best])
        lead[max(0, best - 2) : best + 3] = 0
    return found


@dataclass(frozen=True)
class Inner(Move):
    """One way in which a picture is laid onto itself: frame `a`, shifted, onto `b`."""

    a: Frame
    b: Frame

    def shown(self, scene: Scene, points: Points) -> tuple[np.ndarray, np.ndarray]:
        return compared(self.a, self.shifts, self.b, self.back, points, scene.tolerance)


class Likeness:
    """How one frame is like itself.

    Args:
        t: its position; filled: uint32 [H, W], its colours and, where it is missing, those of other frames; known: bool
            [H, W], where there are any.
        asked: distances at which it is looked for in any case.
        found: those that the details of a frame like it have voted for; None = they are to vote.
    Attributes:
        mirrored, repeated: ways in which it is like itself.
        around: of the filled picture; None where nothing was filled.
        found: distances for which its details have voted: sides, top and bottom changed, as it is.
    """

    def __init__(
        self, scene: Scene, t: int, filled: np.ndarray, known: np.ndarray, asked: Distances, found: Found | None = None
    ) -> None:
        self._scene, self._t = scene, t
        rgb, missing = unpack(filled), ~known
        self._own = Frame(rgb, missing, scene.soft)
        across, upside = _turned(self._own, 1), _turned(self._own, 0)
        height, width = scene.size
        self.found = found or (
            self._shifts(across, (TILT, width * 5 // 8), SIDES), self._shifts(upside, (height * 5 // 8, TILT), SIDES),
            self._shifts(self._own, (height // 2, width * 5 // 8), PATTERNS),
        )  # fmt: skip
        beside = [(0, dx) for dx in asked.mirrored] + self.found[0]
        below = [(dy, 0) for dy in asked.upside] + self.found[1]
        again = [(0, dx) for dx in asked.repeated] + self.found[2]
        both = [one for dy, dx in again for one in ((dy, dx), (-dy, -dx))]
        self.mirrored = [
            self._move(frame, shift)
            for frame, some in ((across, beside), (upside, below))
            for shift in dict.fromkeys(some)
        ]  # fmt: skip
        self.repeated = [self._move(self._own, shift) for shift in dict.fromkeys(both)]
        more = (self._own.seen != scene.frames[t].seen).any()
        self.around = Surroundings(rgb, self._own.colours, self._own.seen) if more else None
        away = kernel().nearest(self._own.seen)
        self._radius = np.where(away > 0, away, DEEPEST).min(0).clip(0, DEEPEST).reshape(-1) + REACH

    def _shifts(self, other: Frame, reach: Shift, most: int) -> list[Shift]:
        """Likely distances up to `reach`, best first: own[y, x] = other[y + dy, x + dx]."""
        most_y, most_x = (min(far, side - 1) for far, side in zip(reach, self._scene.size, strict=True))
        votes = kernel().votes(self._own.descriptors, other.index, (0, 0), (most_y, most_x))
        if other is self._own:
            votes[max(0, most_y - CLOSE + 1) : most_y + CLOSE, max(0, most_x - CLOSE + 1) : most_x + CLOSE] = 0
        found: list[Shift] = []
        least = max(LEAST[0], LEAST[1] * votes.max())
        for _ in range(most):
            y, x = divmod(int(votes.argmax()), votes.shape[1])
            if votes[y, x] < least:
                break
            found.append((y - most_y, x - most_x))
            for sign in (1, -1) if other is self._own else (1,):
                at_y, at_x = most_y + sign * found[-1][0], most_x + sign * found[-1][1]
                votes[max(0, at_y - 1) : at_y + 2, max(0, at_x - 1) : at_x + 2] = 0
        return found

    def _move(self, a: Frame, shift: Shift) -> Inner:
        own, size = self._own, self._scene.size
        rows = kernel().rows(
            a.colours, a.seen, shift, own.colours, own.seen, (0, 0), own.textured, self._scene.tolerance
        )
        t, still = self._t, everywhere((0, 0), size)
        return Inner(t, everywhere(shift, size), t, still, WHOLE, False, rows, a, own)

    def offers(self, points: Points) -> list[tuple[bool, Inner, np.ndarray, np.ndarray, dict[str, np.ndarray]]]:
        """(whether it is mirrored, how, the colours and the evidence of `Move.shown`, further numbers) of all ways that
        show some of the points."""
        made = []
        for move in self.mirrored + self.repeated:
            colour, evidence = move.shown(self._scene, points)
            if evidence[:, 0].any():
                made.append((move.a is not self._own, move, colour, evidence, self._wide(move, points)))
        lead = np.full(len(points.place), -1, np.float32)
        for _, _, _, evidence, numbers in made:
            np.maximum(lead, numbers["edges wide"], out=lead, where=evidence[:, 0] > 0)
        for *_, numbers in made:
            numbers["lead wide"] = numbers["edges wide"] - lead
        return made

    def _wide(self, move: Inner, points: Points) -> dict[str, np.ndarray]:
        """How far it agrees in surroundings of each point that are large enough to reach what is known."""
        a, b, (dy, dx) = move.a, move.b, move.shifts[0].tolist()
        both, same, edges, right = kernel().wide(
            a.colours, a.seen, (dy, dx), b.colours, b.seen, b.textured, self._scene.tolerance, points.place,
            self._radius[points.place].astype(np.int16),
        ).T.astype(np.float32)  # fmt: skip
        return {"alike wide": (same + 0.5) / (both + 1), "edges wide": (right + 0.5) / (edges + 1)}
