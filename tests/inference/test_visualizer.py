import numpy as np
import pytest
from PIL import Image

from hstmae.drawing.panels import show_confidence, show_error, show_masked
from hstmae.inference.visualizer import GAP, LABEL_HEIGHT, contact_sheet, save_gif, save_mp4, save_png

PICTURE = np.random.default_rng(0).integers(0, 256, (10, 12, 3)).astype(np.uint8)


def test_panels_are_enlarged_without_blur(tmp_path) -> None:
    sheet = contact_sheet([[("a", PICTURE), ("b", PICTURE)]], scale=3)
    assert sheet.size == (2 * 36 + 3 * GAP, LABEL_HEIGHT + 30 + 2 * GAP)
    shown = np.asarray(sheet)[GAP + LABEL_HEIGHT : GAP + LABEL_HEIGHT + 30, GAP : GAP + 36]
    np.testing.assert_array_equal(shown, PICTURE.repeat(3, 0).repeat(3, 1))
    save_png(sheet, tmp_path / "a.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), np.asarray(sheet))


def test_rows_without_labels_have_no_label_line() -> None:
    assert contact_sheet([[("", PICTURE)], [("", PICTURE)]], scale=1).size[1] == 20 + 3 * GAP


def test_masked_and_error_pictures() -> None:
    mask = np.zeros((10, 12), bool)
    mask[2:5] = True
    shown = show_masked(PICTURE, mask)
    np.testing.assert_array_equal(shown[~mask], PICTURE[~mask])
    assert (shown[mask].max(1) == shown[mask].min(1)).all()  # grey
    wrong = PICTURE.copy()
    wrong[0, 0] = PICTURE[0, 0] ^ 1
    error = show_error(wrong, PICTURE)
    assert error[0, 0].tolist() == [2, 2, 2] and error.sum() == 6


def test_confidence_is_white_where_it_is_certain() -> None:
    shown = show_confidence(np.array([[1.0, 0.5], [0.0, 1.2]], np.float32))
    assert shown.dtype == np.uint8 and shown[..., 0].tolist() == [[255, 128], [0, 255]]
    assert (shown == shown[..., :1]).all()


def test_animation_keeps_the_colours_of_pixel_art(tmp_path) -> None:
    frames = [Image.fromarray((PICTURE // 64 * 64 + k).astype(np.uint8)) for k in range(3)]
    save_gif(frames, tmp_path / "a.gif", fps=20)
    with Image.open(tmp_path / "a.gif") as film:
        assert film.n_frames == 3 and film.info["duration"] == 50
        for k in range(3):
            film.seek(k)
            np.testing.assert_array_equal(np.asarray(film.convert("RGB")), np.asarray(frames[k]))
    with pytest.raises(ValueError):
        save_gif([], tmp_path / "b.gif", 20)


def test_films_are_close_to_what_they_show(tmp_path) -> None:
    av = pytest.importorskip("av")
    if "libx264" not in av.codecs_available:
        pytest.skip("this PyAV has no x264")
    pictures = [Image.fromarray(np.full((32, 48, 3), 40 * t, np.uint8)) for t in range(5)]
    assert save_mp4(pictures, tmp_path / "a.mp4", 30) == 5
    assert b"crf=16.0" in (tmp_path / "a.mp4").read_bytes()  # x264 writes down how it was asked
    with av.open(str(tmp_path / "a.mp4")) as film:
        shown = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(shown) == 5 and all(np.abs(s.astype(int) - 40 * t).max() <= 3 for t, s in enumerate(shown))
