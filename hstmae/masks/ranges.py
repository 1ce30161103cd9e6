"""Places and times that a user writes down: rectangles, and ranges of frames or of time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError, UsageError
from .frames import Frames

_NUMBER = r"\d+(?:\.\d+)?"
_CLOCK = re.compile(rf"(?:(?:(\d+):)?(\d+):)?({_NUMBER})(s?)")


@dataclass(frozen=True)
class Span:
    """Frames `start` to `end`, both included, or those shown from `start` seconds on and before `end`; None = open."""

    start: float | None
    end: float | None
    seconds: bool
    text: str

    def of(self, frames: Frames, first: int, count: int) -> np.ndarray:
        """bool [count]: which of the frames from position `first` on lie in it.

        Raises:
            DataError: it counts in seconds, and the footage has no frame rate.
        """
        where = frames.times(first, count) if self.seconds else np.arange(first, first + count)
        inside = np.ones(count, bool) if self.start is None else where >= self.start
        if self.end is not None:
            inside &= (where < self.end) if self.seconds else (where <= self.end)
        return inside


def parse_span(text: str, option: str = "--lost") -> Span:
    """`10-20`, `15`, `10-`, `-20` (frames counted from 0, both ends included); `1.5s-3s`, `0:58-1:02.5` (time).

    Raises:
        UsageError: something else.
    """
    wrong = UsageError(
        f"{option} {text}: write frames as A-B (counted from 0, both included), or times as 1.5s-3s or 0:58-1:02.5"
    )
    start, dash, end = text.strip().partition("-")
    if not dash:
        end = start
    found = [_point(part) for part in (start, end)]
    if any(part and point is None for part, point in zip((start, end), found, strict=True)) or not (start or end):
        raise wrong
    kinds = {point[1] for point in found if point is not None}
    values = [None if point is None else point[0] for point in found]
    if len(kinds) > 1 or (kinds == {True} and not dash) or (kinds == {False} and any(v and v % 1 for v in values)):
        raise wrong
    low, high = values
    if low is not None and high is not None and (high < low or (kinds == {True} and high == low)):
        raise UsageError(f"{option} {text}: ends before it begins")
    return Span(low, high, kinds == {True}, text)


def _point(text: str) -> tuple[float, bool] | None:
    """(value, whether it is a time), None for what is neither."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, rest, unit = match.groups()
    if minutes is None:
        return float(rest), bool(unit)
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(rest), True


@dataclass(frozen=True)
class Rectangle:
    """`width` x `height` pixels from column `left` and row `top` on; `span` None = in all frames."""

    left: int
    top: int
    width: int
    height: int
    span: Span | None
    text: str


def parse_rectangle(text: str) -> Rectangle:
    """`X,Y,W,H` or `X,Y,W,H@A-B` in pixels from the upper left corner. Raises UsageError."""
    place, at, span = text.partition("@")
    match = re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*", place)
    if match is None:
        raise UsageError(f"--rect {text}: write X,Y,W,H or X,Y,W,H@A-B, e.g. 16,8,64,24 or 16,8,64,24@100-250")
    left, top, width, height = (int(group) for group in match.groups())
    if not width or not height:
        raise UsageError(f"--rect {text}: covers no pixel; W and H are at least 1")
    return Rectangle(left, top, width, height, parse_span(span, "--rect ...@") if at else None, text)


@dataclass(frozen=True)
class Drawn:
    """What a user wrote down: rectangles, and ranges in which whole frames are lost."""

    rectangles: Sequence[Rectangle] = ()
    lost: Sequence[Span] = ()

    def check(self, footage: Sequence[Frames]) -> list[str]:
        """What is cut off at the edges.

        Raises:
            DataError: something lies outside of all the footage, or counts in seconds without a frame rate.
        """
        notes = []
        for r in self.rectangles:
            sizes = {frames.size for frames in footage}
            listed = ", ".join(f"{width}x{height}" for height, width in sorted(sizes))
            if all(r.left >= width or r.top >= height for height, width in sizes):
                raise DataError(f"--rect {r.text}: lies outside of the footage, which is {listed}")
            if any(r.left + r.width > width or r.top + r.height > height for height, width in sizes):
                notes.append(f"--rect {r.text}: reaches beyond the footage ({listed}); that part is cut off")
        spans = [(f"--rect {r.text}", r.span) for r in self.rectangles if r.span is not None]
        for option, span in [*spans, *((f"--lost {span.text}", span) for span in self.lost)]:
            if not any(span.of(frames, 0, frames.count).any() for frames in footage):
                longest = max(frames.count for frames in footage)
                raise DataError(f"{option}: touches no frame, the footage has {longest} (0-{longest - 1})")
        return notes

    def of(self, frames: Frames, first: int, count: int) -> np.ndarray:
        """bool [count, H, W]."""
        mask = np.zeros((count, *frames.size), bool)
        for r in self.rectangles:
            inside = np.ones(count, bool) if r.span is None else r.span.of(frames, first, count)
            mask[inside, r.top : r.top + r.height, r.left : r.left + r.width] = True
        for span in self.lost:
            mask[span.of(frames, first, count)] = True
        return mask
