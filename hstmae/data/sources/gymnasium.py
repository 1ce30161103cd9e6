"""Recording a Gymnasium environment: RGB pictures, the actions taken, and work memory where there is an Atari console.

Picture, memory and action of a frame are those of one step of the environment: the memory is read after the step whose
picture is stored. With the Arcade Learning Environment, a step is one console frame and actions are never repeated.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Container, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ...errors import DataError, UsageError
from ...games import atari, atari_games
from ...games.atari_games import NTSC
from .base import AT_HAND, Problem, Report, SourceFrame

MAX_HOLD = 12  # frames the random player keeps an action
CONSOLE_RATE = 60.0  # console frames a second; what the Arcade Learning Environment states does not follow its steps
MAX_RATE = 1000.0
LOOKED_AT = 60  # frames after which the colours of a console are compared: many games begin with a black picture


@dataclass
class GymEpisode:
    """A `SourceEpisode` that plays while it is read: nothing of it is held in memory.

    A new game starts in place when one ends; the first picture after that is one frame number further on, so that no
    clip crosses it. Where the environment fails, or its picture changes its size, the episode ends; a remark says so.

    Attributes:
        env: name of the environment, e.g. "ALE/Breakout-v5".
        frames_wanted: how many frames to record.
        seed: of the environment and of the random player.
        actions: action numbers, one per frame, played instead of a random player; None = random.
        indexed: an Atari console's own colours as palette entries, see `hstmae.games.atari_games`; else RGB.
        fps: what the environment states, known once it plays; see `rate_of`.
    """

    env: str
    frames_wanted: int
    seed: int = 0
    actions: tuple[int, ...] | None = None
    indexed: bool = False
    level: ClassVar[str] = ""
    outcome: ClassVar[str] = "cut"  # environments do not say who won
    fps: float | None = field(default=None, init=False)

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
        return [["gymnasium", self.env, self.size, self.seed, list(self.actions or ()), *["indexed"] * self.indexed]]

    def frames(
        self, report: Report | None = None, notes: dict[str, int] | None = None, known: Container[int] = ()
    ) -> Iterator[SourceFrame]:
        """Play; `known` frames are played and not drawn.

        Raises UsageError or DataError where the environment cannot be made, shown or played.
        """
        with closing(make_env(self.env)) as env:
            from gymnasium.error import Error

            self.fps, done = rate_of(env), 0
            try:
                for frame in self._play(env, _console(env), known):
                    yield frame
                    done += 1
            except (Error, _Broken) as error:  # the first e.g. where a drawing library is missing
                if not done or report is None:
                    raise DataError(f"{self.env} cannot be played: {error}") from None
                report(Problem(self.name, "", f"ends after {done} of {self.size} frames: {error}", left_out=False))

    def _play(self, env: Any, console: Any, known: Container[int]) -> Iterator[SourceFrame]:
        """Raises _Broken where the environment does."""
        with _own_program("reset"):
            env.reset(seed=self.seed)
        count = int(env.action_space.n)
        rng = np.random.default_rng(self.seed)
        number, action, left, size = 0, 0, 0, None
        for t in range(self.size):
            if self.actions is not None:
                action = self.actions[t]
                if action >= count:
                    raise DataError(f"{self.env} has actions 0 to {count - 1}; the movie's frame {t} has {action}")
            elif left == 0:
                action, left = int(rng.integers(count)), int(rng.integers(1, MAX_HOLD + 1))
            left -= 1
            with _own_program(f"step {t + 1}"):
                ended = env.step(action)[2:4]
                number += 1
                picture = AT_HAND if number in known else self._shown(env, console)
            if picture is not AT_HAND:
                size = self._checked(picture, size)
                picture = picture.copy()
            memory = None if console is None else np.array(console.getRAM(), np.uint8)
            yield SourceFrame(number, picture, NTSC if self.indexed else None, memory, action)
            if any(ended):
                with _own_program(f"reset after step {t + 1}"):
                    env.reset()
                number += 1

    def _shown(self, env: Any, console: Any) -> np.ndarray:
        return np.asarray(console.getScreen()) >> 1 if self.indexed else np.asarray(env.render())

    def _checked(self, picture: np.ndarray, size: tuple[int, ...] | None) -> tuple[int, ...]:
        """The size of a picture, which is that of those before it. Raises DataError or _Broken where it is not."""
        if picture.dtype != np.uint8 or (not self.indexed and (picture.ndim != 3 or picture.shape[2] != 3)):
            raise DataError(f"{self.env}: its picture is {picture.dtype} {list(picture.shape)}, expected RGB")
        size = size or picture.shape
        if picture.shape != size:
            raise _Broken(f"its picture became {picture.shape[1]}x{picture.shape[0]}, it was {size[1]}x{size[0]}")
        return size


class _Broken(Exception):
    """The environment has failed, or shows what cannot go into the same episode."""


@contextmanager
def _own_program(what: str) -> Iterator[None]:
    """Around what an environment does, which is somebody's program: anything may be raised."""
    try:
        yield
    except Exception as error:
        raise _Broken(f"its {what} failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}") from error


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


def describe_env(name: str) -> tuple[str, float | None]:
    """The game of an environment: a description of an Atari console, "generic" for anything else; and its rate, see
    `rate_of`. Games of consoles with other colours than NTSC ones are in true colour.

    Raises as `make_env` does, and DataError where it cannot be begun.
    """
    with closing(make_env(name)) as env:
        console, rate = _console(env), rate_of(env)
        if console is None:
            return "generic", rate
        try:
            with _own_program("beginning"):
                env.reset(seed=0)
                for _ in range(LOOKED_AT):
                    env.step(0)
                same = np.array_equal(NTSC[np.asarray(console.getScreen()) >> 1], env.render())
        except _Broken as error:
            raise DataError(f"{name} cannot be played: {error}") from None
        return (atari_games.game_of if same else atari.game_of)(name), rate


def rate_of(env: Any) -> float | None:
    """Pictures a second: those of the console by its frame skip, else what `metadata["render_fps"]` states.

    None where neither says: no number, or none above 0 and at most MAX_RATE.
    """
    skip = getattr(env.unwrapped, "_frameskip", None)
    if _console(env) is not None and isinstance(skip, int) and skip > 0:
        return CONSOLE_RATE / skip
    stated = (env.metadata or {}).get("render_fps")
    if isinstance(stated, bool) or not isinstance(stated, int | float | np.number):
        return None
    rate = float(stated)
    return rate if math.isfinite(rate) and 0 < rate <= MAX_RATE else None


def _console(env: Any) -> Any:
    return getattr(env.unwrapped, "ale", None)
