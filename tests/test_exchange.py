"""Footage into and out of other programs' formats: pixels, states and actions equal, and nothing is lost in silence."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hstmae import cli
from hstmae.codec.session.encoder import encode_episode
from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.writer import HstWriter
from hstmae.data import Episode
from hstmae.exchange.columns import Column, pack_rows, unpack_rows
from hstmae.exchange.statistics import PictureStats, number_stats, pooled_stats
from hstmae.games import get_game

FIELDS = ("frames", "palette", "state", "actions", "frame_numbers", "name", "game", "fps", "level", "outcome")


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


def needs(*modules: str) -> None:
    for module in modules:
        pytest.importorskip(module)


def episode(number: int, game: str, frames: int) -> Episode:
    """Random play: with a palette and memory for "smb", else small RGB pictures."""
    draw = np.random.default_rng(number)
    spec = get_game(game)
    if game == "smb":
        shown = np.array(spec.shown_entries or range(64))
        rows = draw.choice(shown, (frames, 240, 1)).astype(np.uint8)
        palette, pictures = spec.palette, np.broadcast_to(rows, (frames, 240, 256)).copy()
        state = draw.integers(0, 256, (frames, 2048), np.uint8)
    else:
        palette, pictures, state = None, draw.integers(0, 256, (frames, 16, 32, 3), np.uint8), None
    numbers = np.arange(frames, dtype=np.int32) + 7 * number
    return Episode(
        f"e{number}", game, pictures, palette, state, None, draw.integers(0, 256, frames).astype(np.uint8),
        numbers, outcome=("win", "cut", "fail")[number % 3], level=f"1-{number + 1}", fps=float(spec.fps),
    )  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """smb.hst with memory and generic.hst without."""
    folder = tmp_path_factory.mktemp("exchange")
    for game in ("smb", "generic"):
        with HstWriter(folder / f"{game}.hst") as writer:
            for k, frames in enumerate((2, 3)):
                for chunk in encode_episode(make_profile("lossless", game), episode(k, game, frames), k):
                    writer.append(chunk)
    return folder


def same(first: Path, second: Path, fields: tuple[str, ...] = FIELDS) -> None:
    with HstReader(first) as a, HstReader(second) as b:
        assert len(a.entries) == len(b.entries)
        for k in range(len(a.entries)):
            x, y = a.episode(k), b.episode(k)
            for name in fields:
                assert np.array_equal(getattr(x, name), getattr(y, name)), name


@pytest.mark.parametrize("game", ["smb", "generic"])
@pytest.mark.parametrize(("form", "module"), [("lerobot", "pyarrow"), ("minari", "h5py")])
def test_out_and_in_again_is_the_same(base: Path, tmp_path: Path, game: str, form: str, module: str) -> None:
    needs(module)
    out = tmp_path / "set-v0"
    assert run("exchange", base / f"{game}.hst", out, "--to", form) == 0
    assert run("exchange", out, tmp_path / "again.hst", "--workers", 1) == 0
    same(base / f"{game}.hst", tmp_path / "again.hst")
    assert run("exchange", out, tmp_path / "again.hst") == 2  # what is there stays
    assert run("exchange", base / f"{game}.hst", out, "--to", form) == 2


def test_webdataset_has_every_frame(base: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run("exchange", base / "smb.hst", tmp_path / name, "--to", "webdataset") == 0
    shard = tmp_path / "one" / "shard-000000.tar"
    assert shard.read_bytes() == (tmp_path / "two" / "shard-000000.tar").read_bytes()
    with tarfile.open(shard) as tar, HstReader(base / "smb.hst") as reader:
        names = tar.getnames()
        keys = list(dict.fromkeys(name.partition(".")[0] for name in names))
        assert len(names) == 3 * len(reader) and keys == sorted(keys)
        for frame, key in zip(reader, keys, strict=True):
            assert np.array_equal(np.asarray(Image.open(tar.extractfile(f"{key}.png"))), frame.rgb)
            about = json.load(tar.extractfile(f"{key}.json"))
            assert (about["episode"], about["hst.frame_number"]) == (frame.episode, frame.number)
            assert np.packbits(np.array(about["action"], np.uint8))[0] == frame.action
            stored = tar.extractfile(f"{key}.state.npy").read()
            assert stored[-2048:] == frame.state.tobytes()


# Other programs' own readers and writers, in an environment of their own or in this one.


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


def npz_frames(folder: Path) -> None:
    draw = np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for t in range(11):
            picture = draw.integers(0, 256, (14, 16, 3), np.uint8)
            np.savez(folder / name / f"{t}.npz", rgb=picture, buttons=draw.integers(0, 2, 8).astype(np.uint8))


def test_one_npz_a_frame_comes_in(tmp_path: Path) -> None:
    npz_frames(tmp_path / "set")
    (tmp_path / "set" / "a" / "3.npz").write_bytes(b"broken")
    assert run("exchange", tmp_path / "set", tmp_path / "x.hst", "--workers", 1, "--json", tmp_path / "x.json") == 0
    told = json.loads((tmp_path / "x.json").read_text())
    assert len(told["problems"]) == 1 and "3.npz" in told["problems"][0]
    with HstReader(tmp_path / "x.hst") as reader:
        own = reader.episode("b")
        columns = [Column.from_json(value) for value in reader.contents.about["columns"]["state"]]
        assert reader.episode("a").frame_numbers.tolist() == [0, 1, 2, *range(4, 11)]
        for t in range(11):
            with np.load(tmp_path / "set" / "b" / f"{t}.npz") as arrays:
                assert np.array_equal(own.frames[t], arrays["rgb"])
                assert np.array_equal(unpack_rows(columns, own.state)["buttons"][t], arrays["buttons"])


def film(path: Path, frames: int) -> None:
    from fractions import Fraction

    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.height, stream.width, stream.pix_fmt = 32, 64, "yuv420p"
        stream.codec_context.thread_count = 1
        for t in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((32, 64, 3), 9 * t, np.uint8), "rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 10 frames a second, for a second, without tables."""
    folder = tmp_path_factory.mktemp("session")
    film(folder / "recording.mp4", 10)
    return folder


def with_tables(session: Path, folder: Path, lines: list[dict[str, Any]], name: str = "actions.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recording.mp4").write_bytes((session / "recording.mp4").read_bytes())
    (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.mark.parametrize(("name", "unit"), [("time", 1.0), ("t", 1e3), ("timestamp", 1e9), ("time_ms", 1e3)])
def test_actions_by_presentation_time(session: Path, tmp_path: Path, name: str, unit: float) -> None:
    lines: list[dict[str, Any]] = [
        {name: 0.15 * unit, "keys": ["W", "SPACE"], "mouse": {"dx": 1.5, "dy": -2}},
        {name: 0.5 * unit, "keys": [], "mouse": {"dx": 0.25, "dy": 0}},
        {name: 0.8 * unit, "keys": ["W"], "mouse": {"dx": 0, "dy": 0}},
    ]
    folder = with_tables(session, tmp_path / "in", lines)
    (folder / "events.jsonl").write_text("{}\n")
    assert run("exchange", folder, tmp_path / "x.hst", "--workers", 1, "--json", tmp_path / "x.json") == 0
    assert json.loads((tmp_path / "x.json").read_text())["not_kept"] == ["events.jsonl"]
    with HstReader(tmp_path / "x.hst") as reader:
        own = reader.episode(0)
        values = unpack_rows([Column.from_json(v) for v in reader.contents.about["columns"]["state"]], own.state)
        assert values["keys=W"].tolist() == [False] * 2 + [True] * 3 + [False] * 3 + [True] * 2
        assert values["keys=SPACE"].tolist() == [False] * 2 + [True] * 3 + [False] * 5
        assert values["mouse.dx"].tolist() == [0.0] * 2 + [1.5] * 3 + [0.25] * 3 + [0.0] * 2
        assert reader.groups.film(0) is not None  # the film itself, with all that is in it
        assert b"".join(reader.groups.film(0).file()) == (session / "recording.mp4").read_bytes()


def test_entities_become_padded_arrays(session: Path, tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    folder = with_tables(session, tmp_path / "in", [{"time": t / 10, "keys": []} for t in range(10)])
    rows = {"frame": [0, 0, 1, 4, 4, 4, 9], "x": [1.0, 2, 3, 4, 5, 6, 7], "kind": [1, 2, 1, 3, 1, 2, 9]}
    pq.write_table(pa.table(rows), folder / "entities.parquet")
    assert run("exchange", folder, tmp_path / "x.hst", "--workers", 1) == 0
    with HstReader(tmp_path / "x.hst") as reader:
        columns = [Column.from_json(v) for v in reader.contents.about["columns"]["state"]]
        values = unpack_rows(columns, reader.episode(0).state)
        assert values["entities.count"].tolist() == [2, 1, 0, 0, 3, 0, 0, 0, 0, 1]
        assert values["entities.x"][4].tolist() == [4, 5, 6] and values["entities.kind"][9].tolist() == [9, 0, 0]


BAD = {
    "no time": [{"keys": []}],
    "falling times": [{"time": 0.5}, {"time": 0.1}],
    "a unit that nobody can tell": [{"time": 0.0}, {"time": 37.0}],
    "a line without a time": [{"time": 0.1, "keys": []}, {"keys": []}],
    "a frame that is not there": [{"frame": 3}, {"frame": 10}],
    "too many keys": [{"time": k / 1000, "keys": [f"k{k}"]} for k in range(1000)],
    "infinite times": [{"time": float("inf"), "a": 1}],
}


@pytest.mark.parametrize("what", BAD)
def test_tables_that_make_no_sense_are_refused(
    session: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    folder = with_tables(session, tmp_path / "in", BAD[what])
    assert run("exchange", folder, tmp_path / "x.hst", "--workers", 1) == 2
    told = capsys.readouterr().err
    assert "hstmae exchange: error: " in told and "Traceback" not in told
    assert not (tmp_path / "x.hst").exists()


def damaged(folder: Path, change: Callable[[dict[str, Any]], object], place: str) -> None:
    value = json.loads((folder / place).read_text())
    change(value)
    (folder / place).write_text(json.dumps(value))


CHANGES: list[tuple[str, str, Callable[[dict[str, Any]], object]]] = [
    ("lerobot", "meta/info.json", lambda v: v.update(codebase_version="v2.1")),
    ("lerobot", "meta/info.json", lambda v: v.update(fps=0)),
    ("lerobot", "meta/info.json", lambda v: v.update(features=[])),
    ("lerobot", "meta/info.json", lambda v: v["features"].update({"x": {"dtype": "object", "shape": [1]}})),
    ("lerobot", "meta/info.json", lambda v: v["features"].pop("observation.image")),
    ("lerobot", "meta/info.json", lambda v: v.update(data_path="data/none.parquet")),
    ("minari", "data/metadata.json", lambda v: v.update(observation_space="{}")),
    ("minari", "data/metadata.json", lambda v: v.update(data_format="arrow")),
    ("minari", "data/metadata.json", lambda v: v.pop("observation_space")),
]


@pytest.mark.parametrize(("form", "place", "change"), CHANGES)
def test_damaged_sets_are_refused_in_one_line(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, place: str, change: Any
) -> None:
    needs("pyarrow", "h5py")
    assert run("exchange", base / "generic.hst", tmp_path / "set-v0", "--to", form) == 0
    damaged(tmp_path / "set-v0", change, place)
    capsys.readouterr()
    assert run("exchange", tmp_path / "set-v0", tmp_path / "x.hst", "--workers", 1) == 2
    told = capsys.readouterr().err
    assert "hstmae exchange: error: " in told and "Traceback" not in told and not (tmp_path / "x.hst").exists()


def test_episodes_that_differ_are_named(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with HstWriter(tmp_path / "mixed.hst") as writer:
        for k, game in enumerate(("smb", "generic")):
            for chunk in encode_episode(make_profile("lossless", game), episode(k, game, 2), k):
                writer.append(chunk)
    assert run("exchange", tmp_path / "mixed.hst", tmp_path / "out", "--to", "webdataset") == 2
    assert "--episodes" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert run("exchange", tmp_path / "mixed.hst", tmp_path / "out", "--to", "webdataset", "--episodes", "e1") == 0
    assert run("exchange", base / "smb.hst", tmp_path / "noversion", "--to", "minari") == 2
    assert "noversion-v0" in capsys.readouterr().err


def test_columns_survive_bit_for_bit() -> None:
    columns = [
        Column("a", "float64", (2, 3)),
        Column("b", "bool", ()),
        Column("c", "int16", (1,)),
        Column("d", "float32", ()),
    ]
    draw = np.random.default_rng(0)
    values = {"a": draw.normal(size=(5, 2, 3)), "b": draw.random(5) < 0.5, "c": draw.integers(-9, 9, (5, 1))}
    values["d"] = np.array([np.nan, np.inf, -0.0, 1e-45, 3.0], np.float32)
    again = unpack_rows([Column.from_json(c.to_json()) for c in columns], pack_rows(columns, values, 5))
    for name, value in values.items():
        assert np.array_equal(again[name], value, equal_nan=name == "d")
    assert again["d"].tobytes() == values["d"].tobytes()


def test_statistics_are_those_of_all_frames() -> None:
    draw = np.random.default_rng(0)
    films = [draw.integers(0, 256, (n, 4, 6, 3), np.uint8) for n in (3, 5)]
    parts = []
    for pictures in films:
        sums = PictureStats()
        for picture in pictures:
            sums.add(picture[None])
        parts.append({"x": sums.result(), "y": number_stats(pictures[:, 0, 0].astype(np.float32))})
    pooled = pooled_stats(parts)
    whole = np.concatenate(films) / 255.0
    for key, function in (("mean", np.mean), ("std", np.std), ("min", np.min), ("max", np.max)):
        assert pooled["x"][key].ravel() == pytest.approx(function(whole, axis=(0, 1, 2)))
        assert pooled["y"][key] == pytest.approx(function(np.concatenate(films)[:, 0, 0].astype(float), axis=0))
    assert pooled["x"]["count"].tolist() == [8] and pooled["x"]["mean"].shape == (3, 1, 1)
