"""Several ranks give what one gives: real processes, in the environment that torchrun makes, that talk through gloo."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rank_run import SmbClips, train
from training_fakes import MemoryClips

from hstmae.data.clips.clip import ClipBatch
from hstmae.errors import ConfigError
from hstmae.models.checkpoint import LAST, load_checkpoint
from hstmae.training.masks.inputs import StepInputs
from hstmae.training.run.distributed import RankClips, World, joined_world, passes_of, some_clips, some_inputs

HELPERS = Path(__file__).parents[1] / "helpers"
CURRICULUM = ["train.batch=8", "train.steps=12", "train.val_every=4", "train.curriculum.enabled=true"]
CURRICULUM += ["train.curriculum.phases=[0.2, 0.4]", "train.checkpoint_every=4"]
REAL = [
    "train.batch=4",
    "train.steps=4",
    "train.checkpoint_every=2",
    "train.val_every=100",  # whole weights are gathered for each
    "train.queries=4",
    "train.absolute_lr=3e-3",
]


def start(*words: str) -> None:
    """Two ranks, with the environment that torchrun gives them (which itself takes seconds to start, as PyTorch does in
    each); again where they do not find each other at once, as on a busy machine."""
    search = os.pathsep.join([str(HELPERS), str(HELPERS.parents[1])])
    for last in (False, True):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
        done = subprocess.run(
            [sys.executable, str(HELPERS / "rank_run.py"), *words],
            env=os.environ | shared | {"RANK": "both", "PYTHONPATH": search, "OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        if not done.returncode:
            return
        assert not last, done.stderr[-3000:]


def by_torchrun(*words: str) -> None:
    search = os.pathsep.join([str(HELPERS), str(HELPERS.parents[1])])
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=3"),
            *(str(HELPERS / "dying_rank.py"), *words),
        ],
        env=os.environ | {"PYTHONPATH": search, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def curve(out: Path) -> dict[str, list[float]]:
    """The logged losses and validation results."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    names = ("loss", "mse", "grad_norm", "val_psnr_masked")
    return {name: [line[name] for line in lines if name in line] for name in names}


def difference(one: Any, two: Any) -> float:
    """Largest difference of two nested structures of tensors and numbers, relative to the largest entry of a tensor."""
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        return max((difference(one[key], two[key]) for key in one), default=0.0)
    if isinstance(one, list | tuple):
        assert len(one) == len(two)
        return max((difference(*pair) for pair in zip(one, two, strict=True)), default=0.0)
    one, two = torch.as_tensor(one).double(), torch.as_tensor(two).double()
    return float((one - two).abs().max() / one.abs().max().clamp_min(1e-3)) if one.numel() else 0.0


def learned(out: Path) -> dict[str, Any]:
    payload = load_checkpoint(out / LAST)
    model = {name: value for name, value in payload["model"].items() if name != "calls"}
    return {"model": model, "masks": payload["masks"], "best": payload["best"]}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone") / "run"
    train(out, "fake", 0, CURRICULUM, World())
    return out


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Beside it lies `two`, the first steps of a model in shards, made by the same ranks."""
    out = tmp_path_factory.mktemp("together") / "run"
    shards = (str(out.with_name("two")), "real", "2", *REAL, "train.parallel=fsdp")
    start(str(out), "fake", "0", *CURRICULUM, "--", *shards)
    return out


def test_two_ranks_have_the_curve_and_weights_of_one(alone: Path, together: Path, tmp_path: Path) -> None:
    assert difference(curve(alone), curve(together)) < 1e-4
    assert difference(learned(alone), learned(together)) < 1e-3
    train(tmp_path, "fake", 0, [*CURRICULUM, "train.seed=1"], World())
    assert difference(curve(alone), curve(tmp_path)) > 0.01
    assert difference(learned(alone), learned(tmp_path)) > 0.1


def test_marks_are_those_of_all_ranks(alone: Path, together: Path) -> None:
    one, two = (load_checkpoint(out / LAST) for out in (alone, together))
    assert one["model"]["marks"].sum() > 2
    for part in ("model", "ema"):
        assert torch.equal(one["model"]["marks"], two[part]["marks"])


def test_a_parameter_that_only_some_ranks_use_is_trained(together: Path) -> None:
    model = load_checkpoint(together / LAST)["model"]
    assert model["sometimes"] != 0.5 and model["never"] == 0.5


def test_a_step_in_small_passes_is_the_step_in_one(alone: Path, tmp_path: Path) -> None:
    train(tmp_path, "fake", 0, [*CURRICULUM, "train.micro_batch=3"], World())  # makes four passes of two
    assert difference(curve(alone), curve(tmp_path)) < 1e-4
    assert difference(learned(alone), learned(tmp_path)) < 1e-3
    calls = [int(load_checkpoint(out / LAST)["model"]["calls"]) for out in (alone, tmp_path)]
    assert calls == [12, 48]


@pytest.mark.skipif(
    not os.environ.get("HSTMAE_ELASTIC"),
    reason="ranks that restart may fail to find each other through gloo on a busy machine; HSTMAE_ELASTIC=1 runs it",
)
def test_a_rank_that_dies_costs_one_interval_only(together: Path, tmp_path: Path) -> None:
    by_torchrun(str(tmp_path), "fake", "0", *CURRICULUM)
    assert (tmp_path / "died").read_text() == "6"
    assert "resumed_at:\n- 4\n" in (tmp_path / "run.yaml").read_text()
    assert difference(learned(together), learned(tmp_path)) == 0


def test_shards_learn_what_one_model_learns(together: Path, tmp_path: Path) -> None:
    two = together.with_name("two")
    train(two, "real", 0, REAL, World())  # what shards have saved, one rank continues
    train(tmp_path, "real", 0, REAL, World())
    assert difference(curve(tmp_path)["loss"], curve(two)["loss"]) < 1e-3
    ends = [load_checkpoint(out / LAST) for out in (tmp_path, two)]
    assert ends[0]["step"] == ends[1]["step"] == 4
    assert difference(ends[0]["model"], ends[1]["model"]) < 0.02  # Adam divides rounding by rounding at first
    assert ends[0]["optimizer"]["state"].keys() == ends[1]["optimizer"]["state"].keys()


@pytest.mark.parametrize("share, most, passes", [(8, 0, 1), (8, 8, 1), (8, 3, 4), (10, 4, 5), (7, 2, 7), (4, 100, 1)])
def test_passes_are_equal_and_small_enough(share: int, most: int, passes: int) -> None:
    assert passes_of(2 * share, most, World(1, 2)) == passes


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"train.batch 8 .* 3 ranks; set train.batch=9"):
        passes_of(8, 0, World(0, 3))


def test_ranks_load_the_parts_of_one_batch() -> None:
    whole = MemoryClips().batch(5, 6)
    parts = [RankClips(MemoryClips(), World(rank, 3)).batch(5, 2) for rank in range(3)]
    assert torch.equal(torch.cat([part.frames for part in parts]), whole.frames)
    assert [name for part in parts for name in part.episodes] == whole.episodes


def test_parts_of_a_batch_and_of_its_draw() -> None:
    batch: ClipBatch = SmbClips().batch(0, 4)
    part = some_clips(batch, slice(1, 3))
    assert torch.equal(part.frames, batch.frames[1:3]) and torch.equal(part.indices, batch.indices[1:3])
    assert part.episodes == batch.episodes[1:3] and part.state is None and len(part) == 2
    drawn = StepInputs(0.9, torch.arange(8).view(4, 2), torch.arange(4).view(4, 1), None, kinds=("a", "b", "c", "d"))
    mine = some_inputs(replace(drawn, level=torch.arange(4)), slice(2, 4))
    assert mine.ratio == 0.9 and mine.kinds == ("c", "d") and mine.shown is None
    assert mine.level.tolist() == [2, 3] and mine.visible.tolist() == [[4, 5], [6, 7]]


def test_without_torchrun_there_is_one_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_world() as world:
        assert world == World() and world.largest(3) == 3 and world.of_first([2.5]) == [2.5]
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(ConfigError, match="WORLD_SIZE is 'two'"), joined_world():
        pass
