"""Which film goes into the file: the one that is there, or what it becomes when it is coded anew."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ...data.sources.animation import AnimationEpisode
from ...data.sources.base import Problem
from ...data.sources.film import FilmEpisode
from ...errors import DataError
from ...executor import Advance
from ..film.again import coded_again
from ..film.quality import NAMES
from .tasks import Task, is_film

_SHARE = 0.75  # of the progress that is told while a film is coded anew; the rest while it is divided


@contextmanager
def film_to_keep(
    task: Task, report: Callable[[Problem], None], advance: Advance
) -> Iterator[tuple[FilmEpisode | AnimationEpisode, Advance]]:
    """The film, and who is to be told of its frames. It is there as long as the context is open."""
    episode = task.episode
    assert is_film(episode)
    options = dict(task.settings.options)
    quality, codec = options.get("quality"), str(options.get("codec", "h264"))
    if quality is None:
        yield episode, advance
        return
    steps = _Steps(advance, episode.size)
    with tempfile.TemporaryDirectory(prefix="film-", dir=task.keep) as folder:
        try:
            if not isinstance(episode, FilmEpisode):
                raise DataError("animations are kept as they are")
            made = coded_again(episode.path, Path(folder), float(quality), task.gop, steps.share, codec)
        except DataError as error:
            why = str(error).removeprefix(f"{episode.path}: ")
            report(Problem(episode.name, episode.path.name, f"kept as it is: {why}", left_out=False))
        else:
            before, after = (path.stat().st_size for path in (episode.path, made.path))
            told = f"coded anew by {NAMES[codec]}: {after:,} bytes of {before:,}, "
            told += f"{made.least:.1f} dB or more in every group"
            for line in (told, *made.lost):
                report(Problem(episode.name, episode.path.name, line, left_out=False))
            episode = replace(episode, path=made.path)
        steps.coded()
        yield episode, steps.frames


class _Steps:
    """Progress in whole frames, although frames are gone through several times."""

    def __init__(self, advance: Advance, size: int) -> None:
        self._advance, self._size, self._done, self._told = advance, size, 0.0, 0

    def share(self, share: float) -> None:
        """A share of coding anew is done."""
        self._tell(min(_SHARE * self._size * share, _SHARE * self._size - self._done))

    def coded(self) -> None:
        """That is all of coding anew, whether it took as long as was thought or not."""
        self._done = _SHARE * self._size
        self._tell(0.0)

    def frames(self, count: int) -> None:
        """Frames were divided into groups."""
        self._tell((1 - _SHARE) * count)

    def _tell(self, done: float) -> None:
        self._done += done
        whole = min(int(self._done + 1e-6), self._size)
        if whole > self._told:
            self._advance(whole - self._told)
            self._told = whole
