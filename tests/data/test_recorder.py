"""`hstmae record --game` on a console made of a few lines: play goes into a store, or into files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toy_console import ToyConsole

from hstmae.cli import main
from hstmae.data.sources.smb import recorder
from hstmae.data.store.reader import EpisodeStore


class Shown(ToyConsole):
    """With a picture, and its memory as a whole."""

    def __init__(self, rom: Path) -> None:
        super().__init__(dead_end=False)

    def ram(self) -> np.ndarray:
        return self.memory.copy()

    def picture(self) -> np.ndarray:
        return np.full((240, 256), self.read(0x86) & 63, np.uint8)


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "NesEmulator", Shown)
    monkeypatch.setattr(recorder, "find_rom", lambda path: Path("toy.nes"))


def test_autoplay_into_a_store_and_its_movie_into_files(console: None, tmp_path: Path) -> None:
    command = ["record", "--game", "smb", "--autoplay", "--level", "1-1", "--search-frames", "3000", "--out"]
    measured = tmp_path / "r.json"
    assert main([*command, str(tmp_path / "store"), "--save-movies", str(tmp_path), "--json", str(measured)]) == 0
    store, report = EpisodeStore(tmp_path / "store"), json.loads(measured.read_text())
    assert len(store) == 1 and store.info(0).level == "1-1" and store.info(0).has_state
    (note,) = report["autoplay"]
    assert note["level"] == "1-1" and note["searched"] > 0
    movie = ["record", "--game", "smb", "--movie", str(tmp_path / "1-1_s0.json"), "--format", "smbdataset"]
    assert main([*movie, "--out", str(tmp_path / "files"), "--json", str(tmp_path / "m.json")]) == 0
    (folder,) = (tmp_path / "files").iterdir()
    assert len(list(folder.glob("*.png"))) == store.info(0).frames
    assert json.loads((tmp_path / "m.json").read_text())["frames"] == store.info(0).frames


@pytest.mark.parametrize("wrong", [["--level", "9-1"], ["--search-frames", "0"], ["--movie", "x.json"]])
def test_wishes_that_make_no_sense(console: None, tmp_path: Path, wrong: list[str]) -> None:
    assert main(["record", "--game", "smb", "--autoplay", "--out", str(tmp_path / "store"), *wrong]) == 2
