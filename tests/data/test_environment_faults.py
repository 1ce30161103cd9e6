"""Environments that state their rate, and ones that fail while they are played: what was recorded is kept and told."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from hstmae.cli import main
from hstmae.data.store.reader import EpisodeStore

gymnasium = pytest.importorskip("gymnasium", reason="gymnasium is not installed (pip install 'hstmae[record]')")

UNKNOWN = object()


class Shapes(gymnasium.Env):
    """A square that moves; its faults are given by keyword."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"]}

    def __init__(self, render_mode: str, rate: object = UNKNOWN, fault: str = "", at: int = 5) -> None:
        self.metadata = {**self.metadata, **({} if rate is UNKNOWN else {"render_fps": rate})}
        self.render_mode, self.fault, self.at, self.steps, self.resets = render_mode, fault, at, 0, 0
        self.action_space = gymnasium.spaces.Discrete(3)
        self.observation_space = gymnasium.spaces.Discrete(2)

    def reset(self, **options: Any) -> tuple[int, dict[str, Any]]:
        super().reset(**options)
        self.resets += 1
        if self.fault == "reset" and self.resets > 1:
            raise OSError("no more\nlives")
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        if self.fault == "step" and self.steps == self.at:
            return 1 // 0, 0.0, False, False, {}
        return 0, 0.0, self.fault == "reset" and self.steps == self.at, False, {}

    def render(self) -> np.ndarray:
        if self.fault == "render" and self.steps == self.at:
            raise RuntimeError("the window is gone")
        high = 48 if self.fault == "size" and self.steps >= self.at else 32
        return np.full((high, 32, 3), self.steps, np.uint8)


def record(out: Path, *words: str, **options: Any) -> int:
    gymnasium.register("Shapes-v0", lambda **more: Shapes(**more, **options), disable_env_checker=True)
    try:
        return main(["record", "--env", "Shapes-v0", "--frames", "20", "--out", str(out), *words])
    finally:
        del gymnasium.registry["Shapes-v0"]


@pytest.mark.parametrize("rate", [50, 50.0, np.float32(12.5), 1, 1000])
def test_the_stated_rate_is_stored(rate: float, tmp_path: Path) -> None:
    assert record(tmp_path / "store", "--json", str(tmp_path / "r.json"), rate=rate) == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert EpisodeStore(tmp_path / "store")[0].fps == float(rate) == report["fps"] and report["fps_stated"]


@pytest.mark.parametrize("rate", [UNKNOWN, None, 0, -5, math.nan, math.inf, "50", True, 10**9])
def test_without_a_rate_the_assumed_one_is_said(rate: object, tmp_path: Path, capsys) -> None:  # type: ignore
    assert record(tmp_path / "store", "--json", str(tmp_path / "r.json"), rate=rate) == 0
    assert "states no rate (metadata render_fps): 30 frames/s are noted" in capsys.readouterr().err
    report = json.loads((tmp_path / "r.json").read_text())
    assert EpisodeStore(tmp_path / "store")[0].fps == 30 == report["fps"] and not report["fps_stated"]


@pytest.mark.parametrize(
    ("fault", "kept", "reason"),
    [
        ("step", 4, "its step 5 failed: ZeroDivisionError"),
        ("render", 4, "its step 5 failed: RuntimeError: the window is gone"),
        ("size", 4, "its picture became 32x48, it was 32x32"),
        ("reset", 5, "its reset after step 5 failed: OSError: no more lives"),
    ],
)
def test_what_was_recorded_before_a_fault_is_kept(fault: str, kept: int, reason: str, tmp_path: Path, capsys) -> None:  # type: ignore
    out = tmp_path / "store"
    assert record(out, "--episodes", "2", "--json", str(tmp_path / "r.json"), rate=50, fault=fault) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(errors) == 2 and all(f"ends after {kept} of 20 frames: {reason}" in line for line in errors)
    store = EpisodeStore(out)
    assert [len(store[i]) for i in range(2)] == [kept, kept] and store.verify() == []
    assert store[0].frames[:, 0, 0, 0].tolist() == list(range(1, kept + 1))
    assert len(json.loads((tmp_path / "r.json").read_text())["cut"]) == 2
    assert record(out, "--episodes", "3", rate=50) == 0  # kept ones are not played again, a third is added
    assert len(EpisodeStore(out)) == 3


@pytest.mark.parametrize("fault", ["step", "render"])
def test_an_environment_that_never_works_is_one_line(fault: str, tmp_path: Path, capsys) -> None:  # type: ignore
    assert record(tmp_path / "store", fault=fault, at=1) == 2
    error = capsys.readouterr().err
    assert "cannot be played: its step 1 failed" in error and "Traceback" not in error
    assert not (tmp_path / "store" / "meta.json").exists()


def test_episodes_before_a_failing_one_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second episode cannot even begin."""
    began = Shapes.reset
    made: list[int] = []

    def reset(self: Shapes, **options: Any) -> tuple[int, dict[str, Any]]:
        made.append(1)
        if len(made) == 2:
            raise ValueError("no second game")
        return began(self, **options)

    monkeypatch.setattr(Shapes, "reset", reset)
    assert record(tmp_path / "store", "--episodes", "2", rate=50) == 2
    assert len(EpisodeStore(tmp_path / "store")) == 1
