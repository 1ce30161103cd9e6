"""LeRobot and Minari themselves read what is written here, and what they write comes in."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exchanged import needs, run
from PIL import Image

from hstmae.codec.session.reader import HstReader
from hstmae.exchange.columns import Column, unpack_rows


def python_with(module: str, variable: str) -> str:
    """A Python that can import it."""
    wanted = os.environ.get(variable)
    if wanted is None:
        pytest.importorskip(module, reason=f"{module} is not here; {variable}=/path/to/python names an environment")
    return wanted or sys.executable


def other(python: str, program: str, *words: object, **environment: str) -> Any:
    done = subprocess.run(
        [python, "-c", program, *map(str, words)], capture_output=True, text=True,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | environment | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


LEROBOT = """
import hashlib, json, sys
import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset
data = LeRobotDataset("local/x", root=sys.argv[1])
found = []
for k in range(len(data)):
    row = data[k]
    picture = (row["observation.image"].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    found.append([hashlib.sha256(picture.tobytes()).hexdigest(), row["action"].tolist(),
                  row["observation.state"].tolist(), row["task"], float(row["timestamp"])])
print(json.dumps([data.num_episodes, data.fps, found]))
"""
LEROBOT_MAKES = """
import sys
import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset
features = {"observation.images.top": {"dtype": "image", "shape": (24, 32, 3), "names": ["height", "width", "c"]},
            "observation.state": {"dtype": "float32", "shape": (3,), "names": ["x", "y", "z"]},
            "action": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]}}
data = LeRobotDataset.create("local/y", fps=30, features=features, root=sys.argv[1], use_videos=False)
draw = np.random.default_rng(0)
for e in range(2):
    for t in range(3 + e):
        data.add_frame({"observation.images.top": draw.integers(0, 256, (24, 32, 3), np.uint8), "task": f"task {e}",
                        "observation.state": draw.normal(size=3).astype(np.float32),
                        "action": draw.normal(size=2).astype(np.float32)})
    data.save_episode()
data.finalize()
print("1")
"""


def test_lerobot_reads_what_is_written(base: Path, tmp_path: Path) -> None:
    python = python_with("lerobot", "HSTMAE_LEROBOT_PYTHON")
    needs("pyarrow")
    assert run("exchange", base / "smb.hst", tmp_path / "set", "--to", "lerobot") == 0
    episodes, fps, rows = other(python, LEROBOT, tmp_path / "set", HF_HOME=str(tmp_path))
    with HstReader(base / "smb.hst") as reader:
        assert (episodes, fps, len(rows)) == (2, 60.0988, len(reader))
        for frame, (picture, action, state, task, time) in zip(reader, rows, strict=True):
            assert picture == sha256(np.ascontiguousarray(frame.rgb).tobytes()).hexdigest()
            assert np.packbits(np.array(action, np.uint8))[0] == frame.action and state == frame.state.tolist()
            assert task == f"smb 1-{1 + int(frame.episode[1:])}" and time == pytest.approx(frame.index / fps, abs=1e-6)


def test_what_lerobot_writes_comes_in_and_out(tmp_path: Path) -> None:
    python = python_with("lerobot", "HSTMAE_LEROBOT_PYTHON")
    pq = pytest.importorskip("pyarrow.parquet")
    theirs, back = tmp_path / "theirs", tmp_path / "back"
    other(python, LEROBOT_MAKES, theirs, HF_HOME=str(tmp_path))
    assert run("exchange", theirs, tmp_path / "theirs.hst", "--workers", 1) == 0
    assert run("exchange", tmp_path / "theirs.hst", back, "--to", "lerobot") == 0
    data = "data/chunk-000/file-000.parquet"
    a, b = pq.read_table(theirs / data).to_pydict(), pq.read_table(back / data).to_pydict()
    for name in a.keys() - {"observation.images.top"}:
        assert a[name] == b[name], name
    for x, y in zip(a["observation.images.top"], b["observation.image"], strict=True):
        assert np.array_equal(*(np.asarray(Image.open(io.BytesIO(p["bytes"]))) for p in (x, y)))
    assert (
        pq.read_table(theirs / "meta/tasks.parquet").to_pydict()
        == pq.read_table(back / "meta/tasks.parquet").to_pydict()
    )


MINARI = """
import hashlib, json, sys
import minari
data = minari.load_dataset("smb-v0")
found = []
for e in data.iterate_episodes():
    found.append([hashlib.sha256(e.observations["rgb"].tobytes()).hexdigest(), e.actions.tolist(),
                  hashlib.sha256(e.observations["state"].tobytes()).hexdigest(), e.terminations.tolist(),
                  e.truncations.tolist(), len(e.rewards)])
    assert data.observation_space["rgb"].contains(e.observations["rgb"][0])
    assert data.action_space.contains(e.actions[0])
print(json.dumps(found))
"""
MINARI_MAKES = """
import gymnasium as gym, minari, numpy as np
from minari.data_collector import EpisodeBuffer
draw = np.random.default_rng(0)
def buffer(n):
    return EpisodeBuffer(observations=draw.integers(0, 256, (n + 1, 32, 48, 3), np.uint8),
        actions=draw.normal(size=(n, 2)).astype(np.float32),
        rewards=draw.normal(size=n), terminations=[False] * n, truncations=[False] * (n - 1) + [True], infos={})
minari.create_dataset_from_buffers("theirs-v0", [buffer(3), buffer(4)], jpeg_encoding=False,
    observation_space=gym.spaces.Box(0, 255, (32, 48, 3), np.uint8),
    action_space=gym.spaces.Box(-9, 9, (2,), np.float32))
print("1")
"""


def test_minari_reads_what_is_written(base: Path, tmp_path: Path) -> None:
    python = python_with("minari", "HSTMAE_MINARI_PYTHON")
    needs("h5py")
    assert run("exchange", base / "smb.hst", tmp_path / "smb-v0", "--to", "minari") == 0
    found = other(python, MINARI, MINARI_DATASETS_PATH=str(tmp_path))
    with HstReader(base / "smb.hst") as reader:
        for k, (pictures, actions, state, ended, cut, steps) in enumerate(found):
            own = reader.episode(k)
            assert pictures == sha256(np.ascontiguousarray(own.palette[own.frames]).tobytes()).hexdigest()
            assert state == sha256(own.state.tobytes()).hexdigest() and steps == len(own) - 1
            assert np.array_equal(np.packbits(np.array(actions, np.uint8), axis=1)[:, 0], own.actions[:-1])
            assert (ended[-1], cut[-1]) == (own.outcome != "cut", own.outcome == "cut")


def test_what_minari_writes_comes_in(tmp_path: Path) -> None:
    python = python_with("minari", "HSTMAE_MINARI_PYTHON")
    h5py = pytest.importorskip("h5py")
    other(python, MINARI_MAKES, MINARI_DATASETS_PATH=str(tmp_path))
    assert run("exchange", tmp_path / "theirs-v0", tmp_path / "theirs.hst", "--workers", 1) == 0
    with HstReader(tmp_path / "theirs.hst") as reader, h5py.File(tmp_path / "theirs-v0/data/main_data.hdf5") as file:
        columns = [Column.from_json(value) for value in reader.contents.about["columns"]["state"]]
        for k in range(2):
            group, own = file[f"episode_{k}"], reader.episode(k)
            assert np.array_equal(own.frames, group["observations"][()])
            values = unpack_rows(columns, own.state)
            assert np.array_equal(values["actions"][:-1], group["actions"][()]) and not values["actions"][-1].any()
            assert values["minari.step"].tolist() == [1] * (len(own) - 1) + [0]


# Folders as public sets have them.
