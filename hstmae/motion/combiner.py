"""From offers to a colour: a small network says how much each one can be trusted.

It was fitted on footage of many games (`scripts/train_motion.py`) and lies beside this file. Every offer of a pixel
gets a score from its numbers alone; the softmax over a pixel's offers gives their shares. There are three of them: for
pixels that other frames show at their place (SEEN), for those that none shows there (NOWHERE), and for frames that are
lost whole (LOST). Two more stand in for the first and the last where an atlas knows the scenery and has taken it away,
so that only what moves before it is left (CLEARED, CLEARED_LOST).
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..atomic import write_bytes
from ..errors import CheckpointError
from .features import COUNT, FILLERS, KINDS, MEAN, MIRRORED, NEAREST, NUMBERS, SMOOTH, USUAL, Choices
from .frames import unpack
from .weigher import weigher
from .weighing import Rows

WEIGHTS = Path(__file__).with_name("combiner.npz")
SNAP = 0.85  # share from which a colour that is offered is taken as it is, instead of the mean
SHOWN = 0.5  # share of the offers of other frames, below which it is the surroundings that drew a pixel
MOST = 0.5  # part from which it is a filler that draws a stretch
SEEN, NOWHERE, LOST = "", "nowhere_", "lost_"  # what the names of their weights begin with
CLEARED, CLEARED_LOST = "cleared_", "cleared_lost_"  # the same of SEEN and LOST, where the scenery is known
SETTLED = 0.99  # what is said of a pixel for which all other frames offer one colour


@dataclass(frozen=True)
class Combiner:
    """Weights of the network: `layers` are (float32 [in, out], float32 [out]), the last one has one column.

    Attributes:
        bias: float32 [kinds], added to the score of each kind of offer, and
        sharpness: by which scores are multiplied, and
        filler: which of FILLERS has
        part: of what is drawn: what a stretch of footage itself taught (see `gate`).
    """

    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    bias: np.ndarray
    sharpness: float = 1.0
    filler: int = 0
    part: float = 0.0

    def scores(self, numbers: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """float32 [rows] of the rows' numbers, float32 [rows, COUNT], and kinds, uint8 [rows]."""
        made = weigher().scores(numbers, self.layers)
        return np.asarray(made * np.float32(self.sharpness) + self.bias[kind])

    def shares(self, rows: Rows) -> np.ndarray:
        """float32 [rows]: the share of each offer; those of a pixel add up to 1."""
        return weigher().softmax(self.scores(rows.numbers, rows.kind), rows.start)


@lru_cache(maxsize=5)
def load_combiner(which: str = SEEN) -> Combiner:
    """A bundled one. Raises as `read_combiner` does."""
    return read_combiner(WEIGHTS, which)


def save_combiner(combiner: Combiner, path: Path) -> None:
    """Write what `read_combiner` reads."""
    arrays = {f"w{k}": weight for k, (weight, _) in enumerate(combiner.layers)}
    arrays |= {f"b{k}": bias for k, (_, bias) in enumerate(combiner.layers)}
    file = io.BytesIO()
    np.savez(file, inputs=np.array([*KINDS, *NUMBERS]), **arrays)  # type: ignore[arg-type]
    write_bytes(path, file.getvalue())


def read_combiner(path: Path, which: str = SEEN) -> Combiner:
    """That of a file whose names begin with `which`.

    Raises CheckpointError where the file is damaged or of another version.
    """
    try:
        with np.load(path) as file:
            names = [name for name in file.files if name.startswith(f"{which}w")]
            layers = tuple((file[f"{which}w{k}"], file[f"{which}b{k}"]) for k in range(len(names)))
            told = [str(name) for name in file["inputs"]]
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); install the package again") from error
    if told != [*KINDS, *NUMBERS] or not layers or layers[0][0].shape[0] != COUNT:
        raise CheckpointError(f"{path}: belongs to another version of this program; install the package again")
    return Combiner(layers, np.zeros(len(KINDS), np.float32))


@dataclass(frozen=True)
class Drawn:
    """What was drawn of missing pixels of a frame.

    Attributes:
        place: int32 [n], y * W + x of each.
        rgb: uint8 [n, 3]; confidence: float32 [n], the share of all offers of the likeliest colour, and
        likeliest: uint8 [n, 3], that colour.
        shown: bool [n], whether other frames have most of the say; False = nobody shows it, the surroundings drew it.
        kind: uint8 [n], the kind of the offer with the largest share; of settled pixels, of the first one.
    """

    place: np.ndarray
    rgb: np.ndarray
    confidence: np.ndarray
    likeliest: np.ndarray
    shown: np.ndarray
    kind: np.ndarray


def draw(choices: Choices, combiner: Combiner, exact: bool) -> Drawn:
    """The mean of the offers by their shares, or their likeliest colour; where a filler has a part, with that.

    Args:
        exact: take the likeliest of the colours that are offered; else the mean, except where one is all but certain.
    """
    place = choices.points.place
    n = len(place)
    known = unpack(choices.known)
    made = Drawn(place, known, np.full(n, SETTLED, np.float32), known.copy(), np.ones(n, bool), choices.by.copy())
    own = weigher().drawn(choices.rows, combiner.shares(choices.rows), exact, SNAP, MIRRORED, SHOWN)
    made.rgb[choices.open], made.confidence[choices.open], made.likeliest[choices.open] = own[:3]
    made.shown[choices.open], made.kind[choices.open] = own[3:]
    if combiner.part > 0:
        _fill(made, choices, combiner, exact)
    return made


def _fill(made: Drawn, choices: Choices, combiner: Combiner, exact: bool) -> None:
    """Let a filler have its part, in place: of the colours, or where it has most of it, of what is likeliest, too."""
    colours, there = (a[combiner.filler] for a in choices.fillers)
    filled, part = unpack(colours), combiner.part
    most = there & (part > MOST)
    if not exact:
        mixed = (1 - part) * made.rgb + part * filled.astype(np.float32)
        made.rgb[there] = np.rint(mixed).astype(np.uint8)[there]
    other = most & (made.likeliest != filled).any(1)
    made.likeliest[most] = filled[most]
    if exact:
        made.rgb[most] = filled[most]
    made.confidence[other] = 1 - made.confidence[other]
    made.kind[most], made.shown[most] = FILLERS[combiner.filler], FILLERS[combiner.filler] < MIRRORED


def either(one: tuple[Drawn, float], other: tuple[Drawn, float]) -> Drawn:
    """What was drawn of the same pixels in two ways, one of which is right, with how likely each is: the mean, and else
    what the first one says."""
    (a, first), (b, second) = one, other
    rgb = np.rint(first * a.rgb + second * b.rgb).astype(np.uint8)
    same = (a.likeliest == b.likeliest).all(1)
    sure = first * a.confidence + np.where(same, second * b.confidence, 0)
    return replace(a, rgb=rgb, confidence=sure.astype(np.float32))


def joined(parts: list[Drawn]) -> Drawn:
    """What was drawn of parts of a frame; at least one."""
    names = ("place", "rgb", "confidence", "likeliest", "shown", "kind")
    return Drawn(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


assert NEAREST < USUAL < MIRRORED < SMOOTH < MEAN
