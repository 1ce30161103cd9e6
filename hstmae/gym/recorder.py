"""What a recording of an agent holds, for one environment or many: steps put down as they come, and who codes them."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from ..codec.session.writer import PART
from ..data.sources.gymnasium import MAX_RATE, rate_of
from ..errors import DataError, UsageError
from ..games import get_game
from ..output import Kind, check_output
from . import looking
from .spool import SpoolWriter, Step

STEPS = ".steps"  # ending of the file of what is not coded yet
_RATE = 30.0  # pictures a second, where the environment says nothing


class Recorder:
    """What one recording holds, for one environment or many.

    Args: as of `RecordSession`; lanes: how many environments.
    """

    def __init__(
        self, env: Any, out: str | Path, game: str, fps: float | None, name: str, info: Sequence[str],
        overwrite: bool, space: gymnasium.Space[Any], lanes: int,
    ) -> None:  # fmt: skip
        self.path, self.info, self.lanes = Path(out), tuple(info), lanes
        if self.path.suffix.lower() != ".hst":
            raise UsageError(f"{self.path}: a recording is a .hst file; name one")
        if fps is not None and not 0 < fps <= MAX_RATE:
            raise UsageError(f"fps={fps}: expected a number above 0, at most {MAX_RATE:g}")
        check_output(self.path, Kind.FILE, overwrite)
        self.spool = self.path.with_name(self.path.name + STEPS)
        check_output(self.path.with_name(self.path.name + PART), Kind.FILE)
        if self.spool.exists():
            raise UsageError(
                f"{self.spool} is there already: what an interrupted recording left. "
                f"`hstmae recover {self.spool} OUT.hst` makes a file of it; or remove it"
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        identity = env.spec.id if getattr(env, "spec", None) is not None else type(env.unwrapped).__name__
        self.name = re.sub("[^A-Za-z0-9.-]+", "-", name or identity)
        numbered = isinstance(space, gymnasium.spaces.Discrete) and space.start >= 0 and space.start + space.n <= 256
        about = {"game": get_game(game).name, "fps": fps or rate_of(env) or _RATE, "source": identity}
        self._action = looking.as_column(deepcopy(space).sample(), "an action", self.name) * 0  # before the first step
        self._writer = SpoolWriter(self.spool, {**about, "numbered": bool(numbered)})
        self._episodes = 0
        self._open: dict[int, str] = {}  # environments within an episode, and how it would end now
        words = [sys.executable, "-m", "hstmae.gym.coding", str(self.spool), str(self.path)]
        nice = {"start_new_session": True} if os.name != "nt" else {}  # Ctrl-C is for the agent
        words += ["overwrite"] if overwrite else []
        self._process = os.getpid()
        self._coder = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **nice)  # type: ignore[call-overload]

    def first(self, lane: int, picture: np.ndarray, state: np.ndarray | None, more: dict[str, np.ndarray]) -> None:
        """The picture after a reset."""
        self.end(lane)
        mark = f"_env{lane}" if self.lanes > 1 else ""
        self._writer.begin(lane, f"{self.name}{mark}_{self._episodes:05d}")
        self._episodes += 1
        self._open[lane] = "cut"
        self._put(lane, picture, state, self._action, 0.0, False, False, True, more)

    def step(
        self, lane: int, picture: np.ndarray, state: np.ndarray | None, action: Any, reward: Any, terminated: Any,
        truncated: Any, info: Mapping[str, Any], more: dict[str, np.ndarray],
    ) -> None:  # fmt: skip
        if lane not in self._open:
            raise UsageError(f"{self.name}: a step before the first reset, or behind an episode's end: reset it")
        self._put(lane, picture, state, action, reward, terminated, truncated, False, more)
        self._open[lane] = looking.success_of(info)
        if terminated or truncated:
            self.end(lane)

    def _put(
        self, lane: int, picture: np.ndarray, state: np.ndarray | None, action: Any, reward: Any, terminated: Any,
        truncated: Any, first: bool, more: dict[str, np.ndarray],
    ) -> None:  # fmt: skip
        given = looking.as_column(action, "an action", self.name)
        if given.dtype.kind == self._action.dtype.kind:  # a list of Python's numbers is wider than what the space says
            given = given.astype(self._action.dtype)
        columns = {"action": given, "reward": np.array(reward, np.float64)}
        columns |= {"terminated": np.array(bool(terminated)), "truncated": np.array(bool(truncated))}
        columns |= {"first": np.array(first), **more}
        self._writer.frame(lane, Step(picture, state, columns))

    def columns_of(self, observation: Any, info: Mapping[str, Any]) -> dict[str, np.ndarray]:
        found = looking.observation_of(observation)
        for key in self.info:
            if key in info:
                found[f"info.{key}"] = looking.as_column(info[key], f"info[{key!r}]", self.name)
        return found

    def end(self, lane: int) -> None:
        if lane in self._open:
            self._writer.end(lane, self._open.pop(lane))

    def close(self) -> None:
        """Wait until all is coded. Raises DataError where that failed: the steps are kept."""
        if self._coder.returncode is not None or os.getpid() != self._process:  # one that was forked ends without it
            return
        for lane in list(self._open):
            self.end(lane)
        self._writer.close()
        _, told = self._coder.communicate()
        if self._coder.wait() == 0:
            return
        if not self._episodes:
            self.spool.unlink(missing_ok=True)
            return  # nothing was played, and nothing is missing
        told = told.strip().splitlines()[-1] if told.strip() else f"ended with {self._coder.wait()}"
        raise DataError(f"{self.path}: not written: {told}. All steps are in {self.spool}: once that is mended, "
                        f"`hstmae recover {self.spool} {self.path}`")  # fmt: skip


def closed(recorder: Recorder) -> None:
    with contextlib.suppress(DataError):
        recorder.close()
