"""Restoration of footage of anything, without a model of the game: motion recall, see `hstmae.motion`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from ..errors import DataError
from ..games import GameSpec, get_game
from ..motion.combiner import WEIGHTS, Combiner
from ..motion.features import KINDS
from ..motion.recall import MARGIN, USUAL, Mode, Recall
from .disproved import BLANK
from .result import METHODS, SURROUNDINGS, Restoration
from .strangers import apart
from .threads import threads

AT_ONCE = 8  # frames that are handed over together
PIXELS = 18_000_000  # held in memory at a time, about 40 bytes each
SHORTEST, LONGEST = 7, 128  # frames restored at a time
BESIDE = 6  # frames before and after them that are held at least
GAME = "generic"
_CALLED = dict.fromkeys(("nearest", "again"), "still") | dict.fromkeys(
    ("mirrored", "repeated", "side", "smooth", "mean"), "surroundings"
)
_METHOD = np.array(
    [METHODS.index(_CALLED.get(word, word)) for word in (kind.split()[0] for kind in KINDS)], np.uint8
)  # by the numbers of KINDS


class AnythingRestorer:
    """Restores true-colour footage of any game, or of none, from what its other frames and the surroundings show.

    Attributes:
        game: that of true colour.
        mode: how colours are made from what is found.
        combiner: weighs what is found in frames of which something is seen; None = the bundled one.
        rates: it says how sure each pixel is.
    """

    rates = True

    def __init__(self, mode: Mode = USUAL, combiner: Combiner | None = None) -> None:
        self.game: GameSpec = get_game(GAME)
        self.mode, self.combiner = mode, combiner

    def fingerprint(self) -> str:
        """A hash of all that decides how it restores."""
        own = [] if self.combiner is None else [part.tobytes() for layer in self.combiner.layers for part in layer]
        return hashlib.sha256(b"".join([WEIGHTS.read_bytes(), repr(self.mode).encode(), *own])).hexdigest()

    def stretch(self, size: tuple[int, int]) -> tuple[int, int]:
        """Frames of this height and width that are restored at a time, and that are seen before and after them."""
        held = PIXELS // (size[0] * size[1])
        margin = max(BESIDE, min(MARGIN, int(0.3 * held)))
        return max(SHORTEST, min(LONGEST, held - 2 * margin)), margin

    def restore(
        self,
        frames: np.ndarray,
        mask: np.ndarray,
        palette: None = None,
        state: None = None,
        context: None = None,
        origin: tuple[int, int] = (0, 0),
        *,
        level: str = "none",
        frame_numbers: np.ndarray | None = None,
        wanted: np.ndarray | None = None,
        progress: Callable[[int], object] | None = None,
        finished: Callable[[Restoration, np.ndarray], object] | None = None,
    ) -> Restoration:
        """Fill in the masked pixels of one stretch.

        Args:
            frames: uint8 [T, H, W, 3], or [H, W, 3] for one picture; mask: bool, True = missing, [T, H, W] or [H, W].
            palette, state, context, origin, level, frame_numbers: not used; here to be called as a Predictor is.
            wanted: bool [T], frames to restore; the others only help and come back with their masked pixels cleared.
            progress: called with the number of frames finished.
            finished: called with what was made of some frames, and their positions [n].
        Raises:
            DataError: frames or mask of other types or shapes.
        """
        frames = frames[None] if frames.ndim == 3 else frames
        if frames.ndim != 4 or frames.dtype != np.uint8 or frames.shape[-1] != 3 or not frames.size:
            raise DataError(f"frames must be RGB, uint8 [T, H, W, 3], got {frames.dtype} {list(frames.shape)}")
        shape = frames.shape[:3]
        if mask.dtype != np.bool_ or mask.shape not in (shape, shape[1:]):
            raise DataError(
                f"mask must be bool {list(shape)} or one picture of it, got {mask.dtype} {list(mask.shape)}"
            )
        mask = np.broadcast_to(mask, shape)
        asked = np.ones(len(frames), bool) if wanted is None else wanted
        method, shown = np.zeros(shape, np.uint8), np.ones(shape, bool)
        sure = np.ones(shape, np.float32)
        rgb = np.where(mask[..., None], np.uint8(0), frames)
        made = Restoration(rgb, None, sure, method, shown)
        damaged, seen = mask.any((1, 2)), not mask.all()
        todo = np.flatnonzero(asked & damaged).tolist()
        waiting = np.flatnonzero(asked & ~damaged).tolist()
        for company, lost in apart(frames, mask) if todo else ():
            own = [t for t in todo if company.frames[t]]
            if company.blank is not None:
                for t in own:
                    made.rgb[t][mask[t]], method[t][mask[t]] = company.blank, SURROUNDINGS
                    sure[t][mask[t]], shown[t][mask[t]] = BLANK, False
                waiting += own
            elif own:
                # What is drawn of a frame stands in its missing pixels alone, which are not read any more.
                for t, drawn in Recall(rgb, lost, self.mode, threads(), self.combiner).draw_all(own):
                    made.rgb[t].reshape(-1, 3)[drawn.place] = drawn.rgb
                    sure[t].reshape(-1)[drawn.place] = drawn.confidence if seen else 0  # nothing at all tells of it
                    method[t].reshape(-1)[drawn.place] = _METHOD[drawn.kind]
                    shown[t].reshape(-1)[drawn.place] = drawn.shown
                    waiting.append(t)
                    if len(waiting) >= AT_ONCE:
                        _hand_over(made, waiting, progress, finished)
        _hand_over(made, waiting, progress, finished)
        return made


def _hand_over(
    made: Restoration, waiting: list[int], progress: Callable[[int], object] | None,
    finished: Callable[[Restoration, np.ndarray], object] | None,
) -> None:  # fmt: skip
    if not waiting:
        return
    if progress is not None:
        progress(len(waiting))
    if finished is not None:
        frames = np.array(sorted(waiting))
        finished(made.of(frames), frames)
    waiting.clear()
