"""Films as masks: frame by frame, read forwards, bound to the number of frames."""

import numpy as np
import pytest

from hstmae.errors import DataError
from hstmae.masks.frames import Frames
from hstmae.masks.meaning import Reading
from hstmae.masks.sources import Sources

av = pytest.importorskip("av")
SIZE = (48, 64)


def mask_of(t: int) -> np.ndarray:
    """A bar that moves by 8 pixels a frame; nothing in every fifth frame."""
    mask = np.zeros(SIZE, bool)
    if t % 5 != 4:
        mask[8:40, t * 8 % 56 : t * 8 % 56 + 8] = True
    return mask


def write(path, frames, codec: str, form: str, options=None, white: int = 255) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], form
        for mask in frames:
            frame = av.VideoFrame.from_ndarray(mask.astype(np.uint8) * np.uint8(white), format="gray")
            container.mux(stream.encode(frame.reformat(format=form)))
        container.mux(stream.encode())


def opened(path, count: int, **reading):
    return Sources(Reading(**reading)).open(path, Frames("", "film.mp4", SIZE, count, None, 25))


KINDS = {
    "h264 crf 28": ("m.mp4", "libx264", "yuv420p", {"crf": "28"}),
    "h264 lossless": ("m.mkv", "libx264", "yuv444p", {"qp": "0"}),
    "ffv1 grey": ("m.mkv", "ffv1", "gray", {}),
    "ffv1 10 bits": ("m.mkv", "ffv1", "yuv420p10le", {}),
    "mpeg4": ("m.avi", "mpeg4", "yuv420p", {"qscale": "3"}),
    "mjpeg": ("m.mov", "mjpeg", "yuvj420p", {}),
    "vp9": ("m.webm", "libvpx-vp9", "yuv420p", {"crf": "30", "b": "0"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_mask_films_of_every_codec(kind, tmp_path) -> None:
    name, codec, form, options = KINDS[kind]
    film = np.stack([mask_of(t) for t in range(12)])
    write(tmp_path / name, film, codec, form, options)
    source, _ = opened(tmp_path / name, 12)
    for first, count in ((0, 12), (0, 5), (3, 6), (8, 4), (2, 3)):  # forwards, overlapping, and back
        np.testing.assert_array_equal(source.of(first, count), film[first : first + count])


def test_a_film_of_many_dark_frames_is_looked_through(tmp_path) -> None:
    film = np.zeros((90, *SIZE), bool)
    film[80:] = mask_of(1)
    write(tmp_path / "m.mp4", film, "libx264", "yuv420p", {"crf": "23"})
    source, notes = opened(tmp_path / "m.mp4", 90)
    np.testing.assert_array_equal(source.of(70, 20), film[70:])
    assert notes == [] and source.share is None
    write(tmp_path / "dark.mp4", film[:80], "libx264", "yuv420p")
    source, notes = opened(tmp_path / "dark.mp4", 80)
    assert source.share == 0 and "nothing is missing" in notes[0]


def test_what_is_wrong_with_a_film_is_found_in_its_head_and_first_frames(tmp_path) -> None:
    film = np.stack([mask_of(t) for t in range(12)])
    write(tmp_path / "m.mkv", film, "ffv1", "gray")
    with pytest.raises(DataError, match=r"has 12 frames, film\.mp4 13"):
        opened(tmp_path / "m.mkv", 13)
    write(tmp_path / "ones.mkv", film, "ffv1", "gray", white=1)
    with pytest.raises(DataError, match=r"brightest value is 1 of 255.*--mask-threshold 1"):
        opened(tmp_path / "ones.mkv", 12)
    np.testing.assert_array_equal(opened(tmp_path / "ones.mkv", 12, threshold=1)[0].of(0, 12), film)
    write(tmp_path / "one.mkv", film[:1], "ffv1", "gray")
    np.testing.assert_array_equal(opened(tmp_path / "one.mkv", 12)[0].of(3, 5), film[:1])
    (tmp_path / "cut.mkv").write_bytes((tmp_path / "m.mkv").read_bytes()[:300])
    (tmp_path / "no.mp4").write_bytes(b"no film")
    for name in ("cut.mkv", "no.mp4"):
        with pytest.raises(DataError, match=name):
            opened(tmp_path / name, 12)
    np.testing.assert_array_equal(opened(tmp_path / "m.mkv", 12, invert=True)[0].of(0, 12), ~film)
