"""`hstmae encode, decode, info, verify, recover` as a user types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import plain_profile  # noqa: F401  (registers "plain")
import pytest
from made_up import session, write
from PIL import Image

from hstmae import cli
from hstmae.bundled import SAMPLES


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (source,) = (p for p in (SAMPLES / "sample_session").iterdir() if p.is_dir())
    folder = tmp_path_factory.mktemp("in") / source.name
    folder.mkdir()
    for path in sorted(source.glob("*.png"))[:10]:
        shutil.copy(path, folder)
    return folder.parent


@pytest.fixture(scope="module")
def packed(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("out") / "x.hst"
    assert run("encode", recordings, path, "--profile", "plain", "--gop", 4, "--workers", 1) == 0
    return path


def run(*words: object) -> int:
    return cli.main([str(word) for word in words])


def test_encode_tells_what_it_did(recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, report = tmp_path / "x.hst", tmp_path / "r.json"
    assert run("encode", recordings, path, "--profile", "plain", "--workers", 1, "--json", report) == 0
    out = capsys.readouterr().out
    value = json.loads(report.read_text())
    assert "10 of 10 come back byte for byte" in out and value["frames"] == 10
    assert value["bytes"] == path.stat().st_size and value["exact_files"] == 10
    assert run("encode", recordings, path) == 2
    assert "there already" in capsys.readouterr().err


def test_files_come_back_by_the_default_profile(recordings: Path, tmp_path: Path) -> None:
    """The whole way with the lossless profile: recordings, file, recordings."""
    path = tmp_path / "x.hst"
    assert run("encode", recordings, path, "--workers", 1) == 0
    assert run("decode", path, tmp_path / "back", "--to", "smbdataset", "--workers", 1) == 0
    (a,), (b,) = recordings.iterdir(), (tmp_path / "back").iterdir()
    assert a.name == b.name
    assert {p.name: p.read_bytes() for p in a.iterdir()} == {p.name: p.read_bytes() for p in b.iterdir()}
    assert run("verify", path) == 0


def test_options_of_encode(recordings: Path, tmp_path: Path) -> None:
    from hstmae.codec.session.reader import HstReader

    options = [
        "--profile",
        "plain",
        "--workers",
        1,
        "--no-state",
        "--stride",
        3,
        "--gop",
        2,
        "--episodes",
        "recorded_*",
    ]
    assert run("encode", recordings, tmp_path / "x.hst", *options) == 0
    with HstReader(tmp_path / "x.hst") as reader:
        (description,) = reader.episodes()
        assert (len(reader), description.state, description.actions, description.gop) == (4, 0, 1, 2)
        assert description.fps == pytest.approx(60.0988 / 3) and reader.entries[0].files is None
        numbers = reader.episode(0).frame_numbers
    first = sorted(int(p.name.split("_f")[1].split("_")[0]) for p in next(recordings.iterdir()).iterdir())
    assert numbers.tolist() == first[::3]


def test_info_and_verify(packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", packed) == 0
    assert "recorded_heldout3000" in capsys.readouterr().out
    assert run("info", packed, "--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert value["frames"] == 10 and value["indexed"] and value["episodes"][0]["groups"] == 3
    assert sum(value["streams"].values()) + value["container_bytes"] == value["bytes"] == packed.stat().st_size
    assert run("verify", packed, "--json", tmp_path / "v.json") == 0
    assert json.loads((tmp_path / "v.json").read_text())["whole"]
    assert "whole" in capsys.readouterr().out


def test_verify_tells_a_flipped_bit_and_recover_saves_the_rest(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(packed.read_bytes())
    data[3000] ^= 8
    path, saved = tmp_path / "bad.hst", tmp_path / "saved.hst"
    path.write_bytes(data)
    assert run("verify", path, "--json", tmp_path / "v.json") == 2
    assert not json.loads((tmp_path / "v.json").read_text())["whole"]
    assert "frames 0 to 3" in capsys.readouterr().out
    assert run("recover", path, saved, "--json", tmp_path / "r.json") == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["frames"] == 6 and report["missing"] == [["recorded_heldout3000_e0_1-1_fail", 0, 4]]
    assert run("decode", saved, tmp_path / "png", "--to", "png") == 0
    assert len(list((tmp_path / "png").iterdir())) == 6
    assert run("decode", saved, tmp_path / "rec", "--to", "smbdataset", "--workers", 1) == 0
    assert len(list((tmp_path / "rec").rglob("*.png"))) == 6
    assert run("recover", path, saved) == 2


def test_wrong_content_under_right_checksums_is_noticed(packed: Path, tmp_path: Path,
                                                        capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    """A coder that decodes to something else: only the hash of the content can tell."""
    from hstmae.codec.container.chunks import GOP, HEADER_BYTES, chunk, parse_header

    data = packed.read_bytes()
    at = data.index(GOP)
    header = parse_header(memoryview(data), at)
    assert header is not None
    payload = bytearray(data[at + HEADER_BYTES : at + HEADER_BYTES + header.length])
    payload[0] ^= 1  # of the stated hash
    fixed = chunk(GOP, bytes(payload), episode=0, frames=header.frames, flags=header.flags)
    (tmp_path / "x.hst").write_bytes(data[:at] + fixed + data[at + len(fixed) :])
    assert run("verify", tmp_path / "x.hst") == 2
    assert "other content" in capsys.readouterr().out


def test_pictures_arrays_and_films(packed: Path, tmp_path: Path) -> None:
    from hstmae.codec.session.reader import HstReader

    with HstReader(packed) as reader:
        episode = reader.episode(0)
    assert run("decode", packed, tmp_path / "p", "--to", "png", "--frames", "3:6") == 0
    for t, path in enumerate(sorted((tmp_path / "p").iterdir()), 3):
        with Image.open(path) as picture:
            np.testing.assert_array_equal(np.asarray(picture), episode.frames[t])
            np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), episode.palette[episode.frames[t]])
    assert run("decode", packed, tmp_path / "one", "--to", "png", "--frames", "9") == 0
    assert len(list((tmp_path / "one").iterdir())) == 1
    assert run("decode", packed, tmp_path / "a.npz", "--to", "npz") == 0
    with np.load(tmp_path / "a.npz") as arrays:
        for name in ("frames", "palette", "state", "actions", "frame_numbers"):
            np.testing.assert_array_equal(arrays[name], getattr(episode, name))
    assert run("decode", packed, tmp_path / "half", "--to", "png", "--fps", "30.0494") == 0
    assert len(list((tmp_path / "half").iterdir())) == 5
    pytest.importorskip("av", reason="films need PyAV: pip install 'hstmae[video]'")
    assert run("decode", packed, tmp_path / "a.mp4", "--to", "mp4", "--frames", "2:8") == 0
    assert (tmp_path / "a.mp4").stat().st_size > 500


def test_blending_mixes_neighbours(tmp_path: Path) -> None:
    episode = session(3, rgb=True, state=0)
    path = write(tmp_path / "x.hst", episode)
    assert run("decode", path, tmp_path / "p", "--to", "png", "--fps", 2 * 60.0988, "--blend") == 0
    pictures = [np.asarray(Image.open(p)).astype(int) for p in sorted((tmp_path / "p").iterdir())]
    assert len(pictures) == 5
    for k in range(3):
        np.testing.assert_array_equal(pictures[2 * k], episode.frames[k])
    np.testing.assert_array_equal(pictures[1], (episode.frames[0].astype(int) + episode.frames[1] + 1) // 2)


def test_a_store_comes_out(packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("decode", packed, tmp_path / "s", "--to", "store", "--workers", 1, "--frames", "2:7") == 0
    assert run("verify", tmp_path / "s") == 0
    assert "5 frames" in capsys.readouterr().out


def test_true_colour_pictures_go_in_and_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (7, 9, 3), dtype=np.uint8) for _ in range(3)]
    for k, frame in enumerate(frames):
        Image.fromarray(frame).save(tmp_path / "in" / f"{k}.png")
    assert run("encode", tmp_path / "in", tmp_path / "x.hst", "--profile", "plain", "--workers", 1, "--fps", 25) == 0
    assert run("decode", tmp_path / "x.hst", tmp_path / "out", "--to", "png") == 0
    for path, frame in zip(sorted((tmp_path / "out").iterdir()), frames, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), frame)
    assert run("encode", tmp_path / "x.hst", tmp_path / "y.hst", "--profile", "plain", "--gop", 1) == 0  # once more


def test_decoding_goes_on_and_clears_what_a_killed_process_left(packed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("decode", packed, out, "--to", "smbdataset") == 0
    names = sorted(path.name for path in out.iterdir())
    lost, *kept = names
    (out / lost).rename(out / f".{lost}.tmp-12-ab")  # as a killed process leaves it, here of all its files
    foreign = out / ".other.tmp-12-ab"
    foreign.mkdir()
    before = {name: (out / name).stat().st_mtime_ns for name in kept}
    assert run("decode", packed, out, "--to", "smbdataset", "--resume") == 0
    assert sorted(path.name for path in out.iterdir()) == sorted([*names, foreign.name])
    assert before == {name: (out / name).stat().st_mtime_ns for name in kept}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["encode", "nothing", "x.hst"], "no such file"),
        (["encode", "IN", "x.mp4"], ".hst"),
        (["encode", "IN", "x.hst", "--gop", "0"], "--gop"),
        (["encode", "IN", "x.hst", "--gop", "5000"], "--gop"),
        (["encode", "IN", "x.hst", "--stride", "0"], "--stride"),
        (["encode", "IN", "x.hst", "--profile", "best"], "unknown profile"),
        (["encode", "IN", "x.hst", "--quality", "40"], "neural"),
        (["encode", "IN", "x.hst", "--episodes", "nobody"], "has no episode"),
        (["encode", "FILE", "x.hst", "--game", "smb"], "--game"),
        (["decode", "nothing.hst", "x", "--to", "png"], "no such file"),
        (["decode", "IN", "x", "--to", "png"], "IN"),
        (["decode", "FILE", "x", "--to", "png", "--frames", "20:30"], "it has frames 0 to"),
        (["decode", "FILE", "x", "--to", "png", "--frames", "a:b"], "not a:b"),
        (["decode", "FILE", "x", "--to", "png", "--episode", "nobody"], "no episode"),
        (["decode", "FILE", "x", "--to", "npz"], ".npz"),
        (["decode", "FILE", "x", "--to", "store", "--fps", "30"], "--fps"),
        (["decode", "FILE", "x", "--to", "png", "--blend"], "--blend"),
        (["decode", "FILE", "x", "--to", "store", "--resume"], "--resume"),
        (["info", "nothing.hst"], "no such file"),
        (["info", "TEXT"], "not a .hst file"),
        (["verify", "TEXT"], "not a .hst file"),
        (["recover", "TEXT", "x.hst"], "nothing in it can be saved"),
    ],
)
def test_wrong_requests_are_told(
    words: list[str], reason: str, packed: Path, recordings: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("a text file\n" * 20)
    names = {"IN": recordings, "FILE": packed, "TEXT": tmp_path / "text"}
    assert run(*(names.get(word, word) for word in words)) == 2
    error = capsys.readouterr().err
    assert (str(recordings) if reason == "IN" else reason) in error
    assert [path.name for path in tmp_path.iterdir()] == ["text"]
