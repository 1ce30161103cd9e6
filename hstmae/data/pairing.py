"""Which picture the memory of a recorded frame belongs to: the *lag* between the two, and putting them together.

At lag L the picture of frame t goes with the memory, and the buttons, of frame t - L. At lag 0 files are as they should
be; at lag +1 the memory of a frame belongs to the picture of the next one, as where both are taken after the same frame
of a console, whose picture was drawn before the game went on. Everything beyond the files (store, `.hst`, restoration)
holds pictures with the memory that belongs to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from .sources.base import SourceFrame

LAGS = (-1, 0, 1)
# How a lag became known: by a test, by the user, from the other episodes of the source, from the recorder that has
# paired them itself; "nothing": not at all, so that the frames are taken as they were recorded.
BY = ("scroll", "sprites", "given", "others", "recorder", "nothing")
_TO = {-1: "the picture before", 0: "its own picture", 1: "the next picture"}


@dataclass(frozen=True)
class Pairing:
    """The lag of one episode's files, which are paired again by it, and what tells so.

    Attributes:
        lag: one of LAGS.
        by: one of BY.
        tested: frames that the test was made on; 0 without one.
        agreed: for each of LAGS, how many of them agreed with it (scroll), or the mean probability from 0 to 1 that a
            sprite's pixel had at it (sprites); () without a test.
    """

    lag: int
    by: str
    tested: int = 0
    agreed: tuple[float, ...] = ()

    @property
    def found(self) -> bool:
        """Whether the episode itself told it."""
        return self.by in ("scroll", "sprites")

    def to_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {"lag": self.lag, "by": self.by}
        if self.agreed:
            told = zip(LAGS, self.agreed, strict=True)
            value |= {"tested": self.tested, "agreed": {str(lag): round(n, 4) for lag, n in told}}
        return value

    @staticmethod
    def from_json(value: dict[str, Any]) -> Pairing:
        """Raises ValueError, KeyError, TypeError or AttributeError where the value is no pairing."""
        lag, by = value["lag"], value["by"]
        if type(lag) is not int or lag not in LAGS or by not in BY:
            raise ValueError(f"lag {lag!r} by {by!r}")
        agreed = value.get("agreed", {})
        numbers = tuple(float(agreed[str(lag)]) for lag in LAGS) if agreed else ()
        return Pairing(lag, by, int(value.get("tested", 0)), numbers)

    def __str__(self) -> str:
        told = {"given": "as given", "others": "as the other episodes", "recorder": "by the recorder"}
        if self.by == "nothing":
            return "nothing tells the lag: taken as recorded"
        if not self.found:
            return f"lag {signed(self.lag)}, {told[self.by]}"
        shown = [f"{n:.0%}" if self.by == "sprites" else f"{n:.0f}" for n in self.agreed]
        votes = ", ".join(f"{n} at {signed(lag)}" for lag, n in zip(LAGS, shown, strict=True))
        return f"lag {signed(self.lag)}, {self.by} test on {self.tested} frames ({votes})"


def signed(lag: int) -> str:
    """-1, 0 or +1."""
    return f"{lag:+d}" if lag else "0"


def describe(pairings: Iterable[Pairing | None]) -> list[str]:
    """What there is to be said of the episodes of a source or store, a line for each lag; None: no memory in files, or
    packed before this was looked at."""
    known = [pairing for pairing in pairings if pairing is not None]
    told = [pairing for pairing in known if pairing.by != "nothing"]
    lines = []
    for lag in sorted({pairing.lag for pairing in told}):
        same = [pairing for pairing in told if pairing.lag == lag]
        line = f"memory belongs to {_TO[lag]} in {len(same)} of {len(known)} episodes (lag {signed(lag)})"
        if lag:
            recorder = all(pairing.by == "recorder" for pairing in same)
            line += "; paired while recording" if recorder else "; paired again"
        likened = sum(pairing.by == "others" for pairing in same)
        lines.append(line + (f"; in {likened} of them nothing tells, so as in the others" if likened else ""))
    if silent := len(known) - len(told):
        lines.append(
            f"nothing tells which picture the memory belongs to in {silent} of {len(known)} episodes: taken as "
            "recorded; --lag says it"
        )
    return lines


def describe_episodes(episodes: Iterable[tuple[Pairing | None, Mapping[str, int]]]) -> list[str]:
    """`describe`, and how many pictures were left out: of pairings, each with the notes of its episode."""
    known = list(episodes)
    lines = describe(pairing for pairing, _ in known)
    if alone := sum(notes.get("unpaired", 0) for _, notes in known):
        lines.append(f"{alone:,} pictures have no memory that belongs to them, at the ends and at gaps: left out")
    return lines


def refuse_lag(path: Path, lag: int | None) -> None:
    """Raise UsageError where a lag is given for what holds pictures and memory as they belong together."""
    if lag is not None:
        raise UsageError(f"--lag {lag}: is for recordings in files; {path} holds pictures with the memory that belongs")


def usual(pairings: Iterable[Pairing | None]) -> Pairing:
    """The pairing of an episode that does not tell, from the others of its source: their most frequent lag, where they
    differ the one nearest to 0."""
    lags = [pairing.lag for pairing in pairings if pairing is not None and (pairing.found or pairing.by == "given")]
    if not lags:
        return Pairing(0, "nothing")
    return Pairing(max(LAGS, key=lambda lag: (lags.count(lag), -abs(lag), lag)), "others")


def partners(follows: Sequence[bool] | np.ndarray, lag: int) -> np.ndarray:
    """Whose memory goes with each of T pictures: int64 [T], -1 = nobody's.

    Args:
        follows: bool [T - 1], whether a frame was recorded right after the one before it.
    """
    rows = np.arange(len(follows) + 1)
    linked = np.asarray(follows, bool)
    if lag > 0:
        return np.where(np.concatenate([[False], linked]), rows - 1, -1)
    return np.where(np.concatenate([linked, [False]]), rows + 1, -1) if lag else rows


def paired(
    frames: Iterable[SourceFrame], lag: int, follows: Callable[[SourceFrame, SourceFrame], bool]
) -> Iterator[SourceFrame]:
    """Recorded frames with memory and buttons, each with those that belong to its picture.

    At the ends and at gaps a picture or a memory is left alone: such a picture comes with `alone` set and without
    memory; such a memory does not come at all.

    Args:
        follows: whether the second frame was recorded right after the first.
    """
    before: SourceFrame | None = None
    for frame in frames:
        linked = before is not None and follows(before, frame)
        if lag > 0:
            yield _with(frame, before if linked else None)
        elif not lag:
            yield frame
        elif before is not None:
            yield _with(before, frame if linked else None)
        before = frame
    if lag < 0 and before is not None:
        yield _with(before, None)


def _with(frame: SourceFrame, other: SourceFrame | None) -> SourceFrame:
    if other is None:
        return replace(frame, state=None, action=None, alone=True)
    return replace(frame, state=other.state, action=other.action)
