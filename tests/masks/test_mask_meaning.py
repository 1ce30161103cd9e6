"""Whatever a mask is stored as, the same pixels are missing; what could be read in two ways is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hstmae.errors import DataError, UsageError
from hstmae.masks.meaning import Reading, decide, parse_reading
from hstmae.masks.planes import read_planes
from hstmae.masks.survey import survey

DAVIS = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]], np.uint8)


def read(path, **reading):
    """(bool [H, W], notes) of a file with one mask."""
    meaning, share, notes = decide(survey(read_planes(path)), Reading(**reading), "m")
    masks = [meaning.of(plane) for plane in read_planes(path)]
    if share is not None:
        assert share == pytest.approx(np.mean(masks))
    return masks[0], notes


def png(values: np.ndarray, depth: int, kind: int, palette: bytes = b"") -> bytes:
    """A PNG of any bit depth and kind (0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGBA) from samples [H, W, C]."""
    height, width = values.shape[:2]
    rows = []
    for row in values.reshape(height, -1):
        if depth == 16:
            rows.append(row.astype(">u2").tobytes())
        else:
            bits = ((row[:, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8)
            rows.append(np.packbits(bits.ravel()).tobytes())

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    body = (chunk(b"PLTE", palette) if palette else b"") + chunk(
        b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows))
    )
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


def pillow(array: np.ndarray, form: str, mode: str | None = None, **options) -> bytes:
    picture = Image.fromarray(array)
    file = io.BytesIO()
    (picture if mode is None else picture.convert(mode)).save(file, form, **options)
    return file.getvalue()


def indexed(index: np.ndarray, palette: np.ndarray, form: str = "PNG") -> bytes:
    picture = Image.fromarray(index.astype(np.uint8)).convert("L")
    made = Image.frombytes("P", picture.size, index.astype(np.uint8).tobytes())
    made.putpalette(palette.astype(np.uint8).tobytes())
    file = io.BytesIO()
    made.save(file, form)
    return file.getvalue()


def coloured(mask: np.ndarray, on, off, dtype=np.uint8) -> np.ndarray:
    return np.where(mask[..., None], np.array(on, dtype), np.array(off, dtype))


HOLES = {  # name of a way to store a mask -> its file
    **{f"png grey {d}-bit": lambda m, d=d: png(m[..., None] * (2**d - 1), d, 0) for d in (1, 2, 4, 8, 16)},
    **{f"png grey {d}-bit, 0 and 1": lambda m, d=d: png(m[..., None] * 1, d, 0) for d in (1, 2, 4, 8, 16)},
    **{f"png rgb {d}-bit": lambda m, d=d: png(coloured(m, [2**d - 1] * 3, [0] * 3, int), d, 2) for d in (8, 16)},
    "png 8-bit values in 16 bits": lambda m: png(m[..., None] * 255, 16, 0),
    "png red on black": lambda m: png(coloured(m, [255, 0, 0], [0, 0, 0]), 8, 2),
    "png dark red on black": lambda m: png(coloured(m, [60, 0, 0], [0, 0, 0]), 8, 2),
    **{
        f"png palette {d}-bit, white is entry {e}": lambda m, d=d, e=e: png(
            np.where(m, e, 1 - e)[..., None], d, 3, bytes([0, 0, 0, 255, 255, 255] if e else [255, 255, 255, 0, 0, 0])
        )
        for d in (1, 2, 4, 8)
        for e in (0, 1)
    },
    "palette as of DAVIS": lambda m: indexed(m * 1, DAVIS),
    "palette as of DAVIS, magenta before black": lambda m: indexed(~m * 1, np.array([[255, 0, 255], [0, 0, 0]])),
    "palette without a black": lambda m: indexed(m * 1, np.array([[70, 70, 90], [220, 20, 60]])),
    "palette that is all black": lambda m: indexed(m * 1, np.zeros((2, 3))),
    "palette of grey labels": lambda m: indexed(m * 1, np.repeat(np.arange(256), 3).reshape(256, 3)),
    "gif": lambda m: indexed(m * 1, np.array([[0, 0, 0], [255, 255, 255]]), "GIF"),
    "bmp": lambda m: pillow(m, "BMP"),
    "bmp rgb": lambda m: pillow(m, "BMP", "RGB"),
    "jpeg": lambda m: pillow(m, "JPEG", "L", quality=60),
    "jpeg rgb": lambda m: pillow(m, "JPEG", "RGB", quality=60, subsampling=0),
    "webp": lambda m: pillow(m, "WEBP", "RGB", quality=80),
    "webp lossless": lambda m: pillow(m, "WEBP", "RGB", lossless=True),
    "ppm": lambda m: pillow(m, "PPM", "RGB"),
    "pbm": lambda m: pillow(m, "PPM"),
    "tga": lambda m: pillow(m, "TGA", "L"),
    "tiff 1-bit": lambda m: pillow(m, "TIFF"),
    "tiff 16-bit": lambda m: pillow((m * 65535).astype(np.uint16), "TIFF"),
    "tiff 16-bit, 0 and 1": lambda m: pillow(m.astype(np.uint16), "TIFF"),
    "tiff 32-bit": lambda m: pillow(m.astype(np.int32), "TIFF"),
    "tiff float": lambda m: pillow(m.astype(np.float32), "TIFF"),
    "tiff float 255": lambda m: pillow((m * 255).astype(np.float32), "TIFF"),
    "tiff lzw": lambda m: pillow((m * 255).astype(np.uint8), "TIFF", compression="tiff_lzw"),
    "alpha, all white": lambda m: pillow(np.dstack([np.full((*m.shape, 3), 255, np.uint8), m * np.uint8(255)]), "PNG"),
    "alpha, all black": lambda m: pillow(np.dstack([np.zeros((*m.shape, 3), np.uint8), m * np.uint8(255)]), "PNG"),
    "alpha, white on cleared": lambda m: pillow((m[..., None] * np.full(4, 255)).astype(np.uint8), "PNG"),
    "alpha, grey": lambda m: png(np.dstack([np.full(m.shape, 255), m * 255]), 8, 4),
    "alpha, grey 16-bit": lambda m: png(np.dstack([np.full(m.shape, 65535), m * 65535]), 16, 4),
    "alpha that says nothing": lambda m: pillow(
        np.dstack([np.repeat(m[..., None] * np.uint8(255), 3, 2), np.full(m.shape, 255, np.uint8)]), "PNG"
    ),
    "alpha tiff": lambda m: pillow(np.dstack([np.full((*m.shape, 3), 255, np.uint8), m * np.uint8(255)]), "TIFF"),
    "alpha webp": lambda m: pillow(
        np.dstack([np.full((*m.shape, 3), 255, np.uint8), m * np.uint8(255)]), "WEBP", lossless=True
    ),
}


@st.composite
def masks(draw) -> np.ndarray:
    """bool [16, 24] of whole 8x8 blocks (so that JPEG keeps them), with both values in it."""
    blocks = np.array(draw(st.lists(st.booleans(), min_size=6, max_size=6))).reshape(2, 3)
    blocks[0, 0], blocks[1, 2] = True, False
    if draw(st.booleans()):
        blocks = ~blocks
    return blocks.repeat(8, 0).repeat(8, 1)


@pytest.mark.parametrize("way", HOLES)
@settings(max_examples=8, deadline=None)
@given(mask=masks())
def test_every_way_to_store_a_mask_reads_alike(way, mask, tmp_path_factory) -> None:
    path = tmp_path_factory.getbasetemp() / "mask"
    path.write_bytes(HOLES[way](mask))
    np.testing.assert_array_equal(read(path)[0], mask)
    np.testing.assert_array_equal(read(path, invert=True)[0], ~mask)


def test_soft_masks_are_cut_in_the_middle_of_their_depth(tmp_path) -> None:
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(4, 0)
    for name, data in (
        ("8.png", pillow(ramp, "PNG")),
        ("16.png", png(ramp.astype(int)[..., None] * 257, 16, 0)),
        ("rgb.png", pillow(ramp, "PNG", "RGB")),
        ("float.tif", pillow(ramp.astype(np.float32) / 255, "TIFF")),
        ("p.png", indexed(ramp, np.repeat(np.arange(256), 3).reshape(256, 3))),
        ("alpha.png", pillow(np.dstack([np.full((4, 256, 3), 255, np.uint8), ramp]), "PNG")),
    ):
        (tmp_path / name).write_bytes(data)
        mask, _ = read(tmp_path / name)
        assert mask.all(0).tolist() == [False] * 128 + [True] * 128, name
        assert read(tmp_path / name, invert=True)[0].sum() == 4 * 128
    assert read(tmp_path / "8.png", threshold=10)[0].sum() == 4 * 246
    assert read(tmp_path / "16.png", threshold=10 * 257)[0].sum() == 4 * 246
    assert read(tmp_path / "float.tif", threshold=0.9)[0].sum() == 4 * 26
    assert read(tmp_path / "alpha.png", threshold=10)[0].sum() == 4 * 246


def labels(values: list[int]) -> np.ndarray:
    return np.array(values, np.uint8)[None].repeat(4, 0)


def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)


UNCLEAR = {  # what could be read in two ways -> (file, part of the message, the way out, share that is missing then)
    "labels in grey": (pillow(labels([0, 1, 2, 3]), "PNG"), "brightest value is 3 of 255.*--mask-threshold 1",
                       {"threshold": 1}, 0.75),
    "one dark value": (pillow(labels([1, 1]), "PNG"), "brightest value is 1", {"threshold": 1}, 1),
    "two colours, none black": (pillow(coloured(labels([0, 1]) > 0, [255, 0, 0], [255, 255, 255]), "PNG"),
                                "#ff0000, #ffffff, none of them black.*--mask-read",
                                {"by": "colour", "colour": 0xFF0000}, 0.5),
    "floats of any size": (pillow(np.array([[-3, 0, 2.5, 8]], np.float32), "TIFF"), "run from -3 to 8",
                           {"threshold": 2}, 0.5),
    "a photograph": (pillow(photo(), "PNG"), "looks like a picture", {"by": "brightness"}, None),
    "a picture with an erased part": (pillow(np.dstack([photo(), labels([0, 255] * 8).repeat(4, 0)]), "PNG"),
                                      "both transparency and a picture", {"by": "alpha", "invert": True}, 0.5),
}  # fmt: skip


@pytest.mark.parametrize("what", UNCLEAR)
def test_what_could_mean_two_things_is_refused_with_the_way_out(what, tmp_path) -> None:
    data, message, way_out, share = UNCLEAR[what]
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "m")
    mask, _ = read(tmp_path / "m", **way_out)
    assert mask.mean() == share if share is not None else 0 < mask.mean() < 1


def test_what_was_decided_is_said(tmp_path) -> None:
    for data, note in (
        (pillow(labels([0, 1]), "PNG"), "values 0 and 1: 1 = missing"),
        (indexed(labels([0, 1]), DAVIS), "all but black = missing"),
        (indexed(labels([0, 1]), np.array([[70, 70, 90], [220, 20, 60]])), "all but entry 0"),
        (pillow(labels([0, 100, 255]), "PNG"), "from 128 on = missing"),
        (pillow(labels([255, 255]), "PNG"), "everything is missing .*--mask-invert"),
        (pillow(labels([0, 0]), "PNG"), "nothing is missing"),
        (HOLES["alpha, all white"](labels([0, 1]) > 0), "opaque = missing"),
    ):
        (tmp_path / "m").write_bytes(data)
        assert note.split(" .*")[0] in "; ".join(read(tmp_path / "m")[1])
    (tmp_path / "m").write_bytes(pillow(labels([0, 255]), "PNG"))
    assert read(tmp_path / "m")[1] == []


def test_drawings_on_transparency(tmp_path) -> None:
    """White and black, opaque: only the white is missing. Colours: all that is painted."""
    alpha = labels([0, 0, 255, 255, 255])
    for colours, expected in (
        ([0, 255, 0, 255, 255], [0, 0, 0, 1, 1]),
        ([[9, 9, 9], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 255, 0]], [0, 0, 1, 1, 1]),
    ):
        rgb = np.array([[c] * 3 if isinstance(c, int) else c for c in colours], np.uint8)[None].repeat(4, 0)
        (tmp_path / "m").write_bytes(pillow(np.dstack([rgb, alpha]), "PNG"))
        assert read(tmp_path / "m")[0][0].tolist() == [bool(e) for e in expected]


def test_what_cannot_be_read_as_asked(tmp_path) -> None:
    (tmp_path / "m").write_bytes(pillow(labels([0, 255]), "PNG"))
    for reading, message in (
        ({"by": "alpha"}, "has no transparency"),
        ({"by": "index"}, "has no palette"),
        ({"threshold": 256}, "brightest value is 255, below"),
    ):
        with pytest.raises(DataError, match=message):
            read(tmp_path / "m", **reading)
    for text, threshold in (("red", None), ("#ff", None), ("#ff0000", 3), (None, 0), (None, -1), (None, float("nan"))):
        with pytest.raises(UsageError):
            parse_reading(text, threshold)
    (tmp_path / "nan.tif").write_bytes(pillow(np.array([[0, np.nan]], np.float32), "TIFF"))
    (tmp_path / "cut.png").write_bytes(pillow(np.random.default_rng(0).integers(0, 2, (64, 64), np.uint8), "PNG")[:300])
    (tmp_path / "text.png").write_bytes(b"no picture")
    for name in ("nan.tif", "cut.png", "text.png"):
        with pytest.raises(DataError, match=name):
            read(tmp_path / name)


def test_pictures_that_are_stored_on_their_side_are_turned(tmp_path) -> None:
    mask = np.zeros((4, 6), bool)
    mask[0] = True
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    (tmp_path / "m").write_bytes(pillow(np.rot90(mask, 1).copy(), "PNG", exif=exif))
    np.testing.assert_array_equal(read(tmp_path / "m")[0], mask)
