"""Clips of whatever the user has: some frames in a row of recordings, stores, .hst files, films and pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from ..codec.jobs.inputs import CodedEpisode, Found, StoredEpisode
from ..codec.jobs.tasks import is_film
from ..data.episode import Episode
from ..data.sources.base import Problem, SourceEpisode, SourceFrame
from ..data.sources.finding import ArchivedEpisode
from ..data.sources.settling import looked_at
from ..data.store.reader import EpisodeStore
from ..errors import DataError
from ..games import get_game

MAX_BYTES = 1 << 30  # of a clip's RGB pictures: encoders, decoders and what is compared hold several times that
COLOURS = 256  # that a palette can have
_PARTS = (("state", "memory"), ("actions", "buttons"))


@dataclass
class Clip:
    """Some frames in a row.

    Attributes:
        episode: those frames, in palette indices or RGB.
        film: the film they are of; None = of none.
    """

    episode: Episode
    film: SourceEpisode | None = field(default=None)

    def __len__(self) -> int:
        return len(self.episode)

    @property
    def holds(self) -> list[str]:
        """Of memory and buttons those that are there."""
        return [name for part, name in _PARTS if getattr(self.episode, part) is not None]

    @cached_property
    def rgb(self) -> np.ndarray:
        """uint8 [T, H, W, 3]."""
        palette = self.episode.palette
        return self.episode.frames if palette is None else palette[self.episode.frames]

    @cached_property
    def _indexed(self) -> tuple[np.ndarray | None, np.ndarray | None, int]:
        if self.episode.palette is not None:
            used = np.unique(self.episode.palette[np.unique(self.episode.frames)], axis=0)
            return self.episode.frames, self.episode.palette, len(used)
        rgb = self.rgb
        numbers = (rgb[..., 0].astype(np.int32) << 16) | (rgb[..., 1].astype(np.int32) << 8) | rgb[..., 2]
        seen = np.zeros(1 << 24, bool)
        seen[numbers] = True
        colours = np.flatnonzero(seen)
        if len(colours) > COLOURS:
            return None, None, len(colours)
        place = np.zeros(1 << 24, np.uint8)
        place[colours] = np.arange(len(colours))
        palette = np.stack([colours >> 16, (colours >> 8) & 255, colours & 255], -1).astype(np.uint8)
        return place[numbers], palette, len(colours)

    @property
    def index(self) -> np.ndarray | None:
        """uint8 [T, H, W] palette indices; None where there are more colours than a palette has."""
        return self._indexed[0]

    @property
    def palette(self) -> np.ndarray | None:
        """uint8 [K, 3] of `index`."""
        return self._indexed[1]

    @property
    def colours(self) -> int:
        """How many different ones there are."""
        return self._indexed[2]

    def every(self, stride: int) -> Clip:
        """Only every n-th frame, without the film."""
        return self if stride == 1 else Clip(self.episode.take(slice(0, None, stride)))


def read_clips(found: Found, clips: int, frames: int, middle: bool = True) -> Iterator[Clip]:
    """Clips of the first `clips` episodes that are long enough; where none is, of the longest, as long as they are.

    Args:
        frames: of a clip.
        middle: from the middle of episodes instead of their beginning.
    Raises:
        DataError: nothing can be read, or the clips are too large to be held in memory.
    """
    able = [episode for episode in found.episodes if episode.size >= frames]
    chosen = (able or sorted(found.episodes, key=lambda episode: -episode.size))[:clips]
    loose = [episode for episode in chosen if not isinstance(episode, ArchivedEpisode)]
    packed = [episode for episode in chosen if isinstance(episode, ArchivedEpisode)]
    count = 0
    for episode in loose:
        for clip in _clip(episode, found, frames, middle):
            count += 1
            yield clip
    if packed:
        read: list[Clip] = []
        with tempfile.TemporaryDirectory() as folder:
            take = lambda k, staged: read.extend(_clip(staged, found, frames, middle))  # noqa: E731
            packed[0].unpack(packed, Path(folder), take)
        count += len(read)
        yield from read
    if not count:
        raise DataError(f"{chosen[0].name}: no frame can be read")


def _clip(episode: SourceEpisode, found: Found, frames: int, middle: bool) -> list[Clip]:
    """One clip, or none where nothing of the episode can be used."""
    start = max(episode.size - frames, 0) // 2 if middle else 0
    if isinstance(episode, StoredEpisode):
        rows = range(start, min(start + frames, episode.size))
        clip = EpisodeStore(episode.path).read(episode.name, rows, ("frames", "state", "actions"))
        return [Clip(clip)]
    if isinstance(episode, CodedEpisode):  # whose groups before these need not be decoded
        episode = replace(episode, rows=range(start, min(start + frames, episode.size)))
        start = 0
    film = episode if is_film(episode) else None
    seen = looked_at(episode)
    game = found.game or str(getattr(episode, "game", ""))
    problems: list[Problem] = []
    taken: list[SourceFrame] = []
    size = 0
    for frame in islice((f for f in seen.frames(problems.append, {}) if not f.alone), start, start + frames):
        size += 3 * frame.pixels.shape[0] * frame.pixels.shape[1]
        if size > MAX_BYTES:
            shape = f"{frame.pixels.shape[1]}x{frame.pixels.shape[0]}"
            raise DataError(f"{episode.name}: {frames} frames of {shape} are too many to be held; give fewer --frames")
        taken.append(frame)
    if not taken and problems:
        raise DataError(f"{problems[0]}")
    return [Clip(_together(taken, episode, seen, game), film)] if taken else []


def _together(taken: Sequence[SourceFrame], episode: SourceEpisode, seen: SourceEpisode, game: str) -> Episode:
    first = taken[0]
    whole = [f for f in taken if f.pixels.shape == first.pixels.shape]
    if len(whole) < len(taken):
        raise DataError(f"{episode.name}: its pictures have several sizes")
    states, actions = [f.state for f in taken], [f.action for f in taken]
    fps = seen.fps if seen.fps is not None else get_game(game).fps
    return Episode(
        name=episode.name, game=game, frames=np.stack([f.pixels for f in taken]), palette=first.palette,
        state=None if any(s is None for s in states) else np.stack([s for s in states if s is not None]),
        context=None,
        actions=None if any(a is None for a in actions) else np.array(actions, np.uint8),
        frame_numbers=np.array([f.number for f in taken], np.int32), level=episode.level, fps=float(fps),
        corner=first.corner,
    )  # fmt: skip
