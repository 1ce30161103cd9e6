"""What can be streamed: recordings, films, files that grow, environments and the console, at the rate they run at."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from ..codec.jobs.inputs import SUFFIX, coded_episodes, find_input
from ..codec.session.reader import HstReader
from ..data.sources.base import Report, SourceEpisode, SourceFrame
from ..data.sources.settling import looked_at
from ..data.sources.video import VideoOptions
from ..errors import CodecError
from ..games import get_game
from .watching import Shown, watch

_LOOK_EVERY = 0.2  # seconds between looks at a file that grows
_SILENT = 10.0  # seconds in which it does not grow, then it is complete
_LOOPED = 256 << 20  # bytes of what is sent again and again
_LATEST = 0.5  # seconds that a source may be late before time is given up


@dataclass(frozen=True)
class Session:
    """Attributes: name; game; fps: None = the game's; frames; outcome."""

    name: str
    game: str
    fps: float | None
    frames: Iterable[SourceFrame]
    outcome: str = "cut"


def sessions_of(path: Path, game: str | None, video: VideoOptions, remark: Report) -> Iterator[Session]:
    """The episodes of whatever is at `path`, as `find_input` finds it, those of a .hst file that grows as they come."""
    if path.suffix.lower() == SUFFIX and path.exists() and game is None:
        yield from _growing(path)
        return
    found = find_input(path, game, video)
    for episode in found.episodes:
        yield _session(looked_at(episode), found.game, remark)


def _session(episode: SourceEpisode, game: str, remark: Report) -> Session:
    game = str(getattr(episode, "game", "")) or game
    frames = (frame for frame in episode.frames(remark, {}) if not frame.alone)
    return Session(episode.name, game, episode.fps, frames, episode.outcome)


def _growing(path: Path) -> Iterator[Session]:
    """Episodes of a .hst file from its first frame on, and what is written to it meanwhile."""
    known = 0
    while True:
        entries = coded_episodes(path)
        if known == len(entries):
            return
        episode = entries[known]
        yield Session(episode.name, episode.game, episode.fps, _followed(path, known), episode.outcome)
        known += 1


def _followed(path: Path, position: int) -> Iterator[SourceFrame]:
    """Frames of an episode until it is complete, or has not grown for a while."""
    done, heard = 0, time.monotonic()
    while True:
        try:
            with HstReader(path) as reader:
                count, complete = reader.frames(position), reader.entries[position].final
                for start in range(done, count, 32):
                    part = reader.read(position, range(start, min(start + 32, count)))
                    for t, number in enumerate(part.frame_numbers.tolist()):
                        state = None if part.state is None else part.state[t]
                        action = None if part.actions is None else int(part.actions[t])
                        yield SourceFrame(number, part.frames[t], part.palette, state, action, corner=part.corner)
        except CodecError:
            if not done:
                raise
            count, complete = done, False  # its end is being written
        if count > done:
            done, heard = count, time.monotonic()
        elif complete or time.monotonic() - heard > _SILENT:
            return
        else:
            time.sleep(_LOOK_EVERY)


def again_and_again(once: Callable[[], Iterator[Session]], most: int = _LOOPED) -> Iterator[Session]:
    """The sessions that `once` gives, without end; read and decoded a single time where they have at most `most` bytes
    in all."""
    kept: list[tuple[Session, list[SourceFrame]]] = []
    left = most

    def noted(session: Session, frames: list[SourceFrame]) -> Iterator[SourceFrame]:
        nonlocal left
        for frame in session.frames:
            left -= frame.pixels.nbytes + (0 if frame.state is None else frame.state.nbytes)
            if left >= 0:
                frames.append(frame)
            else:
                kept.clear()
                frames.clear()
            yield frame

    for session in once():
        frames: list[SourceFrame] = []
        kept.append((session, frames))
        yield replace(session, frames=noted(session, frames))
    while kept or left < 0:
        yield from (replace(session, frames=frames) for session, frames in kept) if left >= 0 else once()


class ReadAhead(Iterator[SourceFrame]):
    """The same frames, read by a thread before they are wanted: groups are decoded whole, and films in jumps, which
    nobody should wait for. To be closed.

    Args:
        most: frames that are held.
    """

    def __init__(self, frames: Iterable[SourceFrame], most: int = 96) -> None:
        self._frames, self._held = iter(frames), queue.Queue[SourceFrame | BaseException | None](most)
        self._closed = False
        self._thread = threading.Thread(target=self._read, name="hstmae-source", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for frame in self._frames:
                self._put(frame)
                if self._closed:
                    return
            self._put(None)
        except BaseException as error:  # raised where the frames are wanted
            self._put(error)

    def _put(self, what: SourceFrame | BaseException | None) -> None:
        while not self._closed:
            try:
                return self._held.put(what, timeout=0.1)
            except queue.Full:
                continue

    def __next__(self) -> SourceFrame:
        found = self._held.get()
        if isinstance(found, SourceFrame):
            return found
        self._held.put(None)
        if found is not None:
            raise found
        raise StopIteration

    def close(self) -> None:
        self._closed = True
        self._thread.join(5)


class Pace:
    """Gives frames when they are due.

    Args:
        fps: frames a second; 0 = as fast as they come.
    Attributes:
        late: how often the source was too slow, so that time was given up.
    """

    def __init__(self, fps: float) -> None:
        self._step = 1 / fps if fps else 0.0
        self._due: float | None = None
        self.late = 0

    def wait(self) -> float:
        """Until the next frame is due; the time it is due at, in seconds since 1970."""
        now = time.time()
        due = now if self._due is None else self._due + self._step
        if due > now:
            time.sleep(due - now)
        elif now - due > _LATEST:
            due = now
            self.late += 1
        self._due = due
        return max(due, now)


def watched(url: str, token: str, told: Callable[[str], object]) -> Iterator[Session]:
    """The sessions of a stream, for whoever sends them on. A session ends when the next one begins.

    Raises as `watch` does.
    """
    frames = watch(url, token, told=told)
    first = next(frames, None)
    while first is not None:
        following: list[Shown] = []
        name, game, fps = first.description.name, first.description.game, first.description.fps
        yield Session(name, game, fps, _one_session(first, frames, following))
        first = following[0] if following else None


def _one_session(first: Shown, frames: Iterator[Shown], following: list[Shown]) -> Iterator[SourceFrame]:
    for shown in chain([first], frames):
        if shown.epoch != first.epoch:
            following.append(shown)
            return
        palette = shown.description.colours
        action = None if shown.actions is None else int(shown.actions[0])
        yield SourceFrame(shown.number, shown.picture, palette, shown.state, action)


def rate_of(session: Session) -> float:
    return session.fps or get_game(session.game).fps
