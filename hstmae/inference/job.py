"""Restoring whole inputs: masks per stretch of frames, pictures handed to a sink as they are finished."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..atlas.known_pixels import SURE
from ..errors import DataError
from ..games.palette import differing
from .footage.base import Footage, Stretch
from .mask_rules import MaskRules, Missing
from .native_frames import native_frames, near_states, told_frames, without_blanks
from .side_by_side import SideBySide
from .sinks import RestoredFrame, Sink

if TYPE_CHECKING:
    from ..games import GameSpec
    from ..restoration.result import Restoration

STEP = 1.0  # seconds between two notes of what is finished


class Restores(Protocol):
    """What restores: a `Predictor`, an `AnythingRestorer`, or many of them `SideBySide`."""

    game: GameSpec

    @property
    def rates(self) -> bool:
        """Whether it says how sure each pixel is."""

    def fingerprint(self) -> str:
        """Equal for those that restore alike."""

    def stretch(self, size: tuple[int, int]) -> tuple[int, int]:
        """Frames of this height and width that are held at a time, and that are seen before and after them."""

    @property
    def restore(self) -> Callable[..., Restoration | None]:
        """See `Predictor.restore`."""


@dataclass
class RestoreSummary:
    """What was done: counts over all frames, and for synthetic masks the error against what was hidden.

    Attributes:
        known: masked pixels whose truth is known; `exact` of them are right.
        squared: squared error of the restored colour, summed over known pixels and the three channels; a whole number,
            so that it does not depend on the order in which frames were finished.
        rated: masked pixels of which the model says how sure it is; of `sure` ones the probability is SURE or more, and
            `guessed` ones are text that nothing tells.
        fills: packed colours taken for damage.
        levels: state levels used; of `disproved` frames the state was left aside, see `Restoration`.
        problems: lost frames and other things that were wrong with the footage.
    """

    frames: int = 0
    damaged_frames: int = 0
    pixels: int = 0
    masked: int = 0
    known: int = 0
    exact: int = 0
    squared: int = 0
    rated: int = 0
    sure: int = 0
    guessed: int = 0
    disproved: int = 0
    fills: set[int] = field(default_factory=set)
    levels: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def know(self, sequences: Iterable[Footage]) -> None:
        """Take over the problems that these footages have met so far."""
        met = [str(problem) for sequence in sequences for problem in getattr(sequence, "problems", ())]
        self.problems = list(dict.fromkeys([*self.problems, *met]))

    def add(self, mask: np.ndarray, confidence: np.ndarray | None = None) -> None:
        """One more frame with this mask, bool [H, W], and what is said of its pixels, float32 [H, W]."""
        self.frames += 1
        self.damaged_frames += bool(mask.any())
        self.pixels += mask.size
        self.masked += int(mask.sum())
        if confidence is not None:
            said = confidence[mask]
            self.rated += len(said)
            self.sure += int((said >= SURE).sum())
            self.guessed += int((said == 0).sum())

    def merge(self, other: RestoreSummary) -> None:
        """Add what was done to other frames."""
        for name, value in vars(other).items():
            own = getattr(self, name)
            merged = own | value if isinstance(own, set) else own + value
            setattr(self, name, list(dict.fromkeys(merged)) if isinstance(merged, list) else merged)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "fills": sorted(self.fills), "levels": sorted(self.levels)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> RestoreSummary:
        return cls(**{**values, "fills": set(values["fills"]), "levels": set(values["levels"])})


def choose_level(asked: str, footage: Footage) -> str:
    """`auto` -> "full" where the footage has state, else "none".

    Raises:
        DataError: state was asked for, but there is none.
    """
    if asked == "auto":
        return "full" if footage.has_state else "none"
    if asked != "none" and not footage.has_state:
        raise DataError(
            f"{footage.place}: --state {asked} needs the game's memory, which this footage does not have; "
            "use --state none or auto"
        )
    return asked


def restore_footage(
    predictor: Restores,
    footage: Footage,
    masks: MaskRules,
    level: str,
    sink: Sink,
    summary: RestoreSummary,
    *,
    done: Container[int] = (),
    frames: range | None = None,
    length: int = 0,
    note: Callable[[list[int]], object] | None = None,
    progress: Callable[[int], object] | None = None,
) -> list[str]:
    """Restore every frame of `footage` into `sink`; adds to `summary`.

    Memory does not grow with the length of the footage: a stretch at a time is held, with a few frames before and after
    it for the clips at its ends. Where the stretches begin depends on nothing but the footage, so that a frame comes
    out alike whether or not others were `done` before.

    Args:
        done: positions that an interrupted run noted: they are not made again.
        frames: positions to restore; None = all. The others may help.
        length: frames of a stretch; 0 = by their size.
        note: called with the positions that were finished since the last call, every few seconds and whatever ends this
            function early: they are settled, and in `summary`.
        progress: called with the number of frames finished after each clip.
    Returns:
        What of the footage the sink does not keep, one sentence each.
    Raises:
        DataError: a frame cannot be read, or a visible pixel is not in the game's palette.
    """
    level, steps = choose_level(level, footage), _Steps(sink, note)
    try:
        for stretch, own, first in _stretches(footage, predictor, length, done, frames):
            missing = masks.of(footage, stretch, first)
            _restore_stretch(predictor, stretch, own, first, missing, level, sink, summary, steps, progress)
            del stretch, missing  # before the next one is read
        if isinstance(predictor, SideBySide):
            predictor.finish()
    finally:
        steps.settle()
    return sink.finish(footage)


def _stretches(
    footage: Footage, predictor: Restores, length: int, done: Container[int], frames: range | None
) -> Iterator[tuple[Stretch, np.ndarray, int]]:
    """Stretches in which something is left to do: with a margin on both sides, bool [T] of what is, and the position of
    the first frame."""
    probe = footage.read(0, 1).pictures
    if not probe:
        return
    usual, margin = predictor.stretch(probe[0].size)
    length = length or usual

    def idle(p: int) -> bool:
        return p in done or (frames is not None and p not in frames)

    for position in itertools.count(0, length):
        if frames is not None and position >= frames.stop:
            return
        if all(idle(p) for p in range(position, position + length)):
            continue
        first = max(0, position - margin)
        stretch = footage.read(first, position + length + margin)
        places = first + np.arange(len(stretch.pictures))
        own = (places >= position) & (places < position + length)
        left = own & ~np.array([idle(p) for p in places.tolist()], bool)
        if left.any():
            yield stretch, left, first
        if own.sum() < length:
            return
        del stretch  # before the next one is read


class _Steps:
    """Settles finished frames every now and then: often enough to lose little, seldom enough to cost little."""

    def __init__(self, sink: Sink, note: Callable[[list[int]], object] | None) -> None:
        self._sink, self._note = sink, note
        self._waiting: list[int] = []
        self._last = time.monotonic()

    def add(self, positions: list[int]) -> None:
        self._waiting += positions
        if time.monotonic() - self._last > STEP:
            self.settle()

    def settle(self) -> None:
        if self._waiting:
            self._sink.settle()
            if self._note is not None:
                self._note(self._waiting)
            self._waiting = []
        self._last = time.monotonic()


def _restore_stretch(
    predictor: Restores,
    stretch: Stretch,
    own: np.ndarray,
    first: int,
    missing: Missing,
    level: str,
    sink: Sink,
    summary: RestoreSummary,
    steps: _Steps,
    progress: Callable[[int], object] | None,
) -> None:
    """Restore and write the frames `own` of a stretch; the others only help."""
    mask = missing.mask
    summary.fills.update(missing.fills)
    native = native_frames(stretch, mask, predictor.game)

    def finished(result: Restoration, frames: np.ndarray) -> None:
        done = []
        for k, t in enumerate(frames.tolist()):
            made, picture = native.restored(result, k, t), stretch.pictures[t]
            frame = RestoredFrame(
                position=first + t,
                file=stretch.files[t],
                picture=picture,
                mask=mask[t],
                synthetic=missing.synthetic,
                pixels=missing.mixed(t, made.pixels, picture),
                rgb=made.rgb,
                confidence=made.confidence,
                method=made.method,
                shown=made.shown,
            )
            sink.write(frame)
            done.append(frame)
        summary.disproved += 0 if result.disproved is None else int(result.disproved.sum())
        for frame in done:  # after all of them: a clip is finished as a whole or not at all
            summary.add(frame.mask, frame.confidence)
            if missing.synthetic:
                _compare_with_truth(frame, summary)
        steps.add((first + frames).tolist())

    told = told_frames(stretch, native)
    native = without_blanks(native, ~told)
    near, state = near_states(stretch, native, told, predictor.game)
    # A picture that no memory belongs to is restored by a guess at it, or without; it is hidden from the others.
    for wanted, used, hides in ((told, level, ~told), (near, level, ~told & ~near), (~told & ~near, "none", None)):
        wanted = wanted & own
        if not wanted.any():
            continue
        summary.levels.add(used)
        predictor.restore(
            native.frames,
            native.mask if hides is None else native.mask | hides[:, None, None],
            native.palette,
            None if used == "none" else state,
            None if used == "none" else stretch.context,
            stretch.corner,
            level=used,
            frame_numbers=stretch.frame_numbers,
            wanted=wanted,
            progress=progress,
            finished=finished,
        )


def _compare_with_truth(frame: RestoredFrame, summary: RestoreSummary) -> None:
    """A synthetic mask hides what is known: measure it (transparent pixels hide nothing known and are left out)."""
    picture, pixels, known = frame.picture, frame.pixels, frame.known
    equal = pixels == picture.pixels
    summary.exact += int(np.count_nonzero((equal if equal.ndim == 2 else equal.all(-1)) & known))
    summary.known += int(np.count_nonzero(known))
    colours = picture.colours(picture.pixels)
    unlike = known & differing(frame.rgb, colours)
    difference = frame.rgb[unlike].astype(np.int32) - colours[unlike]
    summary.squared += int((difference * difference).sum(dtype=np.int64))
