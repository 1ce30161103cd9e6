"""Replay streams: a console at both ends. Needs cynes; the program that it runs is made by the tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cynes")

import make_golden_replay
from disturbed import FRAMES, KINDS, dropped, poked
from make_golden import body, digest
from nes_rom import session, write_rom

from hstmae.cli import main
from hstmae.codec.container.description import REPLAY_STREAM
from hstmae.codec.container.gop import Gop
from hstmae.codec.replay import encoder, group, player
from hstmae.codec.replay import profile as profiles
from hstmae.codec.replay.marks import Marks, usual_steps
from hstmae.codec.replay.parts import pack_parts, unpack_parts
from hstmae.codec.replay.predictor import Script
from hstmae.codec.session.profiles import make_profile
from hstmae.codec.session.reader import HstReader
from hstmae.codec.session.verifying import verify_file
from hstmae.codec.session.writer import HstWriter
from hstmae.data.episode import Episode
from hstmae.errors import CodecError, RomError


@pytest.fixture(scope="module")
def rom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rom(tmp_path_factory.mktemp("rom") / "own.nes")


@pytest.fixture(scope="module")
def played(rom: Path) -> Episode:
    return session(rom, FRAMES)


def write(path: Path, episode: Episode, rom: Path, gop: int = 4, spacing: int = 4) -> Path:
    with HstWriter(path, overwrite=True) as writer:
        writer.add(make_profile("replay", "smb", rom=rom, spacing=spacing), episode, gop=gop)
    return path


def same(a: Episode, b: Episode) -> bool:
    names = ("frames", "state", "actions", "frame_numbers", "palette")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


@pytest.mark.parametrize("change", KINDS, ids=lambda change: change.__name__)
def test_whatever_was_recorded_comes_back(
    change: Callable[[Episode, int], Episode], played: Episode, rom: Path, tmp_path: Path
) -> None:
    episode = change(played, 1)
    write(tmp_path / "x.hst", episode, rom, spacing=8)
    with HstReader(tmp_path / "x.hst", rom=rom) as reader:
        assert same(reader.episode(0), episode)


def test_what_the_console_predicts_costs_next_to_nothing(
    rom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (group, encoder, player):
        monkeypatch.setattr(module, "BLOCK", 8)
    episode = session(rom, 30)
    write(tmp_path / "x.hst", episode, rom, gop=20, spacing=1024)
    with HstReader(tmp_path / "x.hst", rom=rom) as reader:
        key, other = (reader.groups.parts(0, k).streams[REPLAY_STREAM] for k in (0, 1))
        assert len(key) < 800 and len(other) < 40
        order = [29, 0, 7, 8, 3, 20, 19]
        assert same(reader.read(0, order), episode.take(np.array(order)))
        assert [f.number for f in reader.play(rows=range(14, 25))] == list(range(15, 26))
    assert verify_file(tmp_path / "x.hst", rom=rom).problems == ()


def test_a_file_says_which_rom_and_emulator_it_needs(
    played: Episode, rom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "x.hst", played, rom)
    other, headed = write_rom(tmp_path / "other.nes", 1), tmp_path / "headed.nes"
    headed.write_bytes(rom.read_bytes()[:8] + b"DiskDude" + rom.read_bytes()[16:])  # another header, the same program
    with HstReader(path, rom=headed) as reader:
        assert same(reader.episode(0), played)
    with HstReader(path) as reader:
        assert reader.episodes()[0].frames == FRAMES
        with pytest.raises(RomError, match=r"give that with --rom FILE, or as HSTMAE_ROM"):
            reader.episode(0)
        monkeypatch.setenv("HSTMAE_ROM", str(rom))
    with HstReader(path) as reader:
        assert same(reader.episode(0), played)
    for wrong, why in ((other, "is another ROM than"), (tmp_path / "none.nes", "cannot be read"), (path, "no ROM of")):
        with HstReader(path, rom=wrong) as reader, pytest.raises(RomError, match=why):
            reader.read(0, [3])
    monkeypatch.setattr(profiles, "emulator_version", lambda: "cynes-9.9")
    with HstReader(path, rom=rom) as reader, pytest.raises(RomError, match=r"pip install 'cynes=="):
        reader[3]


def test_an_emulator_that_does_something_else_is_noticed(played: Episode, rom: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "x.hst", played, rom)
    with HstReader(path, rom=rom) as reader:
        console = profiles.console_of(rom)
        right = type(console).leave
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(console), "leave", lambda self, buttons, frames: right(self, buttons ^ 4, frames))
            with pytest.raises(CodecError, match="other frames than were recorded"):
                reader.episode(0)
            assert "other frames" in "".join(verify_file(path, rom=rom).problems)


def test_what_needs_no_console_is_read_without_a_rom(played: Episode, rom: Path, tmp_path: Path) -> None:
    bare = replace(played, state=None, name="bare")
    path = tmp_path / "x.hst"
    with HstWriter(path) as writer:
        writer.add(make_profile("lossless", "smb"), replace(bare, name="lossless"), gop=6)
        writer.add(make_profile("replay", "smb", rom=rom, spacing=16), bare, gop=6)
        writer.add(make_profile("replay", "smb", rom=rom, spacing=16), played, gop=6)
    with HstReader(path) as reader:
        assert same(reader.episode("bare"), bare) and same(reader.episode("lossless"), bare)
        with pytest.raises(RomError):
            reader.episode("own")
    with HstReader(path, rom=rom) as reader:
        assert len(list(reader)) == 3 * FRAMES


def test_damaged_streams_are_refused_or_exact(played: Episode, rom: Path) -> None:
    """Whatever stands in a stream: the right frames or a CodecError."""
    from hstmae.codec.container.group_chunks import GopParts, content_hash
    from hstmae.codec.replay.player import ReplayPlayer
    from hstmae.codec.session.encoder import description_of

    made = make_profile("replay", "smb", rom=rom, spacing=64)
    part = dropped(poked(played, 3), 2).take(np.arange(8))
    gop, numbers = Gop(part.frames, None, part.state, part.actions), part.frame_numbers
    streams = made.session("").encode(gop, numbers)
    description = description_of(
        made, frame=part.frames[0], palette=part.palette, state=part.state[0], action=0, name="x", game="smb", fps=60.0
    )
    random, refused = np.random.default_rng(0), 0
    for _ in range(12):
        data = bytearray(streams[REPLAY_STREAM])
        for _ in range(random.integers(1, 4)):
            data[random.integers(len(data))] = random.integers(256)
        data = data[: random.integers(1, 2 * len(data))]
        parts = GopParts(numbers, {**streams, REPLAY_STREAM: bytes(data)}, content_hash(gop, numbers))
        player = ReplayPlayer(made, description, lambda k, parts=parts: parts, lambda k: False, 1 << 20)
        try:
            assert np.array_equal(player.group(0).frames, gop.frames)
        except CodecError:
            refused += 1
    assert refused > 6


def test_lost_groups_are_named(played: Episode, rom: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "x.hst", played, rom, gop=4, spacing=1024)
    with HstReader(path) as reader:
        offset, header = reader.entries[0].gops[1]
    data = bytearray(path.read_bytes())
    data[offset + header.size // 2] ^= 1
    path.write_bytes(data)
    assert main(["recover", str(path), str(tmp_path / "y.hst")]) == 0
    with HstReader(tmp_path / "y.hst", rom=rom) as reader:
        assert same(reader.read(0, range(4)), played.take(np.arange(4)))
        with pytest.raises(CodecError, match="go on from a group that is lost"):
            reader.read(0, [5])


def test_commands(played: Episode, rom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain, out = tmp_path / "plain.hst", tmp_path / "small.hst"
    with HstWriter(plain) as writer:
        writer.add(make_profile("lossless", "smb"), poked(played, 0), gop=FRAMES)
    arguments = ["encode", str(plain), str(out), "--rom", str(rom), "--gop", "4096", "--workers", "1"]
    assert main([*arguments, "--json", str(tmp_path / "e.json")]) == 0
    assert FRAMES - 3 <= json.loads((tmp_path / "e.json").read_text())["predicted_frames"] < FRAMES
    assert out.stat().st_size < plain.stat().st_size
    assert main(["verify", str(out)]) == 2 and "--rom FILE" in capsys.readouterr().err
    assert main(["verify", str(out), "--rom", str(rom), "--json", str(tmp_path / "v.json")]) == 0
    told = json.loads((tmp_path / "v.json").read_text())["follow"]
    assert told["tested_frames"] == FRAMES - 1 and 1 <= told["odd_frames"] <= 2
    assert "does not follow: 1 bytes of memory" in capsys.readouterr().out
    assert main(["info", str(out)]) == 0
    assert main(["decode", str(out), str(tmp_path / "a.npz"), "--to", "npz"]) == 2
    assert main(["decode", str(out), str(tmp_path / "a.npz"), "--to", "npz", "--rom", str(rom)]) == 0
    with np.load(tmp_path / "a.npz") as arrays:
        assert np.array_equal(arrays["frames"], played.frames)
    for wrong in (["--stride", "2"], ["--no-state"], ["--profile", "lossless"]):
        assert main(["encode", str(plain), str(tmp_path / "n.hst"), "--rom", str(rom), *wrong]) == 2


def test_an_interrupted_run_gives_the_same_bytes(played: Episode, rom: Path, tmp_path: Path) -> None:
    made = make_profile("replay", "smb", rom=rom, spacing=64)
    from hstmae.codec.session.encoder import encode_episode

    whole = list(encode_episode(made, played, 0, 3))
    from hstmae.codec.container.chunks import split_chunks
    from hstmae.codec.container.description import unpack_description
    from hstmae.codec.session.encoder import EpisodeEncoder

    head = split_chunks(whole[0])[0]
    again = EpisodeEncoder(made, unpack_description(head[24:-4]), 0, first=6)
    rest = [
        again.add(played.frames[t], t + 1, played.state[t], int(played.actions[t]))
        for t in range(again.skipped, FRAMES)
    ]
    assert b"".join([*rest, again.finish()]) == b"".join(whole[2:])


def test_scripts_parts_and_marks() -> None:
    script = Script.of(bytes([0] * 31 + [1] * 4 + [0] * 200), ((31, 0x75F, 2), (40, 3, 255)))
    assert Script.unpack(script.pack()) == script and len(script.frames()) == 235
    parts = {"script": b"a", "marks": b"bcd"}
    assert {name: data for name, data in unpack_parts(pack_parts(parts)).items() if data} == parts
    assert not any(unpack_parts(pack_parts({})).values())
    for wrong in (b"", b"\2\0\0", b"\1\0\0x", b"\1\6\0\5a", b"\1\0\200"):
        with pytest.raises(CodecError):
            unpack_parts(wrong)
    numbers = np.array([1, 2, 3, 9, 10, 2000], np.int32)
    marks = Marks.blank(usual_steps(numbers, None))
    assert marks.steps.tolist() == [-1, 1, 1, 6, 1, 1]
    marks.steps[2], marks.memory[3], marks.picture[[0, 4]] = 0, False, False
    again = Marks.unpack(marks.pack(), usual_steps(numbers, None))
    assert (again.steps == marks.steps).all() and (again.memory == marks.memory).all()
    assert (again.picture == marks.picture).all()


def test_golden_files_decode_to_what_they_held_and_are_made_again(rom: Path, tmp_path: Path) -> None:
    path, expected = (
        make_golden_replay.GOLDEN / "own.hst",
        json.loads((make_golden_replay.GOLDEN / "expected.json").read_text()),
    )
    assert hashlib.sha256(path.read_bytes()).hexdigest() == expected["file_sha256"]
    with HstReader(path, rom=rom) as reader:
        assert [digest(reader.episode(k)) for k in (0, 1)] == expected["content_sha256"]
    make_golden_replay.write(tmp_path / "x.hst", rom)
    assert body(tmp_path / "x.hst") == body(path)


def test_a_long_stretch_that_no_number_tells_of_is_run_over(rom: Path) -> None:
    follower = make_profile("replay", "smb", rom=rom, spacing=64).session("")
    still = session(rom, 96, still=True).take(np.r_[:4, 92:96])
    gop = Gop(still.frames, still.palette, still.state, still.actions)
    streams = follower.encode(gop, np.arange(8, dtype=np.int32))
    assert unpack_parts(streams[REPLAY_STREAM])["rows"] == b""
