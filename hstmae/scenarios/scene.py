"""A clip while it is edited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from ..data.episode import Episode
from ..errors import DataError
from ..games import GameSpec, get_game


@dataclass
class Scene:
    """What is edited, and what was done to it.

    Attributes:
        game: of the clip.
        state: uint8 [T, S] as edited so far, `recorded` what it was in the same frames.
        frames, actions, numbers: as in `Episode`; pictures are the recorded ones.
        begin: frames before the clip, from which only the context of its first frame is taken.
        limited: it has not all frames of its episode, and shall have no more than it has.
        mirrored: the clip is mirrored at the end.
        done: the edits with the values that were drawn, JSON values.
        said: what could not be told or done, one sentence each.
        seams: where another recording goes on: JSON values.
    """

    episode: Episode
    game: GameSpec
    state: np.ndarray
    recorded: np.ndarray
    begin: int = 0
    limited: bool = False
    mirrored: bool = False
    done: list[dict[str, Any]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    seams: list[dict[str, Any]] = field(default_factory=list)

    @staticmethod
    def of(episode: Episode, begin: int = 0, limited: bool = False) -> Scene:
        """Raises DataError where the episode has no state, or no palette."""
        if episode.state is None or episode.palette is None:
            raise DataError(f"{episode.name}: has no state that could be edited, or pictures in true colour")
        return Scene(episode, get_game(episode.game), episode.state, episode.state, begin, limited)

    def say(self, sentences: tuple[str, ...] | list[str]) -> None:
        self.said += [sentence for sentence in sentences if sentence not in self.said]

    def breaks(self) -> dict[str, int]:
        """What the edits so far break that was whole in the recording: sentences, and in how many frames."""
        state, recorded = self.state[self.begin :], self.recorded[self.begin :]
        was = self.game.editing.broken(recorded, recorded)
        now = self.game.editing.broken(state, recorded)
        return {sentence: count for sentence, count in now.items() if count > was.get(sentence, 0)}

    def keep(self, rows: np.ndarray, begin: int) -> None:
        """Go on with these frames, int [t], alone."""
        self.episode, self.begin = self.episode.take(rows), begin
        self.state, self.recorded = self.state[rows], self.recorded[rows]

    def with_actions(self, actions: np.ndarray | None) -> None:
        self.episode = replace(self.episode, actions=actions)


class Change(Protocol):
    """One edit of a programme."""

    def apply(self, scene: Scene, random: np.random.Generator, others: Others) -> None:
        """Edit a scene in place. Raises GameError, DataError: it cannot be done at all."""


@dataclass(frozen=True)
class Others:
    """The other recordings that a clip can go on as.

    Attributes:
        names: of all episodes, with the number of frames.
        state: all of an episode's memory, uint8 [T, S].
        read: some frames of it.
    """

    names: dict[str, int]
    state: Callable[[str], np.ndarray]
    read: Callable[[str, range], Episode]
