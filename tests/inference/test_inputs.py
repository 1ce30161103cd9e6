"""Whatever restoring is given: archives as the folders in them, animations, broken pictures, odd names."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fake_networks import ColourPainter, Painter, colour_footage, colour_predictor, predictor
from PIL import Image

from hstmae import cli
from hstmae.data.sources.video import VideoOptions, find_videos
from hstmae.errors import DataError, HstError
from hstmae.games import get_game
from hstmae.inference.footage.opening import open_footage
from hstmae.inference.job import RestoreSummary, restore_footage
from hstmae.inference.mask_rules import MaskRules
from hstmae.inference.sinks import FolderSink
from hstmae.masks.tubes import TubeSpec
from hstmae.pictures.animated import Animated
from hstmae.pictures.png import encode_apng

PAINT = np.array([51, 102, 204], np.uint8)  # ColourPainter.COLOUR
HALF = MaskRules(tube=TubeSpec(0.5))


def restored(path: Path, out: Path, game: str = "generic", masks: MaskRules = HALF, strict: bool = False) -> list:
    """The footages, after all their frames were written below `out`."""
    made = predictor(Painter()) if get_game(game).indexed else colour_predictor(ColourPainter(), game)
    found = list(open_footage(path, game, strict=strict))
    for footage in found:
        restore_footage(made, footage, masks, "auto", FolderSink(out / footage.name), RestoreSummary())
    return found


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    for sub in ("a", "b"):
        (folder / sub).mkdir(parents=True)
        for t, frame in enumerate(colour_footage(5, seed=ord(sub))):
            Image.fromarray(frame).save(folder / sub / f"{t}.{'png' if t else 'bmp'}")
    (folder / "notes.txt").write_text("words")
    return folder


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
@pytest.mark.parametrize("top", [True, False])
def test_an_archive_is_restored_as_the_folder_in_it(form: str, top: bool, frames: Path, tmp_path: Path) -> None:
    path = tmp_path / f"x.{form}"
    names = [p for p in frames.rglob("*") if p.is_file()]
    inside = frames.parent if top else frames
    if form == "zip":
        with zipfile.ZipFile(path, "w") as packed:
            for name in names:
                packed.write(name, name.relative_to(inside))
    else:
        with tarfile.open(path, "w:" + form[4:]) as packed:
            for name in names:
                packed.add(name, name.relative_to(inside))
    restored(frames, tmp_path / "one")
    found = restored(path, tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two") and len(content(tmp_path / "two")) == 10
    assert str(tmp_path) in str(found[0].signature())  # what a run is known by does not change from run to run


def test_a_broken_picture_is_a_lost_frame_and_told(frames: Path, tmp_path: Path) -> None:
    whole = (frames / "a" / "2.png").read_bytes()
    (frames / "a" / "2.png").write_bytes(whole[: len(whole) // 2])
    (frames / "a" / "0.bmp").write_bytes(b"words")
    (first, _) = restored(frames, tmp_path / "out")
    assert [problem.file for problem in first.problems] == ["0.bmp", "2.png"]
    for name in ("0.png", "2.png"):
        assert (np.asarray(Image.open(tmp_path / "out" / "a" / name)) == PAINT).all()
    before = np.asarray(Image.open(frames / "a" / "1.png"))
    after = np.asarray(Image.open(tmp_path / "out" / "a" / "1.png"))
    assert ((after == before) | (after == PAINT)).all()
    with pytest.raises(DataError, match=r"0\.bmp"):
        restored(frames, tmp_path / "strict", strict=True)
    for file in (frames / "a").iterdir():
        file.write_bytes(b"words")
    with pytest.raises(DataError, match=r"0\.bmp: is a text file"):
        restored(frames, tmp_path / "none")


def test_names_of_what_is_written_are_apart_everywhere(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("x.png", "x.jpg", "X.PNG", "y.JPEG", "z.bmp", "con.png", "noending"):
        form = {"x.jpg": "JPEG", "y.JPEG": "JPEG", "z.bmp": "BMP"}.get(name, "PNG")
        Image.fromarray(colour_footage(1)[0]).save(folder / name, form)
    (footage,) = open_footage(folder, "generic")
    assert len({name.casefold() for name in footage.files}) == 7
    assert set(footage.files) >= {"X.PNG", "x~2.png", "x.jpg.png", "y.png", "z.bmp", "_con.png", "noending.png"}
    restored(folder, tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 7
    with Image.open(tmp_path / "out" / "z.bmp") as file:
        assert file.format == "BMP"


@pytest.mark.parametrize("game", ["smb", "generic"])
def test_names_of_folders_are_apart_everywhere(game: str, tmp_path: Path) -> None:
    for name in ("a:b", "a_b", "Aa", "aA", "con", "x ", "n\nl/y."):
        (tmp_path / "in" / name).mkdir(parents=True)
        Image.fromarray(get_game("smb").palette[np.full((16, 16), 0x22)]).save(tmp_path / "in" / name / "0.png")
    names = [footage.name for footage in open_footage(tmp_path / "in", game)]
    assert sorted(names) == ["Aa", "_con", "aA~2", "a_b", "a_b~2", "n_l/y", "x"]


@pytest.mark.parametrize("kind", ["png", "gif", "webp", "tif"])
def test_animations_come_back_as_animations(kind: str, tmp_path: Path) -> None:
    clip, path = colour_footage(6), tmp_path / f"a.{kind}"
    delays = [Fraction(1, 10), Fraction(1, 5), Fraction(1, 10), Fraction(1, 10), Fraction(1, 2), Fraction(1, 10)]
    if kind == "png":
        path.write_bytes(b"".join(encode_apng(clip, delays, 2)))
    else:
        first, *more = [Image.fromarray(frame) for frame in clip]
        times = {} if kind == "tif" else {"duration": [int(1000 * delay) for delay in delays], "loop": 1}
        first.save(path, save_all=True, append_images=more, **times, **({"lossless": True} if kind == "webp" else {}))
    before = [frame[..., :3] for frame in Animated(path).frames()]
    (footage,) = restored(path, tmp_path / "out")
    ending = {"gif": ".png"}.get(kind, f".{kind}")
    made = Animated(tmp_path / "out" / f"a{ending}")
    assert made.delays == (delays if kind != "tif" else [Fraction(0)] * 6)
    assert made.plays == {"gif": 2, "webp": 1, "png": 2, "tif": 0}[kind]
    assert bool(footage.remarks) == (kind == "gif")
    for t, frame in enumerate(made.frames()):
        changed = (frame[..., :3] != before[t]).any(-1)
        assert 0.3 < changed.mean() < 0.6 and (frame[..., :3][changed] == PAINT).all()
        single = np.asarray(Image.open(tmp_path / "out" / f"f{t:06d}.png").convert("RGB"))
        np.testing.assert_array_equal(single, frame[..., :3])
    (episode,) = find_videos(path, VideoOptions())
    remarks: list[object] = []
    assert episode.size == 6 and len(list(episode.frames(remarks.append, {}))) == 6
    assert (len(remarks) == 1 and episode.fps == pytest.approx(6 / 1.1)) or kind == "tif"


def test_what_a_file_holds_decides_not_its_name(tmp_path: Path) -> None:
    clip = colour_footage(3)
    first, *more = [Image.fromarray(frame) for frame in clip]
    first.save(tmp_path / "film.png", "GIF", save_all=True, append_images=more)
    first.save(tmp_path / "photo.mp4", "PNG")
    names = {type(footage).__name__: footage.count for footage in open_footage(tmp_path, "generic")}
    assert names == {"Animation": 3, "PictureFiles": 1}


def test_equal_stems_are_two_sequences(tmp_path: Path) -> None:
    first, *more = [Image.fromarray(frame) for frame in colour_footage(3)]
    for name in ("clip.gif", "clip.webp", "Clip.tif"):
        first.save(tmp_path / name, save_all=True, append_images=more)
    assert sorted(f.name for f in open_footage(tmp_path, "generic")) == ["Clip.tif", "clip.gif", "clip.webp"]


@pytest.mark.parametrize("form", ["BMP", "GIF", "TIFF", "WEBP", "PNG"])
def test_pictures_of_palette_games_in_other_formats(form: str, tmp_path: Path) -> None:
    game = get_game("smb")
    indices = np.random.default_rng(0).choice(np.array([0x22, 0x0F, 0x17]), (32, 32))
    ending = {"BMP": "bmp", "GIF": "gif", "TIFF": "tif", "WEBP": "webp", "PNG": "png"}[form]
    picture = Image.fromarray(game.palette[indices])
    picture.save(tmp_path / f"a.{ending}", form, **({"lossless": True} if form == "WEBP" else {}))
    (footage,) = open_footage(tmp_path / f"a.{ending}", "smb")
    np.testing.assert_array_equal(footage.read(0, 1).pictures[0].indices, indices)
    assert footage.files == ["a.png"]
    (footage,) = open_footage(tmp_path, "smb")
    assert footage.count == 1


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("x.mp4", b"words", "text file.*looked for"),
        ("x.pth", b"PK\x03\x04", "weights: give it with --checkpoint"),
        ("x", b"", r"empty \(0 bytes\)"),
        ("x.zip", b"Rar!\x1a\x07\x01\0", "RAR archive.*unpack it"),
        ("x.bin", bytes(range(256)), "no kind that is known"),
        ("x.hst", b"\x89HST\r\n\x1a\n", "x.hst"),
    ],
)
@pytest.mark.parametrize("game", ["smb", "generic"])
def test_files_that_are_no_footage_say_what_they_are(
    name: str, data: bytes, reason: str, game: str, tmp_path: Path
) -> None:

    (tmp_path / name).write_bytes(data)
    with pytest.raises(HstError, match=reason):
        for footage in open_footage(tmp_path / name, game):
            footage.read(0, 1)


@pytest.mark.parametrize("game", ["smb", "generic"])
def test_folders_without_footage_say_what_they_hold(game: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for make, reason in (
        (lambda: folder.mkdir(), "is an empty folder"),
        (lambda: (folder / "a" / "b").mkdir(parents=True), "holds 2 empty folders"),
        (lambda: (folder / ".DS_Store").write_bytes(b"x"), "an operating system left"),
        (lambda: (folder / "a" / "x.txt").write_bytes(b"x"), r"holds 1 \.txt"),
        (lambda: (folder / "y.pth").write_bytes(b"x"), r"1 \.txt, 1 \.pth|1 \.pth, 1 \.txt"),
    ):
        make()
        with pytest.raises(DataError, match=reason + ".*looked for"):
            list(open_footage(folder, game))


def test_one_picture_through_pipes(tmp_path: Path) -> None:
    rgba = np.full((32, 48, 4), 255, np.uint8)
    rgba[..., :3] = get_game("smb").palette[0x22]
    rgba[8:16, 8:16, 3] = 0
    file = io.BytesIO()
    Image.fromarray(rgba).save(file, "PNG")
    command = [sys.executable, "-m", "hstmae", "restore", "-", "--out", "-", "--checkpoint", "hst-mae-nano"]
    run = subprocess.run(command, input=file.getvalue(), capture_output=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    with Image.open(io.BytesIO(run.stdout)) as picture:
        after = np.asarray(picture.convert("RGBA"))
    np.testing.assert_array_equal(after[rgba[..., 3] > 0], rgba[rgba[..., 3] > 0])
    assert (after[..., 3] == 255).all() and b"restored 1 of 1 frames" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_one_picture_becomes_one_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rgba = np.full((32, 48, 4), 255, np.uint8)
    rgba[..., :3] = get_game("smb").palette[0x22]
    rgba[8:16, 8:16, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "a.png")
    command = ["restore", str(tmp_path / "a.png"), "--checkpoint", "hst-mae-nano", "--out"]
    assert cli.main([*command, str(tmp_path / "b.png"), "--json", str(tmp_path / "b.json")]) == 0
    with Image.open(tmp_path / "b.png") as picture:
        after = np.asarray(picture.convert("RGBA"))
    np.testing.assert_array_equal(after[rgba[..., 3] > 0], rgba[rgba[..., 3] > 0])
    assert (after[..., 3] == 255).all() and json.loads((tmp_path / "b.json").read_text())["out"].endswith("b.png")
    capsys.readouterr()
    for out, reason in (
        ("b.png", "--overwrite"),
        ("a.png", "is the input"),
        ("c.jpg", "this picture is written as .png"),
        ("c.webp", "this picture is written as .png"),
    ):
        assert cli.main([*command, str(tmp_path / out)]) == 2
        assert reason in capsys.readouterr().err
    folder = ["restore", str(tmp_path), "--checkpoint", "hst-mae-nano", "--out", str(tmp_path / "c.png")]
    assert cli.main(folder) == 2 and "more frames; give a folder" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.json", "b.png"]
