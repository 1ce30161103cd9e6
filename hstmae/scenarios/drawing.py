"""Edited states drawn as clips, with how sure each pixel is."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from ..atlas.known_pixels import SURE
from ..data.episode import Episode
from ..data.sources.base import AT_HAND, Report, SourceFrame
from ..data.store.told import SCENARIO
from ..inference.footage_restorer import FootageRestorer
from .scene import Scene

Load = Callable[[], FootageRestorer]
AT_ONCE = 64  # frames that are drawn together


@dataclass
class Drawn:
    """A clip of an edited state; a `SourceEpisode` for a store.

    Attributes:
        episode: what was edited, with the pictures that were drawn and the edited state.
        confidence: float32 [T], mean over the picture of how sure each pixel is.
        sure: share of pixels that are sure (probability SURE or more); of recorded pictures all are.
        changed: share of pixels that are not as recorded, before the clip is mirrored.
        breaks: what the edits break that was whole before: sentences, and in how many frames.
        record: what was done, JSON values.
        drawn_by: fingerprint of what drew it; "" = nothing had to be drawn.
        about: what of the origin decides the clip.
    """

    episode: Episode
    confidence: np.ndarray
    sure: float
    changed: float
    breaks: dict[str, int]
    record: dict[str, Any]
    drawn_by: str = ""
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

    @property
    def told(self) -> dict[str, Any]:
        """What a store keeps beside the episode."""
        return {SCENARIO: self.record}

    def signature(self, content: bool = False) -> list[list[object]]:
        return [["augment", *self.about]]

    def frames(
        self, report: Report | None = None, notes: dict[str, int] | None = None, known: Container[int] = ()
    ) -> Iterator[SourceFrame]:
        e = self.episode
        assert e.state is not None
        for t, number in enumerate(e.frame_numbers.tolist()):
            action = None if e.actions is None else int(e.actions[t])
            yield SourceFrame(
                number, AT_HAND if number in known else e.frames[t], e.palette, e.state[t], action, corner=e.corner
            )


def draw(
    restorer: Load, scene: Scene, name: str, record: dict[str, Any], fingerprint: Callable[[], str] | None = None
) -> Drawn:
    """Draw all pictures of an edited scene anew; where nothing of its state was edited, they are the recorded ones.

    Args:
        restorer: gives one of the scene's game, where it is needed; of the recorded pictures it sees nothing.
        name: of the new clip.
        record: what is known of its origin; what was done is added.
        fingerprint: gives the restorer's, which takes its time, where it is known already.
    Raises:
        GameError: the clip shall be mirrored, and its game does not say how.
    """
    begin, episode = scene.begin, scene.episode
    recorded, state = episode.frames[begin:], scene.state[begin:]
    if np.array_equal(scene.state, scene.recorded):
        frames, rated, sure, drawn_by = recorded, np.ones(len(recorded), np.float32), 1.0, ""
    else:
        frames, rated, sure = _drawn(restorer(), scene)
        drawn_by = fingerprint() if fingerprint is not None else restorer().fingerprint()
    changed = float((frames != recorded).mean())
    breaks = scene.breaks()
    if scene.mirrored:
        mirrored = scene.game.editing.mirror(state, frames)
        state, frames = mirrored.state, mirrored.frames
        scene.say(mirrored.said)
    made = replace(
        episode, name=name, frames=frames, state=state, context=None, frame_numbers=episode.frame_numbers[begin:],
        actions=None if episode.actions is None else episode.actions[begin:],
    )  # fmt: skip
    record = record | {"edits": scene.done, "seams": scene.seams, "said": scene.said, "breaks": breaks}
    return Drawn(made, rated, sure, changed, breaks, record | {"sure": sure, "changed": changed}, drawn_by)


def _drawn(restorer: FootageRestorer, scene: Scene) -> tuple[np.ndarray, np.ndarray, float]:
    """Pictures uint8 [T, H, W], how sure each is, and the share of all pixels that are sure."""
    game, begin, episode = scene.game, scene.begin, scene.episode
    numbers, recorded = episode.frame_numbers, episode.frames
    context = game.context(scene.state, numbers) if game.context_size else None
    state = game.editing.elsewhere(scene.state) if _other_look(scene) else scene.state
    frames, rated, sure = np.zeros_like(recorded[begin:]), np.zeros(len(recorded) - begin, np.float32), 0
    for start in range(begin, len(recorded), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        blank = np.zeros_like(recorded[part])
        made = restorer.restore(
            blank, np.ones(blank.shape, bool), episode.palette, state[part],
            None if context is None else context[part], episode.corner, frame_numbers=numbers[part],
        )  # fmt: skip
        assert made.indices is not None
        here = slice(start - begin, start - begin + AT_ONCE)
        frames[here] = made.indices
        if made.confidence is not None:
            rated[here] = made.confidence.mean((1, 2))
            sure += int((made.confidence >= SURE).sum())
    return frames, rated, sure / frames.size


def _other_look(scene: Scene) -> bool:
    """Whether what decides the looks of tiles was edited: a map that was recorded shows the look that it had."""
    game = scene.game
    if not game.looks.tile_globals:
        return False
    one, other = (
        np.asarray(game.decode(state, None).globals)[:, list(game.looks.tile_globals)]
        for state in (scene.state[scene.begin :], scene.recorded[scene.begin :])
    )
    return not np.array_equal(one, other)
