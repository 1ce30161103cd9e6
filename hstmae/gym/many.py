"""Recording many environments that are played at once."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from ..errors import DataError, UsageError
from . import looking
from .looking import Memory, Picture
from .recorder import Recorder, closed


class RecordMany(gymnasium.vector.VectorWrapper):
    """See RecordSession. Whichever way the environments begin anew by themselves, each episode is one of its own."""

    def __init__(self, env: Any, recorder: Recorder, picture: str | Picture, state: str | Memory | None) -> None:
        super().__init__(env)
        if callable(state):
            raise UsageError("the memory of many environments at once is not theirs to read: put it into their info")
        self._recorder, self._picture = recorder, picture
        mode = getattr((env.metadata or {}).get("autoreset_mode"), "name", "NEXT_STEP")  # Gymnasium 1.0 has no other
        self._at_once, self._next = mode == "SAME_STEP", mode == "NEXT_STEP"
        self._over = np.zeros(env.num_envs, bool)
        self._before: list[np.ndarray] = []  # the last pictures
        self._last = weakref.finalize(self, closed, recorder)

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        observations, infos = self.env.reset(**options)
        chosen = (options.get("options") or {}).get("reset_mask")
        pictures = self._shown(observations)
        for lane in range(self.num_envs) if chosen is None else np.flatnonzero(chosen).tolist():
            more = self._recorder.columns_of(_of(observations, lane), _info(infos, lane))
            self._recorder.first(lane, pictures[lane], None, more)
            self._over[lane] = False
        self._before = pictures
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        given = np.array(actions)
        observations, rewards, terminated, truncated, infos = self.env.step(actions)
        pictures = self._shown(observations)
        for lane in range(self.num_envs):
            info, over = _info(infos, lane), bool(terminated[lane] or truncated[lane])
            if self._over[lane]:  # this step was its reset
                if self._next:
                    self._recorder.first(
                        lane, pictures[lane], None, self._recorder.columns_of(_of(observations, lane), info)
                    )
                    self._over[lane] = False
                continue
            said = (given[lane], rewards[lane], terminated[lane], truncated[lane])
            if over and self._at_once:
                final, last = _of(infos["final_obs"], lane), _info(infos.get("final_info", {}), lane)
                # Where it is drawn, the picture at the end was never shown: the one before it stands for it.
                shown = (
                    looking.as_picture(final, self._recorder.name) if looking.is_picture(final) else self._before[lane]
                )
                self._recorder.step(lane, shown, None, *said, last, self._recorder.columns_of(final, last))
                more = self._recorder.columns_of(_of(observations, lane), info)
                self._recorder.first(lane, pictures[lane], None, more)
                continue
            more = self._recorder.columns_of(_of(observations, lane), info)
            self._recorder.step(lane, pictures[lane], None, *said, info, more)
            self._over[lane] = over
        self._before = pictures
        return observations, rewards, terminated, truncated, infos

    def _shown(self, observations: Any) -> list[np.ndarray]:
        name = self._recorder.name
        first = _of(observations, 0)
        if callable(self._picture):
            shown: Any = self._picture(self.env, observations)
        elif self._picture == "observation" or (self._picture == "auto" and looking.is_picture(first)):
            shown = observations
        else:
            shown = self.env.render()
        if shown is None or len(shown) != self.num_envs:
            raise DataError(f'{name}: no picture of each environment; make them with render_mode="rgb_array"')
        return [looking.as_picture(one, name) for one in shown]

    def close(self, **options: Any) -> None:
        try:
            super().close(**options)
        finally:
            self._last.detach()
            self._recorder.close()

    def __enter__(self) -> RecordMany:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


def _of(observations: Any, lane: int) -> Any:
    """What one of the environments observes."""
    if isinstance(observations, Mapping):
        return {key: _of(value, lane) for key, value in observations.items()}
    return observations[lane]


def _info(infos: Mapping[str, Any], lane: int) -> dict[str, Any]:
    """The info of one environment, of those names that it has."""
    return {
        key: value[lane] for key, value in infos.items()
        if not key.startswith("_") and f"_{key}" in infos and np.asarray(infos[f"_{key}"])[lane] and _many(value)
    }  # fmt: skip


def _many(value: Any) -> bool:
    return isinstance(value, np.ndarray | list | tuple)
