"""`hstmae record --game nes`: the picture unit read out of an emulator, checked against what the console shows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from nes_rom import rom_bytes, unusual_rom_bytes

from hstmae.cli import main
from hstmae.data.sources.nes.session import NesEpisode
from hstmae.data.store.reader import EpisodeStore
from hstmae.errors import DataError
from hstmae.games import get_game

pytest.importorskip("cynes")


@pytest.fixture(scope="module")
def roms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("roms")
    (folder / "own.nes").write_bytes(rom_bytes())
    (folder / "unusual.nes").write_bytes(unusual_rom_bytes())
    return folder


@pytest.mark.parametrize("name", ["own", "unusual"])
def test_pictures_are_those_of_the_console_and_follow_from_the_state(roms: Path, name: str) -> None:
    """The frames are compared with the emulator's own; what the state tells of them is nearly all, and right."""
    from hstmae.data.sources.nes.console import NesConsole

    episode = NesEpisode(roms / f"{name}.nes", 24, seed=3)
    frames = list(episode.frames())
    console = NesConsole(roms / f"{name}.nes")
    console.emulator.power()
    for frame in frames:
        assert frame.action is not None
        console.emulator.step(frame.action)
        assert np.array_equal(console.alike[frame.pixels], console.picture()[0])
    told = get_game("nes").decode(np.stack([frame.state for frame in frames]), None).tiles[0] - 1
    shown = np.stack([frame.pixels for frame in frames])
    there = told < 64
    assert there.mean() > 0.99 and (told[there] == shown[there]).all()
    assert len(np.unique(shown[-1])) > 4  # there is something to see
    assert len({frame.pixels.tobytes() for frame in frames}) > 10
    assert episode.untold == 24 * 240 - there[..., 0].sum()


def test_recorded_measured_and_coded_without_training(roms: Path, tmp_path: Path) -> None:
    store, coded, made = tmp_path / "store", tmp_path / "a.hst", tmp_path / "made"
    command = ["record", "--game", "nes", "--rom", str(roms / "own.nes"), "--frames", "12", "--out", str(store)]
    assert main(command) == 0 and main(command) == 0  # the second one keeps what is there
    held = EpisodeStore(store)
    assert (held.game, len(held), held.info(0).frames) == ("nes", 1, 12)
    few = ["--clips", "1", "--clip", "4", "--stride", "3", "--json", str(tmp_path / "e.json")]
    assert main(["evaluate", "--checkpoint", "auto", "--test_data", str(store), *few]) == 0
    report = json.loads((tmp_path / "e.json").read_text())
    assert report["model"] == "no network" and report["exact_match"] >= 0.995
    assert report["baselines"]["mode_colour"]["exact_match"] < 0.9
    assert main(["encode", str(store), str(coded)]) == 0
    assert main(["decode", str(coded), str(made), "--to", "store"]) == 0
    again, first = EpisodeStore(made)[0], held[0]
    assert np.array_equal(again.frames, first.frames) and np.array_equal(again.state, first.state)
    assert coded.stat().st_size < 12 * 450  # of 76,452 bytes each; most of it is the first frame's state
    restored = ["restore", str(coded), "--mask", "tube:0.9:1", "--out", str(tmp_path / "r")]
    assert main([*restored, "--json", str(tmp_path / "r.json")]) == 0
    assert json.loads((tmp_path / "r.json").read_text())["exact_match"] >= 0.995


def test_a_movie_is_played_from_power_on(roms: Path, tmp_path: Path) -> None:
    line = "|0|R.......|........||\n"
    movie = tmp_path / "a.fm2"
    movie.write_text("version 3\nemuVersion 22020\n" + line.replace("R.......", "...U...A") * 3 + line * 17)
    command = ["record", "--game", "nes", "--rom", str(roms / "own.nes"), "--movie", str(movie), "--out"]
    assert main([*command, str(tmp_path / "store")]) == 0
    episode = EpisodeStore(tmp_path / "store")[0]
    assert episode.actions is not None and episode.actions.tolist() == [0xC0] * 3 + [0x04] * 17


WRONG = {
    "no rom at all": b"",
    "another file": b"\x89PNG" + bytes(20000),
    "cut off": rom_bytes()[:9000],
    "four name tables of its own": rom_bytes()[:6] + b"\x09" + rom_bytes()[7:],
    "a mapper that cynes lacks": rom_bytes()[:6] + b"\xf1\xf0" + rom_bytes()[8:],
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_run_is_refused(data: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.nes").write_bytes(data)
    with pytest.raises(DataError, match=r"a\.nes"):
        next(NesEpisode(tmp_path / "a.nes", 3).frames())
    assert main(["record", "--game", "nes", "--rom", str(tmp_path / "a.nes"), "--out", str(tmp_path / "out")]) == 2
    assert "Traceback" not in capfd.readouterr().err and not (tmp_path / "out" / "meta.json").exists()


@pytest.mark.parametrize("more", [["--autoplay"], ["--format", "smbdataset"], ["--search-frames", "9"]])
def test_wishes_of_another_game_are_refused(roms: Path, tmp_path: Path, more: list[str]) -> None:
    command = ["record", "--game", "nes", "--rom", str(roms / "own.nes"), "--out", str(tmp_path / "out"), *more]
    assert main(command) == 2
