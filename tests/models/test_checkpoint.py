from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from hstmae.errors import CheckpointError
from hstmae.models import checkpoint
from hstmae.models.checkpoint import (
    BEST,
    FORMAT,
    LAST,
    PREVIOUS,
    holds_run,
    load_checkpoint,
    load_resume,
    remove_leftovers,
    save_checkpoint,
    save_last,
)


def payload(step: int) -> dict[str, Any]:
    return {
        "step": step,
        "model": {"weight": torch.full((40,), float(step))},
        "config": {"train": {"betas": [0.9, 0.95]}},
    }


def test_round_trip_and_plain_torch_load(tmp_path: Path) -> None:
    save_checkpoint(payload(3), tmp_path / BEST)
    for loaded in (load_checkpoint(tmp_path / BEST), torch.load(tmp_path / BEST, weights_only=True)):
        assert loaded["step"] == 3 and loaded["config"] == payload(3)["config"]
        assert torch.equal(loaded["model"]["weight"], payload(3)["model"]["weight"])
    assert [p.name for p in tmp_path.iterdir()] == [BEST]


def same(one: Any, two: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return one.dtype == two.dtype and one.shape == two.shape and one.equal(two)
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(value, two[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return type(one) is type(two) and len(one) == len(two) and all(map(same, one, two))
    return type(one) is type(two) and one == two


def test_small_tensors_lie_together_and_come_back_as_they_were(tmp_path: Path) -> None:
    kinds = [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool]
    shapes = [(), (0,), (3, 0), (1,), (7,), (2, 3, 5), (1 << 14,), ((1 << 14) + 1,)]  # the last is kept by itself
    content = {(str(kind), shape): torch.rand(shape).mul(100).to(kind) for kind in kinds for shape in shapes}
    state = {
        "step": 4,
        "model": {f"{kind} {shape}": tensor for (kind, shape), tensor in content.items()},
        "optimizer": {"state": {3: {"step": torch.tensor(7.0)}, 5: {}}, "groups": [{"betas": (0.9, 0.95), "lr": None}]},
        "turned": torch.arange(12.0).view(3, 4).T[::2],
        "rest": [[], (), {}, "", "\0tensor 0", torch.get_rng_state(), True, 2.5],
    }
    save_last(state, tmp_path)
    found = load_checkpoint(tmp_path / LAST)
    assert found.pop("format") == FORMAT and same(state, found)
    first, second = found["model"]["torch.float32 (7,)"], found["model"]["torch.float32 (2, 3, 5)"]
    assert first.untyped_storage().data_ptr() != second.untyped_storage().data_ptr()
    for damage in ({"small_told": "[]"}, {"small_told": '[["load", [3]]]'}, {"small": torch.zeros(3)}, {"small": 5}):
        content = torch.load(tmp_path / LAST, weights_only=True)
        checkpoint._write({**content, **damage}, tmp_path / "senseless.pth")
        with pytest.raises(CheckpointError, match="no checkpoint of this program"):
            load_checkpoint(tmp_path / "senseless.pth")


def test_every_kind_of_truncation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / LAST
    save_checkpoint(payload(1), path)
    whole = path.read_bytes()
    for size in [
        0,
        1,
        50,
        99,
        100,
        101,
        len(whole) // 2,
        len(whole) - 79,
        len(whole) - 78,
        len(whole) - 77,
        len(whole) - 1,
    ]:
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=r"last\.pth"):
            load_checkpoint(path)


def test_any_flipped_bit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / LAST
    save_checkpoint(payload(1), path)
    whole = path.read_bytes()
    rng = random.Random(0)
    for place in [0, len(whole) - 1, *rng.sample(range(len(whole)), 60)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError):
            load_checkpoint(path)
    path.write_bytes(whole)
    assert load_checkpoint(path)["step"] == 1


def test_refusals_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "absent.pth")
    with pytest.raises(CheckpointError, match="folder"):
        load_checkpoint(tmp_path)
    torch.save({"weight": torch.zeros(100)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="no training checkpoint"):
        load_checkpoint(tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="without --resume"):
        load_resume(tmp_path, print)


def test_last_rotates_to_previous(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save_last(payload(step), tmp_path)
    assert load_checkpoint(tmp_path / LAST)["step"] == 3
    assert load_checkpoint(tmp_path / PREVIOUS)["step"] == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == [LAST, PREVIOUS]


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove"])
def test_damaged_last_falls_back_on_previous(tmp_path: Path, damage: str) -> None:
    for step in (1, 2):
        save_last(payload(step), tmp_path)
    last = tmp_path / LAST
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 4
    last.unlink()
    if damage != "remove":
        last.write_bytes(content if damage == "flip" else content[:-200])
    said: list[str] = []
    loaded, folder = load_resume(tmp_path, said.append)
    assert loaded["step"] == 1 and folder == tmp_path
    assert len(said) == 1 and "last.pth" in said[0] and "step 1" in said[0]
    save_last(payload(2), tmp_path)  # the run goes on: the good one must not have been replaced by the damaged one
    assert load_checkpoint(tmp_path / LAST)["step"] == 2
    assert load_checkpoint(tmp_path / PREVIOUS)["step"] == 1


def test_without_a_whole_checkpoint_nothing_is_resumed(tmp_path: Path) -> None:
    (tmp_path / LAST).write_bytes(b"x" * 500)
    with pytest.raises(CheckpointError, match="fall back"):
        load_resume(tmp_path, print)


def test_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    save_last(payload(1), tmp_path)
    with pytest.raises(Exception, match="pickle"):
        save_last({"step": 2, "bad": lambda: None}, tmp_path)
    assert load_checkpoint(tmp_path / LAST)["step"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [LAST]


def test_leftovers_of_a_killed_writer_go(tmp_path: Path) -> None:
    assert not holds_run(tmp_path)
    save_last(payload(1), tmp_path)
    (tmp_path / ".last.tmp-1-abcd.pth").write_bytes(b"half")
    remove_leftovers(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [LAST] and holds_run(tmp_path)
