"""benchmarks/realtime.py: what it cannot measure is refused before anything is loaded."""

import runpy
import sys
from pathlib import Path

import pytest


def test_fewer_frames_than_a_clip_are_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["realtime.py", "--frames", "15"])
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(str(root / "benchmarks" / "realtime.py"), run_name="__main__")
    assert "--frames must be 16, the longest clip, or more: 15" in capsys.readouterr().err
