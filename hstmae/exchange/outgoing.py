"""Episodes on their way out: pictures in RGB, and named numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from ..codec.jobs.inputs import Found
from ..data.sources.base import Problem, SourceEpisode, SourceFrame
from ..data.sources.settling import settled
from ..errors import DataError
from ..games import get_game
from ..games.spec import GameSpec
from .columns import Column, unpack_rows

STATE, ACTION, NUMBER = "observation.state", "action", "hst.frame_number"
DONE, SUCCESS = "next.done", "next.success"
_AT_ONCE = 64  # frames


@dataclass(frozen=True)
class Rows:
    """Some frames of an episode: rgb uint8 [T, H, W, 3], and by column its values [T, *shape]."""

    rgb: np.ndarray
    values: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.rgb)


@dataclass
class Outgoing:
    """The episodes of an input, all alike in what a frame has.

    Attributes:
        episodes: in their order.
        columns: of every frame, besides its picture.
        size: height and width of the pictures.
        fps: frames a second.
        palette: uint8 [K, 3] of the first episode, None for true colour.
        about: JSON values that the input said of its columns (e.g. the texts of tasks).
        problems: what was odd while frames were read.
    """

    episodes: Sequence[SourceEpisode]
    columns: tuple[Column, ...]
    size: tuple[int, int]
    fps: float
    palette: np.ndarray | None
    about: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)
    _inner: tuple[Column, ...] = ()
    _state: int = 0  # bytes

    def game(self, episode: SourceEpisode) -> str:
        return str(getattr(episode, "game", "") or self.about.get("game", ""))

    def rows(self, episode: SourceEpisode, progress: Callable[[int], object] | None = None) -> Iterator[Rows]:
        """The frames of an episode, some at a time.

        Raises:
            DataError: its frames are not like those of the first episode, or cannot be read.
        """
        frames = (frame for frame in episode.frames(self.problems.append, {}) if not frame.alone)
        ahead, position = list(islice(frames, 1)), 0
        if not ahead:
            raise DataError(f"{episode.name}: has no frame that can be used; leave it out with --episodes")
        held: list[SourceFrame] = []
        while ahead:
            held, ahead = ahead, list(islice(frames, _AT_ONCE))
            yield self._packed(episode, held, position, last=not ahead)
            position += len(held)
            if progress is not None:
                progress(len(held))

    def _packed(self, episode: SourceEpisode, frames: Sequence[SourceFrame], first: int, last: bool) -> Rows:
        palettes = [frame.palette for frame in frames]
        pictures = [f.pixels if p is None else p[f.pixels] for f, p in zip(frames, palettes, strict=True)]
        if any(picture.shape[:2] != self.size for picture in pictures):
            shape = next(picture.shape for picture in pictures if picture.shape[:2] != self.size)
            raise DataError(
                f"{episode.name}: its pictures are {shape[1]}x{shape[0]}, those of {self.episodes[0].name} "
                f"{self.size[1]}x{self.size[0]}: this format has one size; choose with --episodes, or give --resize"
            )
        values: dict[str, np.ndarray] = {}
        if self._state:
            states = [frame.state for frame in frames]
            if any(state is None or len(state) != self._state for state in states):
                raise DataError(
                    f"{episode.name}: has no state of {self._state} bytes, as {self.episodes[0].name} has: choose with "
                    "--episodes, or give --no-state"
                )
            stacked = np.stack([state for state in states if state is not None])
            values |= unpack_rows(self._inner, stacked) if self._inner else {STATE: stacked}
        names = {column.name for column in self.columns}
        if ACTION in names and ACTION not in values:
            actions = [frame.action for frame in frames]
            if any(action is None for action in actions):
                raise DataError(
                    f"{episode.name}: has no actions, as {self.episodes[0].name} has; choose with --episodes"
                )
            values[ACTION] = _as_bits(np.array(actions, np.uint8), get_game(self.game(episode)).buttons)
        if NUMBER in names and NUMBER not in values:
            values[NUMBER] = np.array([frame.number for frame in frames], np.int64)
        if DONE in names and DONE not in values:
            values[DONE] = np.zeros(len(frames), bool)
            values[DONE][-1] = last
        if SUCCESS in names and SUCCESS not in values:
            values[SUCCESS] = np.zeros(len(frames), bool)
            values[SUCCESS][-1] = last and episode.outcome == "win"
        return Rows(np.stack(pictures), values)


def _as_bits(actions: np.ndarray, buttons: Sequence[str]) -> np.ndarray:
    """float32 [T, 8], one number 0 or 1 a button, where a game names its buttons; else the numbers, int64 [T]."""
    return np.unpackbits(actions[:, None], axis=1).astype(np.float32) if buttons else actions.astype(np.int64)


def outgoing(found: Found, with_state: bool = True) -> Outgoing:
    """What an input has to give.

    Raises:
        DataError: its first episode cannot be read, or its episodes are of several games or rates.
    """
    episodes = settled(found.episodes)
    first = episodes[0]
    frames = first.frames(lambda problem: None, {})
    frame = next((frame for frame in frames if not frame.alone), None)
    if frame is None:
        raise DataError(f"{first.name}: has no frame that can be used; leave it out with --episodes")
    about = dict(found.columns)
    about.setdefault("game", found.game or str(getattr(first, "game", "")))
    game = get_game(about["game"])
    rates = sorted({float(game.fps if e.fps is None else e.fps) for e in episodes})
    if len(rates) > 1:
        raise DataError(f"episodes have {rates[0]:g} and {rates[-1]:g} frames a second, and this format one rate; "
                        "choose with --episodes")  # fmt: skip
    games = sorted({str(getattr(e, "game", about["game"])) for e in episodes})
    if len(games) > 1:
        raise DataError(f"episodes are of {', '.join(games)}, which have other numbers; choose with --episodes")
    state = len(frame.state) if with_state and frame.state is not None else 0
    inner = tuple(Column.from_json(value) for value in about.get("state", ())) if state else ()
    columns = [*inner] if inner or not state else [Column(STATE, "uint8", (state,), _state_names(game))]
    names = {column.name for column in columns}
    if frame.action is not None and ACTION not in names:
        columns.append(_action(game))
    if not about.get("foreign"):
        columns += [Column(NUMBER, "int64", ()), Column(DONE, "bool", ()), Column(SUCCESS, "bool", ())]
    elif "numbers" in about:
        columns.append(Column(NUMBER, "int64", ()))
    height, width = frame.pixels.shape[:2]
    return Outgoing(
        episodes, tuple(columns), (height, width), rates[0], frame.palette, about, _inner=inner, _state=state
    )


def _action(game: GameSpec) -> Column:
    return Column(ACTION, "float32", (8,), list(game.buttons)) if game.buttons else Column(ACTION, "int64", ())


def _state_names(game: GameSpec) -> list[str] | None:
    """Of the bytes of a game's memory, as far as they are documented."""
    if not game.fields:
        return None
    names = [f"byte_{k}" for k in range(game.state_size)]
    for known in game.fields:
        for k in range(known.count):
            names[known.address + k] = known.name if known.count == 1 else f"{known.name}_{k}"
    return names
