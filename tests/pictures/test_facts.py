"""What a picture file loses as 8-bit RGB is found, whatever it is, and nothing is found that is not lost."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from hstmae.pictures.facts import KINDS, Loss, counted, losses_of

RGB = np.random.default_rng(5).integers(0, 256, (12, 10, 3), np.uint8)
GREY16 = np.random.default_rng(6).integers(0, 1 << 16, (12, 10), np.uint16)


def saved(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def of(data: bytes) -> tuple[Loss, ...]:
    with Image.open(io.BytesIO(data)) as picture:
        return losses_of(picture, data)


def kinds(data: bytes) -> set[str]:
    return {loss.kind for loss in of(data)}


def changing(data: bytes) -> set[str]:
    return {loss.kind for loss in of(data) if loss.changes}


def png(depth: int, colour: int, width: int, rows: bytes, *, interlace: int = 0, extra: bytes = b"") -> bytes:
    """A PNG file of one kind that Pillow cannot write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))

    height = len(rows) // (width * depth * {0: 1, 2: 3, 4: 2, 6: 4}[colour] // 8)
    lines = b"".join(b"\0" + rows[k * (len(rows) // height) : (k + 1) * (len(rows) // height)] for k in range(height))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    body = chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def pnginfo(*chunks: tuple[bytes, bytes]) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for kind, body in chunks:
        info.add(kind, body)
    return info


picture = Image.fromarray(RGB)
with_alpha = Image.fromarray(np.dstack([RGB, RGB[..., 0]]))
palette = picture.quantize(16)
exif = Image.Exif()
exif[0x0110] = "a camera"
turned = Image.Exif()
turned[0x0112] = 6


@pytest.mark.parametrize(
    "data",
    [
        saved(picture),
        saved(picture, "BMP", dpi=(0, 0)),
        saved(picture.convert("L")),
        saved(picture.convert("1")),
        saved(palette),
        saved(palette, bits=4),
        saved(picture, "JPEG"),
        saved(picture, "JPEG", progressive=True),
        saved(picture, "JPEG", exif=turned),
        saved(picture, exif=turned),
        saved(picture.convert("L"), "JPEG"),
        saved(picture, "WEBP", lossless=True),
        saved(picture, "TIFF"),
        saved(palette, "GIF"),
        saved(palette, transparency=bytes([255] * 16)),
        saved(picture, transparency=tuple(int(v) for v in 255 - RGB[0, 0])),
    ],
    ids=range(16),
)
def test_nothing_is_lost_of(data):
    assert not changing(data)
    assert kinds(data) <= {"alpha"}  # stated, but nothing is transparent


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (saved(Image.fromarray(GREY16)), "depth"),
        (png(16, 0, 10, GREY16.astype(">u2").tobytes()), "depth"),
        (png(16, 2, 10, np.dstack([GREY16] * 3).astype(">u2").tobytes()), "depth"),
        (png(16, 4, 10, np.dstack([GREY16] * 2).astype(">u2").tobytes()), "depth"),
        (png(16, 6, 10, np.dstack([GREY16] * 4).astype(">u2").tobytes()), "depth"),
        (saved(Image.fromarray(GREY16), "TIFF"), "depth"),
        (saved(Image.fromarray(GREY16.astype(np.int32)), "TIFF"), "depth"),
        (saved(Image.fromarray(GREY16.astype(np.float32)), "TIFF"), "depth"),
        (saved(with_alpha), "alpha"),
        (saved(with_alpha.convert("LA")), "alpha"),
        (saved(with_alpha, "WEBP", lossless=True), "alpha"),
        (saved(with_alpha, "TIFF"), "alpha"),
        (saved(palette, transparency=0), "alpha"),
        (saved(palette, transparency=bytes(range(16))), "alpha"),
        (saved(picture, transparency=tuple(int(v) for v in RGB[0, 0])), "alpha"),
        (saved(picture.convert("L"), transparency=int(np.asarray(picture.convert("L"))[0, 0])), "alpha"),
        (saved(palette, "GIF", transparency=0), "alpha"),
        (saved(palette, "GIF", save_all=True, append_images=[Image.fromarray(255 - RGB).quantize(16)]), "frames"),
        (saved(picture, save_all=True, append_images=[Image.fromarray(255 - RGB)]), "frames"),
        (saved(picture, "WEBP", save_all=True, append_images=[Image.fromarray(255 - RGB)], lossless=True), "frames"),
        (saved(picture, "TIFF", save_all=True, append_images=[Image.fromarray(255 - RGB)]), "frames"),
        (saved(picture, "MPO", save_all=True, append_images=[Image.fromarray(255 - RGB)]), "frames"),
        (saved(picture.convert("CMYK"), "JPEG"), "colours"),
        (saved(picture.convert("CMYK"), "TIFF"), "colours"),
        (saved(picture.convert("LAB"), "TIFF"), "colours"),
    ],
)
def test_what_changes_the_picture_is_found(data, kind):
    assert kind in changing(data)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (saved(picture, icc_profile=b"profile" * 30), "profile"),
        (saved(picture, "JPEG", icc_profile=b"profile" * 30), "profile"),
        (saved(picture, pnginfo=pnginfo((b"gAMA", struct.pack(">I", 100000)))), "profile"),
        (saved(picture, pnginfo=pnginfo((b"sRGB", b"\0"))), "profile"),
        (saved(picture, pnginfo=pnginfo((b"cHRM", bytes(32)))), "profile"),
        (saved(picture, pnginfo=pnginfo((b"sBIT", b"\5\6\5"))), "profile"),
        (saved(picture, pnginfo=pnginfo((b"bKGD", bytes(6)))), "profile"),
        (saved(picture, pnginfo=pnginfo((b"tEXt", b"Title\0A text"))), "notes"),
        (saved(picture, pnginfo=pnginfo((b"tIME", bytes(7)))), "notes"),
        (saved(picture, pnginfo=pnginfo((b"prVt", b"of some program"))), "notes"),
        (saved(picture, dpi=(72, 144)), "notes"),
        (saved(picture, "JPEG", dpi=(72, 144)), "notes"),
        (saved(picture, "JPEG", exif=exif), "notes"),
        (saved(picture, exif=exif), "notes"),
        (saved(picture, "JPEG", comment=b"hello"), "notes"),
        (saved(picture, "WEBP", exif=exif), "notes"),
        (saved(picture, "TIFF", description="hello"), "notes"),
        (saved(palette, "GIF", comment=b"hello"), "notes"),
        (saved(picture) + b"memory", "tail"),
        (saved(picture, "JPEG") + b"memory", "tail"),
        (saved(palette, "GIF") + b"memory", "tail"),
        (saved(picture, "WEBP", lossless=True) + b"memory", "tail"),
        (saved(Image.fromarray(np.dstack([RGB, np.full((12, 10), 255, np.uint8)]))), "alpha"),
    ],
)
def test_what_stands_beside_the_picture_is_found(data, kind):
    assert kind in kinds(data)
    assert kind not in changing(data)


def test_pictures_are_counted_by_kind():
    both = saved(with_alpha, pnginfo=pnginfo((b"tEXt", b"Title\0A text")))
    assert counted([of(both), of(saved(picture)), of(saved(with_alpha))]) == {"alpha": 2, "notes": 1}
    assert list(counted([of(both)])) == [kind for kind in KINDS if kind in ("alpha", "notes")]
