"""What `hstmae stream` does with the sessions it is given."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from ..data.sources.base import SourceFrame
    from ..live.holes import Holes
    from ..live.restoring import Restoring
    from ..live.sending import LiveStream
    from ..live.sources import Session


PATIENCE = 3.0  # seconds until it is said that nobody is there


class Enough(Exception):
    """As many frames as were asked for."""


def _is_over(args: argparse.Namespace, frames: int, began: float) -> bool:
    by_time = args.seconds is not None and time.monotonic() - began > args.seconds
    return by_time or (args.frames is not None and frames >= args.frames)


def _wait_for(stream: Any, url: str) -> None:
    """For the first connection, a while: a wrong address is told at once, and frames are not lost for nothing."""
    end = time.monotonic() + PATIENCE
    while not stream.publisher.connected and not stream.publisher.failure and time.monotonic() < end:
        time.sleep(0.02)
    if stream.publisher.failure:
        raise UsageError(f"{url}: {stream.publisher.failure}")
    if not stream.publisher.connected:
        print(f"hstmae stream: nobody answers at {url} yet; the game goes on, and is sent when somebody does "
              "(is `hstmae serve` running?)", file=sys.stderr)  # fmt: skip


_shown_at = 0.0


def _show(stream: Any, pace: Any) -> None:
    """A line that says how it goes, twice a second, on a terminal."""
    global _shown_at
    if not sys.stderr.isatty() or time.monotonic() - _shown_at < 0.5:
        return
    _shown_at = time.monotonic()
    told, publisher = stream.told, stream.publisher
    where = "sent" if publisher.connected else "NOT CONNECTED"
    mean = 1000 * sum(told.encode) / len(told.encode)
    print(f"\rstream: {told.frames:,} frames {where}, {told.bytes / told.frames:.1f} bytes each, {mean:.1f} ms, "
          f"{pace.late} late ", end="", file=sys.stderr, flush=True)  # fmt: skip


class Sending(ExitStack):
    """Sends sessions, one after the other.

    Attributes:
        stream: None before the first one.
    """

    def __init__(self, args: argparse.Namespace, holes: Holes) -> None:
        super().__init__()
        self._args, self._holes = args, holes
        self.stream: LiveStream | None = None
        self._restoring: Restoring | None = None
        self._began, self._late, self._told = time.monotonic(), 0, False

    def session(self, session: Session) -> None:
        """Raises Enough."""
        from ..live.sources import Pace, ReadAhead, rate_of

        args = self._args
        fps = args.fps or rate_of(session)
        stream = self._begin(session, fps)
        relayed = isinstance(args.input, str)
        pace = Pace(0 if relayed else fps)
        with ExitStack() as stack:
            frames = session.frames
            if not relayed and not args.env:  # what we play would be seen late if it were read ahead
                frames = stack.enter_context(closing(ReadAhead(frames)))
            for place, frame in enumerate(frames):
                due = time.time() if relayed else pace.wait()
                stream.told.late = self._late + pace.late
                self._send(frame, place, fps, due)
                done = stream.told.frames if self._restoring is None else self._restoring.worker.counts.came
                if _is_over(args, done, self._began):
                    raise Enough
                if not stream.lossless and not self._told:
                    self._told = True
                    print(f"more than 256 colours: sent as video of about {args.bitrate:g} kbit/s, not pixel by pixel "
                          "(--lossless does that)", file=sys.stderr)  # fmt: skip
                _show(stream, pace)
        self._late += pace.late
        self.finish()
        stream.end_session(session.outcome)

    def _begin(self, session: Session, fps: float) -> LiveStream:
        from ..live.restoring import Restoring
        from ..live.sending import LiveStream

        args = self._args
        if self.stream is not None:
            self.stream.begin_session(session.game, fps, session.name)
        else:
            self.stream = self.enter_context(LiveStream(
                args.to, game=session.game, fps=fps, name=session.name, token=args.token, out=args.out,
                group=args.group, video=0 if args.lossless else args.bitrate,
            ))  # fmt: skip
            _wait_for(self.stream, args.to)
        if args.restore:
            if self._restoring is not None:
                self._restoring.close()
            self._restoring = Restoring(self._sent, session.game, args.checkpoint, args.state, args.deadline)
            self.callback(self._restoring.close)
            self._restoring.wait_until_ready(120)
            self.stream.besides = self._restoring.told
        return self.stream

    def _send(self, frame: SourceFrame, place: int, fps: float, due: float) -> None:
        from ..live.holes import hidden

        if not self._holes:
            self._sent(frame, due)
            return
        height, width = frame.pixels.shape[:2]
        missing = self._holes.of(place, (height, width), fps)
        if self._restoring is not None:
            self._restoring.put(frame, missing, due)
        else:
            self._sent(replace(frame, pixels=hidden(frame.pixels, missing, frame.palette)), due)

    def _sent(self, frame: SourceFrame, due: float) -> None:
        assert self.stream is not None
        self.stream.frame(frame.pixels, frame.state, frame.action, frame.palette, frame.number, due)

    def finish(self) -> None:
        """Wait for what is being restored."""
        if self._restoring is not None:
            self._restoring.finish()

    def summary(self, seconds: float) -> dict[str, Any]:
        assert self.stream is not None
        told, publisher = self.stream.told, self.stream.publisher
        found: dict[str, Any] = {"frames": told.frames, "seconds": seconds, "bytes": told.bytes, "late": told.late}
        found |= {"sessions": told.sessions, "connections": publisher.connections}
        found |= {"encode_ms": 1000 * sum(told.encode) / len(told.encode)}
        return found | (self._restoring.told() if self._restoring is not None else {})
