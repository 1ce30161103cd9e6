"""Too little room on the disk is told before the work, with both numbers, and nothing is written."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from made_up import session, write
from PIL import Image

from hstmae import cli
from hstmae.bundled import SAMPLES
from hstmae.errors import UsageError
from hstmae.output import unfinished
from hstmae.space import bytes_of, check_space

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder of pictures of noise, one of a session, and a `.hst` file."""
    (tmp_path / "frames").mkdir()
    for k in range(3):
        noise = np.random.default_rng(k).integers(0, 256, (64, 64, 4), np.uint8)
        Image.fromarray(noise).save(tmp_path / "frames" / f"{k}.png")
    for file in sorted((SAMPLES / "sample_session").rglob("*.png"))[:3]:
        (tmp_path / "session").mkdir(exist_ok=True)
        shutil.copy(file, tmp_path / "session")
    write(tmp_path / "in.hst", session(8, size=(64, 64)))
    return tmp_path


def full(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 40, (1 << 40) - free, free))


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("encode {}/frames {}/out.hst --allow-loss all --workers 1", "out.hst"),
        ("preprocess --input_dir {}/frames --output_dir {}/out --workers 1", "out"),
        ("decode {}/in.hst {}/out --to png", "out"),
        ("decode {}/in.hst {}/out.npz --to npz", "out.npz"),
        ("decode {}/in.hst {}/out --to store", "out"),
        ("restore {}/session --rect 1,1,8,8 --checkpoint hst-mae-nano --out {}/out", "out"),
    ],
)
def test_too_little_room_is_told_first(
    command: str, out: str, inputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(inputs.rglob("*"))
    full(monkeypatch, 20)
    assert cli.main(command.format(inputs, inputs).split()) == 2
    said = capsys.readouterr().err
    assert f"{out}: needs about" in said and "0.0 kB free" in said
    assert sorted(inputs.rglob("*")) == before


def test_what_an_interrupted_run_left_counts_as_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full(monkeypatch, 1000)
    with pytest.raises(UsageError, match=r"needs about 1.5 kB"):
        check_space(tmp_path / "new" / "x.hst", 1500)
    check_space(Path("-"), 1500)
    unfinished(tmp_path / "x").mkdir()
    (unfinished(tmp_path / "x") / "a").write_bytes(bytes(600))
    check_space(tmp_path / "x", 1500)
    (tmp_path / "film.MP4").write_bytes(bytes(10))
    assert bytes_of(tmp_path) == (10, 610) and bytes_of(tmp_path / "nothing") == (0, 0)
