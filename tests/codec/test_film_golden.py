"""A film in a .hst file, made once, given back for ever: `python tests/codec/test_film_golden.py` makes it anew."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")

from hstmae.cli import main  # noqa: E402
from hstmae.codec.container.chunks import GOP, REST  # noqa: E402
from hstmae.codec.session.reader import HstReader  # noqa: E402
from hstmae.codec.session.verifying import verify_file  # noqa: E402

GOLDEN = Path(__file__).with_name("golden") / "films" / "film.hst"
FILE, FILM, FRAMES = (
    "6a500af4944524dff7418232db7f0784ffe15e863dfa18a592288a0eb8ca97a6",
    "398123ddfecbb4ef7857ef3970960b9faa90461f763033dbef3b8985fa6426cd",
    "683e97aa5d8d3cb579e0bd984c96e853d0c322f1235b027830e4ecaaa3ad650c",
)


def film_of(path: Path, folder: Path) -> Path:
    film = folder / "film.avi"
    assert main(["decode", str(path), str(film), "--to", "film"]) == 0
    return film


def shown(path: Path) -> str:
    with HstReader(path) as reader:
        return hashlib.sha256(b"".join(frame.rgb.tobytes() for frame in reader)).hexdigest()


def test_the_film_comes_back_and_shows_what_it_showed(tmp_path):
    assert hashlib.sha256(GOLDEN.read_bytes()).hexdigest() == FILE
    assert verify_file(GOLDEN).problems == ()
    assert hashlib.sha256(film_of(GOLDEN, tmp_path).read_bytes()).hexdigest() == FILM
    assert shown(GOLDEN) == FRAMES


def packed(reader: HstReader) -> list[bytes]:
    """The chunks that hold the film; the others also tell what this machine's FFmpeg calls things."""
    kinds = (GOP, REST)
    return [bytes(reader.data[at : at + h.size]) for at, h in reader.contents.table if h.kind in kinds]


def test_its_packets_are_packed_again_bit_for_bit(tmp_path):
    assert main(["encode", str(film_of(GOLDEN, tmp_path)), str(tmp_path / "film.hst"), "--gop", "4"]) == 0
    with HstReader(GOLDEN) as golden, HstReader(tmp_path / "film.hst") as again:
        assert packed(golden) == packed(again)


if __name__ == "__main__":
    source = GOLDEN.with_name("film.avi")
    with av.open(str(source), "w") as made:
        stream = made.add_stream("ffv1", rate=25, options={"g": "3"})
        stream.width, stream.height, stream.pix_fmt = 20, 12, "yuv420p"
        rows, columns = np.mgrid[:12, :20]
        for k in range(10):
            rgb = np.stack([rows * 9 + 3 * k, columns * 13, rows * columns + k], -1).astype(np.uint8)
            made.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        made.mux(stream.encode())
    assert main(["encode", str(source), str(GOLDEN), "--gop", "4", "--overwrite"]) == 0
    for data in (GOLDEN.read_bytes(), source.read_bytes()):
        print(hashlib.sha256(data).hexdigest(), file=sys.stderr)
    print(shown(GOLDEN), file=sys.stderr)
    source.unlink()
