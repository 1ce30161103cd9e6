"""What recording an agent costs: milliseconds of a step with `RecordSession` and without, side by side in one run.

    python benchmarks/recording.py                                   # ALE/Breakout-v5, 3,000 steps
    python benchmarks/recording.py --env ALE/Pong-v5 --think 5       # an agent that takes 5 ms for each action

Plays at random. Steps of both environments take turns, so that both meet the same machine. Processor time is that of
the playing thread alone; what codes runs in a process of its own, on another core where there is one. What was played
is compared with what the file holds.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium
import numpy as np

from hstmae.codec.session.reader import HstReader
from hstmae.gym import RecordSession
from hstmae.output import write_result


def make(name: str) -> Any:
    if name.startswith("ALE/"):
        import ale_py

        gymnasium.register_envs(ale_py)
    return gymnasium.make(name, render_mode="rgb_array")


def timed(env: Any, action: int) -> tuple[float, float, Any]:
    """Milliseconds of the wall clock and of this thread, and what the step gave; a reset behind an episode's end."""
    wall, own = time.perf_counter(), time.thread_time()
    found = env.step(action)
    spent = 1000 * (time.perf_counter() - wall), 1000 * (time.thread_time() - own)
    return *spent, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="ALE/Breakout-v5")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--think", type=float, default=0, metavar="MS", help="what the agent takes for an action")
    parser.add_argument("--json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session.hst"
        plain, recorded = make(args.env), RecordSession(make(args.env), path)
        rng, seen, done = np.random.default_rng(0), [], []
        wall: dict[str, list[float]] = {"plain": [], "recorded": []}
        own: dict[str, list[float]] = {"plain": [], "recorded": []}
        for env in (plain, recorded):
            first = env.reset(seed=0)[0]
        seen.append(first.copy())
        for _ in range(args.steps):
            action = int(rng.integers(plain.action_space.n))
            time.sleep(args.think / 1000)
            for name, env in (("plain", plain), ("recorded", recorded)):
                ms, thread_ms, found = timed(env, action)
                wall[name].append(ms)
                own[name].append(thread_ms)
                if name == "recorded":
                    seen.append(found[0].copy())
                    done.append(action)
                if found[2] or found[3]:
                    again = env.reset()[0]
                    if name == "recorded":
                        seen.append(again.copy())
        began = time.perf_counter()
        recorded.close()
        closing = time.perf_counter() - began
        plain.close()
        with HstReader(path) as reader:
            episodes = range(len(reader.entries))
            frames = [frame for k in episodes for frame in reader.episode(k).frames]
            told = [reader.steps(k) for k in episodes]
            ram = reader.episodes()[0].state
        actions = [
            int(a) for said in told for a, at_first in zip(said["action"], said["first"], strict=True) if not at_first
        ]
        size = os.path.getsize(path)
    mean = {name: sum(values) / len(values) for name, values in wall.items()}
    cpu = {name: sum(values) / len(values) for name, values in own.items()}
    result = {
        "environment": args.env, "steps": args.steps, "picture": list(seen[0].shape), "bytes of memory": ram,
        "ms of a step, plain": round(mean["plain"], 3), "ms of a step, recorded": round(mean["recorded"], 3),
        "overhead, mean ms": round(mean["recorded"] - mean["plain"], 3),
        "overhead, median ms": round(median(wall["recorded"]) - median(wall["plain"]), 3),
        "overhead, processor ms of the playing thread": round(cpu["recorded"] - cpu["plain"], 3),
        "seconds until the file was complete": round(closing, 2), "bytes a frame": round(size / len(frames), 1),
        "frames equal": len(frames) == len(seen) and all(map(np.array_equal, frames, seen)),
        "actions equal": actions == done,
    }  # fmt: skip
    for key, value in result.items():
        print(f"{key:<46} {value}")
    write_result(args.json, result)


if __name__ == "__main__":
    main()
