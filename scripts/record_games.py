"""Records footage of many games into one store of true-colour episodes, to train a model that knows no game by name.

    python scripts/record_games.py --out data/games
    python scripts/record_games.py --out data/test_games --tests --frames 120 --episodes 3

Every Arcade Learning Environment game but those that are kept for tests (TESTS), MiniGrid, VizDoom and Crafter where
they are installed (`pip install gymnasium ale-py minigrid vizdoom crafter`). A random player holds each action for a
few frames; seeds are fixed, so that every machine records the same. Episodes that are in the store already stay.
"""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hstmae.data.sources.base import Report, SourceFrame
from hstmae.data.sources.gymnasium import MAX_HOLD, make_env
from hstmae.data.store.recording import record_into_store

TESTS = ("e", "f", "j", "k")  # Atari games whose names begin so are never trained on
MINIGRID = (
    *("DoorKey-8x8", "FourRooms", "KeyCorridorS4R3", "LavaCrossingS9N2", "MultiRoom-N4-S5", "Dynamic-Obstacles-8x8"),
    *("ObstructedMaze-1Dlhb", "PutNear-8x8-N3"),
)
VIZDOOM = (
    *("Basic", "DeadlyCorridor", "DefendCenter", "DefendLine", "HealthGathering", "MyWayHome", "PredictPosition"),
    "TakeCover",
)
SKIP = 400  # steps between the beginnings of two episodes of a game: title screens are in the first alone

SMALLEST = 144  # side of the crops that training takes


@dataclass(frozen=True)
class Play:
    """Frames of one environment under random play, as a source of a store.

    Attributes:
        env: its name; `make` builds it and has `step`, `reset` and `picture`.
        count: frames; seed: of the environment and the player, which also says how far into play recording begins.
    """

    env: str
    count: int
    seed: int
    fps: float | None
    level: ClassVar[str] = ""
    outcome: ClassVar[str] = "cut"

    @property
    def name(self) -> str:
        return f"{re.sub('[^A-Za-z0-9.-]+', '-', self.env)}_s{self.seed}"

    @property
    def size(self) -> int:
        return self.count

    def signature(self, content: bool = False) -> list[list[object]]:
        return [["games", self.env, self.count, self.seed]]

    def frames(self, report: Report, notes: dict[str, int], known: Container[int] = ()) -> Iterator[SourceFrame]:
        actions, step, picture, reset = player(self.env, self.seed)
        rng = np.random.default_rng(self.seed)
        number, action, left = 0, 0, 0
        for t in range(self.seed * SKIP + self.count):
            if left == 0:
                action, left = int(rng.integers(actions)), int(rng.integers(1, MAX_HOLD + 1))
            left -= 1
            ended = step(action)
            number += 1
            if t >= self.seed * SKIP:
                yield SourceFrame(number, picture().copy(), None, None, action)
            if ended:
                reset()
                number += 1  # no clip crosses the start of a new game


def player(name: str, seed: int) -> tuple[int, Callable[[int], bool], Callable[[], np.ndarray], Callable[[], Any]]:
    """(number of actions, step that tells whether the game ended, the picture, reset) of an environment."""
    if name == "crafter":
        world = importlib.import_module("crafter").Env(size=(160, 160), seed=seed)
        world.reset()
        return world.action_space.n, lambda a: bool(world.step(a)[2]), lambda: world.render((160, 160)), world.reset
    env = make_env(name)
    env.reset(seed=seed)

    def picture() -> np.ndarray:
        shown = np.asarray(env.render())
        every = max(1, min(shown.shape[:2]) // SMALLEST)  # grids drawn large hold nothing more than small ones
        return shown[::every, ::every]

    return int(env.action_space.n), lambda a: any(env.step(a)[2:4]), picture, env.reset


def environments(tests: bool = False) -> list[tuple[str, float]]:
    """(name, frames per second) of all that are recorded: of those to train on, or of those that are kept for tests."""
    import ale_py
    import gymnasium

    gymnasium.register_envs(ale_py)
    atari = [n for n in gymnasium.registry if n.startswith("ALE/") and n.endswith("-v5") and "-ram" not in n]
    found = [(n, 60.0) for n in sorted(atari) if n[4:].lower().startswith(TESTS) == tests]
    if tests:
        return found
    for module, names, fps in (
        ("minigrid", [f"minigrid:MiniGrid-{n}-v0" for n in MINIGRID], 10.0),
        ("vizdoom", [f"vizdoom.gymnasium_wrapper:Vizdoom{n}-v1" for n in VIZDOOM], 35.0),
        ("crafter", ["crafter"], 15.0),
    ):
        try:
            importlib.import_module(module)
        except ImportError:
            print(f"{module} is not installed: left out")
            continue
        found += [(n, fps) for n in names]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="store to write or to continue")
    parser.add_argument("--frames", type=int, default=360, help="frames per episode (360)")
    parser.add_argument("--episodes", type=int, default=2, help="episodes per game (2)")
    parser.add_argument("--tests", action="store_true", help="the games that are kept for tests, and no others")
    args = parser.parse_args()
    for name, fps in environments(args.tests):
        plays = [Play(name, args.frames, seed, fps) for seed in range(args.episodes)]
        try:
            summary = record_into_store(plays, args.out, game="generic", kind="games")
        except Exception as error:  # one game that cannot be played here is no reason to lose the others
            print(f"{name}: left out ({type(error).__name__}: {error})")
            continue
        print(f"{name}: {summary.episodes} episodes, {summary.frames} frames in {summary.store}", flush=True)


if __name__ == "__main__":
    main()
