"""Times in the names of files, shortly: most recordings have files in every second."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

_FORM = "%Y-%m-%d_%H-%M-%S"
_SECOND = timedelta(seconds=1)


def by_the_second(runs: Sequence[Sequence[Any]]) -> list[Any]:
    """[count, time] of files in a row -> [time, count in this second, in the next, ...], where that says the same; else
    the runs as they are."""
    short = [runs[0][1], *(count for count, _ in runs)] if runs else []
    try:
        return short if short and every_second(short) == [list(run) for run in runs] else list(runs)
    except ValueError:  # no times at all
        return list(runs)


def every_second(times: Sequence[Any]) -> list[list[Any]]:
    """The inverse; runs come back as they are. Raises ValueError where the time is none."""
    if not times or not isinstance(times[0], str):
        return list(times)
    try:
        first = datetime.strptime(times[0], _FORM)
        return [[int(count), (first + k * _SECOND).strftime(_FORM)] for k, count in enumerate(times[1:])]
    except OverflowError:
        raise ValueError("times beyond the calendar") from None
