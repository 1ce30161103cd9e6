"""Edited states drawn as clips, with how sure each pixel is."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..atlas.known_pixels import SURE
from ..data.episode import Episode
from ..data.sources.base import AT_HAND, Report, SourceFrame
from ..errors import DataError
from ..inference.footage_restorer import FootageRestorer
from .edits import Edit

AT_ONCE = 64  # frames that are drawn together


@dataclass
class Drawn:
    """A clip of an edited state; a `SourceEpisode` for a store.

    Attributes:
        episode: what was edited, with the pictures that were drawn and the edited state.
        edits: as they were written.
        confidence: float32 [T], mean over the picture of how sure each pixel is.
        sure: share of pixels that are sure (probability SURE or more).
        changed: share of pixels that are not as recorded.
        about: what of the origin decides the clip.
    """

    episode: Episode
    edits: tuple[str, ...]
    confidence: np.ndarray
    sure: float
    changed: float
    about: list[object] = field(default_factory=list)
    outcome: ClassVar[str] = "cut"

    @property
    def name(self) -> str:
        return self.episode.name

    @property
    def level(self) -> str:
        return self.episode.level

    @property
    def fps(self) -> float | None:
        return self.episode.fps

    @property
    def size(self) -> int:
        return len(self.episode.frames)

    def signature(self, content: bool = False) -> list[list[object]]:
        return [["augment", *self.about, list(self.edits)]]

    def frames(
        self, report: Report | None = None, notes: dict[str, int] | None = None, known: Container[int] = ()
    ) -> Iterator[SourceFrame]:
        e = self.episode
        assert e.state is not None
        for t, number in enumerate(e.frame_numbers.tolist()):
            action = None if e.actions is None else int(e.actions[t])
            yield SourceFrame(number, AT_HAND if number in known else e.frames[t], e.palette, e.state[t], action)


def draw(
    restorer: FootageRestorer, episode: Episode, edits: Sequence[Edit], random: np.random.Generator, name: str = ""
) -> Drawn:
    """Edit an episode's state, in the order of the edits, and draw all of its pictures anew.

    Args:
        restorer: of the episode's game; of the recorded pictures it sees nothing.
        name: of the new clip; "" = the episode's.
    Raises:
        DataError: the episode has no state, or no palette.
    """
    if episode.state is None or episode.palette is None:
        raise DataError(f"{episode.name}: has no state that could be edited, or pictures in true colour")
    state = episode.state
    for edit in edits:
        state = edit.apply(state, random)
    game, count = restorer.game, len(state)
    context = game.context(state, episode.frame_numbers) if game.context_size else None
    frames, rated = np.zeros_like(episode.frames), np.zeros(count, np.float32)
    sure = 0
    for start in range(0, count, AT_ONCE):
        part = slice(start, start + AT_ONCE)
        blank = np.zeros_like(episode.frames[part])
        made = restorer.restore(
            blank, np.ones(blank.shape, bool), episode.palette, state[part], None if context is None else context[part],
            episode.corner, frame_numbers=episode.frame_numbers[part],
        )  # fmt: skip
        assert made.indices is not None
        frames[part] = made.indices
        if made.confidence is not None:
            rated[part] = made.confidence.mean((1, 2))
            sure += int((made.confidence >= SURE).sum())
    drawn = Episode(
        name=name or episode.name, game=episode.game, frames=frames, palette=episode.palette, state=state,
        context=context, actions=episode.actions, frame_numbers=episode.frame_numbers, level=episode.level,
        fps=episode.fps, corner=episode.corner,
    )  # fmt: skip
    changed = float((frames != episode.frames).mean())
    return Drawn(drawn, tuple(edit.text for edit in edits), rated, sure / frames.size, changed)
