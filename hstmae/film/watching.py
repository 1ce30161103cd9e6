"""What is wrong with a film's frames, found while they are decoded."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from .facts import FilmFacts
from .probing import stated_end

_SHOWN = 12  # stretches that are listed


def runs(numbers: list[int]) -> str:
    """3, 7-9 for ascending 3, 7, 8, 9; of very many the first ones."""
    found = [[n for _, n in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    shown = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in found[:_SHOWN]]
    more = sum(map(len, found[_SHOWN:]))
    return ", ".join(shown) + (f" and {more} more" if more else "")


class Watch:
    """Keeps the times of the frames rising, and what is wrong with them.

    Attributes:
        times, end: of the frames so far; `moved` of them did not come later than the one before.
        damage: what is wrong, one sentence each.
        lost: the last frame is not what was coded; `broken`: it comes after such a frame, or an error, with no frame
            between that was coded by itself.
        suspect: times of packets that are damaged, although the decoder may not say so.
    """

    def __init__(self, facts: FilmFacts) -> None:
        self.times: list[int] = []
        self.damage: list[str] = []
        self.moved = 0
        self.lost = self.broken = False
        self.suspect: set[int] = set()
        self.end = 0
        self._facts, self._cut = facts, False
        self._errors = 0
        self._as_due = True  # the frames so far came at the times that the packets state
        self._bad: list[int] = []  # numbers of lost frames, and of those that follow them
        self._after: list[int] = []
        self._why = ""
        self._step = max(1, round(1 / ((facts.rate or 25) * facts.time_base)))

    @property
    def count(self) -> int:
        return len(self.times)

    def error(self, why: str) -> None:
        """Something could not be decoded."""
        self._errors += 1
        self._why = self._why or why
        self.broken = True

    def gone(self, until: int | None) -> Iterator[int]:
        """Times of frames before the time `until` (None: the end) that could not be decoded; each is one frame more."""
        due = self._facts.times if self.broken and self._as_due and not (until is None and self._cut) else ()
        for time in due[self.count :]:
            if until is not None and time >= until:
                return
            self._add(time, lost=True)
            self.end = time + self._step
            yield time

    def fits(self, frame: Any) -> bool:
        was = (self._facts.width, self._facts.height, self._facts.pixel_format)
        now = (frame.width, frame.height, frame.format.name)
        if was == now:
            return True
        self.damage.append(
            f"from frame {self.count} on it is {now[0]}x{now[1]} {now[2]} instead of {was[0]}x{was[1]} {was[2]}: that "
            "is left out; cut the film there to read both parts"
        )
        self._cut = True
        return False

    def add(self, frame: Any) -> None:
        if not self.times:
            time = int(frame.pts or 0)
        elif frame.pts is None:
            time = self.times[-1] + self._step
        else:
            time = max(int(frame.pts), self.times[-1] + 1)
            self.moved += time != frame.pts
        if frame.key_frame:
            self.broken = False
        self._add(time, lost=bool(frame.is_corrupt) or frame.pts in self.suspect)
        self.end = time + int(frame.duration or self._step)

    def _add(self, time: int, lost: bool) -> None:
        self.lost, self.broken = lost, self.broken or lost
        if self.broken:
            (self._bad if lost else self._after).append(self.count)
        self._as_due = self._as_due and self._facts.times[self.count : self.count + 1] == (time,)
        self.times.append(time)

    def finish(self, container: Any, stream: Any) -> None:
        if self._errors:
            self.damage.append(f"{self._errors} pieces cannot be decoded ({self._why})")
        if self._bad:
            self.damage.append(f"frames that are damaged or missing: {runs(self._bad)}")
        if self._after:
            self.damage.append(f"frames that follow damaged ones, taken as they were decoded: {runs(self._after)}")
        due = stated_end(container, stream)
        missing = 0 if due is None or self._cut else float(due - self.end * self._facts.time_base)
        if missing > max(2.5 * float(self._step * self._facts.time_base), 0.02 * float(due or 0)):
            self.damage.append(f"ends {missing:.2f} s before the end that its head states")
