"""PNG reading: every filter, every truncation, every flipped bit."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from synthetic_episodes import make_png, png_chunk

from hstmae.data.sources.png import read_png
from hstmae.errors import DataError

SIZE = (5, 7)


def _paeth(a: int, b: int, c: int) -> int:
    p = a + b - c
    return min(((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c)))[2]


def _filtered(pixels: np.ndarray, filters: list[int]) -> bytes:
    """Rows of `pixels` with the given PNG filters, straight from the PNG specification."""
    out = bytearray()
    above = [0] * pixels.shape[1]
    for kind, row in zip(filters, pixels.tolist(), strict=True):
        out.append(kind)
        for x, value in enumerate(row):
            left, corner = (row[x - 1], above[x - 1]) if x else (0, 0)
            guess = [0, left, above[x], (left + above[x]) // 2, _paeth(left, above[x], corner)][kind]
            out.append((value - guess) & 255)
        above = row
    return bytes(out)


def _small(pixels: np.ndarray, filters: list[int]) -> bytes:
    return make_png(_filtered(pixels, filters), width=SIZE[1], height=SIZE[0])


@given(
    st.binary(min_size=SIZE[0] * SIZE[1], max_size=SIZE[0] * SIZE[1]),
    st.lists(st.integers(0, 4), min_size=SIZE[0], max_size=SIZE[0]),
)
def test_all_filters_decode_exactly(values: bytes, filters: list[int]) -> None:
    pixels = np.frombuffer(values, np.uint8).reshape(SIZE)
    data = _small(pixels, filters)
    image = read_png(data + b"tail", SIZE)
    assert np.array_equal(image.pixels, pixels)
    assert image.end == len(data) and image.palette.shape == (256, 3)


def test_interlaced_pictures_decode() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (11, 13), dtype=np.uint8)
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))  # Adam7
    parts = [pixels[y::dy, x::dx] for y, x, dy, dx in passes]
    rows = b"".join(_filtered(part, [0] * len(part)) for part in parts)
    data = make_png(rows, width=13, height=11, interlace=1)
    assert np.array_equal(read_png(data, (11, 13)).pixels, pixels)


def test_narrow_depths_decode() -> None:
    pixels = np.random.default_rng(0).integers(0, 4, SIZE, dtype=np.uint8)
    picture = Image.fromarray(pixels, "P")
    picture.putpalette(bytes(range(12)))
    file = io.BytesIO()
    picture.save(file, "PNG", bits=2)
    assert np.array_equal(read_png(file.getvalue(), SIZE).pixels, pixels)


@pytest.mark.parametrize("filters", [[0] * 5, [4, 3, 2, 1, 0]])
def test_every_truncation_is_a_data_error(filters: list[int]) -> None:
    pixels = np.arange(35, dtype=np.uint8).reshape(SIZE)
    data = _small(pixels, filters)
    for cut in range(len(data)):
        with pytest.raises(DataError):
            read_png(data[:cut], SIZE)


@pytest.mark.parametrize("filters", [[0] * 5, [4, 3, 2, 1, 0]])
def test_every_flipped_bit_is_a_data_error(filters: list[int]) -> None:
    data = _small(np.arange(35, dtype=np.uint8).reshape(SIZE), filters)
    for position in range(len(data)):
        for bit in range(8):
            broken = bytearray(data)
            broken[position] ^= 1 << bit
            with pytest.raises(DataError):
                read_png(bytes(broken), SIZE)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_data_error(data: bytes) -> None:
    with pytest.raises(DataError):
        read_png(data, SIZE)
    with pytest.raises(DataError):
        read_png(b"\x89PNG\r\n\x1a\n" + data, SIZE)


def test_size_is_checked_before_anything_is_unpacked() -> None:
    bomb = make_png(b"", width=1 << 30, height=1 << 30)
    with pytest.raises(DataError, match="1073741824x1073741824"):
        read_png(bomb, SIZE)


@pytest.mark.parametrize("filters", [[0] * 5, [1] * 5])
def test_picture_data_longer_or_shorter_than_the_size(filters: list[int]) -> None:
    rows = _filtered(np.zeros(SIZE, np.uint8), filters)
    for wrong in (rows + b"\0", rows[:-1], rows + bytes(1 << 22)):
        with pytest.raises(DataError, match="wrong length"):
            read_png(make_png(wrong, width=7, height=5), SIZE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": 2, "depth": 16}, "neither indexed nor RGB"),
        ({"colour": 4}, "neither indexed nor RGB"),
        ({"colour": 0}, "neither indexed nor RGB"),
        ({"depth": 16}, "neither indexed nor RGB"),
        ({"interlace": 2}, "interlace"),
    ],
)
def test_other_kinds_of_picture_are_named(changes: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_png(make_png(b"", width=7, height=5, **changes), SIZE)  # type: ignore[arg-type]


def test_unknown_critical_chunk_is_refused_and_unknown_optional_one_is_not() -> None:
    data = _small(np.zeros(SIZE, np.uint8), [0] * 5)
    at = data.index(b"PLTE") - 4
    assert read_png(data[:at] + png_chunk(b"teSt", b"x") + data[at:], SIZE).pixels.shape == SIZE
    with pytest.raises(DataError, match="TEST"):
        read_png(data[:at] + png_chunk(b"TEST", b"x") + data[at:], SIZE)


def test_unknown_filter_is_a_data_error() -> None:
    rows = bytearray(_filtered(np.zeros(SIZE, np.uint8), [0] * 5))
    rows[0] = 5
    with pytest.raises(DataError, match="filter 5"):
        read_png(make_png(bytes(rows), width=7, height=5), SIZE)
