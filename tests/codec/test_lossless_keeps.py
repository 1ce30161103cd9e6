"""What goes into a lossless .hst file comes out of it, or is refused and counted, whatever kind of picture it is."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from hstmae.bundled import SAMPLES
from hstmae.cli import main
from hstmae.codec.lossless.profile import LosslessProfile
from hstmae.codec.session.encoder import description_of
from hstmae.codec.session.reader import HstReader
from hstmae.errors import DataError

RGB = np.random.default_rng(5).integers(0, 256, (12, 10, 3), np.uint8)
GREY16 = np.arange(120, dtype=np.uint16).reshape(12, 10) * 500
picture = Image.fromarray(RGB)
clear = Image.fromarray(np.dstack([RGB, RGB[..., 0]]))
notes = PngImagePlugin.PngInfo()
notes.add_text("Title", "a text")
gamma = PngImagePlugin.PngInfo()
gamma.add(b"gAMA", (45455).to_bytes(4, "big"))
turned = Image.Exif()
turned[0x0112] = 6


def run(*words: object) -> int:
    return main([str(word) for word in words])


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# ending, file, kind; what is seen changes without it
CHANGING = {
    "grey16": (".png", saved(Image.fromarray(GREY16)), "depth"),
    "tiff16": (".tif", saved(Image.fromarray(GREY16), "TIFF"), "depth"),
    "rgba": (".png", saved(clear), "alpha"),
    "grey_alpha": (".png", saved(clear.convert("LA")), "alpha"),
    "palette": (".png", saved(picture.quantize(16), transparency=0), "alpha"),
    "key": (".png", saved(picture, transparency=tuple(int(v) for v in RGB[0, 0])), "alpha"),
    "webp": (".webp", saved(clear, "WEBP", lossless=True), "alpha"),
    "cmyk": (".jpg", saved(picture.convert("CMYK"), "JPEG"), "colours"),
}
BESIDE = {
    "text": (".png", saved(picture, pnginfo=notes), "notes"),
    "gamma": (".png", saved(picture, pnginfo=gamma), "profile"),
    "icc": (".jpg", saved(picture, "JPEG", icc_profile=b"profile" * 30), "profile"),
    "tail": (".png", saved(picture) + b"more", "tail"),
    "comment": (".jpg", saved(picture, "JPEG", comment=b"hello"), "notes"),
}


def folder(tmp_path: Path, ending: str, data: bytes) -> Path:
    """A folder of a plain picture and the one in question."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "0.png").write_bytes(saved(picture))
    (tmp_path / "in" / f"1{ending}").write_bytes(data)
    return tmp_path / "in"


@pytest.mark.parametrize("name", CHANGING)
def test_a_picture_that_would_change_is_left_out_and_counted(name, tmp_path, capsys):
    ending, data, kind = CHANGING[name]
    source, report = folder(tmp_path, ending, data), tmp_path / "r.json"
    assert run("encode", source, tmp_path / "x.hst", "--json", report, "--workers", 1) == 0
    value = json.loads(report.read_text())
    assert value["frames"] == 1 and value["counts"] == {f"refused_{kind}": 1}
    assert len(value["problems"]) == 1 and f"--allow-loss {kind}" in value["problems"][0]
    assert "left out  1 file" in capsys.readouterr().out
    with HstReader(tmp_path / "x.hst") as reader:
        np.testing.assert_array_equal(reader[0].rgb, RGB)
        assert [out for _, _, out in reader.episodes()[0].problems] == [True]


@pytest.mark.parametrize("name", CHANGING)
def test_what_may_be_lost_is_named_and_nothing_saturates(name, tmp_path):
    ending, data, kind = CHANGING[name]
    source, report = folder(tmp_path, ending, data), tmp_path / "r.json"
    words = ("--allow-loss", kind, "--json", report, "--workers", 1)
    assert run("encode", source, tmp_path / "x.hst", *words) == 0
    assert json.loads(report.read_text())["counts"] == {f"lost_{kind}": 1}
    with HstReader(tmp_path / "x.hst") as reader:
        assert len(reader) == 2 and dict(reader.episodes()[0].notes)[f"lost_{kind}"] == 1
        if kind == "depth":
            assert len(np.unique(reader[1].rgb[..., 0])) > 100
            assert np.abs(reader[1].rgb[..., 0] - GREY16 / 257).max() < 1


@pytest.mark.parametrize("name", BESIDE)
def test_what_stands_beside_a_picture_is_counted(name, tmp_path):
    ending, data, kind = BESIDE[name]
    source, report = folder(tmp_path, ending, data), tmp_path / "r.json"
    assert run("encode", source, tmp_path / "x.hst", "--json", report, "--workers", 1) == 0
    value = json.loads(report.read_text())
    assert value["frames"] == 2 and value["counts"] == {f"lost_{kind}": 1} and len(value["problems"]) == 1


@pytest.mark.parametrize(
    "data",
    [
        saved(picture),
        saved(picture.convert("L")),
        saved(picture.convert("1")),
        saved(picture.quantize(16)),
        saved(picture.quantize(16), bits=4),
        saved(picture, exif=turned),
        saved(picture, "BMP", dpi=(0, 0)),
    ],
    ids=range(7),
)
def test_pictures_that_lose_nothing_come_back(data, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "0.png").write_bytes(data)
    report = tmp_path / "r.json"
    assert run("encode", tmp_path / "in", tmp_path / "x.hst", "--json", report, "--workers", 1) == 0
    assert json.loads(report.read_text())["problems"] == []
    assert run("decode", tmp_path / "x.hst", tmp_path / "out", "--to", "png") == 0
    with Image.open(tmp_path / "out" / "f000000.png") as got, Image.open(io.BytesIO(data)) as given:
        upright = given.transpose(Image.Transpose.ROTATE_270) if given.getexif() else given
        np.testing.assert_array_equal(np.asarray(got), np.asarray(upright.convert("RGB")))


@pytest.mark.parametrize(("times", "code"), [([100, 100, 100], 0), ([100, 300, 100], 2)])
def test_animations_are_kept_with_their_times_or_refused(times, code, tmp_path, capsys):
    frames = [Image.fromarray(np.roll(RGB, k, 0)) for k in range(3)]
    data = saved(frames[0], save_all=True, append_images=frames[1:], duration=times)
    (tmp_path / "x.png").write_bytes(data)
    assert run("encode", tmp_path / "x.png", tmp_path / "x.hst", "--workers", 1) == code
    if code:
        assert "--allow-loss times" in capsys.readouterr().err
        assert run("encode", tmp_path / "x.png", tmp_path / "x.hst", "--workers", 1, "--allow-loss", "times") == 0
    with HstReader(tmp_path / "x.hst") as reader:
        for frame, wanted in zip(reader, frames, strict=True):
            np.testing.assert_array_equal(frame.rgb, np.asarray(wanted))


def test_a_gif_is_kept_as_the_file_it_is(tmp_path):
    pytest.importorskip("av")
    frames = [Image.fromarray(np.roll(RGB, k, 0)).quantize(30) for k in range(3)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=[100, 300, 100], comment=b"hello")
    (tmp_path / "x.gif").write_bytes(data)
    assert run("encode", tmp_path / "x.gif", tmp_path / "x.hst") == 0
    assert run("decode", tmp_path / "x.hst", tmp_path / "y.gif", "--to", "film") == 0
    assert (tmp_path / "y.gif").read_bytes() == data


def test_allowed_losses_must_be_known(tmp_path, capsys):
    source = folder(tmp_path, ".png", saved(picture))
    assert run("encode", source, tmp_path / "x.hst", "--allow-loss", "colour") == 2
    assert "colours" in capsys.readouterr().err


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    """A .hst file of a few frames of the bundled session."""
    (source,) = (p for p in (SAMPLES / "sample_session").iterdir() if p.is_dir())
    place = tmp_path_factory.mktemp("recording") / "in" / source.name
    place.mkdir(parents=True)
    for path in sorted(source.glob("*.png"))[:6]:
        (place / path.name).write_bytes(path.read_bytes())
    assert run("encode", place.parent, place.parent.parent / "x.hst", "--workers", 1) == 0
    return place.parent.parent


def test_files_of_recordings_come_back_through_a_second_file(recording, tmp_path, capsys):
    assert run("encode", recording / "x.hst", tmp_path / "y.hst", "--gop", 3, "--workers", 1) == 0
    assert "source files came along" in capsys.readouterr().out
    assert run("decode", tmp_path / "y.hst", tmp_path / "out", "--to", "smbdataset", "--workers", 1) == 0
    wanted = {p.relative_to(recording / "in"): p.read_bytes() for p in (recording / "in").rglob("*.png")}
    assert {p.relative_to(tmp_path / "out"): p.read_bytes() for p in (tmp_path / "out").rglob("*.png")} == wanted


@pytest.mark.parametrize("options", [["--stride", "2"], ["--no-state"]])
def test_what_does_not_come_along_is_said(recording, options, tmp_path, capsys):
    assert run("encode", recording / "x.hst", tmp_path / "y.hst", "--workers", 1, *options) == 0
    assert "source files are not kept" in capsys.readouterr().out


@pytest.mark.parametrize("frames", ["200:300", "4:20", "6:", "3:3", "4:2", "-9:", ":7"])
def test_frames_that_are_not_there_are_told(recording, frames, tmp_path, capsys):
    assert run("decode", recording / "x.hst", tmp_path / "out", "--to", "png", f"--frames={frames}") == 2
    error = capsys.readouterr().err
    assert "it has frames 0 to 5" in error and "0:6" in error
    assert not (tmp_path / "out").exists()


def test_pictures_keep_their_frame_numbers(recording, tmp_path):
    assert run("decode", recording / "x.hst", tmp_path / "out", "--to", "png", "--frames", "2:4") == 0
    with HstReader(recording / "x.hst") as reader:
        wanted = {f"f{reader[k].number:06d}.png" for k in (2, 3)}
    assert {path.name for path in (tmp_path / "out").iterdir()} == wanted


NAMES = [
    "CON",
    "nul.x",
    "a:b",
    "tail ",
    "dot.",
    "new\nline",
    "ctl\x01x",
    "x" * 250,
    "abc",
    "ABC",
    'q"?*<>|',
    "\u202egnp",
]


def test_names_that_no_file_system_takes_go_through_every_verb(tmp_path):
    for name in NAMES:
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "0.png").write_bytes(saved(picture))
    assert run("encode", tmp_path / "in", tmp_path / "x.hst", "--workers", 1) == 0
    with HstReader(tmp_path / "x.hst") as reader:
        names = [description.name for description in reader.episodes()]
    assert len({name.casefold() for name in names}) == len(names) == len(NAMES)
    for to in ("png", "npz", "store"):
        assert run("decode", tmp_path / "x.hst", tmp_path / to, "--to", to, "--workers", 1) == 0
    assert {path.name for path in (tmp_path / "png").iterdir()} == set(names)
    assert {path.stem for path in (tmp_path / "npz").iterdir()} == {Path(f"{name}.npz").stem for name in names}


def test_names_in_a_file_of_others_never_reach_the_file_system(tmp_path):
    from made_up import session, write

    path = write(tmp_path / "x.hst", session(3, 1, name="a:b", state=0), session(3, 2, name="CON", state=0))
    assert run("decode", path, tmp_path / "out", "--to", "png") == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"a_b", "_CON"}


@pytest.mark.parametrize(("memory", "buttons"), [(65_537, None), (65_536, 1), (65_000, 600)])
def test_memory_beyond_what_a_row_holds_is_told(memory: int, buttons: int | None) -> None:
    action = None if buttons is None else np.zeros(buttons, np.uint8)
    frame, state = np.zeros((8, 8), np.uint8), np.zeros(memory, np.uint8)
    with pytest.raises(DataError, match=r"a\.png: 65,\d{3} bytes .* \(--no-state\)"):
        description_of(
            LosslessProfile(None), frame=frame, palette=None, state=state, action=action, name="a.png", game="x", fps=60
        )
