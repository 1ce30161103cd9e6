"""Jobs on a Ray cluster of two nodes: the same bytes as in one process, also where a node is killed half-way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_ray import FakeRay
from PIL import Image

from hstmae import cli
from hstmae.errors import DataError
from hstmae.executor import on_ray
from hstmae.inference.side_by_side import same_as
from hstmae.restoration.anything import AnythingRestorer

SCRIPT = """
import json, os, sys
import ray
from ray.cluster_utils import Cluster
from hstmae import cli
from hstmae.executor import on_ray

# Not more of this machine than the test needs.
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 80 << 20,
                                                        "include_dashboard": False})
second = cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
os.environ["RAY_ADDRESS"] = cluster.address
collect, collected = on_ray.RayExecutor._collect, []
def killing(self):
    collect(self)
    collected.append(len(ray.nodes()))
    if len(collected) == 2 and "kill" in sys.argv:
        cluster.remove_node(second, allow_graceful=False)
lines = json.loads(sys.argv[1])
codes = [cli.main(words) for words in lines[:-1]]
on_ray.RayExecutor._collect = killing
sys.argv.append("kill")
codes += [cli.main(words) for words in lines[-1:]]
alive = sum(node["Alive"] for node in ray.nodes()) if ray.is_initialized() else None
cluster.shutdown()
print(json.dumps([codes, len(collected)]))
"""


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    for k in range(10):
        (tmp_path / "small" / f"film{k}").mkdir(parents=True)
        for t in range(3):
            picture = draw.integers(0, 3, (16, 32, 3), np.uint8) * 80
            Image.fromarray(picture).save(tmp_path / "small" / f"film{k}" / f"{t:02}.png")
    (tmp_path / "small" / "film9" / "01.png").write_bytes(b"no picture")
    return tmp_path


@pytest.mark.slow
def test_a_cluster_writes_the_same_bytes(
    small: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    python = os.environ.get("HSTMAE_RAY_PYTHON")
    if python is None:
        pytest.importorskip("ray", reason="ray is not here; HSTMAE_RAY_PYTHON=/path/to/python names an environment")
        python = sys.executable
    monkeypatch.chdir(small)
    store = ["--input_dir", "small", "--val-fraction", "0.5", "--json"]
    assert run("encode", "small", "one.hst", "--workers", 1) == 0
    shutil.copytree("small", "fine", ignore=shutil.ignore_patterns("film9"))
    assert run("restore", "fine", "--rect", "2,2,9,9", "--out", "here", "--workers", 1) == 0
    assert run("preprocess", *store, "one.json", "--output_dir", "one", "--workers", 1) == 0
    ray = ["--executor", "ray"]
    lines = [
        ["encode", "small", "ray.hst", *ray],
        ["preprocess", *store, "ray.json", "--output_dir", "ray", *ray],
        ["verify", "ray.hst", "--json", "verdict.json", *ray],
        ["restore", "fine", "--rect", "2,2,9,9", "--out", "restored", *ray],
        ["encode", "small", "killed.hst", *ray],
    ]
    done = subprocess.run(
        [python, "-c", SCRIPT, json.dumps(lines)], capture_output=True, text=True, cwd=small, env=environment,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    codes, collected = json.loads(done.stdout.splitlines()[-1])
    assert codes == [0] * 5 and collected == 10, done.stderr[-2000:]
    assert (small / "ray.hst").read_bytes() == (small / "one.hst").read_bytes() == (small / "killed.hst").read_bytes()
    hashes = [json.loads((small / name).read_text())["hash"] for name in ("one.json", "ray.json")]
    assert hashes[0] == hashes[1] and json.loads((small / "verdict.json").read_text())["whole"]
    for file in (small / "here").rglob("*.png"):
        assert file.read_bytes() == (small / "restored" / file.relative_to(small / "here")).read_bytes()


def twice(item: int, advance: Any) -> Any:
    advance(item)
    yield item
    if item == 7:
        raise OSError(28, "No space left on device")
    yield -item


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    found = FakeRay()
    monkeypatch.setattr(on_ray, "_ray", lambda: found)
    return found


def test_pieces_come_in_order_and_few_items_wait(fake: FakeRay) -> None:
    for ordered in (True, False):
        pieces: list[int] = []
        steps: list[int] = []
        with on_ray.RayExecutor(twice, pieces.append, address="ray", advance=steps.append, ordered=ordered) as executor:
            for item in range(1, 7):
                executor.submit(item)
                assert len(executor._running) <= 4
            executor.finish()
        assert steps != sorted(steps) and sorted(steps) == [*range(1, 7)] and not fake.cancelled
        assert pieces == [x for k in (range(1, 7) if ordered else steps) for x in (k, -k)]


def test_what_waits_for_its_turn_is_bounded(fake: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "MAX_WAITING", 1)
    pieces: list[int] = []
    with on_ray.RayExecutor(twice, pieces.append, address="ray") as executor:
        for item in range(1, 7):
            executor.submit(item)
            assert len(executor._waiting) <= 1
        executor.finish()
    assert pieces == [x for k in range(1, 7) for x in (k, -k)] and not executor._waiting_bytes


def test_another_version_on_a_machine_is_refused(fake: FakeRay, monkeypatch: pytest.MonkeyPatch) -> None:
    with on_ray.RayExecutor(twice, lambda piece: None, address="ray") as executor:
        executor.submit(1)
        monkeypatch.setattr(on_ray, "__version__", "0.0.0")
        with pytest.raises(DataError, match=r"has hstmae 0\.0\.0"):
            executor.finish()


def test_another_model_on_a_machine_is_refused() -> None:
    with pytest.raises(DataError, match="another model"):
        same_as("one", AnythingRestorer())
    assert isinstance(same_as("", AnythingRestorer()), AnythingRestorer)


def test_errors_and_losses_are_told(fake: FakeRay) -> None:
    with (
        pytest.raises(OSError, match="No space"),
        on_ray.RayExecutor(twice, lambda piece: None, address="ray", workers=1) as executor,
    ):
        for item in (7, 8):
            executor.submit(item)
        executor.finish()
    assert len(fake.cancelled) <= 1
    fake.lost = {len(fake.begun)}
    with (
        pytest.raises(DataError, match="lost 6 times"),
        on_ray.RayExecutor(twice, lambda piece: None, address="ray") as executor,
    ):
        executor.submit(3)
        executor.finish()


def test_what_is_no_executor_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("slurm", "http://x", ""):
        assert run("encode", "x", "y.hst", "--executor", name) == 2
        assert "--executor" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "ray", None)
    assert run("encode", "x", "y.hst", "--executor", "ray") == 2
    assert "hstmae[ray]" in capsys.readouterr().err
