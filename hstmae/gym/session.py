"""Recording whoever plays: a wrapper that leaves the environment as it is and puts down what it says."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from ..errors import UsageError
from . import looking
from .looking import Memory, Picture
from .many import RecordMany
from .recorder import Recorder, closed


class RecordSession:
    """Record an agent: all that an environment says, into a `.hst` file, while it is played as if nothing were there.

    ```python
    env = RecordSession(gymnasium.make("ALE/Breakout-v5", render_mode="rgb_array"), "breakout.hst")
    observation, info = env.reset(seed=0)
    ...  # env.step(action), as ever
    env.close()
    ```

    Gives a `gymnasium.Wrapper`, or a `gymnasium.vector.VectorWrapper` around many environments at once, whose episodes
    lie side by side in the file. Each reset begins an episode. The first frame of an episode is the picture after the
    reset; each step gives one more, with the action that led to it. `HstReader(path).steps(k)` has what is no picture:
    action, reward, terminated, truncated, first, observation and info.

    What is coded is coded in another process; the environment waits well under a millisecond a step for it. `close`
    (or leaving a `with` block) waits for the rest. A program that fails or is killed leaves a complete file of all
    steps before that.

    Args:
        env: to be recorded.
        out: the `.hst` file.
        picture: "auto": the observation where it is a picture, else what `render` gives; "observation"; "render"; or a
            function of environment and observation -> uint8 [H, W] or [H, W, 3].
        state: "auto": the memory of an Atari console; None = none; or a function of the environment -> uint8 [S].
        info: names of the numbers in `info` to be kept. Where one is missing it is 0; values of another shape than the
            first ones are a column of their own, "info.NAME [2, 3]".
        game: whose memory `state` is; "generic" = unknown.
        fps: pictures a second; None = what the environment says.
        name: of the episodes; None = the environment's.
        overwrite: a file of this name may be replaced.
    Raises:
        UsageError: `out` may not be written, or is no `.hst`.
        DataError: while playing: a picture or number that cannot be kept. The environment goes on as before if that is
            caught.
    """

    def __new__(  # type: ignore[misc]
        cls, env: Any, out: str | Path, *, picture: str | Picture = "auto", state: str | Memory | None = "auto",
        info: Sequence[str] = (), game: str = "generic", fps: float | None = None, name: str | None = None,
        overwrite: bool = False,
    ) -> Any:  # fmt: skip
        if picture not in ("auto", "observation", "render") and not callable(picture):
            raise UsageError(f"picture={picture!r}: expected auto, observation, render or a function")
        many = isinstance(env, gymnasium.vector.VectorEnv)
        space = env.single_action_space if many else env.action_space
        recorder = Recorder(env, out, game, fps, name or "", info, overwrite, space, env.num_envs if many else 1)
        if many:
            return RecordMany(env, recorder, picture, state)
        return _RecordOne(env, recorder, picture, state)


class _RecordOne(gymnasium.Wrapper[Any, Any, Any, Any]):
    def __init__(self, env: Any, recorder: Recorder, picture: str | Picture, state: str | Memory | None) -> None:
        super().__init__(env)
        self._recorder, self._picture, self._state = recorder, picture, state
        self._last = weakref.finalize(self, closed, recorder)  # a program that fails leaves a whole file

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**options)
        more = self._recorder.columns_of(observation, info)
        self._recorder.first(0, self._shown(observation), self._memory(), more)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        given = np.array(action) if isinstance(action, np.ndarray) else action  # which a step may change
        observation, reward, terminated, truncated, info = self.env.step(action)
        shown, memory = self._shown(observation), self._memory()
        more = self._recorder.columns_of(observation, info)
        self._recorder.step(0, shown, memory, given, reward, terminated, truncated, info, more)
        return observation, reward, terminated, truncated, info

    def _shown(self, observation: Any) -> np.ndarray:
        name = self._recorder.name
        if callable(self._picture):
            return looking.as_picture(self._picture(self.env, observation), name)
        if self._picture == "observation" or (self._picture == "auto" and looking.is_picture(observation)):
            return looking.as_picture(observation, name)
        return looking.as_picture(self.env.render(), name)

    def _memory(self) -> np.ndarray | None:
        if self._state is None:
            return None
        if callable(self._state):
            return looking.as_memory(self._state(self.env), self._recorder.name)
        return looking.console_memory(self.env)

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._last.detach()
            self._recorder.close()

    def __exit__(self, *error: Any) -> None:
        self.close()

    def __enter__(self) -> _RecordOne:
        return self
