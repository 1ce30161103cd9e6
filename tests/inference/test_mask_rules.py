"""What is missing, said in every way and for every kind of footage; checked before a frame is touched."""

import json

import numpy as np
import pytest
from fake_networks import ColourPainter, Painter, colour_predictor, predictor
from PIL import Image

from hstmae.cli import main
from hstmae.errors import DataError, UsageError
from hstmae.games import get_game
from hstmae.inference.footage.opening import open_footage
from hstmae.inference.job import RestoreSummary, restore_footage
from hstmae.inference.mask_rules import MaskRules
from hstmae.inference.sinks import FolderSink
from hstmae.masks.meaning import Reading
from hstmae.masks.ranges import Drawn, parse_rectangle, parse_span
from hstmae.pictures.indexed import read_picture, to_png

GAME = get_game("smb")
SKY, MADE = 0x22, 7  # what pictures show, what the painter paints


def palette_frames(folder, names=("a.png", "b.png"), size=(32, 48)):
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(to_png(np.full(size, SKY, np.uint8), GAME.palette))
    return folder


def restored(path, out, masks: MaskRules, game: str = "smb") -> RestoreSummary:
    summary, sequences = RestoreSummary(), list(open_footage(path, game))
    masks.check(sequences)
    model = predictor(Painter()) if game == "smb" else colour_predictor(ColourPainter(), game)
    model.recall = False  # what is masked is seen by what the network paints
    for footage in sequences:
        restore_footage(model, footage, masks, "none", FolderSink(out / footage.name), summary)
    return summary


def changed(out) -> np.ndarray:
    """bool [T, H, W] of the restored pictures in a folder."""
    return np.stack([read_picture(p, GAME).indices != SKY for p in sorted(out.glob("*.png"))])


def white(mask: np.ndarray, path) -> None:
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)


def test_all_that_is_said_adds_up(tmp_path) -> None:
    frames = palette_frames(tmp_path / "in")
    expected = np.zeros((2, 32, 48), bool)
    one, two = expected[0].copy(), expected[0].copy()
    one[0:3], two[:, 40:] = True, True
    white(one, tmp_path / "one.png")
    np.save(tmp_path / "two.npy", two)
    drawn = Drawn([parse_rectangle("10,10,5,6@0")], [parse_span("1")])
    restored(frames, tmp_path / "out", MaskRules([tmp_path / "one.png", tmp_path / "two.npy"], drawn=drawn))
    expected[:] = one | two
    expected[0, 10:16, 10:15] = True
    expected[1] = True
    np.testing.assert_array_equal(changed(tmp_path / "out"), expected)


def test_masks_are_inverted_and_grown(tmp_path) -> None:
    frames = palette_frames(tmp_path / "in")
    mask = np.ones((32, 48), bool)
    mask[10, 10] = False
    white(mask, tmp_path / "m.png")
    rules = MaskRules([tmp_path / "m.png"], Reading(invert=True), dilate=1)
    restored(frames, tmp_path / "out", rules)
    expected = np.zeros((32, 48), bool)
    expected[9:12, 9:12] = True
    np.testing.assert_array_equal(changed(tmp_path / "out"), np.stack([expected] * 2))


def test_feathered_edges_fade_into_the_picture(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (64, 48), (200, 100, 50)).save(tmp_path / "in" / "a.png")
    made = MaskRules(drawn=Drawn([parse_rectangle("20,20,8,8")]), feather=3)
    restored(tmp_path / "in", tmp_path / "out", made, "generic")
    hard = MaskRules(drawn=Drawn([parse_rectangle("20,20,8,8")]), dilate=3)
    restored(tmp_path / "in", tmp_path / "hard", hard, "generic")
    before, soft, full = (np.asarray(Image.open(tmp_path / d / "a.png")).astype(float) for d in ("in", "out", "hard"))
    np.testing.assert_array_equal(soft[20:28, 20:28], full[20:28, 20:28])
    assert (full[20:28, 20:28] != before[20:28, 20:28]).any()
    for distance, share in ((1, 0.75), (2, 0.5), (3, 0.25), (4, 0)):
        row = 24, 27 + distance
        mixed = full[row] * share + before[row] * (1 - share)
        np.testing.assert_allclose(soft[row], mixed, atol=0.5)
    with pytest.raises(UsageError, match="--dilate, not --feather"):
        restored(palette_frames(tmp_path / "p"), tmp_path / "no", MaskRules(detect=True, feather=1))


def test_sub_folders_of_masks_belong_to_sub_folders_of_frames(tmp_path) -> None:
    for k, name in enumerate(("x", "y/z")):
        palette_frames(tmp_path / "in" / name, ("0000.png", "0001.png"))
        (tmp_path / "masks" / name).mkdir(parents=True)
        for t in range(2):
            mask = np.zeros((32, 48), bool)
            mask[:, 2 * k + t] = True
            white(mask, tmp_path / "masks" / name / f"{t:04}.bmp")
    restored(tmp_path / "in", tmp_path / "out", MaskRules([tmp_path / "masks"]))
    for k, name in enumerate(("x", "y/z")):
        assert [np.flatnonzero(c.all(0)).tolist() for c in changed(tmp_path / "out" / name)] == [[2 * k], [2 * k + 1]]


def test_nothing_missing_is_said_before_work(tmp_path) -> None:
    frames = palette_frames(tmp_path / "in")
    white(np.zeros((32, 48), bool), tmp_path / "m.png")
    for rules, message in (
        (MaskRules([tmp_path / "m.png"]), r"m\.png: nothing is missing"),
        (MaskRules(), "no pixel is transparent"),
    ):
        with pytest.raises(DataError, match=message):
            rules.check(list(open_footage(frames, "smb")))
    clear = np.full((32, 48, 4), 255, np.uint8)
    clear[..., :3] = GAME.palette[SKY]
    clear[3, 3, 3] = 0
    Image.fromarray(clear).save(frames / "b.png")
    for rules in (MaskRules([tmp_path / "m.png"]), MaskRules()):
        assert restored(frames, tmp_path / f"out{len(rules.paths)}", rules).masked == 1


BAD = {  # options that cannot be right -> part of the message
    "no such mask": (["--mask", "none.png"], "no such file"),
    "another size": (["--mask", "small.png"], "small.png: is 8x8"),
    "broken": (["--mask", "broken.png"], "broken.png"),
    "a mask too few": (["--mask", "folder"], "1 of 2 frames"),
    "a broken mask at the end": (["--mask", "tail"], "b.png"),
    "not bright": (["--mask", "dark.png"], "--mask-threshold 1"),
    "floats": (["--mask", "float.npy"], "NaN or infinity (float64)"),
    "pages": (["--mask", "pages.tif"], "has 3 frames"),
    "threshold too high": (["--mask", "ok.png", "--mask-threshold", "999"], "below --mask-threshold 999"),
    "no transparency": (["--mask", "ok.png", "--mask-read", "alpha"], "has no transparency"),
    "no colour": (["--mask", "ok.png", "--mask-read", "red"], "--mask-read red"),
    "no mask": (["--mask-invert"], "add --mask"),
    "two tubes": (["--mask", "tube:0.5", "--mask", "tube:0.6"], "give one"),
    "outside": (["--rect", "99,0,1,1"], "outside"),
    "no rectangle": (["--rect", "99"], "X,Y,W,H"),
    "frames that are not there": (["--lost", "7-9"], "touches no frame"),
    "no time": (["--lost", "1s-2s"], "no frame rate"),
    "no range": (["--lost", "x"], "--lost x"),
    "grown too far": (["--rect", "0,0,1,1", "--dilate", "999"], "--dilate"),
    "grown backwards": (["--rect", "0,0,1,1", "--feather", "-1"], "--feather"),
    "fading in a palette": (["--rect", "0,0,1,1", "--feather", "1"], "not --feather"),
    "no fill": (["--detect", "red"], "#rrggbb"),
    "nothing": ([], "nothing is missing"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two frames and masks that do not fit them, in the working folder."""
    place = tmp_path_factory.mktemp("bad")
    palette_frames(place / "in")
    ok = np.zeros((32, 48), bool)
    ok[4:9, 4:9] = True
    white(ok, place / "ok.png")
    white(ok[:8, :8], place / "small.png")
    (place / "broken.png").write_bytes((place / "ok.png").read_bytes()[:60])
    for folder, names in (("folder", ["a.png"]), ("tail", ["a.png", "b.png"])):
        (place / folder).mkdir()
        for name in names:
            white(ok, place / folder / name)
    (place / "tail" / "b.png").write_bytes((place / "ok.png").read_bytes()[:-30])
    ramp = np.arange(32 * 48).reshape(32, 48) % 5
    Image.fromarray(ramp.astype(np.uint8)).save(place / "dark.png")
    np.save(place / "float.npy", np.full((32, 48), np.nan))
    page = Image.fromarray(ok)
    page.save(place / "pages.tif", save_all=True, append_images=[page, page])
    return place


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_mask_is_said_before_work(case, place, monkeypatch, capsys) -> None:
    options, message = BAD[case]
    monkeypatch.chdir(place)
    assert main(["restore", "in", "--out", "out", *options]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not (place / "out").exists() and not list(place.glob("*out*"))


def test_the_command_says_how_masks_were_read(place, monkeypatch, capsys) -> None:
    monkeypatch.chdir(place)
    ones = np.zeros((32, 48), np.uint8)
    ones[4:9, 4:9] = 1
    Image.fromarray(ones).save("ones.png")
    assert main(["restore", "in", "--out", "out", "--mask", "ones.png", "--json", "report.json"]) == 0
    captured = capsys.readouterr()
    assert "ones.png: has the values 0 and 1: 1 = missing" in captured.err
    report = json.loads((place / "report.json").read_text())
    assert report["masked_pixels"] == 2 * 25
    assert any("1 = missing" in note for note in report["notes"])


def test_detection_that_finds_nothing_is_an_error_unless_allowed(place, monkeypatch, capsys) -> None:
    monkeypatch.chdir(place)
    for options, looked_for in (([], "16x16 blocks"), (["#ff00ff"], "8x8 pixels in #ff00ff, each channel up to 16")):
        assert main(["restore", "in", "--out", "none", "--detect", *options]) == 2
        error = capsys.readouterr().err
        assert "--detect found nothing in 2 frames" in error and looked_for in error and "--allow-none" in error
        assert not (place / "none").exists()
    assert main(["restore", "in", "--out", "none", "--detect", "--allow-none"]) == 0
    assert "no damage found in 2 frames" in capsys.readouterr().out
    np.testing.assert_array_equal(changed(place / "none"), False)
    assert main(["restore", "in", "--out", "some", "--detect", "--rect", "0,0,4,4"]) == 0
    assert "--detect found nothing" in capsys.readouterr().err
