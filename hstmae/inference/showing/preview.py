"""A look before the work: some frames restored as the whole run would, and how long that would take."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field

from ...drawing.overlay import enlarged
from ...drawing.sheet import Row, compose
from ..footage.base import Footage
from ..job import Restores, RestoreSummary, restore_footage
from ..mask_rules import MaskRules
from ..sinks import WIDE, RestoredFrame
from .sources import confidence_panel

LOOK = 3000  # frames that are looked through for damage: a preview is to come soon
AT_ONCE = 64  # of them are read together
SECONDS = 5.0  # spent on finding out how fast it goes, about


@dataclass
class Damaged:
    """What was seen of the damage: positions of damaged frames in each of several footages.

    Attributes:
        seen: frames that were looked at; total: that are to be restored.
        seconds: that reading took.
    """

    positions: list[list[int]] = field(default_factory=list)
    seen: int = 0
    total: int = 0
    seconds: float = 0.0

    @property
    def count(self) -> int:
        return sum(map(len, self.positions))

    def spread(self, wanted: int) -> list[list[int]]:
        """So many of them, evenly among all, or all where they are fewer."""
        flat = [(k, position) for k, own in enumerate(self.positions) for position in own]
        wanted = min(wanted, len(flat))
        chosen = [flat[int((n + 0.5) * len(flat) / wanted)] for n in range(wanted)]
        return [[position for k, position in chosen if k == number] for number in range(len(self.positions))]


def look(
    sequences: Sequence[Footage], masks: MaskRules, frames: range | None, progress: Callable[[int], object]
) -> Damaged:
    """Find the damaged ones of `frames` (None = all), of LOOK frames at most.

    Args:
        progress: called with the number of frames looked at after each few.
    """
    found, began = Damaged(), time.perf_counter()
    for footage in sequences:
        own = range(footage.count) if frames is None else frames
        found.total += len(own)
        positions: list[int] = []
        found.positions.append(positions)
        for start in range(own.start, own.stop, AT_ONCE):
            end = min(start + AT_ONCE, own.stop, start + LOOK - found.seen)
            if end <= start:
                break
            stretch = footage.read(start, end)
            if not stretch.pictures:
                break
            mask = masks.of(footage, stretch, start).mask
            positions += [start + t for t in range(len(mask)) if mask[t].any()]
            found.seen += len(mask)
            progress(len(mask))
    found.seconds = time.perf_counter() - began
    return found


class _AllBut(Container[int]):
    """Everything but some positions, as what is done already."""

    def __init__(self, left: Sequence[int]) -> None:
        self._left = set(left)

    def __contains__(self, position: object) -> bool:
        return position not in self._left


class _Gathering:
    """A sink that hands each frame to a function."""

    def __init__(self, take: Callable[[RestoredFrame], object]) -> None:
        self._take = take

    def write(self, frame: RestoredFrame) -> None:
        self._take(frame)

    def settle(self) -> None:
        """Nothing is on a disk."""

    def finish(self, footage: Footage) -> list[str]:
        return []


def rows_of(
    restorer: Restores, footage: Footage, masks: MaskRules, level: str, chosen: Sequence[int],
    summary: RestoreSummary, progress: Callable[[int], object],
) -> list[Row]:  # fmt: skip
    """Frames at the `chosen` positions, restored as a whole run does it, as rows of a sheet."""
    made: dict[int, Row] = {}

    def take(frame: RestoredFrame) -> None:
        scale = 1 if frame.mask.shape[1] > WIDE else 2
        panels = [("damaged", frame.marked), ("restored", frame.restored)]
        if frame.confidence is not None:
            panels.append(("confidence", confidence_panel(frame)))
        name = f"{footage.name}, " if footage.name else ""
        caption = f"{name}frame {frame.position}: {frame.mask.mean():.1%} missing"
        made[frame.position] = Row(caption, [(word, enlarged(picture, scale)) for word, picture in panels])

    _restore(restorer, footage, masks, level, chosen, _Gathering(take), summary, progress)
    return [made[position] for position in sorted(made)]


def sheet(title: str, rows: Sequence[Row]) -> bytes:
    """A PNG file of the rows."""
    import io

    file = io.BytesIO()
    compose(title, [], rows).save(file, "PNG")
    return file.getvalue()


class _Enough(Exception):
    """It is known how fast it goes."""


def seconds_of_all(
    restorer: Restores, sequences: Sequence[Footage], masks: MaskRules, level: str, damage: Damaged
) -> float:
    """About how long the whole run takes: measured on the stretch in the middle of the damage.

    Each stretch of frames costs something once, and each damaged frame in it; writing a film is not in it.
    """
    ((number, near),) = ((k, own[0]) for k, own in enumerate(damage.spread(1)) if own)
    footage = sequences[number]
    length, _ = restorer.stretch(footage.read(near, near + 1).pictures[0].size)
    own = [p for p in damage.positions[number] if p // length == near // length]
    began, events = time.perf_counter(), list[tuple[float, int]]()

    def progress(count: int) -> None:
        if count:
            events.append((time.perf_counter() - began, count))
        if events and events[-1][0] > SECONDS and len(events) > 1:
            raise _Enough

    def write(frame: RestoredFrame) -> None:
        frame.picture.restored(frame.pixels, frame.mask)

    with contextlib.suppress(_Enough):
        _restore(restorer, footage, masks, level, own, _Gathering(write), RestoreSummary(), progress)
    once, each = events[0][0], 0.0
    if len(events) > 1:
        each = (events[-1][0] - once) / sum(count for _, count in events[1:])
        once = max(0.0, once - each * events[0][1])
    stretches = len({(k, p // length) for k, positions in enumerate(damage.positions) for p in positions})
    more = damage.total / max(damage.seen, 1)  # what was not looked at is taken to be like the rest
    return more * (stretches * once + damage.count * each + damage.seconds)


def _restore(
    restorer: Restores, footage: Footage, masks: MaskRules, level: str, positions: Sequence[int],
    sink: _Gathering, summary: RestoreSummary, progress: Callable[[int], object],
) -> None:  # fmt: skip
    span = range(min(positions), max(positions) + 1)
    restore_footage(
        restorer, footage, masks, level, sink, summary, done=_AllBut(positions), frames=span, progress=progress
    )


def duration(seconds: float) -> str:
    """In words, no more exact than it can be."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
