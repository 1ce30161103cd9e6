"""Recording from the emulator. Needs cynes, and a ROM of the user's: HSTMAE_SMB_ROM, or gym-super-mario-bros."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from fm2 import format_fm2

from benchmarks.state_check import StateCheck, check_episode, pairing_in_store
from hstmae.cli import main
from hstmae.data.sources.movies.hst_movie import format_json, write_movie
from hstmae.data.sources.movies.movie import Movie
from hstmae.data.sources.movies.reading import read_movie
from hstmae.data.sources.smb.autoplay import autoplay
from hstmae.data.sources.smb.dataset_writer import write_smbdataset
from hstmae.data.sources.smb.emulator import RIGHT, A, B, NesEmulator, find_rom
from hstmae.data.sources.smb.level_start import area_number, parse_level, start_level
from hstmae.data.sources.smb.listing import list_episodes
from hstmae.data.sources.smb.session import RecordedEpisode, play_movie
from hstmae.data.store.reader import EpisodeStore
from hstmae.data.store.recording import record_into_store
from hstmae.errors import DataError, UsageError


@lru_cache
def rom_or_reason() -> tuple[Path | None, str]:
    try:
        import cynes  # noqa: F401
    except ImportError:
        return None, "cynes is not installed (pip install 'hstmae[emulator]')"
    try:
        return find_rom(os.environ.get("HSTMAE_SMB_ROM")), ""
    except DataError:
        return None, "no ROM (set HSTMAE_SMB_ROM to your own, or install gym-super-mario-bros)"


@pytest.fixture
def emulator() -> NesEmulator:
    rom, reason = rom_or_reason()
    if rom is None:
        pytest.skip(reason)
    return NesEmulator(rom)


@lru_cache
def short_run() -> tuple[Movie, RecordedEpisode]:
    """Running and jumping in 1-1 until something ends it, or 300 frames are over."""
    rom, _ = rom_or_reason()
    assert rom is not None
    emulator = NesEmulator(rom)
    start = start_level(emulator, 1, 1)
    run = ([RIGHT | B] * 20 + [RIGHT | B | A] * 25) * 7
    movie = Movie("smb", np.concatenate([start.actions, np.array(run[:300], np.uint8)]), start.pokes)
    return movie, next(play_movie(emulator, movie, session="test"))


def test_replays_are_bit_exact_in_another_process(emulator: NesEmulator, tmp_path: Path) -> None:
    movie, episode = short_run()
    again = next(play_movie(emulator, movie, session="test"))
    assert episode.size > 150 and again.signature() == episode.signature()
    write_movie(movie, tmp_path / "run.json")
    code = (
        "import sys; from hstmae.data.sources.smb.emulator import NesEmulator; "
        "from hstmae.data.sources.movies.reading import read_movie; "
        "from hstmae.data.sources.smb.session import play_movie; "
        "print(next(play_movie(NesEmulator(sys.argv[1]), read_movie(sys.argv[2], 'smb'))).signature()[0][1])"
    )
    command = [sys.executable, "-c", code, str(rom_or_reason()[0]), str(tmp_path / "run.json")]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert shown.stdout.strip() == episode.signature()[0][1]


def test_fm2_and_json_replay_alike(emulator: NesEmulator, tmp_path: Path) -> None:
    start = start_level(emulator, 1, 1)
    movie = Movie("smb", np.concatenate([start.actions, np.full(60, RIGHT, np.uint8)]))  # 1-1 needs no pokes
    write_movie(movie, tmp_path / "run.json")
    (tmp_path / "run.fm2").write_bytes(format_fm2(movie))
    signatures = [
        next(play_movie(emulator, read_movie(tmp_path / n, "smb"))).signature() for n in ("run.fm2", "run.json")
    ]
    assert signatures[0] == signatures[1]


def test_memory_belongs_to_the_picture(emulator: NesEmulator, tmp_path: Path) -> None:
    """State and pictures agree as stored; sprites no longer do one frame later."""
    _, episode = short_run()
    record_into_store([episode], tmp_path / "store", game="smb", kind="emulator")
    store = EpisodeStore(tmp_path / "store")
    shares = {}
    for lag in (0, 1):
        check = StateCheck(seen=10)
        for learn in (True, False):
            check_episode(check, store, 0, 140, lag, np.random.default_rng(0), learn)
        shares[lag] = {name: agree / total for name, (agree, total) in check.result().items() if total}
    assert shares[0]["sprites"] > 0.97 and shares[0]["scroll"] > 0.99 and shares[0]["hud digits"] > 0.98
    assert pairing_in_store(store, 0).lag == 0 and pairing_in_store(store, 0).found
    assert shares[0]["player box"] > 0.95
    assert shares[1]["sprites"] < 0.9
    assert not store.verify()


def test_recording_in_the_public_layout_comes_back(emulator: NesEmulator, tmp_path: Path) -> None:
    _, recorded = short_run()
    episode = recorded.episode()
    folder = write_smbdataset(episode, tmp_path / "session")
    (source,) = list_episodes(tmp_path / "session")
    frames = list(source.frames(lambda problem: pytest.fail(problem.reason), {}))
    assert folder.name == recorded.name and len(frames) == recorded.size
    for frame, wanted in zip(frames, recorded.frames(), strict=True):
        assert np.array_equal(frame.pixels, wanted.pixels) and np.array_equal(frame.palette, wanted.palette)
        assert np.array_equal(frame.state, wanted.state) and frame.action == wanted.action
        assert frame.number == wanted.number


def test_levels_start_where_they_should(emulator: NesEmulator) -> None:
    areas = set()
    for level in ("1-2", "4-3", "8-4"):
        world, number = parse_level(level)
        start_level(emulator, world, number, power=2)
        ram = emulator.ram()
        assert (ram[0x75F] + 1, ram[0x75C] + 1) == (world, number) and ram[0x756] == 2
        assert ram[0x760] == area_number(world, number)
        areas.add(int(ram[0x750]))
    assert len(areas) == 3


def test_autoplay_is_decided_by_its_seed(emulator: NesEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hstmae.data.sources.smb.autoplay._RUSH", 20)
    plays = [autoplay(emulator, "1-1", seed=seed, seconds=1e6, max_frames=100) for seed in (5, 5, 6)]
    assert plays[0].movie == plays[1].movie and plays[0].movie != plays[2].movie
    assert plays[0].x > 60 and plays[0].searched >= 100 and plays[0].length == 3248
    assert plays[0].share == plays[0].x / 3248 and not plays[0].won
    (episode, *_) = play_movie(emulator, plays[0].movie)
    assert episode.level == "1-1" and episode.size > 20
    assert (
        max(256 * int(s[0x6D]) + int(s[0x86]) for s in (f.state for f in episode.frames()) if s is not None)
        >= plays[0].x
    )


def test_a_lost_life_ends_an_episode(emulator: NesEmulator) -> None:
    start = start_level(emulator, 1, 1)
    actions = np.concatenate([start.actions, np.full(420, RIGHT, np.uint8)])  # walks into the first enemy
    first, *others = play_movie(emulator, Movie("smb", actions, start.pokes))
    assert first.outcome == "fail" and first.name.endswith("_1-1_fail")
    assert all(episode.index == i for i, episode in enumerate(others, 1))


def test_command_writes_the_public_layout(emulator: NesEmulator, tmp_path: Path) -> None:
    movie, episode = short_run()
    (tmp_path / "run.json").write_bytes(format_json(movie))
    arguments = ["record", "--game", "smb", "--rom", str(rom_or_reason()[0]), "--movie", str(tmp_path / "run.json")]
    arguments += ["--format", "smbdataset", "--out", str(tmp_path / "out"), "--json", str(tmp_path / "s.json")]
    assert main(arguments) == 0
    assert json.loads((tmp_path / "s.json").read_text())["frames"] == episode.size
    assert main(arguments) == 2  # it is there already


def test_level_names() -> None:
    assert parse_level(" 8-4 ") == (8, 4)
    assert [area_number(1, n) for n in (1, 2, 3, 4)] == [0, 1, 3, 4] and area_number(3, 4) == 3
    for text in ("0-1", "9-1", "1-5", "1", "", "1-1-1"):
        with pytest.raises(UsageError, match="expected a world"):
            parse_level(text)


def test_what_is_no_rom_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.nes"
    for content in (
        b"",
        b"NES\x1a\x02\x01\0\0",
        b"NES\x1a\x01\x01" + bytes(40970),
        b"NES\x1a\x02\x01\x10" + bytes(40969),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match="4E 45 53 1A 02 01"):
            find_rom(path)
    out = str(tmp_path / "out")
    assert main(["record", "--game", "smb", "--rom", str(path), "--autoplay", "--out", out]) == 2
    assert main(["record", "--game", "smb", "--out", out]) == 2
    assert "--movie FILE or --autoplay" in capsys.readouterr().err
    assert main(["record", "--game", "smb", "--rom", str(tmp_path / "absent"), "--autoplay", "--out", out]) == 2
    assert not Path(out).exists()
