"""Recording agents: what was seen, done and said comes back, whatever the environment and however the program ends."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("gymnasium", reason='the extra "record" is needed')

import gymnasium
from dot_env import Dot, frames_of, said_of

from hstmae import cli
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.verifying import verify_file
from hstmae.errors import DataError, UsageError
from hstmae.gym import RecordSession
from hstmae.gym.coding import code


@pytest.fixture
def coded_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What codes is no process of its own, which takes a second to start: the same function when all is there."""

    class Here:
        returncode: int | None = None

        def __init__(self, words: list[str], **_: object) -> None:
            at = words.index("hstmae.gym.coding")
            self.paths = [Path(word) for word in words[at + 1 : at + 3]]

        def communicate(self) -> tuple[str, str]:
            self.returncode = 0
            code(*self.paths)
            return "", ""

        def wait(self) -> int:
            return 0

    monkeypatch.setattr("hstmae.gym.recorder.subprocess.Popen", Here)


SPACES = {
    "numbers": gymnasium.spaces.Discrete(4),
    "many": gymnasium.spaces.Discrete(1000),
    "box": gymnasium.spaces.Box(-1, 1, (3,), np.float32),
    "switches": gymnasium.spaces.MultiBinary(3),
    "several": gymnasium.spaces.MultiDiscrete([3, 5]),
}


@pytest.mark.usefixtures("coded_here")
@pytest.mark.parametrize(
    ("space", "image"),
    [("numbers", True), ("numbers", False), ("many", False), ("box", True), ("switches", False), ("several", True)],
)
def test_what_was_seen_done_and_said_comes_back(image: bool, space: str, tmp_path: Path) -> None:
    env = RecordSession(
        Dot(image, SPACES[space], render_mode="rgb_array"),
        tmp_path / "a.hst",
        info=["lives"],
        state=lambda env: np.array([env.unwrapped.at, 7], np.uint8),
    )
    env.action_space.seed(1)
    seen, done, ends = [], [], []
    for episode in range(3):
        observation, _ = env.reset(seed=episode)
        seen.append([(env.unwrapped.render(), observation, 0.0, 3)])
        done.append([])
        over = False
        while not over:
            action = env.action_space.sample()
            observation, reward, over, _, info = env.step(action)
            seen[-1].append((env.unwrapped.render(), observation, reward, info["lives"]))
            done[-1].append(action)
        ends.append("win" if info["is_success"] else "fail")
    env.close()
    env.close()  # twice is once
    assert [path.name for path in tmp_path.iterdir()] == ["a.hst"] and not verify_file(tmp_path / "a.hst").problems
    with HstReader(tmp_path / "a.hst") as reader:
        for k, (pictures, actions, outcome) in enumerate(zip(seen, done, ends, strict=True)):
            episode, said = reader.episode(k), reader.steps(k)
            assert np.array_equal(episode.frames, [one[0] for one in pictures]) and episode.fps == 25
            assert episode.outcome == outcome and episode.state is not None and (episode.state[:, 1] == 7).all()
            assert said["reward"].tolist() == [one[2] for one in pictures]
            assert said["info.lives"].tolist() == [one[3] for one in pictures]
            assert said["first"].tolist() == [True] + [False] * 5 and said["terminated"].tolist() == [False] * 5 + [
                True
            ]
            assert np.array_equal(said["action"][1:], actions) and said["action"].dtype == np.asarray(actions[0]).dtype
            assert (episode.actions is not None) == (space == "numbers")
            if not image:
                assert np.array_equal(said["observation"], [one[1] for one in pictures])


@pytest.mark.usefixtures("coded_here")
@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP"])
@pytest.mark.parametrize("image", [True, False])
def test_many_environments_at_once(mode: str, image: bool, tmp_path: Path) -> None:
    def make(length: int) -> Any:
        return lambda: Dot(image, length=length, render_mode="rgb_array")

    how = {"autoreset_mode": gymnasium.vector.AutoresetMode[mode]}
    many = gymnasium.vector.SyncVectorEnv([make(n) for n in (3, 5)], **how)
    alone = [make(n)() for n in (3, 5)]
    expected: list[list[np.ndarray]] = []
    with RecordSession(many, tmp_path / "m.hst", info=["lives"]) as env:
        env.reset(seed=3)
        for k, one in enumerate(alone):
            one.reset(seed=3 + k)
        now = [[one.render()] for one in alone]
        expected += now
        over = [False, False]
        for t in range(9):
            actions = np.array([t % 4, (t + 1) % 4])
            env.step(actions)
            for k, one in enumerate(alone):
                begins = over[k] and mode == "NEXT_STEP"
                if not begins:
                    over[k] = bool(one.step(int(actions[k]))[2])
                    now[k].append(one.render())
                if begins or (over[k] and mode == "SAME_STEP"):
                    one.reset()
                    over[k] = False
                    now[k] = [one.render()]
                    expected.append(now[k])
    found = frames_of(tmp_path / "m.hst")
    assert len(found) == len(expected)
    if image or mode == "NEXT_STEP":  # else the last picture of an episode was never shown
        assert all(any(np.array_equal(a, b) for b in expected) for a in found)
    with HstReader(tmp_path / "m.hst") as reader:
        names = [d.name for d in reader.episodes()]
    assert len(set(names)) == len(names) and {name.split("_")[1] for name in names} == {"env0", "env1"}
    for said in said_of(tmp_path / "m.hst"):
        assert said["first"].tolist() == [True] + [False] * (len(said["first"]) - 1)
        assert not said["terminated"][:-1].any() and set(said["info.lives"].tolist()) <= {2, 3}


class Restless(Dot):
    """Its info comes and goes and changes, and its pictures grow."""

    def step(self, action: Any) -> Any:
        observation, reward, over, truncated, _ = super().step(action)
        given = {1: {"a": 1}, 2: {"a": 2.5, "b": [1, 2]}, 3: {}, 4: {"b": [[1], [2], [3]]}, 5: {"a": True, "b": [3, 4]}}
        if self.t > 3:
            observation = np.repeat(observation, 2, 0)
        return observation, reward, over, truncated, given[self.t]


@pytest.mark.usefixtures("coded_here")
def test_what_changes_in_the_middle_is_kept(tmp_path: Path) -> None:
    env = RecordSession(Restless(), tmp_path / "a.hst", info=["a", "b"])
    seen = [env.reset(seed=0)[0], *(env.step(1)[0] for _ in range(5))]
    env.close()
    assert not verify_file(tmp_path / "a.hst").problems
    small, large = frames_of(tmp_path / "a.hst")
    assert np.array_equal(small, seen[:4]) and np.array_equal(large, seen[4:])
    first, second = said_of(tmp_path / "a.hst")
    assert first["info.a"].tolist() == [0, 1, 2.5, 0] and first["info.b"].tolist() == [[0, 0], [0, 0], [1, 2], [0, 0]]
    assert second["info.b"].tolist() == [[[1], [2], [3]], [[0], [0], [0]]]
    assert second["info.b [2]"].tolist() == [[0, 0], [3, 4]] and second["info.a"].tolist() == [False, True]


@pytest.mark.usefixtures("coded_here")
def test_the_atari_console_has_its_memory(tmp_path: Path) -> None:
    ale_py = pytest.importorskip("ale_py", reason='the extra "record" is needed')
    gymnasium.register_envs(ale_py)
    env = RecordSession(gymnasium.make("ALE/Pong-v5", render_mode="rgb_array"), tmp_path / "a.hst")
    seen = [env.reset(seed=0)[0]]
    memory = [env.unwrapped.ale.getRAM().copy()]
    for t in range(12):
        seen.append(env.step(t % 6)[0])
        memory.append(env.unwrapped.ale.getRAM().copy())
    env.close()
    with HstReader(tmp_path / "a.hst") as reader:
        episode = reader.episode(0)
    assert np.array_equal(episode.frames, seen) and np.array_equal(episode.state, memory) and episode.fps == 15
    assert episode.actions is not None and episode.actions[1:].tolist() == [t % 6 for t in range(12)]


PROGRAM = """
import os, signal, sys, time
sys.path[:0] = [{tests!r}]
from dot_env import Dot
from hstmae.gym import RecordSession
env = RecordSession(Dot(length=99), {out!r})
env.reset(seed=0)
for t in range(7):
    env.step(t % 4)
{end}
"""
ENDS = {
    "a fork": "if not (pid := os.fork()): sys.exit(0)\nos.waitpid(pid, 0)\nenv.step(7 % 4)\nenv.close()",
    "an error": "raise RuntimeError('of the agent')",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "ctrl-c": "os.kill(os.getpid(), signal.SIGINT); time.sleep(9)",
}


@pytest.mark.parametrize("end", ENDS)
def test_however_a_program_ends_there_is_a_whole_file(end: str, tmp_path: Path, environment: dict[str, str]) -> None:
    out = tmp_path / "a.hst"
    text = PROGRAM.format(tests=str(Path(__file__).parents[1] / "helpers"), out=str(out), end=ENDS[end])
    done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True)
    assert end != "an error" or "of the agent" in done.stderr
    until = time.monotonic() + 60
    while (not out.exists() or len(list(tmp_path.iterdir())) > 1) and time.monotonic() < until:
        time.sleep(0.05)  # the process that codes goes on for a moment
    assert [path.name for path in tmp_path.iterdir()] == ["a.hst"] and not verify_file(out).problems
    (frames,) = frames_of(out)
    count = 8 if end == "a fork" else 7
    assert len(frames) == count + 1 and said_of(out)[0]["action"].tolist() == [0, *(t % 4 for t in range(count))]


def test_what_cannot_be_recorded_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for out, why in ((tmp_path / "a.mp4", ".hst file"), (tmp_path / "file" / "a.hst", "is a file")):
        with pytest.raises(UsageError, match=why):
            RecordSession(Dot(), out)
    (tmp_path / "there.hst").write_bytes(b"mine")
    for name in ("there.hst", "left.hst"):
        (tmp_path / "left.hst.steps").write_bytes(b"mine")
        with pytest.raises(UsageError, match=r"there already|exists"):
            RecordSession(Dot(), tmp_path / name)
    assert (tmp_path / "there.hst").read_bytes() == (tmp_path / "left.hst.steps").read_bytes() == b"mine"
    with pytest.raises(UsageError, match="expected auto"):
        RecordSession(Dot(), tmp_path / "b.hst", picture="video")
    env = RecordSession(Dot(image=False), tmp_path / "c.hst")  # which shows nothing, since nobody asked it to
    with pytest.raises(UsageError, match="before the first reset"):
        env.step(0)
    env.close()  # nothing was played
    env = RecordSession(Dot(), tmp_path / "d.hst", picture=lambda env, seen: seen.astype(float), info=["lives"])
    with pytest.raises(DataError, match=r"expected a picture uint8"):
        env.reset()
    env.close()
    env = RecordSession(Dot(), tmp_path / "e.hst", state=lambda env: [1.5])
    with pytest.raises(DataError, match="expected memory uint8"):
        env.reset()
    env.close()
    assert {path.name for path in tmp_path.iterdir()} == {"there.hst", "left.hst.steps", "file"}


def test_steps_that_could_not_be_written_are_kept_and_can_be_written_later(tmp_path: Path) -> None:
    env = RecordSession(Dot(), tmp_path / "a.hst")
    env.reset(seed=0)
    (tmp_path / "a.hst").mkdir()
    (tmp_path / "a.hst" / "mine").write_bytes(b"")
    with pytest.raises(DataError, match=r"All steps are in .*a\.hst\.steps"):
        env.close()
    assert cli.main(["recover", str(tmp_path / "a.hst.steps"), str(tmp_path / "b.hst")]) == 0
    assert len(frames_of(tmp_path / "b.hst")[0]) == 1 and not (tmp_path / "b.hst.part").exists()


@pytest.mark.usefixtures("coded_here")
def test_steps_go_along_into_another_file_or_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RecordSession(Dot(length=99), tmp_path / "a.hst") as env:
        env.reset(seed=0)
        for t in range(9):
            env.step(t % 4)
    assert cli.main(["info", str(tmp_path / "a.hst")]) == 0
    assert "steps     action, first, reward, terminated, truncated\n" in capsys.readouterr().out
    words = ["encode", str(tmp_path / "a.hst"), str(tmp_path / "b.hst"), "--workers", "1"]
    assert cli.main(words) == 0
    (a,), (b,) = said_of(tmp_path / "a.hst"), said_of(tmp_path / "b.hst")
    assert a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
    capsys.readouterr()
    assert cli.main([*words[:2], str(tmp_path / "c.hst"), "--stride", "2", "--workers", "1"]) == 0
    told = capsys.readouterr()
    assert "rewards" in told.out + told.err and said_of(tmp_path / "c.hst") == [{}]
