"""Picture files of every kind come back from restoring with every sample, note and colour that was not missing."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hstmae.errors import DataError
from hstmae.pictures import png
from hstmae.pictures.png import apng_delays, encode_apng, encode_png, read_chunks
from hstmae.pictures.reading import read_native

CHANNELS = {png.GREY: 1, png.GREY_ALPHA: 2, png.RGB: 3, png.RGBA: 4, png.PALETTE: 1}
PNG_KINDS = [
    *((png.GREY, depth) for depth in (1, 2, 4, 8, 16)),
    *((png.PALETTE, depth) for depth in (1, 2, 4, 8)),
    *((colour, depth) for colour in (png.RGB, png.RGBA, png.GREY_ALPHA) for depth in (8, 16)),
]
BESIDE = (
    (b"gAMA", struct.pack(">I", 45455)),
    (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
    (b"cICP", bytes([1, 13, 0, 1])),
    (b"pHYs", struct.pack(">IIB", 2835, 5670, 1)),
    (b"tEXt", b"Title\0a name"),
    (b"prVt", b"of a program"),
)


def made(
    colour: int, depth: int, seed: int = 0, size: tuple[int, int] = (13, 21), **more: Any
) -> tuple[np.ndarray, bytes]:
    """Samples and a PNG file of them."""
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, 1 << depth, (*size, CHANNELS[colour])).astype(np.uint16 if depth == 16 else np.uint8)
    palette = rng.integers(0, 256, (1 << depth, 3)).astype(np.uint8) if colour == png.PALETTE else None
    return samples, encode_png(samples, depth, palette, **more)


def hidden(size: tuple[int, int] = (13, 21)) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[3:7, 5:11] = True
    return mask


@pytest.mark.parametrize(("colour", "depth"), PNG_KINDS)
@pytest.mark.parametrize("size", [(13, 21), (1, 1), (64, 70)])
def test_every_kind_of_png_is_read_by_its_own_samples_as_pillow_shows_it(
    colour: int, depth: int, size: tuple[int, int]
) -> None:
    samples, data = made(colour, depth, size=size)
    native = read_native(data)
    np.testing.assert_array_equal(native.samples, samples)
    assert native.samples.dtype == samples.dtype and native.depth == depth and native.lost == ()
    with Image.open(io.BytesIO(data)) as file:
        shown = np.asarray(file.convert("RGBA") if depth < 16 or colour != png.GREY else file)
    if depth < 16:
        np.testing.assert_array_equal(native.rgba, shown)
    elif colour == png.GREY:
        np.testing.assert_array_equal(samples[..., 0], shown)
    else:  # Pillow cuts, this rounds
        assert np.abs(native.rgba.astype(int) - shown).max() <= 1
    np.testing.assert_array_equal(read_native(native.encoded()).samples, samples)


@pytest.mark.parametrize(("colour", "depth"), PNG_KINDS)
@pytest.mark.parametrize("interlaced", [False, True])
def test_what_is_not_missing_keeps_its_samples_and_what_stands_beside_it(
    colour: int, depth: int, interlaced: bool
) -> None:
    samples, data = made(colour, depth, before=BESIDE, behind=((b"tIME", bytes(7)), (b"tEXt", b"End\0x")))
    if interlaced:
        data = as_interlaced(data, samples, depth)
    native = read_native(data + b"tail")
    np.testing.assert_array_equal(native.samples, samples)
    mask, rgb = hidden(), np.full((13, 21, 3), (250, 3, 80), np.uint8)
    after = read_native(native.with_colours(rgb, mask).encoded())
    chunks = read_chunks(native.with_colours(rgb, mask).encoded())
    assert chunks.before == BESIDE and chunks.behind == ((b"tIME", bytes(7)), (b"tEXt", b"End\0x"))
    assert after.beside["tail"] == b"tail"
    if colour == png.PALETTE and depth == 8:
        assert after.palette is None and "palette" in native.with_colours(rgb, mask).lost[0]
        np.testing.assert_array_equal(after.rgba[~mask], native.rgba[~mask])
    else:
        np.testing.assert_array_equal(after.samples[~mask], samples[~mask])
        assert (after.depth == depth or colour == png.PALETTE) and after.samples.shape == samples.shape
    if colour in (png.RGB, png.RGBA, png.PALETTE):
        assert (after.rgba[mask] == (250, 3, 80, 255)).all()
    else:
        grey = 86 if depth >= 8 else round(86 * ((1 << depth) - 1) / 255) * 255 // ((1 << depth) - 1)
        assert (after.rgba[mask] == (grey, grey, grey, 255)).all()


def as_interlaced(data: bytes, samples: np.ndarray, depth: int) -> bytes:
    """The same picture in Adam7's order, unfiltered."""
    rows = []
    for y0, x0, dy, dx in (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):
        part = samples[y0::dy, x0::dx]
        for row in part if part.size else ():
            if depth == 16:
                packed = row.astype(">u2").tobytes()
            elif depth == 8:
                packed = row.astype(np.uint8).tobytes()
            else:
                packed = np.packbits(np.unpackbits(row.astype(np.uint8), axis=1)[:, 8 - depth :].ravel()).tobytes()
            rows.append(b"\0" + packed)
    out = [png.SIGNATURE]
    for kind, start, length in png.walk(data):
        body = data[start : start + length]
        body = body[:12] + b"\1" if kind == b"IHDR" else zlib.compress(b"".join(rows)) if kind == b"IDAT" else body
        out.append(png.chunk(kind, body))
    return b"".join(out)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("colour", [png.GREY, png.RGB])
def test_a_transparent_colour_is_missing_and_stays_the_only_transparent_one(colour: int, depth: int) -> None:
    samples, _ = made(colour, depth)
    key = tuple(int(v) for v in samples[2, 2])
    samples[4:6, 6:9] = key
    native = read_native(encode_png(samples, depth, clear=struct.pack(f">{len(key)}H", *key)))
    clear = (samples == key).all(2)
    np.testing.assert_array_equal(native.rgba[..., 3] == 0, clear)
    for colour_of, keyed in (
        ((255 - key[0] % 256,) * 3, True),
        (tuple(v * 255 // ((1 << depth) - 1) for v in key) * 3, False),
    ):
        rgb = np.broadcast_to(np.array(colour_of[:3], np.uint8), (*clear.shape, 3))
        mask = clear.copy()
        mask[2, 2] = False  # one stays transparent
        made_ = native.with_colours(rgb, mask)
        after = read_native(made_.encoded())
        assert (after.rgba[..., 3] == 0).sum() == 1 and after.rgba[2, 2, 3] == 0
        count = samples.shape[2]
        np.testing.assert_array_equal(after.samples[~mask][:, :count], samples[~mask])
        if keyed or depth == 16:
            assert made_.key == key and made_.lost == ()


def test_entries_that_are_there_are_used_and_room_is_used() -> None:
    entries = np.array([[10, 20, 30], [40, 50, 60], [10, 20, 30]], np.uint8)
    samples = np.array([[0, 1, 2, 2]], np.uint8)[..., None]
    native = read_native(encode_png(samples, 2, entries, clear=b"\xff\x00"))
    assert native.rgba[0, :, 3].tolist() == [255, 0, 255, 255]
    mask = np.array([[False, True, False, True]])
    same = read_native(native.with_colours(np.full((1, 4, 3), (10, 20, 30), np.uint8), mask).encoded())
    assert same.samples[0, :, 0].tolist() == [0, 0, 2, 0] and same.depth == 2 and len(same.palette) == 3
    more = read_native(native.with_colours(np.full((1, 4, 3), (40, 50, 60), np.uint8), mask).encoded())
    assert more.samples[0, :, 0].tolist() == [0, 3, 2, 3] and more.rgba[0, 1].tolist() == [40, 50, 60, 255]
    two = np.array([[[0] * 3, [1, 1, 1], [0] * 3, [2, 2, 2]]], np.uint8)
    wide = read_native(native.with_colours(two, mask).encoded())
    assert wide.depth == 4 and wide.rgba[0, :, 0].tolist() == [10, 1, 10, 2]


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(PNG_KINDS), height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_any_picture_of_any_size_comes_back(kind: tuple[int, int], height: int, width: int, seed: int) -> None:
    samples, data = made(*kind, seed, (height, width), before=BESIDE)
    mask = np.random.default_rng(seed).random((height, width)) < 0.3
    rgb = np.random.default_rng(seed + 1).integers(0, 256, (height, width, 3)).astype(np.uint8)
    before = read_native(data)
    after = read_native(before.with_colours(rgb, mask).encoded())
    np.testing.assert_array_equal(after.rgba[~mask], before.rgba[~mask])
    if kind[0] != png.PALETTE:
        np.testing.assert_array_equal(after.samples[~mask], samples[~mask])
        assert after.depth == kind[1]
    if kind[0] not in (png.GREY, png.GREY_ALPHA):
        np.testing.assert_array_equal(after.rgba[mask][:, :3], rgb[mask])


def test_what_cannot_be_kept_is_refused_or_said() -> None:
    for mode, reason in (("F", "32 bits"), ("I", "32 bits")):
        file = io.BytesIO()
        Image.new(mode, (4, 4)).save(file, "TIFF")
        with pytest.raises(DataError, match=reason):
            read_native(file.getvalue())
    for data in (b"", b"text", b"\x89PNG\r\n\x1a\n", b"GIF89a"):
        with pytest.raises(DataError, match=r"no picture|damaged"):
            read_native(data)
    _, data = made(png.RGB, 8, before=((b"tEXt", b"a\0b"),))
    at = data.index(b"tEXt") + 4
    damaged = data[:at] + b"X" + data[at + 1 :]
    assert "tEXt" in read_native(damaged).lost[0] and read_native(damaged).beside["before"] == ()


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(PNG_KINDS),
    cut=st.integers(0, 400),
    flips=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 7)), max_size=3),
)
def test_damaged_files_raise_typed_errors(kind: tuple[int, int], cut: int, flips: list[tuple[int, int]]) -> None:
    data = bytearray(made(*kind, before=BESIDE)[1])
    for at, bit in flips:
        data[at % len(data)] ^= 1 << bit
    try:
        native = read_native(bytes(data[: len(data) - cut]))
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert native.rgba.shape[:2] == native.samples.shape[:2]
        native.encoded()


def test_animations_keep_every_frame_and_delay() -> None:
    from fractions import Fraction

    frames = list(np.random.default_rng(0).integers(0, 256, (4, 9, 11, 4)).astype(np.uint8))
    delays = [Fraction(1, 30), Fraction(1001, 30000), Fraction(0), Fraction(100)]
    data = b"".join(encode_apng(frames, delays, 3, BESIDE))
    assert apng_delays(data) == (delays, 3, True)
    with Image.open(io.BytesIO(data)) as file:
        assert file.n_frames == 4 and file.info["loop"] == 3
        for k, frame in enumerate(frames):
            file.seek(k)
            np.testing.assert_array_equal(np.asarray(file.convert("RGBA")), frame)
    assert read_chunks(data).before == BESIDE
