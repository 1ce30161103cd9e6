"""What the page is told of an upload, and the limits of the processes that work on it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hstmae.bundled import SAMPLES
from hstmae.serving.looking import main
from hstmae.serving.processes import Limits, Stopped, run

SMALL = Limits(seconds=20, processor=10, memory=1 << 30, file=1 << 20)


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_archive_of_a_recording_is_looked_into(tmp_path: Path) -> None:
    recorded = sorted((SAMPLES / "sample_session").rglob("*.png"))[:6]
    with zipfile.ZipFile("input.zip", "w") as made:
        for path in recorded:
            made.write(path, f"play/{path.name}")
    assert main(["look", "input.zip"]) == 0
    told = json.loads(Path("look.json").read_text())
    assert (told["frames"], told["sequences"], told["width"], told["height"]) == (6, 1, 256, 240)
    assert told["state"] and "hst-mae-nano" in told["why"] and not told["found"]
    assert np.array_equal(np.asarray(Image.open("frame.png").convert("RGB")).shape, (240, 256, 3))
    Path("restored/confidence").mkdir(parents=True)
    for folder in ("restored", "restored/confidence"):
        with Image.open(recorded[0]) as picture:
            picture.convert("L").save(f"{folder}/{recorded[0].name}")
    assert main(["show", "input.zip", "restored"]) == 0
    [frame] = json.loads(Path("show.json").read_text())["frames"]
    assert frame["name"] == "0" and frame["parts"] == ["after", "before", "confidence", "error"]
    with zipfile.ZipFile("restored.zip") as packed:
        assert recorded[0].name in packed.namelist()


def test_painted_blocks_and_holes_are_told_of() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (64, 96, 4), np.uint8)
    picture[..., 3] = 255
    picture[16:32, 32:64] = (255, 0, 255, 255)
    picture[48:, :16, 3] = 0
    Image.fromarray(picture).save("input.png")
    assert main(["look", "input.png"]) == 0
    assert json.loads(Path("look.json").read_text())["found"]
    found = np.asarray(Image.open("found.png")) > 0
    assert found[16:32, 32:64].all() and not found[:16].any()
    assert (np.asarray(Image.open("frame.png"))[48:, :16, 3] == 0).all()
    Image.fromarray(picture).convert("RGB").save("restored.png")
    Image.fromarray(picture[..., 0]).save("restored.confidence.png")
    assert main(["show", "input.png", "restored.png"]) == 0
    assert len(json.loads(Path("show.json").read_text())["frames"]) == 1


@pytest.mark.parametrize("name", ["a.png", "a.hst", "a.zip", "a.mp4", "a.7z", "a.tar.gz", "a.gif"])
@pytest.mark.parametrize("data", [b"", b"garbage" * 40, b"\x89PNG\r\n\x1a\n", b"PK\x03\x04" + bytes(60), b"HSTS"])
def test_what_holds_nothing_is_refused_in_one_line(name: str, data: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    Path(name).write_bytes(data)
    assert main(["look", name]) == 2
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.startswith("error: ") and len(said) > 20
    assert not Path("look.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="limits of a process are POSIX")
@pytest.mark.parametrize(
    ("code", "limits", "words"),
    [
        ("b = bytearray(2 << 30)", SMALL, "memory"),
        ("while True: pass", Limits(20, 1, 1 << 30, 1 << 20), "processor time"),
        ("import time; time.sleep(9)", Limits(0.3, 5, 1 << 30, 1 << 20), "minutes"),
        ("open('big', 'wb').write(bytes(2 << 20))", SMALL, "ended with status"),
        ("import os; [os.open('/dev/null', 0) for _ in range(600)]", SMALL, "ended with status"),
        ("import sys; sys.exit('x: error: no picture')", SMALL, "no picture"),
    ],
)
def test_a_process_that_wants_too_much_is_ended(tmp_path: Path, code: str, limits: Limits, words: str) -> None:
    processes: list[asyncio.subprocess.Process] = []
    working = run([sys.executable, "-S", "-c", code], tmp_path, limits, processes.append)
    with ThreadPoolExecutor(1) as apart, pytest.raises(Stopped, match=words):  # this thread may have a loop already
        apart.submit(asyncio.run, working).result()
    assert processes[0].returncode is not None
    assert not Path("big").exists() or Path("big").stat().st_size <= 1 << 20
