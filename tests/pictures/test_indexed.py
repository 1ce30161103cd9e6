"""PNG files in every form they come in: read, restored, written back in their own form."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from hstmae.errors import DataError
from hstmae.games import get_game
from hstmae.pictures.indexed import decode_picture, to_png

GAME = get_game("smb")
PALETTE = GAME.palette
RNG = np.random.default_rng(0)
TRUTH = RNG.choice(np.array([0x0F, 0x16, 0x22, 0x27, 0x30], np.uint8), (20, 24))
MASK = np.zeros((20, 24), bool)
MASK[4:12, 5:17] = True


def encoded(picture: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="PNG", **options)
    return file.getvalue()


def indexed(stored: np.ndarray, palette: np.ndarray, **options) -> bytes:
    picture = Image.frombytes("P", stored.shape[::-1], stored.tobytes())
    picture.putpalette(palette.tobytes(), "RGB")
    return encoded(picture, **options)


def emulator_file() -> bytes:
    table = np.zeros((256, 3), np.uint8)
    table[128:192] = PALETTE[::-1]  # an RGB table of its own
    return indexed(TRUTH | 0x80, table)


def small_palette_file() -> bytes:
    colours = np.unique(TRUTH)
    return indexed(np.searchsorted(colours, TRUTH).astype(np.uint8), PALETTE[colours])


FILES = {
    "emulator": emulator_file,
    "small palette": small_palette_file,
    "own table": lambda: to_png(TRUTH, PALETTE),
    "rgb": lambda: encoded(Image.fromarray(PALETTE[TRUTH])),
    "rgba": lambda: encoded(Image.fromarray(np.dstack([PALETTE[TRUTH], np.where(MASK, 0, 255).astype(np.uint8)]))),
}


@pytest.mark.parametrize("form", FILES)
def test_read_and_write_back(form: str) -> None:
    picture = decode_picture(FILES[form]() + b"appended", GAME, "x.png")
    np.testing.assert_array_equal(picture.indices, TRUTH)
    assert picture.native.beside["tail"] == b"appended"
    new = np.full(TRUTH.shape, 0x1A, np.uint8)  # a colour that the file does not hold yet
    data = picture.restored(new, MASK)
    assert data.endswith(b"appended")
    again = decode_picture(data, GAME, "y.png")
    np.testing.assert_array_equal(again.indices, np.where(MASK, 0x1A, TRUTH))
    mine, its = picture.native, again.native
    np.testing.assert_array_equal(its.samples[~MASK], mine.samples[~MASK])
    if mine.palette is None:
        assert its.palette is None and (its.samples[..., 3:] == 255).all()
    else:
        assert its.palette is not None
        np.testing.assert_array_equal(its.palette[: len(mine.palette)], mine.palette)
        np.testing.assert_array_equal(again.palette, picture.palette)


def test_transparency_is_what_is_missing() -> None:
    np.testing.assert_array_equal(decode_picture(FILES["rgba"](), GAME, "x").missing, MASK)
    assert not decode_picture(FILES["rgb"](), GAME, "x").missing.any()
    stored = np.where(MASK, 63, TRUTH).astype(np.uint8)
    clear = indexed(stored, PALETTE, transparency=63)
    np.testing.assert_array_equal(decode_picture(clear, GAME, "x").missing, MASK)


def test_colours_the_game_lacks_are_marked() -> None:
    rgb = PALETTE[TRUTH].copy()
    rgb[0, 0] = [1, 2, 3]
    picture = decode_picture(encoded(Image.fromarray(rgb)), GAME, "x")
    assert picture.indices[0, 0] == -1 and (picture.indices.ravel()[1:] == TRUTH.ravel()[1:]).all()


def test_a_full_palette_becomes_rgb() -> None:
    table = RNG.integers(0, 256, (256, 3)).astype(np.uint8)
    table[:5] = PALETTE[np.unique(TRUTH)]
    picture = decode_picture(indexed(np.searchsorted(np.unique(TRUTH), TRUTH).astype(np.uint8), table), GAME, "x")
    again = decode_picture(picture.restored(np.full(TRUTH.shape, 0x1A, np.uint8), MASK), GAME, "y")
    assert again.native.palette is None
    np.testing.assert_array_equal(again.indices, np.where(MASK, 0x1A, TRUTH))


def test_damaged_files_are_errors_that_name_the_file() -> None:
    data = FILES["rgb"]()
    for cut in range(0, len(data), 7):
        with pytest.raises(DataError, match=r"bad\.png"):
            decode_picture(data[:cut], GAME, "bad.png")
    for position in range(0, len(data), 5):
        flipped = bytearray(data)
        flipped[position] ^= 0x10
        try:
            decode_picture(bytes(flipped), GAME, "bad.png")
        except DataError as error:
            assert "bad.png" in str(error)


def test_absurd_sizes_are_refused_before_unpacking() -> None:
    data = bytearray(encoded(Image.new("L", (1, 1))))
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    with pytest.raises(DataError, match=r"bomb\.png"):
        decode_picture(bytes(data), GAME, "bomb.png")
