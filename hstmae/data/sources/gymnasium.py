"""Recording a Gymnasium environment: RGB pictures, the actions taken, and work memory where there is an Atari console.

Picture, memory and action of a frame are those of one step of the environment: the memory is read after the step whose
picture is stored. With the Arcade Learning Environment, a step is one console frame and actions are never repeated.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...errors import DataError, UsageError
from .base import Report, SourceFrame

MAX_HOLD = 12  # frames the random player keeps an action


@dataclass(frozen=True)
class GymEpisode:
    """A `SourceEpisode` that plays while it is read: nothing of it is held in memory.

    A new game starts in place when one ends; the first picture after that is one frame number further on, so that no
    clip crosses it.

    Attributes:
        env: name of the environment, e.g. "ALE/Breakout-v5".
        frames_wanted: how many frames to record.
        seed: of the environment and of the random player.
        actions: action numbers, one per frame, played instead of a random player; None = random.
    """

    env: str
    frames_wanted: int
    seed: int = 0
    actions: tuple[int, ...] | None = None
    level: ClassVar[str] = ""
    outcome: ClassVar[str] = "cut"  # environments do not say who won
    fps: ClassVar[float | None] = None

    @property
    def name(self) -> str:
        how = "random"
        if self.actions is not None:
            how = "m" + hashlib.sha256(repr(self.actions).encode()).hexdigest()[:8]
        return f"{re.sub('[^A-Za-z0-9.-]+', '-', self.env)}_{how}_s{self.seed}_n{self.size}"

    @property
    def size(self) -> int:
        return self.frames_wanted if self.actions is None else min(self.frames_wanted, len(self.actions))

    def signature(self, content: bool = False) -> list[list[object]]:
        """The wish, not the pictures: the same wish is not played twice into one store."""
        return [["gymnasium", self.env, self.size, self.seed, list(self.actions or ())]]

    def frames(self, report: Report | None = None, notes: dict[str, int] | None = None) -> Iterator[SourceFrame]:
        """Play. Raises UsageError or DataError where the environment cannot be made, shown or played."""
        with closing(make_env(self.env)) as env:
            from gymnasium.error import Error

            try:
                yield from self._play(env, _console(env))
            except Error as error:  # e.g. a drawing library is missing
                raise DataError(f"{self.env} cannot be played: {error}") from None

    def _play(self, env: Any, console: Any) -> Iterator[SourceFrame]:
        env.reset(seed=self.seed)
        count = int(env.action_space.n)
        rng = np.random.default_rng(self.seed)
        number, action, left = 0, 0, 0
        for t in range(self.size):
            if self.actions is not None:
                action = self.actions[t]
                if action >= count:
                    raise DataError(f"{self.env} has actions 0 to {count - 1}; the movie's frame {t} has {action}")
            elif left == 0:
                action, left = int(rng.integers(count)), int(rng.integers(1, MAX_HOLD + 1))
            left -= 1
            ended = env.step(action)[2:4]
            number += 1
            picture = np.asarray(env.render())
            if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
                raise DataError(f"{self.env}: its picture is {picture.dtype} {list(picture.shape)}, expected RGB")
            memory = None if console is None else np.array(console.getRAM(), np.uint8)
            yield SourceFrame(number, picture.copy(), None, memory, action)
            if any(ended):
                env.reset()
                number += 1


def make_env(name: str) -> Any:
    """An environment that can be recorded.

    Raises:
        DataError: Gymnasium is not installed (`pip install 'hstmae[record]'`), or the environment cannot be drawn.
        UsageError: there is no such environment, or its actions are not numbered.
    """
    try:
        import gymnasium
    except ImportError:
        raise DataError("recording an environment needs Gymnasium: pip install 'hstmae[record]'") from None
    options: dict[str, Any] = {}
    if name.startswith("ALE/"):
        try:
            import ale_py
        except ImportError:
            raise DataError(f"{name} needs ale-py: pip install 'hstmae[record]'") from None
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        gymnasium.register_envs(ale_py)
        options = {"frameskip": 1, "repeat_action_probability": 0.0}
    try:
        env = gymnasium.make(name, render_mode="rgb_array", **options)
    except (gymnasium.error.Error, ImportError, ValueError) as error:  # the latter two for "module:name"
        raise UsageError(f"no environment {name!r} that can be drawn: {error}") from None
    if not isinstance(env.action_space, gymnasium.spaces.Discrete) or env.action_space.start != 0:
        env.close()
        raise UsageError(f"{name}: only environments with numbered (discrete) actions can be recorded")
    if env.action_space.n > 256:
        env.close()
        raise UsageError(f"{name}: {env.action_space.n} actions; at most 256 can be recorded")
    return env


def has_memory(name: str) -> bool:
    """Whether an environment runs on an Atari console, whose memory can be read. Raises as `make_env` does."""
    with closing(make_env(name)) as env:
        return _console(env) is not None


def _console(env: Any) -> Any:
    return getattr(env.unwrapped, "ale", None)
